"""Proofs for every cluster size, with Z3: of quorums, of Raft's safety, and of quorum rules of your own."""

from raftcheck.prove.quorum.rules import DisjointQuorums, RuleResult, check_quorum_rule
from raftcheck.prove.quorum.theorems import prove_quorums
from raftcheck.prove.quorum.weights import WeightsResult, check_weights
from raftcheck.prove.results import Outcome, ProofVerdict, verdict_of
from raftcheck.prove.safety.induction import SafetyProof, prove_raft

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
