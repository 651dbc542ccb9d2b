"""Raft for the checker: the implementation as a System, its properties, its mutants."""

from raftcheck.raft.bounds import Bounds
from raftcheck.raft.build import raft_system
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.mutants import MUTANTS, Mutant, mutant_named
from raftcheck.raft.properties import SAFETY, raft_properties, safety

__all__ = [
    "MUTANTS",
    "SAFETY",
    "Bounds",
    "Mutant",
    "RaftLabels",
    "mutant_named",
    "raft_properties",
    "raft_system",
    "safety",
]
