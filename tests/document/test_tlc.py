"""The TLA+ module has the states that the specification has.

A breadth-first search with `raftspec.concrete` visits small clusters within the bounds of the module. The numbers
pinned here are those that TLC finds with the module and a configuration of the same size. To ask TLC again, set
TLA2TOOLS to its class path (tla2tools.jar).
"""

import os
import re
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from raftcheck.document import TlcModel, tla_config, tla_module
from raftspec.concrete import Concrete, State, cluster
from raftspec.logic import Specification
from raftspec.proof import RAFT

FOUND_BY_TLC = [
    (TlcModel(servers=2, terms=1, indexes=1), 144, 14),
    (TlcModel(servers=2, terms=1, indexes=2, values=2), 908, 16),
    (TlcModel(servers=2, terms=2, indexes=0), 2013, 18),
    (TlcModel(servers=3, terms=1, indexes=1), 6612, 19),
    (TlcModel(), 5785, 21),
]
"""Models, their numbers of distinct states, and the depth of the search."""


class Search:
    """Every state within the bounds of a model, and those of the actions that happened."""

    def __init__(self, model: TlcModel) -> None:
        # As in the module, numbers go one further than the bounds: every function is defined there.
        universe = cluster(model.servers, model.terms + 1, model.indexes + 1, model.messages, model.values)
        self.concrete = Concrete(RAFT, universe)
        self.bounds = {
            function.name: model.bound(function.result.name)
            for function in RAFT.state
            if function.is_of_server and function.result.is_number
        }
        self.happened: set[str] = set()
        self.broken: set[str] = set()
        self.visited: set[Any] = set()
        self.depth = 0
        frontier = self.new([self.concrete.initial()])
        while frontier:
            self.depth += 1
            frontier = self.new([after for state in frontier for after in self.successors(state)])

    def new(self, states: list[State]) -> list[State]:
        """Return those of the states that are within the bounds and were not visited; visit them."""
        found = []
        for state in states:
            key = tuple(frozenset(state[function.name].items()) for function in RAFT.state)
            if key not in self.visited and self.is_within_bounds(state):
                self.visited.add(key)
                found.append(state)
        return found

    def is_within_bounds(self, state: State) -> bool:
        return all(value <= bound for name, bound in self.bounds.items() for value in state[name].values())  # type: ignore[operator]

    def successors(self, state: State) -> list[State]:
        found = []
        for action in RAFT.actions:
            for values in product(*(self.concrete.universe.domain(p.sort) for p in action.parameters)):
                arguments = {p.name: value for p, value in zip(action.parameters, values, strict=True)}
                if self.concrete.refusal(action, state, arguments) is None:
                    found.append(self.concrete.after(action, state, arguments))
                    self.happened.add(action.name)
        return found


@pytest.mark.parametrize(("model", "states", "depth"), FOUND_BY_TLC, ids=str)
def test_the_specification_has_the_states_that_tlc_finds(model: TlcModel, states: int, depth: int) -> None:
    search = Search(model)
    assert (len(search.visited), search.depth) == (states, depth)
    if model.servers > 2:
        assert search.happened == {action.name for action in RAFT.actions}


needs_tlc = pytest.mark.skipif("TLA2TOOLS" not in os.environ, reason="TLA2TOOLS, the class path of TLC, is not set")


def tlc(specification: Specification, model: TlcModel, folder: Path) -> str:
    """Run TLC; return what it prints."""
    (folder / "Raft.tla").write_text(tla_module(specification), encoding="utf-8")
    (folder / "Raft.cfg").write_text(tla_config(specification, model), encoding="utf-8")
    command = ["java", "-cp", os.environ["TLA2TOOLS"], "tlc2.TLC", "-config", "Raft.cfg", "Raft.tla"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@needs_tlc
@pytest.mark.parametrize(("model", "states", "depth"), FOUND_BY_TLC, ids=str)
def test_tlc_finds_them_and_no_error(model: TlcModel, states: int, depth: int, tmp_path: Path) -> None:
    output = tlc(RAFT, model, tmp_path)
    assert "No error has been found" in output, output
    assert re.findall(r"(\d+) distinct states found, 0 states left", output) == [str(states)]
    assert re.findall(r"depth of the complete state graph search is (\d+)", output) == [str(depth)]


@needs_tlc
@pytest.mark.parametrize("name", ["BecomeLeader", "ClientRequest", "HandleAppendEntries"])
def test_tlc_finds_out_what_is_wrong_without_guards(name: str, tmp_path: Path) -> None:
    action = RAFT.action(name)
    careless = replace(action, guard={})
    output = tlc(RAFT.with_action(careless), TlcModel(), tmp_path)
    assert re.search(r"(Invariant|Action property) \w+.* is violated", output), output
