"""What is proved about rules, against exploring the implementation with them."""

import pytest

from raftcheck import explore
from raftcheck.prove import check_quorum_rule
from raftcheck.prove.quorum.rule_text import RuleText
from raftcheck.raft import Bounds, raft_properties, raft_system
from raftimpl.rules import Rules

LEFT_OUT = {
    "Acknowledged Writes Are Never Lost",  # it asks for copies on a majority of disks, whatever the rule
    "Refines the Specification",  # there a quorum is a majority
    "A conflicting suffix is truncated",  # if all must vote, there is never a conflict
}


class Quorums(Rules):
    """Raft with other quorums."""

    def __init__(self, election: int, commit: int) -> None:
        super().__init__()
        self._sizes = election, commit

    def election_quorum(self, servers: int) -> int:
        return self._sizes[0]

    def commit_quorum(self, servers: int) -> int:
        return self._sizes[1]


@pytest.mark.parametrize(
    ("election", "commit", "violates"),
    [
        ("n", "1", None),
        ("n // 2 + 1", "n - n // 2", None),
        ("1", "n", "Election Safety"),
        ("n // 2 + 1", "n // 2", "Leader Completeness"),
    ],
)
def test_three_servers(election: str, commit: str, violates: str | None) -> None:
    proof = check_quorum_rule(election_rule=election, commit_rule=commit)
    sizes = RuleText(election)(3), RuleText(commit)(3)
    bounds = Bounds(servers=3, terms=2, entries=0, crashes=0, reads=1)
    claims = tuple(claim for claim in raft_properties(bounds) if claim.name not in LEFT_OUT)
    if violates:
        claims = tuple(claim for claim in claims if claim.name == violates)
    result = explore(raft_system(bounds, Quorums(*sizes)), claims)
    found = result.counterexample
    assert (found and found.violated) == violates
    assert result.verdict == ("violated" if violates else "holds")
    assert proof.verdict == ("refuted" if violates else "proved")
