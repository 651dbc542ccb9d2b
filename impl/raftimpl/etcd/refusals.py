"""What the API refuses before the store hears of it; the store's own refusals are in `raftimpl.store.errors`."""

from raftimpl.store.errors import Code, RequestError


def request_too_large() -> RequestError:
    """Return the refusal of a write that is larger than `MAX_REQUEST_BYTES`."""
    return RequestError(Code.INVALID_ARGUMENT, "etcdserver: request is too large")


def fixed_members() -> RequestError:
    """Return the refusal to change the members of a cluster."""
    return RequestError(
        Code.UNIMPLEMENTED, "raftproof: not supported: the members of a cluster are fixed when it starts"
    )


def no_authentication(method: str) -> RequestError:
    """Return the refusal of users, roles and passwords.

    Who gives a password where none is asked for is told so, as by etcd: its clients then go on without.
    """
    if method.lower() == "authenticate":
        return RequestError(Code.FAILED_PRECONDITION, "etcdserver: authentication is not enabled")
    return RequestError(Code.UNIMPLEMENTED, "raftproof: not supported: authentication by users and roles")


def no_alarms() -> RequestError:
    """Return the refusal to raise an alarm by hand."""
    return RequestError(Code.UNIMPLEMENTED, "raftproof: not supported: no alarm can be raised by hand")


def no_downgrade() -> RequestError:
    """Return the refusal to prepare for an older version."""
    return RequestError(Code.UNIMPLEMENTED, "raftproof: not supported: downgrading a cluster")


def unknown_comparison() -> RequestError:
    """Return the refusal of a condition that is none of those in the protocol."""
    return RequestError(Code.INVALID_ARGUMENT, "raftproof: unknown target or result of a comparison")


def nested_too_deep(most: int) -> RequestError:
    """Return the refusal of a transaction within so many others that its answer could not be read."""
    return RequestError(
        Code.INVALID_ARGUMENT, f"raftproof: not supported: more than {most} transactions inside each other"
    )


def message_too_large(size: int, most: int) -> RequestError:
    """Return the refusal of a message that is too large to be looked at."""
    return RequestError(Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. {most})")


def compressed() -> RequestError:
    """Return the refusal of a compressed message."""
    return RequestError(Code.UNIMPLEMENTED, "raftproof: not supported: compressed messages")


def no_message(name: str) -> RequestError:
    """Return the refusal of bytes that are not the message that they should be."""
    return RequestError(Code.INTERNAL, f"raftproof: not one {name}")


def unknown_method(path: str) -> RequestError:
    """Return the refusal of a method that does not exist."""
    return RequestError(Code.UNIMPLEMENTED, f"raftproof: unknown method {path}")


def malformed_timeout() -> RequestError:
    """Return the refusal of a header grpc-timeout that is no time; it is not repeated, for it may be long."""
    return RequestError(Code.INTERNAL, "malformed grpc-timeout: not 1 to 8 digits and one of H, M, S, m, u, n")


def deadline_exceeded() -> RequestError:
    """Return the refusal to work on when the client's deadline has passed."""
    return RequestError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")


def broken() -> RequestError:
    """Return the refusal of a request on which the server failed for a reason of its own."""
    return RequestError(Code.INTERNAL, "raftproof: the server failed to answer")


def stopped() -> RequestError:
    """Return the news that the server stops."""
    return RequestError(Code.UNAVAILABLE, "etcdserver: server stopped")
