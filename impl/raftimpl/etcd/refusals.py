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


def no_authentication() -> RequestError:
    """Return the refusal of users, roles and passwords."""
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
