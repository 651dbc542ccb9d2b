"""What raftproof and an adapter say to each other: docs/lockstep.md has it in words."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol, get_args

import msgspec

from raftcheck.model import ModelError
from raftcheck.oracle.trace.steps import FORMAT, Header, Step

Can = Literal["crash_after"]
CANS: tuple[Can, ...] = get_args(Can)


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An answer to a request: `steps`, or `error` (the implementation failed), or `unsupported`.

    The answer to "begin" says who the peer is, what kind of cluster it has, and what it can do besides what all can.
    """

    steps: tuple[Step, ...] | None = None
    error: str | None = None
    unsupported: str | None = None
    peer: str | None = None
    header: Header | None = None
    can: tuple[Can, ...] = ()


class AdapterError(ModelError):
    """Raised when an adapter does not keep to the protocol. That says nothing of the implementation behind it."""


class StoppedError(Exception):
    """Raised when a peer stops in the midst of its work: it ends, or says nothing any more. The text says which."""


class Peer(Protocol):
    """An adapter, in whatever process it lives."""

    name: str
    """How it was started, for people."""

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Return the answer to a request, as plain JSON values. Raises StoppedError and AdapterError."""

    def close(self) -> None:
        """End it."""


def answer_to(peer: Peer, request: Mapping[str, Any]) -> Answer:
    """Ask a peer. Raises StoppedError, and AdapterError for what is no answer to this request."""
    said = peer.ask(request)
    try:
        answer = msgspec.convert(said, Answer)
    except (msgspec.ValidationError, RecursionError) as error:
        raise AdapterError(f"{peer.name} gave no valid answer: {error}: {shown(said)} to {shown(request)}") from error
    for fault in faults(answer, request):
        raise AdapterError(f"{peer.name} gave no valid answer: {fault}: {shown(said)} to {shown(request)}")
    return answer


def faults(answer: Answer, request: Mapping[str, Any]) -> list[str]:
    """Return what an answer has too much or too little."""
    kinds = [kind for kind in ("steps", "error", "unsupported") if getattr(answer, kind) is not None]
    found = [] if len(kinds) == 1 else ['it needs exactly one of "steps", "error" and "unsupported"']
    begins = request["do"] == "begin" and answer.steps is not None
    if begins != (answer.header is not None) or begins != (answer.peer is not None):
        found.append('"peer" and "header" belong to the answer to "begin"')
    elif answer.header is not None:
        found += header_faults(answer.header, request)
    return found


def header_faults(header: Header, request: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a header."""
    found = [] if header.format == FORMAT else [f"the header's format is {header.format!r}, not {FORMAT!r}"]
    if list(header.servers) != request["servers"] or header.learners:
        found.append(f"the header's servers are {', '.join(header.servers)}, not those that it was asked for")
    return found


def shown(said: Any) -> str:
    """Return JSON values as a short text."""
    text = msgspec.json.encode(said, enc_hook=str).decode(errors="replace")
    return text if len(text) <= 300 else text[:300] + "..."
