"""The command line: raftproof."""

from raftcheck.cli.main import main

__all__ = ["main"]
