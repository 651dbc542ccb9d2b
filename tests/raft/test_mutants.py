"""The checker finds the bugs that it should find, and only those."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from raftcheck import Property, explore
from raftcheck.cli.main import main
from raftcheck.cli.mutants import check_mutant, is_as_expected
from raftcheck.raft import MUTANTS, SAFETY, Bounds, Mutant, raft_system
from raftcheck.raft.counterexample import load, recorded, replay
from raftimpl.rules import Rules, persist_change
from raftimpl.state import ServerState
from raftimpl.step import Apply, Output, Persist

HARMFUL = [mutant for mutant in MUTANTS.values() if mutant.violates]
HARMLESS = [mutant for mutant in MUTANTS.values() if not mutant.violates]

VIOLATED_BY = {mutant.violates: mutant.name for mutant in HARMFUL} | {
    "State Machine Safety": "commit-old-terms",
    "Applied Entries Are a Common Prefix": "commit-old-terms",
    "Acknowledged Writes Are Never Lost": "vote-for-whoever-asks-first",
    "Disk Holds Durable State": "never-persist-vote",
    "Terms Never Go Back": "never-persist-vote",
    "One Vote a Term": "step-down-clears-vote",
    "Persist First": "persist-vote-later",
    "Snapshots Only Advance": "install-stale-snapshot",
    "Refines the Specification": "match-goes-back",
}
"""For every safety property a mutant that violates it."""


SHORTEST = {
    "vote-for-whoever-asks-first": 8,
    "compare-index-only": 12,
    "compare-term-only": 10,
    "step-down-clears-vote": 11,
    "count-old-votes": 7,
    "half-rounded-down": 2,
    "half-rounded-up": 2,
    "never-persist-vote": 7,
    "persist-vote-later": 7,
    "send-before-persist": 7,
    "forget-log": 9,
    "commit-old-terms": 21,
    "truncate-always": 10,
    "heartbeat-truncates": 12,
    "overwrite-uncommitted": 4,
    "no-consistency-check": 11,
    "count-old-refusals": 12,
    "commit-beyond-match": 9,
    "commit-goes-back": 7,
    "match-goes-back": 8,
    "last-term-of-no-entry": 11,
    "append-behind-snapshot": 9,
    "snapshot-one-too-late": 8,
    "snapshot-sets-term": 13,
    "snapshot-drops-suffix": 14,
    "install-stale-snapshot": 13,
    "compact-uncommitted": 7,
    "forget-snapshot": 8,
    "step-aside-clears-vote": 4,
    "read-before-own-commit": 11,
    "late-heartbeat-confirms": 13,
    "read-without-confirming": 12,
}
"""Exact mode's counterexamples, which are shortest. Covering mode's may be longer by a fifth at most."""

LONG = {
    "compare-index-only", "commit-old-terms", "heartbeat-truncates", "no-consistency-check", "late-heartbeat-confirms",
    "read-without-confirming", "snapshot-drops-suffix",
}  # fmt: skip
"""Where exact mode visits more than a hundred thousand states."""


def name_of(mutant: Mutant) -> str:
    return mutant.name


@pytest.mark.parametrize("mutant", HARMFUL, ids=name_of)
def test_a_harmful_mutant_is_caught_and_its_counterexample_is_short_and_replays(
    mutant: Mutant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = check_mutant(mutant)
    assert is_as_expected(mutant, result)
    found = result.counterexample
    assert found is not None
    file = tmp_path / "counterexample.json"
    file.write_bytes(msgspec.json.encode(recorded(found, mutant.bounds, mutant.name, "test")))
    assert main(["replay", str(file)]) == 1
    assert f"{mutant.violates} is violated after {found.length} steps" in capsys.readouterr().out
    again = replay(load(file))
    assert again.violated == mutant.violates
    assert again.found == found
    file.write_bytes(msgspec.json.encode(recorded(found, mutant.bounds, None, "test")))
    assert replay(load(file)).violated is None, "the correct rules do not follow it into a violation"
    assert main(["replay", str(file)]) in {0, 3}
    assert SHORTEST[mutant.name] <= found.length <= 1.2 * SHORTEST[mutant.name]


@pytest.mark.parametrize("mutant", [mutant for mutant in HARMFUL if mutant.name not in LONG], ids=name_of)
def test_exact_mode_finds_the_shortest(mutant: Mutant) -> None:
    claims = [checked for checked in SAFETY if checked.name == mutant.violates]
    found = explore(raft_system(mutant.bounds, mutant.rules), claims, mode="exact").counterexample
    assert found is not None
    assert (found.violated, found.length) == (mutant.violates, SHORTEST[mutant.name])


@pytest.mark.parametrize("mutant", HARMLESS, ids=name_of)
def test_a_harmless_mutant_passes(mutant: Mutant) -> None:
    assert is_as_expected(mutant, check_mutant(mutant))


@pytest.mark.parametrize("mutant", HARMFUL, ids=name_of)
def test_the_correct_rules_hold_within_a_mutants_bounds(mutant: Mutant) -> None:
    """What the mutant's row shows is the mutant's fault: the same exploration of Raft finds nothing."""
    claims = [checked for checked in SAFETY if checked.name == mutant.violates]
    result = explore(raft_system(mutant.bounds), claims, max_states=3_000)
    assert result.verdict in {"holds", "inconclusive"}


class ApplyBeforePersist(Rules):
    """Clients are answered before their writes are on disk."""

    def order_outputs(self, writes: tuple[Persist, ...], others: tuple[Output, ...]) -> tuple[Output, ...]:
        applies = tuple(output for output in others if isinstance(output, Apply))
        return (*applies, *writes, *(output for output in others if output not in applies))


class PersistVoteMuchLater(Rules):
    """The vote is written last, after two other writes: the harm needs a crash after the third output."""

    def durable_writes(self, before: ServerState, after: ServerState) -> tuple[Persist, ...]:
        writes = super().durable_writes(before, after)
        if after.voted_for is None or before.voted_for == after.voted_for:
            return writes
        without_vote = persist_change(before.log, replace(after, voted_for=None))
        return (persist_change(before.log, before), without_vote, persist_change(after.log, after))

    def order_outputs(self, writes: tuple[Persist, ...], others: tuple[Output, ...]) -> tuple[Output, ...]:
        return (*writes[:2], *others, *writes[2:])


@pytest.mark.parametrize(
    ("rules", "servers", "name"),
    [
        (ApplyBeforePersist(), 1, "Acknowledged Writes Are Never Lost"),
        (PersistVoteMuchLater(), 3, "Election Safety"),
    ],
)
def test_a_step_is_torn_wherever_it_matters(rules: Rules, servers: int, name: str) -> None:
    bounds = Bounds(servers=servers, terms=1, entries=0, crashes=1, torn_steps=True)
    claims = [checked for checked in SAFETY if checked.name == name]
    assert explore(raft_system(bounds, rules), claims).verdict == "violated"
    whole = Bounds(servers=servers, terms=1, entries=0, crashes=1)
    assert explore(raft_system(whole, rules), claims).verdict == "holds"


def test_a_mutant_changes_one_or_two_rules_and_nothing_else() -> None:
    for mutant in MUTANTS.values():
        changed = [name for name in vars(type(mutant.rules)) if not name.startswith("__")]
        assert 1 <= len(changed) <= 2
        assert all(hasattr(Rules, name) for name in changed)
        assert mutant.description
        assert mutant.source


@pytest.mark.parametrize("claim", SAFETY, ids=lambda claim: claim.name)
def test_every_safety_property_is_violated_by_some_mutant(claim: Property) -> None:
    """A property that nothing can violate checks nothing."""
    mutant = MUTANTS[VIOLATED_BY[claim.name]]
    found = explore(raft_system(mutant.bounds, mutant.rules), [claim]).counterexample
    assert found is not None
    assert found.violated == claim.name
