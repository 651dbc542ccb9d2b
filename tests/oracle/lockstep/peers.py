"""Peers that are not as they should be."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from raftcheck.oracle.lockstep.reference_peer import ReferencePeer

COMMAND = [sys.executable, "-m", "raftcheck.oracle.lockstep.reference_peer"]


Ask = Callable[[Mapping[str, Any]], dict[str, Any]]


class Changed(ReferencePeer):
    """The reference, with somebody between it and who asks."""

    def __init__(self, change: Callable[[Mapping[str, Any], Ask], Any]) -> None:
        super().__init__()
        self._change = change

    def ask(self, request: Mapping[str, Any]) -> Any:
        return self._change(request, super().ask)
