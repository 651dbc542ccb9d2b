"""The vectors show all that any step shows, each of them is needed, and a program in another language can use them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.cli.main import main
from raftcheck.model import ModelError
from raftcheck.oracle.vectors.choosing import Covering, Situation, bugs_shown, choose, cover, goals_of, rules_in
from raftcheck.oracle.vectors.coverage import all_branches, branches_of
from raftcheck.oracle.vectors.document import FORMAT, lines, not_reached, schema
from raftcheck.oracle.vectors.transitions import Transition, executed, transitions
from raftcheck.raft import MUTANTS, Bounds
from raftimpl.cluster import cluster_of
from raftimpl.log import Log
from raftimpl.messages import Entry, RequestVote
from raftimpl.rules import Rules
from raftimpl.state import ServerState
from raftimpl.step import Receive
from tests.conftest import ROOT

BOUNDS = Bounds(servers=2, terms=2, entries=1, crashes=1, reads=1, forwarding=True, batch=1)

CLUSTER = cluster_of(BOUNDS.servers, None, BOUNDS.batch)

SNAPSHOTS = Bounds(
    servers=3, terms=2, entries=0, crashes=1, compactions=1, transfers=1, quorum_timeouts=1, batch=1,
    candidates={1: 0, 2: 1},
)  # fmt: skip
"""A follower that is behind a snapshot takes three servers, of which two commit without it."""

NEVER_IN_A_BEHAVIOUR = {
    "election.election_timeout": "the model gives no election timeout to leaders",
    "raft.other_outputs": "nor a client's request to servers that know of no leader",
    "reading.read_request": "the same",
    "replication.client_request": "the same",
    "replication.hear_from_leader": "two leaders of one term",
    "replication.entries_accepted": "an acknowledgement beyond the log; a second step of catching up",
    "replication.heartbeat_timeout": "the bounds have no heartbeats",
    "election.quorum_timeout": "the model lets only leaders step aside",
    "election.transfer_leadership": "and only leaders hand over, to others",
    "log.Log.entry_at": "an entry that is not kept",
    "log.Log.first_index_of_term.<genexpr>": "it is asked for terms that are there",
    "log.Log.last_index_of_term.<genexpr>": "an earlier term of the follower that the leader has as well",
    "rules.Rules.backed_up_next_index": "the same",
    "rules.Rules.conflict_hint": "the conflicting term is there",
    "rules.Rules.read_index": "a leader has an entry of its own",
    "rules.equal_up_to.<genexpr>": "it is asked where logs differ that do",
    "snapshotting.compact": "the model compacts what is applied, and not again",
    "validation": "what no correct server sends",
}
"""The functions with branches that no step takes within the bounds, and why."""

EXAMPLE = ROOT / "examples" / "vectors" / "vote.js"

BROKEN = {
    "does not compare logs": ("isFree && isUpToDate", "isFree"),
    "votes twice": ("isFree && isUpToDate", "isUpToDate"),
    "keeps its vote in a new term": ("currentTerm: request.term, votedFor: null", "currentTerm: request.term"),
}


@pytest.fixture(scope="module")
def taken() -> list[Transition]:
    return transitions(BOUNDS)


@pytest.fixture(scope="module")
def covering(taken: list[Transition]) -> Covering:
    return choose(BOUNDS, taken)


@pytest.fixture(scope="module")
def with_snapshots() -> Covering:
    return choose(SNAPSHOTS, transitions(SNAPSHOTS))


@pytest.fixture(scope="module")
def document(taken: list[Transition], covering: Covering) -> list[dict[str, Any]]:
    return list(lines(covering, BOUNDS, len(taken), "a test"))


@given(st.lists(st.frozensets(st.integers(0, 12)), max_size=12))
def test_a_cover_has_everything_and_nothing_needless(sets: list[frozenset[int]]) -> None:
    chosen = cover(sets)
    assert frozenset[int]().union(*chosen) == frozenset[int]().union(*sets)
    for left_out in chosen:
        assert frozenset[int]().union(*(items for items in chosen if items is not left_out)) != frozenset().union(*sets)


def test_the_parts_of_a_condition_are_told_apart() -> None:
    """Both servers refuse on the same line: one has given its vote, the other has the longer log."""
    request = Receive(1, RequestVote(1, 0, 0))
    voted, ahead = ServerState(0, 1, voted_for=0), ServerState(0, 1, log=Log((Entry(1),)))
    answers = [branches_of(lambda now=server: executed(CLUSTER, now, request)) for server in (voted, ahead)]  # type: ignore[misc]
    assert answers[0][0] == (voted, ())
    assert answers[1][0] == (ahead, ())
    assert answers[0][1] != answers[1][1]


def test_the_vectors_show_exactly_what_all_transitions_show(taken: list[Transition], covering: Covering) -> None:
    shown = frozenset().union(*(goals_of(CLUSTER, transition) for transition, _ in covering.chosen))
    assert shown == covering.reached
    sample = taken[:: max(1, len(taken) // 1_500)]
    assert frozenset().union(*(goals_of(CLUSTER, transition) for transition in sample)) <= shown
    assert len(covering.chosen) < 100 < len(taken)


def test_every_rule_is_asked(covering: Covering, with_snapshots: Covering) -> None:
    rules = {name for name, method in vars(Rules).items() if callable(method)}
    assert set(rules_in(covering.reached | with_snapshots.reached)) == rules


def test_all_that_happens_with_snapshots_is_shown(with_snapshots: Covering) -> None:
    missing = {branch for branch in all_branches() if branch.module == "snapshotting"} - with_snapshots.branches
    assert {branch.function for branch in missing} == {"compact"}, "compacting what is not applied, or again, alone"
    given_ = {(goal.input, goal.term) for goal in with_snapshots.reached if isinstance(goal, Situation)}
    assert {("InstallSnapshot", -1), ("InstallSnapshot", 0), ("InstallSnapshot", 1)} <= given_
    assert {("TimeoutNow", -1), ("TimeoutNow", 0), ("Compact", 0), ("TransferLeadership", 0)} <= given_


def test_no_vector_is_needless(covering: Covering) -> None:
    for transition, _ in covering.chosen:
        others = frozenset().union(*(goals for other, goals in covering.chosen if other is not transition))
        assert others != covering.reached


def test_what_is_not_reached_is_listed(
    document: list[dict[str, Any]], covering: Covering, with_snapshots: Covering
) -> None:
    header = document[0]
    missing = set(all_branches()) - covering.branches
    assert header["branches"] - header["branches_reached"] == len(missing) > 0
    functions = {item.function for item in not_reached(missing - with_snapshots.branches)}
    assert {name if not name.startswith("validation") else "validation" for name in functions} <= set(
        NEVER_IN_A_BEHAVIOUR
    )
    assert {"function": "election.election_timeout", "line": 15, "source": "state.role is Role.LEADER"} in header[
        "not_reached"
    ]


def test_every_known_bug_that_a_step_shows_is_shown_by_a_vector(covering: Covering, with_snapshots: Covering) -> None:
    harmful = {name for name, mutant in MUTANTS.items() if mutant.violates}
    assert set(covering.bugs) | set(with_snapshots.bugs) == harmful
    plain = {name for name in harmful if not MUTANTS[name].bounds.compactions + MUTANTS[name].bounds.quorum_timeouts}
    assert plain - set(covering.bugs) == {"commit-beyond-match"}, "it needs a third server"
    for name in covering.bugs:
        assert any(bug.mutant == name for transition, _ in covering.chosen for bug in bugs_shown(CLUSTER, transition))


def test_a_line_is_as_its_schema_says(document: list[dict[str, Any]], request: pytest.FixtureRequest) -> None:
    written = json.dumps(schema(), indent=2) + "\n"
    path = ROOT / "checker" / "raftcheck" / "oracle" / "schemas" / "vectors.schema.json"
    if request.config.getoption("--rewrite"):
        path.write_text(written, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == written
    described = json.loads(written)["$defs"]
    for line, name in [(document[0], "Header"), *((vector, "Vector") for vector in document[1:])]:
        assert set(line) == set(described[name]["properties"])
        assert json.loads(json.dumps(line)) == line
    for vector in document[1:]:
        assert set(vector["before"]) == set(vector["after"]) == set(described["ServerState"]["properties"])
        for value in (vector["input"], *vector["outputs"]):
            assert set(value) == set(described[value["type"]]["properties"])


def test_vectors_have_names_of_their_own(document: list[dict[str, Any]]) -> None:
    names = [vector["name"] for vector in document[1:]]
    assert len(set(names)) == len(names) == document[0]["vectors"]
    assert names == sorted(names)


def test_torn_steps_are_refused() -> None:
    with pytest.raises(ModelError, match="a step that a crash cuts short is no vector"):
        transitions(Bounds(crashes=1, torn_steps=True))


def consume(program: Path, vectors: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js to run the example with")
    return subprocess.run([node, program, vectors], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "vectors.jsonl"
    arguments = ["--servers", "3", "--terms", "2", "--entries", "0", "--output", str(path)]
    assert main(["vectors", *arguments]) == 0
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0])["format"] == FORMAT
    return path


def test_the_example_meets_the_vectors(file: Path) -> None:
    ended = consume(EXAMPLE, file)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert "vectors about RequestVote are met" in ended.stdout


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_example_does_not(fault: str, file: Path, tmp_path: Path) -> None:
    right, wrong = BROKEN[fault]
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text.count(right) == 1
    broken = tmp_path / "vote.js"
    broken.write_text(text.replace(right, wrong), encoding="utf-8")
    assert consume(broken, file).returncode == 1


def test_the_example_refuses_what_are_no_vectors(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_text("{}\n")
    assert consume(EXAMPLE, nothing).returncode == 2
