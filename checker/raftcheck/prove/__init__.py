"""Proofs for every cluster size, with Z3: what is true of quorums, and whether your own quorum rule is safe."""

from raftcheck.prove.quorum_rules import DisjointQuorums, RuleResult, check_quorum_rule
from raftcheck.prove.quorums import prove_quorums
from raftcheck.prove.results import Outcome, ProofVerdict, verdict_of
from raftcheck.prove.weights import WeightsResult, check_weights

__all__ = [
    "DisjointQuorums",
    "Outcome",
    "ProofVerdict",
    "RuleResult",
    "WeightsResult",
    "check_quorum_rule",
    "check_weights",
    "prove_quorums",
    "verdict_of",
]
