"""What clients ask: drawn at random, in the store's terms for servers, in a history's terms for the oracle."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from raftimpl.store.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    DeleteRangeResponse,
    KeyValue,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
    Write,
)

KEYS = ("key/a", "key/b", "key/c", "key/d")
PREFIX = "key/"

Json = Any
Told = Callable[[Any], Json]


class Asked(NamedTuple):
    """One operation: as a history has it (`function`, `key`, `value`), and as the store has it (`request`).

    `told` makes of the store's answer what the history says was told.
    """

    function: str
    key: str | None
    value: Json
    request: Write | Range
    told: Told

    @property
    def is_stale(self) -> bool:
        """Tell whether it is a read that may be out of date by contract."""
        return isinstance(self.request, Range) and self.request.serializable


class Draw(NamedTuple):
    """What requests are drawn from: dice, and values that nobody else writes."""

    random: Random
    values: Callable[[], str]

    def key(self) -> str:
        """Return one of the few keys."""
        return self.random.choice(KEYS)


def record(kv: KeyValue) -> Json:
    """Return a key's version as histories have it."""
    return {
        "value": kv.value.decode(),
        "version": kv.version,
        "create_revision": kv.create_revision,
        "mod_revision": kv.mod_revision,
    }


def first(kvs: Sequence[KeyValue]) -> Json:
    """Return the first record, None if there is none."""
    return record(kvs[0]) if kvs else None


def previous(kv: KeyValue | None) -> Json:
    """Return what a write says of what was there before."""
    return {"previous": record(kv) if kv else None}


def get(draw: Draw) -> Asked:
    """Read a key."""
    return get_of(draw.key())


def get_of(key: str, is_stale: bool = False) -> Asked:
    """Read a given key."""
    return Asked("get", key, None, Range(key.encode(), serializable=is_stale), lambda answer: first(answer.kvs))


def stale_get(draw: Draw) -> Asked:
    """Read a key from the server that is asked, whatever it has."""
    return get_of(draw.key(), is_stale=True)


def list_all(draw: Draw) -> Asked:
    """Read all keys."""
    return LIST


def stale_list(draw: Draw) -> Asked:
    """Read all keys from the server that is asked, whatever it has."""
    return listing(is_stale=True)


def listing(is_stale: bool = False) -> Asked:
    """Read all keys."""
    request = Range(PREFIX.encode(), PREFIX.encode()[:-1] + b"0", serializable=is_stale)
    return Asked("list", PREFIX, None, request, told_of_list)


def told_of_list(answer: RangeResponse) -> Json:
    """Return the records with their keys."""
    return [{"key": kv.key.decode(), **record(kv)} for kv in answer.kvs]


def put(draw: Draw) -> Asked:
    """Write a key."""
    return put_of(draw.key(), draw.values())


def put_of(key: str, value: str, lease: int = 0) -> Asked:
    """Write a given key."""
    request = Put(key.encode(), value.encode(), lease, prev_kv=True)
    return Asked("put", key, value, request, lambda answer: previous(answer.prev_kv))


def delete(draw: Draw) -> Asked:
    """Delete a key."""
    key = draw.key()
    return Asked("delete", key, None, DeleteRange(key.encode(), prev_kv=True), told_of_delete)


def told_of_delete(answer: DeleteRangeResponse) -> Json:
    """Return how many keys were deleted, and what was there."""
    return {"deleted": answer.deleted, "previous": first(answer.prev_kvs)}


def create(draw: Draw) -> Asked:
    """Write a key if it is not there."""
    key, value = draw.key(), draw.values()
    absent = Compare(CompareResult.EQUAL, CompareTarget.CREATE, key.encode(), 0)
    request = Txn((absent,), (Put(key.encode(), value.encode()),), ())
    return Asked("cas", key, [None, value], request, lambda answer: answer.succeeded)


