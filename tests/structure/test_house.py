"""The house rules, enforced from the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = {"raftspec": ROOT / "spec", "raftimpl": ROOT / "impl", "raftcheck": ROOT / "checker",
            "raftproof_pytest": ROOT / "checker"}  # fmt: skip

ALLOWED = {
    "raftspec": {"raftspec"},
    "raftimpl": {"raftspec", "raftimpl"},
    "raftimpl.store": {"raftimpl.errors", "raftimpl.store"},
    "raftimpl.etcd": {"raftimpl.errors", "raftimpl.store", "raftimpl.etcd"},
    "raftcheck.model": {"raftcheck.model"},
    "raftcheck.explore": {"raftcheck.model", "raftcheck.explore"},
    "raftcheck.report": {"raftcheck.model", "raftcheck.explore", "raftcheck.report", "raftcheck.version"},
    "raftcheck.raft": {"raftspec", "raftimpl", "raftcheck.model", "raftcheck.explore", "raftcheck.report",
                       "raftcheck.raft"},
    "raftcheck.prove": {"raftspec", "raftcheck.model", "raftcheck.prove", "raftcheck.version"},
    "raftcheck.document": {"raftspec", "raftcheck.model", "raftcheck.document"},
    "raftcheck.oracle": {"raftspec", "raftimpl", "raftcheck.model", "raftcheck.explore", "raftcheck.raft",
                         "raftcheck.oracle", "raftcheck.version"},
    "raftcheck.torture": {"raftspec", "raftimpl", "raftcheck.model", "raftcheck.oracle", "raftcheck.raft",
                          "raftcheck.torture", "raftcheck.version"},
    "raftcheck.cli": {"raftcheck", "raftimpl"},
    "raftproof_pytest": {"raftcheck.model", "raftcheck.oracle"},
    "raftcheck": {"raftcheck.model", "raftcheck.explore", "raftcheck.version"},
}  # fmt: skip
"""Who may import what of ours; the longest matching prefix counts."""

STANDARD_LIBRARY_OF_THE_SPECIFICATION = {
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "itertools",
    "json",
    "typing",
}

PURE = ["raftspec", "raftimpl"]
"""Packages without clock, randomness, I/O, logging and globals."""

AROUND_THE_CORE = ["raftimpl.store", "raftimpl.running", "raftimpl.etcd"]
"""What makes a server of the core; the core knows nothing of them."""

DETERMINISTIC = "raftimpl.store"
"""Changes in place, but by what it is asked alone."""

FORMULAS = {"raftspec.logic"}
"""Where == builds a formula and compares nothing."""

FORBIDDEN_MODULES = {
    "asyncio", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select",
    "shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time", "uuid", "warnings",
}  # fmt: skip
FORBIDDEN_CALLS = {"breakpoint", "eval", "exec", "hash", "id", "input", "open", "print", "__import__"}


def is_within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def sources(package: str) -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted((PACKAGES[package] / package).rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGES[package]).with_suffix("").parts).removesuffix(".__init__")
        yield module, path, ast.parse(path.read_text(encoding="utf-8"))


def name_of_source(value: object) -> str:
    return value if isinstance(value, str) else ""


ALL_SOURCES = [source for package in PACKAGES for source in sources(package)]
PURE_SOURCES = [
    source
    for package in PURE
    for source in sources(package)
    if not any(is_within(source[0], around) for around in AROUND_THE_CORE)
]


def imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)


def rule_for(module: str) -> set[str]:
    return ALLOWED[max((prefix for prefix in ALLOWED if is_within(module, prefix)), key=len)]


@pytest.mark.parametrize(("module", "path", "tree"), ALL_SOURCES, ids=name_of_source)
def test_who_may_import_whom(module: str, path: Path, tree: ast.Module) -> None:
    for imported in imported_modules(tree):
        if imported.split(".")[0] in PACKAGES:
            assert any(is_within(imported, prefix) for prefix in rule_for(module)), f"{module} imports {imported}"


@pytest.mark.parametrize(("module", "path", "tree"), PURE_SOURCES, ids=name_of_source)
def test_the_core_does_not_know_what_is_around_it(module: str, path: Path, tree: ast.Module) -> None:
    for imported in imported_modules(tree):
        assert not any(is_within(imported, around) for around in AROUND_THE_CORE), f"{module} imports {imported}"


def test_the_store_depends_on_its_requests_alone() -> None:
    """No clock, no randomness, no I/O: every server that applies the same requests has the same store."""
    for module, _, tree in sources("raftimpl"):
        if is_within(module, DETERMINISTIC):
            assert not {name.split(".")[0] for name in imported_modules(tree)} & FORBIDDEN_MODULES, module
            for node in ast.walk(tree):
                assert not isinstance(node, ast.Global | ast.Nonlocal | ast.AsyncFunctionDef | ast.Await), module
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in FORBIDDEN_CALLS - {"hash"}, f"{module}:{node.lineno}"


def test_the_specification_depends_on_nothing() -> None:
    for module, _, tree in sources("raftspec"):
        for imported in imported_modules(tree):
            assert imported in STANDARD_LIBRARY_OF_THE_SPECIFICATION or is_within(imported, "raftspec"), (
                f"{module} imports {imported}"
            )


@pytest.mark.parametrize("package", ["model", "explore"])
def test_the_engines_do_not_know_raft(package: str) -> None:
    for module, path, _ in ALL_SOURCES:
        if is_within(module, f"raftcheck.{package}"):
            text = (
                path.read_text(encoding="utf-8")
                .lower()
                .replace("raftcheck", "")
                .replace("raftproof", "")
                .replace("knows raft", "")
            )
            words = ["raft", "leader", "follower", "election", "appendentries", "requestvote"]
            assert not [word for word in words if word in text], module


def is_constant(name: str) -> bool:
    return name.strip("_").isupper() or name.startswith("__")


@pytest.mark.parametrize(("module", "path", "tree"), PURE_SOURCES, ids=name_of_source)
def test_the_core_is_pure(module: str, path: Path, tree: ast.Module) -> None:
    assert not {name.split(".")[0] for name in imported_modules(tree)} & FORBIDDEN_MODULES
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Global | ast.Nonlocal | ast.AsyncFunctionDef | ast.Await), module
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, f"{module}:{node.lineno} calls {node.func.id}"
        if isinstance(node, ast.FunctionDef) and module not in FORMULAS:
            assert node.name not in {"__hash__", "__eq__"}, f"{module}:{node.lineno}: equality is never hand-written"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            raise AssertionError(f"{module}:{node.lineno} assigns to an attribute: values are immutable")


@pytest.mark.parametrize(("module", "path", "tree"), PURE_SOURCES, ids=name_of_source)
def test_no_function_of_the_core_changes_a_table_of_its_module(module: str, path: Path, tree: ast.Module) -> None:
    tables = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                assert not (isinstance(node.value, ast.Name) and node.value.id in tables), f"{module}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner, changes = node.func.value, {"append", "add", "update", "setdefault", "pop", "clear", "extend"}
                assert not (isinstance(owner, ast.Name) and owner.id in tables and node.func.attr in changes), module


@pytest.mark.parametrize(("module", "path", "tree"), ALL_SOURCES, ids=name_of_source)
def test_functions_and_files_are_small(module: str, path: Path, tree: ast.Module) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = len((ast.get_docstring(node) or "").splitlines())
            size = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring
            assert size <= 60, f"{module}: {node.name} has {size} lines"


def test_a_server_loads_nothing_that_only_the_checkers_need() -> None:
    """It would cost every server of a cluster memory, and the time that others wait for it when it comes back."""
    code = (
        "import sys; from raftcheck.cli.main import program; program(['serve']); import raftimpl.running.server;"
        "print(*sorted({'llvmlite', 'networkx', 'numba', 'numpy', 'z3'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_rule_of_raft_names_its_source() -> None:
    """A rule is found under the paper's name for it, with the section in its docstring."""
    tree = next(tree for module, _, tree in ALL_SOURCES if module == "raftimpl.rules")
    rules = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Rules")
    for rule in rules.body:
        if isinstance(rule, ast.FunctionDef):
            text = ast.get_docstring(rule) or ""
            assert any(word in text for word in ("section", "Figure", "thesis", "AppendEntries")), rule.name


@pytest.mark.parametrize("module", ["election", "replication", "reading"])
def test_every_handler_names_its_source(module: str) -> None:
    tree = next(tree for name, _, tree in ALL_SOURCES if name == f"raftimpl.{module}")
    text = " ".join(ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.FunctionDef))
    assert text.count("section") + text.count("Figure") + text.count("thesis") >= 1
    assert "section" in (ast.get_docstring(tree) or "")
