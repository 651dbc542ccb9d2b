"""Why a server refuses what its clients ask, whatever the request; in etcd's words."""

from raftimpl.store.errors import Code, RequestError


def timed_out() -> RequestError:
    """Return the news that the answer did not come in time; a write may still take effect."""
    return RequestError(Code.UNAVAILABLE, "etcdserver: request timed out")


def stopped() -> RequestError:
    """Return the news that the server is going down; a write may still take effect."""
    return RequestError(Code.UNAVAILABLE, "etcdserver: server stopped")


def too_many_requests() -> RequestError:
    """Return the refusal of a server that has more requests than it can serve; the request had no effect."""
    return RequestError(Code.RESOURCE_EXHAUSTED, "etcdserver: too many requests")


def not_leader() -> RequestError:
    """Return the refusal of what only the leader can do."""
    return RequestError(Code.FAILED_PRECONDITION, "etcdserver: not leader")


def transfer_timed_out() -> RequestError:
    """Return the news that another server did not come to lead in time."""
    return RequestError(Code.UNAVAILABLE, "etcdserver: request timed out, leader transfer took too long")


def bad_leader_transferee() -> RequestError:
    """Return the refusal of a member that cannot lead."""
    return RequestError(Code.FAILED_PRECONDITION, "etcdserver: bad leader transferee")
