"""The methods of the API, independent of how they are called: over gRPC, or as JSON over HTTP."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message

from raftimpl.etcd import refusals
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.backend import Backend

MAX_REQUEST_BYTES = 1536 * 1024
"""How large a write may be in the log; etcd's --max-request-bytes."""

MAX_MESSAGE_BYTES = MAX_REQUEST_BYTES + 512 * 1024
"""How large any message to the server may be, as in etcd."""

MOST_NESTED = 49
"""How many transactions may be in each other: protobuf's readers take messages of 100 levels, and of the answer to a
transaction each takes two, its operations three more.
"""

ENVELOPE_BYTES = 17
"""What etcd adds to a request before it compares: the tag of its kind, and an id."""


class Kind(enum.Enum):
    """How many requests and responses a call has; the values are their names in metrics."""

    UNARY = "unary"
    SERVER_STREAM = "server_stream"
    BOTH_STREAM = "bidi_stream"


class Method(NamedTuple):
    """A method, and what answers its requests; `service` has the package in it.

    The handler of a unary method is a coroutine of the request that returns the response, that of a stream an
    asynchronous generator of responses, given the request or an asynchronous iterator of them. It refuses by raising
    RequestError.
    """

    service: str
    name: str
    kind: Kind
    request: type[Message]
    handler: Callable[[Any], Any]


class Service(Protocol):
    """A service of the API."""

    def methods(self) -> list[Method]:
        """Return its methods."""


def header(backend: Backend, revision: int) -> rpc.ResponseHeader:
    """Return the header of a response that was answered at a revision."""
    return rpc.ResponseHeader(
        cluster_id=backend.cluster_id, member_id=backend.member_id, revision=revision, raft_term=backend.raft_term
    )


def require_size(message: Message) -> None:
    """Raise RequestError for a request that is too large for the log."""
    if message.ByteSize() + ENVELOPE_BYTES > MAX_REQUEST_BYTES:
        raise refusals.request_too_large()
