"""How many servers may fail for good: the table, and that its answers rest on what was executed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raftcheck import System, always_step, explore
from raftcheck.cli.main import main
from raftcheck.explore import Counterexample
from raftcheck.explore.covering import CoveringSearch
from raftcheck.explore.limits import Limits, Watch
from raftcheck.model import Deliver
from raftcheck.raft import Bounds, raft_system
from raftcheck.raft.changed_rules import CountOldVotes, HalfRoundedDown, HalfRoundedUp
from raftcheck.raft.continuation import (
    FAILED,
    NEW_WRITE,
    Continuations,
    OneNewWrite,
    Situation,
    Survivor,
    UnfinishedError,
    reaches_goal,
)
from raftcheck.raft.failures import FailureTable, after_failures, explore_failures
from raftcheck.raft.failures_report import example_lines, verdict_of, wrong_cells
from raftimpl.cluster import cluster_of
from raftimpl.raft import step as raft_step
from raftimpl.rules import Rules
from raftimpl.state import Role, ServerState
from raftimpl.step import Apply, ClientRequest, Receive, Send
from tests.conftest import ROOT

RIGHT = {
    1: ["yes", "no"],
    2: ["yes", "no", "no"],
    3: ["yes", "yes", "no", "no"],
    4: ["yes", "yes", "no", "no", "no"],
    5: ["yes", "yes", "yes", "no", "no", "no"],
}
"""2k+1 servers survive k failures, 2k survive k-1: written down by hand."""

SMALL = {
    1: Bounds(servers=1, terms=1, entries=1),
    2: Bounds(servers=2, terms=3, entries=0),
    3: Bounds(servers=3, terms=1, entries=0),
}

MEASURED = re.compile(r" +(took|\d+\.\d s)$", re.MULTILINE)


def answers(table: FailureTable) -> dict[int, list[str]]:
    return {row.bounds.servers: [cell.answer for cell in row.cells] for row in table.rows}


def test_the_table_for_up_to_five_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole command, as the README shows it: one test, for it takes the longest."""
    file = tmp_path / "table.json"
    assert main(["failures", "--max-servers", "5", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"raftproof failures --max-servers 5\n\n```\n(.*?)```", readme, re.DOTALL)
    assert shown is not None
    assert MEASURED.sub("", out) == MEASURED.sub("", shown[1])
    document = json.loads(file.read_text())
    assert (document["kind"], document["verdict"], document["limit"]) == ("failures", "holds", None)
    rows = {row["bounds"]["servers"]: row for row in document["rows"]}
    assert {servers: [cell["answer"] for cell in row["cells"]] for servers, row in rows.items()} == RIGHT
    assert {servers: row["survives"] for servers, row in rows.items()} == {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}
    for cell in [cell for row in rows.values() for cell in row["cells"]]:
        assert cell["possible"] == (cell["situations"] if cell["answer"] == "yes" else 0)
        assert (cell["possible_example"] is None) == (cell["answer"] == "no")
        assert (cell["impossible_example"] is None) == (cell["answer"] == "yes")


# Broken variants


class OneCommits(Rules):
    """A leader commits alone."""

    def commit_quorum(self, servers: int) -> int:
        return 1


class AllElect(Rules):
    """Nobody is elected without everybody's vote."""

    def election_quorum(self, servers: int) -> int:
        return servers


class AllElectAndCommit(AllElect):
    """Nothing happens without everybody."""

    commit_quorum = AllElect.election_quorum


@pytest.mark.parametrize(
    ("rules", "differing"),
    [
        (HalfRoundedUp(), {2: ["yes", "yes", "no"]}),
        (HalfRoundedDown(), {2: ["yes", "yes", "no"], 3: ["yes", "yes", "yes", "no"]}),
        (CountOldVotes(), {2: ["some", "no", "no"]}),
        (OneCommits(), {2: ["yes", "some", "no"], 3: ["yes", "yes", "some", "no"]}),
        (AllElect(), {3: ["yes", "some", "no", "no"]}),
        (AllElectAndCommit(), {3: ["yes", "no", "no", "no"]}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Rules) else "",
)
def test_other_rules_give_another_table(rules: Rules, differing: dict[int, list[str]]) -> None:
    table = explore_failures(3, rules, runs=SMALL)
    assert table.limit is None
    assert answers(table) == {servers: RIGHT[servers] for servers in SMALL} | differing
    assert verdict_of(table) == "violated"
    assert {row.bounds.servers for row, _, _ in wrong_cells(table)} == set(differing)
    for row, cell, example in wrong_cells(table):
        text = "\n".join(example_lines(row, cell, example))
        goes_on = example.continuation is not None
        assert ("is asked by a client to write new" in text) == goes_on
        assert ("Nothing that they can do commits a new write." in text) == (not goes_on)


def test_messages_under_way_are_lost() -> None:
    """Where a leader commits alone, a single survivor goes on only if it leads: the votes of the others are lost."""
    table = explore_failures(3, OneCommits(), runs=SMALL)
    run = CoveringSearch(raft_system(SMALL[3], OneCommits()), (), Limits())
    run.run()
    reached = {processes for processes, _ in run.configurations()}
    roles = [node.server.role for nodes in reached for node in nodes]  # type: ignore[attr-defined]
    cell = table.rows[2].cells[2]
    assert 0 < roles.count(Role.LEADER) == cell.possible < cell.situations == len(roles)


# What the answers rest on


def situations(bounds: Bounds, rules: Rules | None = None) -> Iterator[Situation]:
    run = CoveringSearch(raft_system(bounds, rules), (), Limits())
    run.run()
    reached: Any = dict.fromkeys(processes for processes, _ in run.configurations())
    for failures in range(bounds.servers + 1):
        yield from dict.fromkeys(situation for nodes in reached for situation in after_failures(nodes, failures))


def replay(situation: Situation, found: Counterexample, rules: Rules | None) -> None:
    """Execute a continuation with nothing but the core: it must be one."""
    cluster = cluster_of(len(situation), rules)
    servers: dict[int, ServerState] = {pid: node.server for pid, node in enumerate(situation) if node is not FAILED}
    sent: set[tuple[int, int, Any]] = set()
    asked = 0
    for pid, input, lost in found.events:
        assert not lost
        if isinstance(input, Deliver):
            assert (pid, input.sender, input.message) in sent
            input = Receive(input.sender, input.message)  # type: ignore[arg-type]
        asked += isinstance(input, ClientRequest)
        servers[pid], outputs = raft_step(cluster, servers[pid], input)  # type: ignore[arg-type]
        sent |= {(output.to, pid, output.message) for output in outputs if isinstance(output, Send)}
    assert asked == 1
    assert servers[pid].role is Role.LEADER
    assert NEW_WRITE in [output.entry.command for output in outputs if isinstance(output, Apply)]


def test_every_yes_is_a_behaviour_of_the_core() -> None:
    bounds = Bounds(servers=3, terms=1, entries=1)
    continuations = Continuations(bounds, None, lambda: None)
    possible = 0
    for situation in situations(bounds):
        found = continuations.search(situation)
        assert (found is not None) == (situation.count(FAILED) <= 1)
        if found is not None:
            possible += 1
            replay(situation, found, None)
    assert possible > 700


@pytest.mark.parametrize("rules", [None, OneCommits(), AllElect(), CountOldVotes()])
@pytest.mark.parametrize("bounds", [SMALL[2], SMALL[3]], ids=["2", "3"])
def test_another_engine_gives_the_same_answers(bounds: Bounds, rules: Rules | None) -> None:
    """Each situation by itself, explored by mode covering: the goal is a property that must be violated."""
    process = Survivor(cluster_of(bounds.servers, rules, bounds.batch), bounds)

    class From(Survivor):
        def initial(self, pid: int) -> Any:
            return situation[pid]

    goal = always_step("No New Write", lambda before, input, step: not reaches_goal(step))
    continuations = Continuations(bounds, rules, lambda: None)
    for situation in list(situations(bounds, rules))[::9]:
        processes = [From(process.cluster, bounds)] * bounds.servers
        result = explore(System(processes, scenario=OneNewWrite()), [goal], symmetry=False)
        assert result.complete or result.verdict == "violated"
        assert (continuations.search(situation) is not None) == (result.verdict == "violated"), situation


def test_the_order_of_the_search_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad order leads into dead ends; the search must come back out of them."""
    bounds = SMALL[2]
    monkeypatch.setattr("raftcheck.raft.continuation.order_of", lambda state, successor: -successor.event.pid)
    continuations = Continuations(bounds, None, lambda: None)
    for situation in situations(bounds):
        assert (continuations.search(situation) is not None) == (FAILED not in situation)


def test_what_follows_a_hopeless_state_is_hopeless() -> None:
    """So a search that meets such a state need not go on there."""
    for rules in (None, AllElect()):
        continuations = Continuations(SMALL[2], rules, lambda: None)
        for situation in situations(SMALL[2], rules):
            continuations.search(situation)
        assert len(continuations.hopeless) > 100
        for state in continuations.hopeless:
            assert all(successor.state in continuations.hopeless for successor in continuations._successors(state))


# What ends the work


def test_without_time_nothing_is_known() -> None:
    table = explore_failures(3, max_seconds=0.0, runs=SMALL)
    assert (table.rows, table.limit, verdict_of(table)) == ((), "max_seconds=0", "inconclusive")


def test_a_run_that_is_cut_short_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CoveringSearch, "run", lambda run: setattr(run, "limit", "max_seconds=1"))
    table = explore_failures(3, runs=SMALL)
    assert (table.rows, table.limit, verdict_of(table)) == ((), "max_seconds=1", "inconclusive")


def test_the_time_may_be_over_between_two_situations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the time is over as soon as the first situation was looked at."""
    looked_at: list[Situation] = []
    monkeypatch.setattr(Continuations, "search", lambda self, situation: looked_at.append(situation))
    monkeypatch.setattr(Watch, "limit_reached", lambda *_: "max_seconds=1" if looked_at else None)
    table = explore_failures(3, runs=SMALL)
    assert (table.rows, table.limit, len(looked_at)) == ((), "max_seconds=1", 1)


def test_an_unforeseen_error_is_no_answer() -> None:
    class Breaks(Rules):
        def appended_log(self, state: ServerState, entry: Any) -> Any:
            if state.id < len(state.match_index) - 1:
                raise ValueError("a bug")
            return super().appended_log(state, entry)

    table = explore_failures(2, Breaks(), runs=SMALL)
    assert answers(table) == {1: RIGHT[1]}
    assert table.limit == "a server raised ValueError: a bug"
    assert verdict_of(table) == "inconclusive"


def test_an_unforeseen_error_after_the_failure_is_no_answer() -> None:
    class BreaksLater(Rules):
        def appended_log(self, state: ServerState, entry: Any) -> Any:
            if state.current_term > SMALL[2].terms:
                raise ValueError("a bug")
            return super().appended_log(state, entry)

    situation = tuple(Survivor(cluster_of(2), SMALL[2]).initial(pid) for pid in range(2))
    continuations = Continuations(SMALL[2], BreaksLater(), lambda: None)
    assert continuations.search(situation) is not None
    table = explore_failures(2, BreaksLater(), runs=SMALL)
    assert answers(table) == {1: RIGHT[1]}
    assert table.limit == "a server raised ValueError: a bug"


def test_ctrl_c_keeps_the_rows_that_are_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Continuations.search

    def interrupted(self: Continuations, situation: Situation) -> Counterexample | None:
        if len(situation) == 3:
            raise KeyboardInterrupt
        return search(self, situation)

    monkeypatch.setattr(Continuations, "search", interrupted)
    table = explore_failures(3, runs=SMALL)
    assert answers(table) == {1: RIGHT[1], 2: RIGHT[2]}
    assert (table.limit, verdict_of(table)) == ("interrupted", "inconclusive")


def test_the_time_also_ends_a_long_search() -> None:
    """Servers that never commit: without an end, three survivors would be visited for minutes."""

    def over() -> None:
        raise UnfinishedError("no time")

    class Never(Rules):
        def leader_commit_index(self, state: ServerState) -> int:
            return 0

    situation = tuple(Survivor(cluster_of(3), SMALL[3]).initial(pid) for pid in range(3))
    with pytest.raises(UnfinishedError, match="no time"):
        Continuations(SMALL[3], Never(), over).search(situation)


def test_choices_of_those_that_fail() -> None:
    nodes: Any = ("a", "b", "c")
    assert list(after_failures(nodes, 1)) == [(FAILED, "b", "c"), ("a", FAILED, "c"), ("a", "b", FAILED)]
    assert [len(list(after_failures(nodes, failures))) for failures in range(4)] == [1, 3, 3, 1]
