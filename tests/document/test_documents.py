"""The documents: nothing is lost, nothing goes stale. `pytest --rewrite` writes them anew, to be reviewed."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from raftcheck.document import specification_markdown, specification_text, tla_config, tla_module
from raftcheck.document.contents import argument_names, definitions, groups
from raftcheck.document.markdown import action_markdown
from raftcheck.document.text import action_text
from raftcheck.document.tla import Module, camel_case, lemma_name
from raftcheck.model import ModelError
from raftspec.logic import (
    BOOLEAN,
    Action,
    Apply,
    Assignment,
    Claim,
    Function,
    Kind,
    Specification,
    all_of,
    any_of,
)
from raftspec.proof import RAFT
from raftspec.raft import INDEX, RESTART, SERVER, i, n, p
from tests.conftest import ROOT
from tests.document.reading import parsed

SNAPSHOTS = Path(__file__).parent / "snapshots"
DOCUMENTS: dict[Path, Callable[[Specification], str]] = {
    ROOT / "docs" / "specification.md": specification_markdown,
    SNAPSHOTS / "specification.txt": specification_text,
    SNAPSHOTS / "Raft.tla": tla_module,
    SNAPSHOTS / "Raft.cfg": tla_config,
}
TEXTS = [specification_text(RAFT), specification_markdown(RAFT).replace("\\_", "_"), tla_module(RAFT)]
CLAIMS = [*RAFT.axioms, *RAFT.safety, *RAFT.steps, *RAFT.invariants, *(c for cs in RAFT.lemmas.values() for c in cs)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_snapshot(path: Path, request: pytest.FixtureRequest) -> None:
    now = DOCUMENTS[path](RAFT)
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == now


@pytest.mark.parametrize("text", TEXTS, ids=["text", "markdown", "tla"])
def test_nothing_is_lost(text: str) -> None:
    words = " ".join(re.sub(r"^ *\\\*", " ", text, flags=re.MULTILINE).split())
    for function in RAFT.state:
        assert re.search(rf"\b{function.name}\b", words), function.name
        assert function.meaning in words
    for definition in definitions(RAFT):
        assert f"{definition.name}(" in words or f"{definition.name}}}(" in words, definition.name
        assert definition.meaning in words
    for action in RAFT.actions:
        assert f"{action.name}({', '.join(v.name for v in action.parameters)})" in words
        assert action.meaning in words
        assert action.source in words
        for guard in action.guard:
            assert guard in words, guard
    for claim in CLAIMS:
        assert claim.name in words or camel_case(claim) in words, claim.name
        assert claim.meaning in words
        assert claim.source in words


WRITERS: list[Callable[[Action], Iterable[object]]] = [action_text, action_markdown, Module(RAFT, "Raft").action]


@pytest.mark.parametrize("write", WRITERS, ids=["text", "markdown", "tla"])
def test_every_part_of_an_action_counts(write: Callable[[Action], Iterable[object]]) -> None:
    """Without a guard, or without an assignment, what is written is another thing."""
    for action in RAFT.actions:
        whole = list(write(action))
        for name in action.guard:
            guard = {other: formula for other, formula in action.guard.items() if other != name}
            assert list(write(changed(action, guard=guard))) != whole
        for assignment in action.update:
            update = tuple(other for other in action.update if other is not assignment)
            assert list(write(changed(action, update=update))) != whole


def changed(action: Action, **parts: object) -> Action:
    return replace(action, **parts)  # type: ignore[arg-type]


# TLA+


def test_the_module_is_tla() -> None:
    root = parsed(tla_module(RAFT))
    operators = [n for n in root.named_children[0].named_children if n.type == "operator_definition"]
    assert len(operators) > len(RAFT.actions) + len(RAFT.invariants) + len(RAFT.safety)


@pytest.mark.parametrize(
    ("there", "wrong"), [("Next ==", "Next = ="), ("/\\ UNCHANGED <<", "/\\ UNCHANGED <"), ("EXCEPT !", "EXCEPT ")]
)
def test_what_is_no_tla_is_refused(there: str, wrong: str) -> None:
    module = tla_module(RAFT)
    assert there in module
    with pytest.raises(SyntaxError, match="no TLA"):
        parsed(module.replace(there, wrong, 1))


def test_no_name_of_the_module_is_given_twice() -> None:
    """Not even to a parameter or to what a quantifier ranges over: TLA+ has no shadowing."""
    module = tla_module(RAFT)
    operators = re.findall(r"^(?:ASSUME )?(\w+)(?:\([\w, ]*\))? ==", module, flags=re.MULTILINE)
    names = [*operators, *(f.name for f in RAFT.state), *re.findall(r"^    (\w+),?$", module, flags=re.MULTILINE)]
    assert len(set(names)) == len(names) > 100
    assert not {variable.name for variable in Module(RAFT, "Raft").variables} & set(names)


def test_the_module_is_plain_ascii_and_narrow() -> None:
    module = tla_module(RAFT)
    assert module.isascii()
    assert max(map(len, module.splitlines())) <= 130


def test_the_configuration_names_what_there_is() -> None:
    module, config = tla_module(RAFT), tla_config(RAFT)
    for name in re.findall(r"^    (\w+)", config, flags=re.MULTILINE):
        assert re.search(rf"^(    )?{name}( ==|,?$)", module, flags=re.MULTILINE), name
    for claim in [*RAFT.safety, *RAFT.invariants, *RAFT.steps]:
        assert f"    {camel_case(claim)}\n" in config


def test_names_of_operators() -> None:
    claim = Claim("Leaders' Log, Append-Only", all_of(), "")
    assert camel_case(claim) == "LeadersLogAppendOnly"
    assert lemma_name("Restart", claim) == "RestartLeadersLogAppendOnly"


@pytest.mark.parametrize("name", ["", "two words", "a-b", "1st"])
def test_a_module_needs_a_name_of_tla(name: str) -> None:
    with pytest.raises(ModelError, match="no name of a TLA"):
        tla_module(RAFT, name)


# Assignments that Raft does not have

grid = Function("grid", (SERVER, INDEX), INDEX, Kind.VOLATILE, "A number for each server and index.", 0)
mark = Function("mark", (SERVER,), BOOLEAN, Kind.MESSAGE, "A mark.", False)
ASSIGNMENTS = [
    (grid[n, i].becomes(1), "grid' = [grid EXCEPT ![n] = [i \\in Index |-> 1]]", "grid[n, i] := 1, for all i"),
    (grid[n, 0].becomes(grid[n, 1]), "grid' = [grid EXCEPT ![n][0] = grid[n][1]]", "grid[n, 0] := grid[n, 1]"),
    (
        grid[p, i].becomes(1),
        "grid' = [p \\in Server |-> [i \\in Index |-> 1]]",
        "grid[p, i] := 1, for all p, i",
    ),
    (
        grid[p, 2].becomes(1, where=p == n),
        "grid' = [p \\in Server |-> [x2 \\in Index |-> IF x2 = 2 /\\ p = n THEN 1 ELSE grid[p][x2]]]",
        "grid[p, 2] := 1, for all p with p = n",
    ),
    (
        grid[n, 2].becomes(1, where=mark[n]),
        "grid' = [grid EXCEPT ![n][2] = IF mark[n] THEN 1 ELSE grid[n][2]]",
        "grid[n, 2] := 1, if mark[n]",
    ),
    (mark[n].becomes(any_of(mark[n], n == p)), "mark' = [mark EXCEPT ![n] = mark[n] \\/ n = p]", None),
    (mark[p].becomes(False), "mark' = [p \\in Server |-> FALSE]", None),
]


@pytest.mark.parametrize(("assignment", "tla", "text"), ASSIGNMENTS, ids=[tla for _, tla, _ in ASSIGNMENTS])
def test_assignments(assignment: Assignment, tla: str, text: str | None) -> None:
    # A mark that is taken away again is a function, not a set of what is marked.
    actions = (
        Action("Act", "It acts.", "nowhere", (n,), {}, (assignment,)),
        Action("Forget", "It forgets.", "nowhere", (n,), {}, (mark[n].becomes(False),)),
    )
    several = Specification((grid, mark), (), actions, (), (), ())
    module, document = tla_module(several), specification_text(several)
    parsed(module)
    assert f"    /\\ {tla}\n" in module
    if text:
        assert f"    {text}\n" in document


# What the tables say


def test_what_a_crash_spares_is_what_restart_leaves_alone() -> None:
    kept = {group.name: {function.name for function in group.functions} for group in groups(RAFT)}
    touched = {assignment.function.name for assignment in RESTART.update}
    assert not touched & kept["persistent"]
    assert touched == kept["volatile"]
    assert sum(map(len, kept.values())) == len(RAFT.functions)


def test_arguments_are_named_as_the_meaning_names_them() -> None:
    for function in RAFT.functions:
        arguments = argument_names(RAFT, function)
        Apply(function, arguments)
        assert len({variable.name for variable in arguments}) == len(arguments)
    assert [variable.name for variable in argument_names(RAFT, grid)] == ["n", "i"]


def test_latex_is_balanced() -> None:
    document = specification_markdown(RAFT)
    formulas = re.findall(r"\$`(.*?)`\$", document) + re.findall(r"```math\n(.*?)```", document, flags=re.DOTALL)
    assert len(formulas) > 150
    for formula in formulas:
        assert formula.count("{") == formula.count("}")
        assert not re.search(r"(?<!\\)_", formula)
        assert "|" not in formula