def replace(draw: Draw, known: str) -> Asked:
    """Write a key if it has the value that is known."""
    key, value = draw.key(), draw.values()
    same = Compare(CompareResult.EQUAL, CompareTarget.VALUE, key.encode(), known.encode())
    request = Txn((same,), (Put(key.encode(), value.encode()),), ())
    return Asked("cas", key, [known, value], request, lambda answer: answer.succeeded)


SIGNS: Mapping[str, CompareResult] = {
    "=": CompareResult.EQUAL,
    ">": CompareResult.GREATER,
    "<": CompareResult.LESS,
    "!=": CompareResult.NOT_EQUAL,
}
TARGETS: Mapping[str, CompareTarget] = {
    "version": CompareTarget.VERSION,
    "mod_revision": CompareTarget.MOD,
    "create_revision": CompareTarget.CREATE,
    "value": CompareTarget.VALUE,
}


def txn(draw: Draw) -> Asked:
    """Look at one key, and do one or two things to others, or other things."""
    random = draw.random
    target = random.choice(("version", "mod_revision", "create_revision"))
    sign = random.choice(tuple(SIGNS))
    number = random.randrange(3) if target == "version" else random.randrange(60)
    condition = {"key": draw.key(), "target": target, "sign": sign, "value": number}
    return txn_of([condition], operations(draw), operations(draw))


def operations(draw: Draw) -> list[Json]:
    """Return what a branch of a transaction does: to different keys, for etcd refuses to write one twice."""
    keys = draw.random.sample(KEYS, draw.random.randint(1, 2))
    return [operation(draw.random.choice(("get", "put", "put", "delete")), key, draw) for key in keys]


def operation(function: str, key: str, draw: Draw) -> Json:
    """Return one operation of a transaction."""
    value = {"value": draw.values()} if function == "put" else {}
    return {"f": function, "key": key, **value}


def txn_of(compare: list[Json], success: list[Json], failure: list[Json]) -> Asked:
    """Return a transaction that is given in a history's terms."""
    request = Txn(tuple(map(compare_of, compare)), operations_of(success), operations_of(failure))
    value = {"compare": compare, "success": success, "failure": failure}
    return Asked("txn", None, value, request, told_of_txn)


def compare_of(condition: Json) -> Compare:
    """Return a condition in the store's terms."""
    operand = condition["value"]
    given = operand.encode() if condition["target"] == "value" else operand
    return Compare(SIGNS[condition["sign"]], TARGETS[condition["target"]], condition["key"].encode(), given)


def operations_of(branch: list[Json]) -> tuple[Any, ...]:
    """Return a branch in the store's terms."""
    return tuple(OPERATIONS[one["f"]](one) for one in branch)


OPERATIONS: Mapping[str, Callable[[Json], Range | Put | DeleteRange]] = {
    "get": lambda one: Range(one["key"].encode()),
    "put": lambda one: Put(one["key"].encode(), one["value"].encode(), prev_kv=True),
    "delete": lambda one: DeleteRange(one["key"].encode(), prev_kv=True),
}


def told_of_txn(answer: TxnResponse) -> Json:
    """Return which way a transaction went, and what its operations told."""
    return {"succeeded": answer.succeeded, "responses": [TOLD[type(one)](one) for one in answer.responses]}


TOLD: Mapping[type, Told] = {
    RangeResponse: lambda answer: first(answer.kvs),
    PutResponse: lambda answer: previous(answer.prev_kv),
    DeleteRangeResponse: told_of_delete,
}

LIST = listing()


def written(asked: Asked, told: Json) -> dict[str, str | None]:
    """Return what an acknowledged operation has left under which keys; None where it has deleted."""
    match asked.function:
        case "put":
            return {str(asked.key): asked.value}
        case "delete":
            return {str(asked.key): None} if told["deleted"] else {}
        case "cas":
            return {str(asked.key): asked.value[1]} if told else {}
        case "txn":
            done = zip(asked.value["success" if told["succeeded"] else "failure"], told["responses"], strict=True)
            return {
                one["key"]: one.get("value")
                for one, answer in done
                if one["f"] == "put" or (one["f"] == "delete" and answer["deleted"])
            }
    return {}
