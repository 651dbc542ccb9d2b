"""How kernels are compiled: by numba, without the interpreter's lock, and kept on disk.

Compiled code is kept in a folder that is named after the source of all kernels, so that a kernel can never be
used with an older version of another that it calls. RAFTPROOF_CACHE names another place for such folders.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

Function = Callable[..., Any]


def cache_folder() -> Path | None:
    """Return the folder for compiled kernels, made if need be; None if there is no place to write."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    version = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    home = os.environ.get("RAFTPROOF_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "raftproof")
    folder = Path(home).expanduser() / f"kernels-{version}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


CACHE = cache_folder()


def kernel(function: Function) -> Function:
    """Compile a function when it is first called, or load what was compiled on an earlier run.

    It must not make arrays: they are not counted (`_nrt`), for that takes longer than all that a kernel does with
    them. Whatever it needs it is given.
    """
    others = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE or "")
    try:
        compiled: Function = numba.njit(function, nogil=True, error_model="numpy", _nrt=False, cache=CACHE is not None)
    finally:
        numba.config.CACHE_DIR = others
    return compiled


def part(function: Function) -> Function:
    """Make a function a part of the kernels that call it.

    A call would hand over all arrays of its arguments one by one, which takes longer than what it does.
    """
    compiled: Function = numba.njit(function, inline="always", error_model="numpy", _nrt=False)
    return compiled


@intrinsic
def read_ahead(typing_context, array, position):
    """Begin to fetch `array[position]`, counted in items from the start, from memory, without waiting for it."""
    del typing_context

    def generate(context, builder, signature, arguments):
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(start, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        fetch = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, fetch, "llvm.prefetch.p0")
        for_reading, keep_longest, data = number(0), number(3), number(1)
        builder.call(function, [address, for_reading, keep_longest, data])
        return context.get_dummy_value()

    return types.void(array, position), generate
