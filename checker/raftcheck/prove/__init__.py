"""Proofs for every cluster size, with Z3: of quorums, of Raft's safety, and of quorum rules of your own."""

from raftcheck.prove.induction import SafetyProof, prove_raft
from raftcheck.prove.quorum_rules import DisjointQuorums, RuleResult, check_quorum_rule
from raftcheck.prove.quorums import prove_quorums
from raftcheck.prove.results import Outcome, ProofVerdict, verdict_of
from raftcheck.prove.weights import WeightsResult, check_weights

__all__ = [
    "DisjointQuorums",
    "Outcome",
    "ProofVerdict",
    "RuleResult",
    "SafetyProof",
    "WeightsResult",
    "check_quorum_rule",
    "check_weights",
    "prove_quorums",
    "prove_raft",
    "verdict_of",
]
