"""Histories of a store that is simulated: every operation takes effect at one moment while it is under way.

What operations mean is said here a second time, apart from the models.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from random import Random
from typing import Any

from raftcheck.oracle.history import Call, Event, Model, Operation
from raftcheck.oracle.history.etcd import Etcd
from raftcheck.oracle.history.events import History, paired
from raftcheck.oracle.history.models import KeyValue, Register
from raftcheck.oracle.history.values import At, Items, frozen

State = dict[str, Any]


@dataclass(frozen=True)
class World:
    """A store: what may be asked, what it answers (the state is changed), and what else it might have answered."""

    model: Model
    ask: Callable[[Random], Operation]
    answer: Callable[[State, Operation], Any]
    wrong: Callable[[Random], Any]


def ask_register(random: Random) -> Operation:
    value = random.randrange(3)
    return random.choice(
        [Operation("read"), Operation("write", None, value), Operation("cas", None, (random.randrange(3), value))]
    )


def answer_register(state: State, operation: Operation) -> Any:
    if operation.function == "read":
        return state.get("value")
    if operation.function == "write":
        state["value"] = operation.value
        return None
    expected, new = operation.value  # type: ignore[misc]
    if state.get("value") != expected:
        return False
    state["value"] = new
    return True


def ask_keyvalue(random: Random) -> Operation:
    key, text = random.choice("ab"), random.choice("xyz")
    function = random.choice(["get", "get", "put", "append", "delete", "cas"])
    value = {"put": text, "append": text, "cas": (random.choice([None, "x", "y"]), text)}.get(function)
    return Operation(function, key, value)


def answer_keyvalue(state: State, operation: Operation) -> Any:
    key, value = str(operation.key), operation.value
    match operation.function:
        case "get":
            return state.get(key)
        case "put":
            state[key] = value
        case "append":
            state[key] = state.get(key, "") + value
        case "delete":
            return state.pop(key, None) is not None
        case "cas":
            expected, new = value  # type: ignore[misc]
            if state.get(key) != expected:
                return False
            state[key] = new
            return True
    return None


def ask_etcd(random: Random) -> Operation:
    key, number = random.choice("ab"), random.randrange(3)
    put = {"f": "put", "key": key, "value": number}
    get = {"f": "get", "key": key}
    compare = {
        "key": key,
        "target": random.choice(["version", "mod_revision", "create_revision"]),
        "sign": random.choice("=<>"),
        "value": random.randrange(4),
    }
    return random.choice(
        [
            Operation("get", key),
            Operation("put", key, number),
            Operation("delete", key),
            Operation("cas", key, (random.choice([None, 0, 1]), number)),
            Operation("list", ""),
            Operation("txn", None, frozen({"compare": [compare], "success": [put, get], "failure": [get]})),
        ]
    )


def record_of(state: State, name: str, **more: Any) -> dict[str, Any] | None:
    found = state.get(name)
    if found is None:
        return None
    value, create, mod, version = found
    return {"value": value, "create_revision": create, "mod_revision": mod, "version": version, **more}


def write(state: State, key: str, value: Any, revision: int) -> None:
    _, create, _, version = state.get(key, (None, revision, None, 0))
    state[key] = (value, create, revision, version + 1)
    state["#"] = revision


def answer_etcd(state: State, operation: Operation) -> Any:
    state.setdefault("#", 1)
    return At(frozen(result_of_etcd(state, operation)), state["#"])


def result_of_etcd(state: State, operation: Operation) -> Any:
    key, value, revision = str(operation.key), operation.value, state["#"] + 1
    match operation.function:
        case "get":
            return record_of(state, key)
        case "put":
            before = record_of(state, key)
            write(state, key, value, revision)
            return {"previous": before}
        case "delete":
            if state.pop(key, None) is None:
                return {"deleted": 0}
            state["#"] = revision
            return {"deleted": 1}
        case "cas":
            expected, new = value  # type: ignore[misc]
            matches = (state[key][0] if key in state else None) == expected
            if matches:
                write(state, key, new, revision)
            return matches
        case "list":
            return [record_of(state, name, key=name) for name in sorted(state) if name != "#"]
    asked: Any = dict(value.pairs)  # type: ignore[union-attr]
    return transaction(state, {name: [dict(item.pairs) for item in items] for name, items in asked.items()}, revision)


def transaction(state: State, asked: dict[str, list[dict[str, Any]]], revision: int) -> dict[str, Any]:
    compare = asked["compare"][0]
    number = (record_of(state, compare["key"]) or {}).get(compare["target"], 0)
    operand = compare["value"]
    holds = {"=": number == operand, "<": number < operand, ">": number > operand}[compare["sign"]]
    responses = []
    for item in asked["success" if holds else "failure"]:
        if item["f"] == "put":
            write(state, item["key"], item["value"], revision)
            responses.append(None)
        else:
            responses.append(record_of(state, item["key"]))
    return {"succeeded": holds, "responses": responses}


WORLDS = {
    "register": World(Register(), ask_register, answer_register, lambda random: random.choice([None, 0, 1, 2])),
    "keyvalue": World(
        KeyValue(), ask_keyvalue, answer_keyvalue, lambda random: random.choice([None, "x", "y", "xy", "yx"])
    ),
    "etcd": World(Etcd(), ask_etcd, answer_etcd, lambda random: None),
}


def simulated(
    world: World, random: Random, operations: int, processes: int, crashes: bool = True, broken: float = 0.0
) -> list[Event]:
    """Return the events of a history that a correct store shows, or one that now and then answers from an old state."""
    state: State = {}
    older: list[State] = []
    events: list[Event] = []
    idle, names = list(range(processes)), processes
    waiting: dict[int, Operation] = {}
    done: dict[int, tuple[Operation, Hashable]] = {}
    while operations or waiting or done:
        choices: list[tuple[str, int]] = [("effect", process) for process in waiting]
        choices += [("complete", process) for process in done]
        if operations:
            choices += [("invoke", process) for process in idle]
        if crashes:
            choices += [("crash", process) for process in (*waiting, *done) if random.random() < 0.2]
        what, process = random.choice(choices)
        if what == "invoke":
            idle.remove(process)
            operations -= 1
            asked = waiting[process] = world.ask(random)
            events.append(event("invoke", process, asked))
        elif what == "effect":
            asked = waiting.pop(process)
            older.append(dict(state))
            if random.random() < broken:
                done[process] = asked, world.answer(dict(random.choice(older)), asked)
                if random.random() < 0.5:
                    world.answer(state, asked)
            else:
                done[process] = asked, world.answer(state, asked)
        elif what == "complete":
            asked, result = done.pop(process)
            events.append(event("ok", process, asked, result))
            idle.append(process)
        else:
            asked = waiting.pop(process, None) or done.pop(process)[0]
            events.append(event("info", process, asked))
            idle.append(names)
            names += 1
    return events


def event(kind: Any, process: int, asked: Operation, result: Hashable | None = None) -> Event:
    return Event(kind, process, asked.function, asked.key, asked.value, result)


def faulty(world: World, random: Random, operations: int, processes: int) -> list[Event]:
    """Return a history that may be impossible: one wrong answer, or a store with stale answers and lost writes."""
    if random.random() < 0.3:
        return corrupted(world, random, simulated(world, random, operations, processes))
    return simulated(world, random, operations, processes, broken=0.3)


def corrupted(world: World, random: Random, events: list[Event]) -> list[Event]:
    """Return a history with one answer replaced by another, or by that to another operation."""
    places = [number for number, event in enumerate(events) if event.type == "ok"]
    if not places:
        return events
    place = random.choice(places)
    old = events[place]
    new: Any = world.wrong(random)
    if isinstance(old.result, bool):
        new = not old.result
    elif isinstance(old.result, At):
        new = At(changed(random, old.result.result), old.result.revision + random.choice([-1, 0, 0, 1]))
    elif old.result is None and old.function not in ("read", "get"):
        return events
    return [
        *events[:place],
        event("ok", old.process, Operation(old.function, old.key, old.value), new),
        *events[place + 1 :],
    ]


def changed(random: Random, value: Any) -> Any:
    """Return a result with one number or flag in it changed."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return max(0, value + random.choice([-1, 1]))
    if isinstance(value, tuple) and value:
        place = random.randrange(len(value))
        return (*value[:place], changed(random, value[place]), *value[place + 1 :])
    if isinstance(value, Items):
        fields: Any = sorted(value.pairs, key=lambda pair: pair[0])
        fields = [(name, item) for name, item in fields if name not in ("key", "responses")] or fields
        name, item = random.choice(fields)
        return Items(frozenset((value.pairs - {(name, item)}) | {(name, changed(random, item))}))
    return value


def calls_of(events: list[Event]) -> list[Call]:
    return history_of(events).calls


def history_of(events: list[Event]) -> History:
    return paired("simulated", events)
