"""A reader of EDN (Extensible Data Notation) that knows the line of every value, and reads one value at a time.

Keywords, symbols and characters become `Name`s, vectors and lists tuples, maps dicts, sets frozensets. Of a tagged map
only the map is kept (a Clojure record, `#jepsen.history.Op{...}`); any other tagged value becomes a pair of tag and
value.
"""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from raftcheck.oracle.history.values import Name, distinct, frozen
from raftcheck.oracle.lines import Lines

TOKEN = re.compile(
    r"""(?P<space>[\s,]+|;.*)
      | (?P<open>\#\{|[\[({])
      | (?P<close>[\])}])
      | (?P<discard>\#_)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<unclosed>"(?:[^"\\]|\\.)*\\?$)
      | (?P<symbolic>\#\#(?:NaN|Inf|-Inf)(?![^\s,;"\[\](){}]))
      | (?P<tag>\#[A-Za-z][^\s,;"\[\](){}]*)
      | (?P<character>\\(?:[a-z]+|u[0-9a-fA-F]{4}|\S))
      | (?P<atom>[^\s,;"\[\](){}\\#@^`~][^\s,;"\[\](){}\\@^`~]*)""",
    re.VERBOSE,
)

INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d{0,399})N?")
DECIMAL = re.compile(r"[+-]?\d{1,400}(?:\.\d{0,400})?(?:[eE][+-]?\d{1,3})?M?")
RATIO = re.compile(r"[+-]?\d{1,400}/[1-9]\d{0,399}")
CONSTANTS = {"nil": None, "true": True, "false": False}
CLOSING = {"[": "]", "(": ")", "{": "}", "#{": "}"}
DEEPEST = 64

Token = tuple[str, str]


class EdnReader:
    """Reads the values of a file, one after another."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._tokens = self._split()
        self.line = 0
        """Where the value that was read last begins."""

    def items(self) -> Iterator[Any]:
        """Yield the values of the file; those in it, if it holds one vector or list.

        Raises UnreadableError, naming the line, for what is no EDN.
        """
        token = self._next()
        if token in (("open", "["), ("open", "(")):
            closing = CLOSING[token[1]]
            while (token := self._next()) != ("close", closing):
                yield from self._top(token, f"the end of the file comes before {closing}")
            token = self._next()
            if token is not None:
                raise self._lines.fault(f"{token[1]} comes after the end of the history")
        while token is not None:
            yield from self._top(token, "")
            token = self._next()

    def _top(self, token: Token | None, at_end: str) -> Iterator[Any]:
        if token is None:
            raise self._lines.fault(at_end)
        if token[0] == "discard":
            self._value(self._next(), 0)
            return
        self.line = self._lines.number
        yield self._value(token, 0)

    def _split(self) -> Iterator[Token]:
        """Yield the tokens; a text may go over several lines."""
        lines = iter(self._lines)
        for line in lines:
            position = 0
            while position < len(line):
                read = TOKEN.match(line, position)
                if not read:
                    raise self._lines.fault(f"no EDN: {line[position : position + 20]!r}")
                kind = str(read.lastgroup)
                if kind == "unclosed":
                    following = next(lines, None)
                    if following is None:
                        raise self._lines.fault("a text is not closed")
                    line, position = line[read.start() :] + "\n" + following, 0
                    continue
                position = read.end()
                if kind != "space":
                    yield kind, read[0]

    def _next(self) -> Token | None:
        return next(self._tokens, None)

    def _value(self, token: Token | None, depth: int) -> Any:
        if token is None:
            raise self._lines.fault("the end of the file comes in the middle of a value")
        kind, text = token
        match kind:
            case "discard":
                self._value(self._next(), depth + 1)
                return self._value(self._next(), depth)
            case "open":
                return self._collection(text, depth + 1)
            case "close":
                raise self._lines.fault(f"{text} closes nothing")
            case "tag":
                value = self._value(self._next(), depth + 1)
                return value if isinstance(value, dict) else (Name(text), value)
            case "string":
                return self._text(text)
            case "atom":
                return self._atom(text)
        return Name(text)

    def _collection(self, opening: str, depth: int) -> Any:
        if depth > DEEPEST:
            raise self._lines.fault(f"more than {DEEPEST} values within each other")
        items = []
        while (token := self._next()) != ("close", CLOSING[opening]):
            if token is not None and token[0] == "discard":
                self._value(self._next(), depth)
                continue
            items.append(self._value(token, depth))
        if opening in "[(":
            return tuple(items)
        keys = [distinct(frozen(item)) for item in (items if opening == "#{" else items[::2])]
        if len(set(keys)) < len(keys):
            raise self._lines.fault("a map or set has a key twice")
        if opening == "#{":
            return frozenset(frozen(item) for item in items)
        if len(items) % 2:
            raise self._lines.fault("a map has a key without a value")
        return dict(zip(map(frozen, items[::2]), items[1::2], strict=True))

    def _text(self, text: str) -> str:
        try:
            return str(json.loads(text, strict=False))
        except ValueError as error:
            raise self._lines.fault(f"the text {text[:40]} has an unknown escape") from error

    def _atom(self, text: str) -> Any:
        if text in CONSTANTS:
            return CONSTANTS[text]
        if INTEGER.fullmatch(text):
            return int(text.rstrip("N"))
        if DECIMAL.fullmatch(text):
            return float(text.rstrip("M"))
        if RATIO.fullmatch(text):
            return Fraction(text)
        if text[0].isdigit() or text == ":":
            raise self._lines.fault(f"no EDN: {text[:20]!r}")
        return Name(text)
