"""What a store should do, one operation at a time: the interface, and the register and the key-value store."""

from collections.abc import Hashable, Iterable
from typing import Any, ClassVar

from raftcheck.oracle.history.events import UNKNOWN, History, Operation, Unknown
from raftcheck.oracle.history.values import At, same, text_of

State = Hashable


class Model:
    """The sequential meaning of a store. Derive from this class for one of your own.

    A model has no state of its own: `step` is a function, and is called once for each different question.
    """

    name: ClassVar[str] = "a model"
    functions: ClassVar[frozenset[str]] = frozenset()
    """The functions that it knows; others are refused."""

    together: str = ""
    """Why no operations are judged apart, if so."""

    def initial(self) -> State:
        """Return the state before the first operation. States are hashable and immutable."""
        raise NotImplementedError

    def step(self, state: State, operation: Operation, result: Any) -> State | None:
        """Return the state after an operation that told `result`, or None if it could not have told that.

        `result` is UNKNOWN if nothing is known: return the state after it, whatever it may have told.
        """
        raise NotImplementedError

    def keys(self, operation: Operation) -> Iterable[Hashable] | None:
        """Return the keys that an operation reads or writes: others cannot influence it. None: it may be all of them.

        Operations that have no key in common, not even by way of others, are judged apart, each group from the initial
        state on (P-compositionality: Horn & Kroening 2015).
        """
        return (operation.key,)

    def is_read(self, operation: Operation, result: Any) -> bool:
        """Tell whether an operation that told `result` never changes any state. Reads are searched for faster."""
        return False

    def check(self, operation: Operation, result: Any) -> None:
        """Raise ValueError if an operation or its result is none of this model's; the text says why."""
        if operation.function not in self.functions:
            known = ", ".join(sorted(self.functions))
            raise ValueError(f"{self.name} has no operation {operation.function!r}; it has {known}")

    def fitted(self, history: History) -> "Model":
        """Return the model for a history: one that leaves out what the history does not tell may be faster.

        Raises ValueError if the history begins with a store that the model cannot have.
        """
        if history.initial is not None:
            raise ValueError(f"{self.name} begins with its own initial state; the history tells another one")
        return self

    def assumptions(self) -> tuple[str, ...]:
        """Return what this model takes for granted."""
        return ()

    def show(self, state: State) -> str:
        """Return a state as people read it."""
        return text_of(state)


def require_pair(operation: Operation) -> None:
    """Raise ValueError unless a compare-and-set has an old and a new value."""
    if not (isinstance(operation.value, tuple) and len(operation.value) == 2):
        raise ValueError(f"{operation.function} needs [old new], not {text_of(operation.value)}")


def require_no_revision(name: str, result: Any) -> None:
    """Raise ValueError if a revision was told: nothing recorded goes unjudged."""
    if isinstance(result, At):
        raise ValueError(f"{name} has no revisions; the model etcd has")


def require_flag(operation: Operation, result: Any) -> None:
    """Raise ValueError unless a compare-and-set told whether it succeeded."""
    if not isinstance(result, bool | Unknown):
        raise ValueError(f"{operation.function} tells true or false, not {text_of(result)}")


def compare_and_set(state: State, expected: State, new: State, told: Any) -> State | None:
    """Return the state after a compare-and-set of a single value."""
    matches = same(state, expected)
    if told is not UNKNOWN and told is not matches:
        return None
    return new if matches else state


class Register(Model):
    """One value, at first nil; `read`, `write` v, `cas` [old new]. With keys: a register for each."""

    name = "register"
    functions = frozenset({"read", "write", "cas"})

    def initial(self) -> State:
        """Return the register that holds nothing."""
        return (None,)

    def step(self, state: State, operation: Operation, result: Any) -> State | None:
        """Return the value after an operation, in a tuple."""
        assert isinstance(state, tuple)
        match operation.function:
            case "write":
                return (operation.value,)
            case "cas":
                assert isinstance(operation.value, tuple)
                expected, new = operation.value
                return compare_and_set(state, (expected,), (new,), result)
        return state if result is UNKNOWN or same(state[0], result) else None

    def is_read(self, operation: Operation, result: Any) -> bool:
        """Tell whether it is a read or a compare-and-set that found another value."""
        return operation.function == "read" or result is False

    def check(self, operation: Operation, result: Any) -> None:
        """Refuse what is no operation of a register."""
        super().check(operation, result)
        require_no_revision(self.name, result)
        if operation.function == "cas":
            require_pair(operation)
            require_flag(operation, result)

    def show(self, state: State) -> str:
        """Return the value."""
        assert isinstance(state, tuple)
        return text_of(state[0])


class KeyValue(Model):
    """A value under each key; `get`, `put` v, `append` text, `delete`, `cas` [old new].

    A key that was never written holds `absent`: nil, or the empty text as in Porcupine's logs.
    """

    name = "keyvalue"
    functions = frozenset({"get", "put", "append", "delete", "cas"})

    def __init__(self, absent: Hashable | None = None) -> None:
        self.absent = absent

    def initial(self) -> State:
        """Return a key that was never written."""
        return (self.absent,)

    def step(self, state: State, operation: Operation, result: Any) -> State | None:
        """Return what the key holds after an operation, in a tuple."""
        assert isinstance(state, tuple)
        match operation.function:
            case "put":
                return (operation.value,)
            case "append":
                return self._appended(state, operation.value, result)
            case "delete":
                there = not same(state[0], self.absent)
                return None if isinstance(result, bool) and result is not there else (self.absent,)
            case "cas":
                assert isinstance(operation.value, tuple)
                expected, new = operation.value
                return compare_and_set(state, (expected,), (new,), result)
        return state if result is UNKNOWN or same(state[0], result) else None

    def _appended(self, state: tuple[Any, ...], text: Any, result: Any) -> State | None:
        """Return the state after an append: nothing can be appended to what is no text."""
        if isinstance(state[0], str | None):
            return (f"{state[0] or ''}{text}",)
        return state if result is UNKNOWN else None

    def is_read(self, operation: Operation, result: Any) -> bool:
        """Tell whether it reads, or found nothing to change."""
        return operation.function == "get" or result is False

    def check(self, operation: Operation, result: Any) -> None:
        """Refuse what is no operation of a key-value store."""
        super().check(operation, result)
        require_no_revision(self.name, result)
        if operation.function == "cas":
            require_pair(operation)
            require_flag(operation, result)
        if operation.function == "append" and not isinstance(operation.value, str):
            raise ValueError(f"append needs a text, not {text_of(operation.value)}")
        if operation.function == "delete" and not isinstance(result, bool | Unknown | None):
            raise ValueError(f"delete tells true, false or nothing, not {text_of(result)}")

    def assumptions(self) -> tuple[str, ...]:
        """Return what a key holds at first."""
        return (f"a key that was never written holds {text_of(self.absent)}",)

    def show(self, state: State) -> str:
        """Return the value."""
        assert isinstance(state, tuple)
        return text_of(state[0])
