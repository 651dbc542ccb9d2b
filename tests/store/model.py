"""The store once more, as plainly as can be: a list of all changes, from which everything is computed anew."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from raftimpl.store import errors
from raftimpl.store.checks import check
from raftimpl.store.requests import (
    Compact,
    CompactResponse,
    Compare,
    CompareTarget,
    DeleteRange,
    DeleteRangeResponse,
    KeyValue,
    LeaseExpire,
    LeaseGrant,
    LeaseGrantResponse,
    LeaseKeepAlive,
    LeaseKeepAliveResponse,
    LeaseRevoke,
    LeaseRevokeResponse,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Response,
    SortOrder,
    SortTarget,
    Txn,
    TxnResponse,
    Write,
)

State = dict[bytes, KeyValue]


@dataclass
class Model:
    """`changes` are all changes ever, in order; a deletion has version 0. `begun`: whose time began, ever, in order."""

    revision: int = 1
    compacted: int = -1
    changes: list[KeyValue] = field(default_factory=list)
    leases: dict[int, int] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)

    def at(self, revision: int) -> State:
        state: State = {}
        for kv in self.changes:
            if kv.mod_revision <= revision:
                state[kv.key] = kv
        return {key: state[key] for key in sorted(state) if state[key].version}

    def newest(self) -> int:
        return max([self.revision, *(kv.mod_revision for kv in self.changes)])

    def now(self) -> State:
        return self.at(self.newest())

    def apply(self, request: Write | Range) -> Response:
        check(request)
        trial = replace(self, changes=list(self.changes), leases=dict(self.leases), begun=list(self.begun))
        response = trial.carry_out(request)
        self.__dict__.update(trial.__dict__)
        self.revision = self.newest()
        return response

    def carry_out(self, request: Write | Range) -> Response:
        carry_out: dict[type, Callable[[Any], Response]] = {
            Range: self.range, Put: self.put, DeleteRange: self.delete_range, Txn: self.transaction,
            Compact: self.compact, LeaseGrant: self.grant, LeaseRevoke: self.revoke, LeaseKeepAlive: self.keep_alive,
            LeaseExpire: self.expire,
        }  # fmt: skip
        return carry_out[type(request)](request)

    def delete_range(self, request: DeleteRange) -> DeleteRangeResponse:
        found = tuple(in_range(self.now(), request.key, request.range_end))
        for kv in found:
            self.delete(kv.key)
        return DeleteRangeResponse(self.newest(), len(found), found if request.prev_kv else ())

    def transaction(self, request: Txn) -> TxnResponse:
        before = self.now()
        self.refuse(request, before)
        response = self.transact(request, before)
        return TxnResponse(self.newest(), response.succeeded, response.responses)

    def compact(self, request: Compact) -> CompactResponse:
        if request.revision <= self.compacted:
            raise errors.compacted()
        if request.revision > self.revision:
            raise errors.future_revision()
        self.compacted = request.revision
        return CompactResponse(self.revision)

    def revoke(self, request: LeaseRevoke) -> LeaseRevokeResponse:
        if request.id not in self.leases:
            raise errors.lease_not_found()
        for kv in self.now().values():
            if kv.lease == request.id:
                self.delete(kv.key)
        del self.leases[request.id]
        return LeaseRevokeResponse(self.newest())

    def renewal(self, id: int) -> int:
        return max(number for number, begun in enumerate(self.begun, 1) if begun == id)

    def expire(self, request: LeaseExpire) -> LeaseRevokeResponse:
        if request.id in self.leases and self.renewal(request.id) == request.renewal:
            return self.revoke(LeaseRevoke(request.id))
        return LeaseRevokeResponse(self.revision)

    def keep_alive(self, request: LeaseKeepAlive) -> LeaseKeepAliveResponse:
        if request.id in self.leases:
            self.begun.append(request.id)
        return LeaseKeepAliveResponse(self.revision, request.id, self.leases.get(request.id, 0))

    def put(self, request: Put) -> PutResponse:
        before = self.now().get(request.key)
        if request.lease and request.lease not in self.leases:
            raise errors.lease_not_found()
        if (request.ignore_value or request.ignore_lease) and before is None:
            raise errors.key_not_found()
        value = before.value if before and request.ignore_value else request.value
        lease = before.lease if before and request.ignore_lease else request.lease
        revision = self.revision + 1
        created, version = (before.create_revision, before.version) if before else (revision, 0)
        self.changes.append(KeyValue(request.key, created, revision, version + 1, value, lease))
        return PutResponse(revision, before if request.prev_kv else None)

    def delete(self, key: bytes) -> None:
        self.changes.append(KeyValue(key, 0, self.revision + 1, 0))

    def grant(self, request: LeaseGrant) -> LeaseGrantResponse:
        if request.id == 0:
            raise errors.lease_not_found()
        if request.ttl > 9_000_000_000:
            raise errors.lease_ttl_too_large()
        if request.id in self.leases:
            raise errors.lease_exists()
        self.leases[request.id] = max(request.ttl, 2)
        self.begun.append(request.id)
        return LeaseGrantResponse(self.revision, request.id, max(request.ttl, 2))

    def range(self, request: Range) -> RangeResponse:
        if request.revision > self.newest():
            raise errors.future_revision()
        if 0 < request.revision < self.compacted:
            raise errors.compacted()
        state = self.at(request.revision) if request.revision > 0 else self.now()
        kvs = in_range(state, request.key, request.range_end)
        count = len(kvs)
        bounds = (request.min_mod_revision, request.max_mod_revision,
                  request.min_create_revision, request.max_create_revision)  # fmt: skip
        if request.limit > 0 and request.sort_order is SortOrder.NONE and not any(bounds):
            kvs = kvs[: request.limit + 1]
        if request.count_only:
            kvs = []
        low_mod, high_mod, low_create, high_create = bounds
        kvs = [
            kv
            for kv in kvs
            if kv.mod_revision >= low_mod
            and kv.mod_revision <= (high_mod or kv.mod_revision)
            and kv.create_revision >= low_create
            and kv.create_revision <= (high_create or kv.create_revision)
        ]
        attribute = {SortTarget.CREATE: "create_revision", SortTarget.MOD: "mod_revision"}.get(
            request.sort_target, request.sort_target.name.lower()
        )
        kvs.sort(key=lambda kv: getattr(kv, attribute), reverse=request.sort_order is SortOrder.DESCEND)
        more = 0 < request.limit < len(kvs)
        kvs = kvs[: request.limit] if more else kvs
        if request.keys_only:
            kvs = [KeyValue(kv.key, kv.create_revision, kv.mod_revision, kv.version, b"", kv.lease) for kv in kvs]
        return RangeResponse(self.newest(), tuple(kvs), more, count)

    def chosen(self, request: Txn, before: State) -> tuple[bool, tuple[Write | Range, ...]]:
        succeeded = all(holds(compare, before) for compare in request.compare)
        return succeeded, request.success if succeeded else request.failure

    def refuse(self, request: Txn, before: State) -> None:
        """What etcd refuses before it begins: puts first, then ranges."""
        operations = list(self.flat(request, before))
        for operation in operations:
            if isinstance(operation, Put):
                if (operation.ignore_value or operation.ignore_lease) and operation.key not in before:
                    raise errors.key_not_found()
                if operation.lease and operation.lease not in self.leases:
                    raise errors.lease_not_found()
        for operation in operations:
            if isinstance(operation, Range) and operation.revision:
                if operation.revision > self.revision:
                    raise errors.future_revision()
                if operation.revision < self.compacted:
                    raise errors.compacted()

    def flat(self, request: Txn, before: State) -> list[Write | Range]:
        result: list[Write | Range] = []
        for operation in self.chosen(request, before)[1]:
            result += self.flat(operation, before) if isinstance(operation, Txn) else [operation]
        return result

    def transact(self, request: Txn, before: State) -> TxnResponse:
        succeeded, operations = self.chosen(request, before)
        responses = []
        for operation in operations:
            inner = isinstance(operation, Txn)
            responses.append(self.transact(operation, before) if inner else self.carry_out(operation))
        return TxnResponse(0, succeeded, tuple(responses))


def in_range(state: State, key: bytes, range_end: bytes) -> list[KeyValue]:
    match range_end:
        case b"":
            return [state[key]] if key in state else []
        case b"\0":
            return [kv for kv in state.values() if kv.key >= key]
        case _:
            return [kv for kv in state.values() if key <= kv.key < range_end]


def holds(compare: Compare, before: State) -> bool:
    kvs = in_range(before, compare.key, compare.range_end)
    if not kvs:
        if compare.target is CompareTarget.VALUE:
            return False
        kvs = [KeyValue(compare.key, 0, 0, 0)]
    names = {CompareTarget.CREATE: "create_revision", CompareTarget.MOD: "mod_revision"}
    for kv in kvs:
        found = getattr(kv, names.get(compare.target, compare.target.name.lower()))
        verdict = {"EQUAL": found == compare.value, "GREATER": found > compare.value,
                   "LESS": found < compare.value, "NOT_EQUAL": found != compare.value}  # fmt: skip
        if not verdict[compare.result.name]:
            return False
    return True
