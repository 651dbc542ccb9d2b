"""Make rpc_pb2 and mvcc_pb2 of the .proto files; `make proto` runs it.

What protoc generates registers its types in the pool of the process and insists on the version of protobuf that it
was made for. We take the description of the types from protoc, and the stubs for mypy, and define them ourselves.
"""

import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROTOS = ("raftimpl/etcd/mvcc.proto", "raftimpl/etcd/rpc.proto")
WIDTH = 80

TEMPLATE = '''"""The messages of {name}.proto. Generated from it by `make proto`: change that file, not this one."""

{imports}from raftimpl.etcd.pool import define

globals().update(
    define(
{lines}
    )
)
'''


def generate(folder: Path) -> list[Path]:
    """Write the generated files into a folder, and return them."""
    from grpc_tools import protoc

    described = folder / "described"
    arguments = ["protoc", f"--proto_path={ROOT}", f"--descriptor_set_out={described}", f"--pyi_out={folder}"]
    if protoc.main([*arguments, *PROTOS]) != 0:
        raise SystemExit("protoc could not read the .proto files; see above")
    files = FileDescriptorSet.FromString(described.read_bytes()).file
    described.unlink()
    written = []
    for file in files:
        target = (folder / file.name).with_suffix("")
        module = target.with_name(target.name + "_pb2.py")
        module.write_text(module_text(target.name, file.SerializeToString(deterministic=True), list(file.dependency)))
        written += [module, module.with_suffix(".pyi")]
    return written


def module_text(name: str, serialized: bytes, imports: list[str]) -> str:
    """Return the text of a module that defines the types of a file."""
    lines = [repr(serialized[start : start + WIDTH]) for start in range(0, len(serialized), WIDTH)]
    return TEMPLATE.format(
        name=name,
        imports="".join(
            f"import {path.removesuffix('.proto').replace('/', '.')}_pb2  # noqa: F401\n" for path in imports
        ),
        lines="\n".join(" " * 8 + line for line in lines),
    )


def main() -> None:
    """Generate the files beside this one."""
    with tempfile.TemporaryDirectory() as folder:
        for path in generate(Path(folder)):
            (HERE / path.name).write_text(path.read_text())
            sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
