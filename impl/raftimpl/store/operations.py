"""Single requests that write. After etcd's etcdserver/apply.go and lease/lessor.go.

What these change counts when the contents are committed. One that is refused may have changed something before it
was: whoever calls rolls back.
"""

from raftimpl.store import errors
from raftimpl.store.contents import Contents
from raftimpl.store.requests import (
    Compact,
    CompactResponse,
    DeleteRange,
    DeleteRangeResponse,
    LeaseExpire,
    LeaseGrant,
    LeaseGrantResponse,
    LeaseKeepAlive,
    LeaseKeepAliveResponse,
    LeaseRevoke,
    LeaseRevokeResponse,
    Put,
    PutResponse,
)


def put(contents: Contents, request: Put) -> PutResponse:
    """Write a key. Raises RequestError without the lease, or without the key whose value or lease is to be kept."""
    require_lease(contents, request)
    require_key(contents, request)
    before = contents.current.get(request.key)
    value = before.value if before and request.ignore_value else request.value
    lease = before.lease if before and request.ignore_lease else request.lease
    contents.put(request.key, value, lease)
    return PutResponse(contents.newest, before if request.prev_kv else None)


def require_lease(contents: Contents, request: Put) -> None:
    """Raise RequestError if there is no lease of the id that a key is to be put with."""
    if request.lease and request.lease not in contents.leases:
        raise errors.lease_not_found()


def require_key(contents: Contents, request: Put) -> None:
    """Raise RequestError if the value or the lease of a key is to be kept that is not there."""
    if (request.ignore_value or request.ignore_lease) and request.key not in contents.current:
        raise errors.key_not_found()


def delete_range(contents: Contents, request: DeleteRange) -> DeleteRangeResponse:
    """Delete the keys in a range, in their order."""
    before, count = contents.found(request.key, request.range_end, contents.newest, None)
    for kv in before:
        contents.delete(kv.key)
    return DeleteRangeResponse(contents.newest, count, tuple(before) if request.prev_kv else ())


def compact(contents: Contents, request: Compact) -> CompactResponse:
    """Forget what was overwritten before a revision. Raises RequestError if it is compacted, or not there yet."""
    if request.revision <= contents.compact_revision:
        raise errors.compacted()
    if request.revision > contents.revision:
        raise errors.future_revision()
    contents.compact(request.revision)
    return CompactResponse(contents.revision)


def grant_lease(contents: Contents, request: LeaseGrant) -> LeaseGrantResponse:
    """Make a lease. Raises RequestError for an id that is 0 or taken, and for a time that is too long."""
    ttl = contents.leases.grant(request.id, request.ttl)
    return LeaseGrantResponse(contents.revision, request.id, ttl)


def revoke_lease(contents: Contents, request: LeaseRevoke) -> LeaseRevokeResponse:
    """End a lease and delete its keys, in their order, at one revision. Raises RequestError if there is none."""
    lease = contents.leases.find(request.id)
    if lease is None:
        raise errors.lease_not_found()
    for key in lease.keys:
        contents.delete(key)
    contents.leases.end(request.id)
    return LeaseRevokeResponse(contents.newest)


def keep_lease_alive(contents: Contents, request: LeaseKeepAlive) -> LeaseKeepAliveResponse:
    """Let a lease's time begin again; tell the seconds that it has, 0 if there is none. Deadlines are not kept here."""
    if request.id not in contents.leases:
        return LeaseKeepAliveResponse(contents.revision, request.id, 0)
    contents.leases.renew(request.id)
    return LeaseKeepAliveResponse(contents.revision, request.id, contents.leases.ttl(request.id))


def expire_lease(contents: Contents, request: LeaseExpire) -> LeaseRevokeResponse:
    """End a lease that has not begun again; else, and if there is none, nothing changes."""
    if contents.leases.renewal(request.id) != request.renewal:
        return LeaseRevokeResponse(contents.revision)
    return revoke_lease(contents, LeaseRevoke(request.id))
