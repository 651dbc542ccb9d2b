"""What clients ask of the store and what they are told, in the names of etcd's v3 API.

Keys and values are bytes. A `range_end` of b"" means the one key, b"\\0" all keys from `key` on, anything else the keys
from `key` up to but without it. Revisions start at 1, for the empty store; 0 in a request means "the newest". A
response's `revision` is the store's when it was answered. Lease ids are signed 64-bit numbers, 0 for none.

Requests are immutable, and have one encoding as bytes (MessagePack), which is what stands in the log.
"""

import enum
from collections.abc import Sequence

import msgspec


class SortOrder(enum.IntEnum):
    """How a range is sorted; NONE is the order of the keys."""

    NONE = 0
    ASCEND = 1
    DESCEND = 2


class SortTarget(enum.IntEnum):
    """By what a range is sorted."""

    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


class CompareResult(enum.IntEnum):
    """How a transaction's condition compares."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class CompareTarget(enum.IntEnum):
    """What a transaction's condition looks at."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The base of requests and responses."""


# Requests


class Range(Message, frozen=True):
    """Read the keys in a range at a revision. `limit` 0 means no limit, a bound of 0 no bound."""

    key: bytes
    range_end: bytes = b""
    limit: int = 0
    revision: int = 0
    sort_order: SortOrder = SortOrder.NONE
    sort_target: SortTarget = SortTarget.KEY
    serializable: bool = False
    keys_only: bool = False
    count_only: bool = False
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0


class Put(Message, frozen=True):
    """Write a key. `ignore_value` and `ignore_lease` keep what is there, and need the key to be there."""

    key: bytes
    value: bytes = b""
    lease: int = 0
    prev_kv: bool = False
    ignore_value: bool = False
    ignore_lease: bool = False


class DeleteRange(Message, frozen=True):
    """Delete the keys in a range."""

    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False


class Compare(Message, frozen=True):
    """A condition on a key, or on every key in a range. `value` is bytes for VALUE, a number for all else."""

    result: CompareResult
    target: CompareTarget
    key: bytes
    value: bytes | int
    range_end: bytes = b""


class Txn(Message, frozen=True):
    """If all conditions hold, the operations of `success` in their order, else those of `failure`; at one revision."""

    compare: tuple[Compare, ...] = ()
    success: tuple["Range | Put | DeleteRange | Txn", ...] = ()
    failure: tuple["Range | Put | DeleteRange | Txn", ...] = ()


class Compact(Message, frozen=True):
    """Forget what was overwritten before a revision, which stays readable itself."""

    revision: int


class LeaseGrant(Message, frozen=True):
    """Make a lease that ends after `ttl` seconds unless it is kept alive. An `id` is always given."""

    id: int
    ttl: int


class LeaseRevoke(Message, frozen=True):
    """End a lease, and delete its keys."""

    id: int


class LeaseKeepAlive(Message, frozen=True):
    """Let a lease's time begin again."""

    id: int


class LeaseExpire(Message, frozen=True):
    """End a lease as `LeaseRevoke` does, if it has not begun again since `renewal` (see `leases.Lease`).

    No client asks this. It is what a leader writes when a lease is over by its clock: it may be a leader no more, and a
    renewal may be ahead in the log. Whoever was told that a lease lives on must be able to rely on that.
    """

    id: int
    renewal: int


Operation = Range | Put | DeleteRange | Txn
Write = Put | DeleteRange | Txn | Compact | LeaseGrant | LeaseRevoke | LeaseKeepAlive | LeaseExpire

# Responses


class KeyValue(Message, frozen=True, gc=False):
    """A key as it is at some revision: created and last changed when, changed how often since created."""

    key: bytes
    create_revision: int
    mod_revision: int
    version: int
    value: bytes = b""
    lease: int = 0


class RangeResponse(Message, frozen=True):
    """The keys found, at most `limit`; whether there are more; how many there are in all."""

    revision: int
    kvs: Sequence[KeyValue] = ()
    more: bool = False
    count: int = 0


class PutResponse(Message, frozen=True):
    """What was there before, if asked for and there was any."""

    revision: int
    prev_kv: KeyValue | None = None


class DeleteRangeResponse(Message, frozen=True):
    """How many keys were deleted, and what they were if asked for."""

    revision: int
    deleted: int = 0
    prev_kvs: Sequence[KeyValue] = ()


class TxnResponse(Message, frozen=True):
    """Whether the conditions held, and the answers to the operations carried out."""

    revision: int
    succeeded: bool
    responses: "Sequence[RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse]" = ()


class CompactResponse(Message, frozen=True):
    """The compaction is decided; it is done in due course."""

    revision: int


class LeaseGrantResponse(Message, frozen=True):
    """The lease that was made."""

    revision: int
    id: int
    ttl: int


class LeaseRevokeResponse(Message, frozen=True):
    """The lease has ended; or, after `LeaseExpire`, lives on because it was renewed."""

    revision: int


class LeaseKeepAliveResponse(Message, frozen=True):
    """The seconds that the lease has again; 0 if there is no such lease."""

    revision: int
    id: int
    ttl: int


OperationResponse = RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse
Response = OperationResponse | CompactResponse | LeaseGrantResponse | LeaseRevokeResponse | LeaseKeepAliveResponse


class Event(Message, frozen=True, gc=False):
    """A change of a key. A deletion's `kv` has the key and the revision of the deletion alone."""

    kv: KeyValue
    is_deletion: bool = False
    prev_kv: KeyValue | None = None
