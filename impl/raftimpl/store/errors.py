"""Why a request is refused, in etcd's words: clients tell errors by text and code.

The texts and codes are those of etcd's api/v3rpc/rpctypes/error.go.
"""

import enum

from raftimpl.errors import RaftError


class Code(enum.IntEnum):
    """The status codes of gRPC, as far as etcd uses them."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class RequestError(RaftError):
    """A request that is refused. Equal refusals are equal, on every server alike."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequestError) and (self.code, self.text) == (other.code, other.text)

    def __hash__(self) -> int:
        return hash((self.code, self.text))


def empty_key() -> RequestError:
    """Return the refusal of a request without a key."""
    return RequestError(Code.INVALID_ARGUMENT, "etcdserver: key is not provided")


def no_leader() -> RequestError:
    """Return the refusal of a server that knows no leader; the request had no effect."""
    return RequestError(Code.UNAVAILABLE, "etcdserver: no leader")


def key_not_found() -> RequestError:
    """Return the refusal to keep a value or a lease that is not there."""
    return RequestError(Code.INVALID_ARGUMENT, "etcdserver: key not found")


def value_provided() -> RequestError:
    """Return the refusal of a value beside `ignore_value`."""
    return RequestError(Code.INVALID_ARGUMENT, "etcdserver: value is provided")


def lease_provided() -> RequestError:
    """Return the refusal of a lease beside `ignore_lease`."""
    return RequestError(Code.INVALID_ARGUMENT, "etcdserver: lease is provided")


def too_many_operations() -> RequestError:
    """Return the refusal of a transaction with more operations than are allowed."""
    return RequestError(Code.INVALID_ARGUMENT, "etcdserver: too many operations in txn request")


def duplicate_key() -> RequestError:
    """Return the refusal of a transaction that writes a key twice."""
    return RequestError(Code.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request")


def compacted() -> RequestError:
    """Return the refusal of what needs a revision that has been forgotten."""
    return RequestError(Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")


def future_revision() -> RequestError:
    """Return the refusal of what needs a revision that is not there yet."""
    return RequestError(Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision")


def lease_not_found() -> RequestError:
    """Return the refusal of what needs a lease that is not there."""
    return RequestError(Code.NOT_FOUND, "etcdserver: requested lease not found")


def lease_exists() -> RequestError:
    """Return the refusal to grant a lease under an id that is taken."""
    return RequestError(Code.FAILED_PRECONDITION, "etcdserver: lease already exists")


def lease_ttl_too_large() -> RequestError:
    """Return the refusal of a lease that would last centuries."""
    return RequestError(Code.OUT_OF_RANGE, "etcdserver: too large lease TTL")
