"""Messages as JSON, as etcd's gateway reads and writes them.

Names of fields are taken as in the protocol or in camel case, 64-bit numbers as numbers or strings, enums by name or
number, bytes in base64; what is unknown is passed over. Zero values are not written. Complaints are worded as those
of the libraries in Go that etcd uses, as far as clients may see them for a common mistake.
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from raftimpl.etcd import refusals
from raftimpl.etcd.service import MOST_NESTED
from raftimpl.store import errors
from raftimpl.store.checks import MOST_OPERATIONS

AnyMessage = TypeVar("AnyMessage", bound=Message)


class NotAMessageError(ValueError):
    """A text that is no JSON, or not of this message. The text says why, in Go's words."""


class Fraction(str):
    """A number with a point, an exponent or more digits than 64 bits have, as it was written; no field has such."""


def to_json(message: Message) -> str:
    """Return a message in one line."""
    return written(MessageToDict(message, preserving_proto_field_name=True))


SLICE_ELEMENTS = 500
"""How many elements of a list are written in one piece: it takes some 3 ms."""


def pieces(message: Message) -> Iterator[str]:
    """Yield a message in one line, piece by piece, of which none takes long if what is large is a list of messages."""
    rest = type(message)()
    lists: dict[str, Sequence[Message]] = {}
    for field, value in message.ListFields():
        if field.is_repeated and field.message_type is not None:
            lists[field.name] = value
        elif field.is_repeated or field.message_type is not None:
            getattr(rest, field.name).MergeFrom(value)
        else:
            setattr(rest, field.name, value)
    shown = MessageToDict(rest, preserving_proto_field_name=True)
    separator = "{"
    for field, _ in message.ListFields():
        yield f'{separator}"{field.name}":'
        separator = ","
        if field.name in lists:
            yield from list_pieces(lists[field.name])
        else:
            yield written(shown[field.name])
    yield "{}" if separator == "{" else "}"


def list_pieces(messages: Sequence[Message]) -> Iterator[str]:
    """Yield a list of messages piece by piece."""
    for start in range(0, len(messages), SLICE_ELEMENTS):
        yield "," if start else "["
        yield ",".join(map(to_json, messages[start : start + SLICE_ELEMENTS]))
    yield "]"


ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def written(value: object) -> str:
    """Return a value as JSON, as Go writes it: safe within HTML, otherwise in UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(ESCAPED)


def from_json(kind: type[AnyMessage], text: str) -> AnyMessage:
    """Return the first message in a text, an empty one if there is none.

    Raises NotAMessageError, and RequestError for lists that are longer than in any request, and for too many levels.
    """
    return next(all_from_json(kind, text), kind())


def all_from_json(kind: type[AnyMessage], text: str) -> Iterator[AnyMessage]:
    """Yield the messages in a text, one after the other. Raises NotAMessageError at the first that is none."""
    position = after_space(text, 0)
    while position < len(text):
        try:
            value, position = DECODER.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise NotAMessageError(syntax_error(error)) from None
        except RecursionError:
            raise too_deep() from None
        message = kind()
        fill(message, value)
        yield message
        position = after_space(text, position)


def no_number(text: str) -> object:
    """Refuse NaN and its like, which Python would read."""
    raise NotAMessageError(f"invalid character {quoted(text.lstrip('-')[0])} looking for beginning of value")


MOST_DIGITS = 20
"""How many characters a number of 64 bits has, with its sign."""


def integer(text: str) -> int | Fraction:
    """Return a number, if any field can have it. Python has a limit of its own for what it turns into one."""
    return int(text) if len(text) <= MOST_DIGITS else Fraction(text)


def too_deep() -> NotAMessageError:
    """Return the complaint about more lists in each other than can be read."""
    return NotAMessageError("exceeded max depth")


DECODER = json.JSONDecoder(parse_int=integer, parse_float=Fraction, parse_constant=no_number)


def after_space(text: str, position: int) -> int:
    """Return where the white space that begins at a position ends."""
    found = re.compile(r"[ \t\r\n]*").match(text, position)
    return found.end() if found else position


EXPECTED = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Invalid control character at": "in string literal",
}


LITERALS = {literal[0]: literal for literal in ("null", "true", "false")}


def syntax_error(error: json.JSONDecodeError) -> str:
    """Return what Go would say."""
    if literal := LITERALS.get(error.doc[error.pos : error.pos + 1]):
        return bad_literal(literal, error.doc[error.pos :])
    if error.pos >= len(error.doc) or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    if error.msg == "Expecting ',' delimiter":
        # The text up to here is right, so the innermost bracket that is open tells what was being read.
        place = "after object key:value pair" if innermost(error.doc[: error.pos]) == "{" else "after array element"
    else:
        place = EXPECTED.get(error.msg, "looking for beginning of value")
    return f"invalid character {quoted(error.doc[error.pos])} {place}"


def bad_literal(literal: str, text: str) -> str:
    """Return what Go would say of a text that begins as a literal does, and does not go on so."""
    for wanted, found in zip(literal, text, strict=False):
        if wanted != found:
            return f"invalid character {quoted(found)} in literal {literal} (expecting '{wanted}')"
    return "unexpected EOF"


def quoted(character: str) -> str:
    """Return a character as Go shows it."""
    return {"'": "'\\''", '"': "'\"'"}.get(character, f"'{character}'")


def innermost(text: str) -> str:
    """Return the last bracket that is open at the end of a text."""
    depth = 0
    for character in reversed(re.sub(r'"(\\.|[^"\\])*"', "", text)):
        depth += {"}": 1, "]": 1, "{": -1, "[": -1}.get(character, 0)
        if depth < 0:
            return character
    return ""


RAW_OBJECT = "map[string]json.RawMessage"
RAW_LIST = "[]json.RawMessage"

KINDS: dict[type, str] = {bool: "bool", int: "number", Fraction: "number", str: "string", list: "array", dict: "object"}


def mismatch(value: object, wanted: str) -> NotAMessageError:
    """Return the complaint about a value of the wrong type; of a number it has the digits, where a number is wanted."""
    shown = KINDS[type(value)]
    if shown == "number" and wanted not in ("[]uint8", "bool", "string", RAW_LIST, RAW_OBJECT):
        shown += f" {value}"
    return NotAMessageError(f"json: cannot unmarshal {shown} into Go value of type {wanted}")


DEEPEST = 100
"""How many levels below its first a message may have: protobuf takes no more, and only transactions have as many."""


def fill(message: Message, value: object, level: int = 0) -> None:
    """Set the fields of a message that a value has; it is so many levels below the first message."""
    if level > DEEPEST:
        raise refusals.nested_too_deep(MOST_NESTED)
    if value is None:
        return
    if not isinstance(value, dict):
        raise mismatch(value, RAW_OBJECT)
    fields = message.DESCRIPTOR.fields_by_name
    camel = message.DESCRIPTOR.fields_by_camelcase_name
    for name, each in value.items():
        field = fields.get(name) or camel.get(name)
        if field is not None and each is not None:
            set_field(message, cast("FieldDescriptor", field), each, level)


LONGEST_LISTS = {"etcdserverpb.TxnRequest": MOST_OPERATIONS}
"""How long the lists of a message may be: a text has room for a million that nobody wants made into messages."""


def set_field(message: Message, field: FieldDescriptor, value: object, level: int) -> None:
    """Set one field of a message at a level."""
    if field.is_repeated:
        if not isinstance(value, list):
            raise mismatch(value, RAW_LIST)
        if len(value) > LONGEST_LISTS.get(message.DESCRIPTOR.full_name, len(value)):
            raise errors.too_many_operations()
        for each in value:
            if field.message_type is not None:
                fill(getattr(message, field.name).add(), each, level + 1)
            else:
                getattr(message, field.name).append(SCALARS[field.type](field, each))
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
        fill(getattr(message, field.name), value, level + 1)
    else:
        setattr(message, field.name, SCALARS[field.type](field, value))


def read_bytes(_: FieldDescriptor, value: object) -> bytes:
    """Return bytes from base64, or from a list of numbers."""
    if isinstance(value, list):
        return bytes(map(read_byte, value))
    if not isinstance(value, str) or isinstance(value, Fraction):
        raise mismatch(value, "[]uint8")
    text = value.replace("\r", "").replace("\n", "")
    place = wrong_place(text)
    if place is not None:
        raise NotAMessageError(f"illegal base64 data at input byte {place}")
    return b64decode(text)


def read_byte(value: object) -> int:
    """Return a number that is a byte; null counts as 0."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 256:
        raise mismatch(value, "uint8")
    return value


def wrong_place(text: str) -> int | None:
    """Return where base64 is wrong, in the places that Go counts; None if it is right."""
    digits = re.match(r"[A-Za-z0-9+/]*", text)
    end = digits.end() if digits else 0
    quantum = end % 4
    if end == len(text):
        return end - quantum if quantum else None
    if text[end] != "=" or quantum < 2:
        return end
    if quantum == 2:
        if text[end + 1 : end + 2] != "=":
            return end if text[end + 1 :] else len(text)
        end += 1
    return end + 1 if text[end + 1 :] else None


def read_string(_: FieldDescriptor, value: object) -> str:
    """Return a text."""
    if not isinstance(value, str) or isinstance(value, Fraction):
        raise mismatch(value, "string")
    return value


def read_bool(_: FieldDescriptor, value: object) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise mismatch(value, "bool")
    return value


INTEGERS = {
    FieldDescriptor.TYPE_INT64: ("int64", -(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: ("uint64", 0, 2**64 - 1),
    FieldDescriptor.TYPE_UINT32: ("uint32", 0, 2**32 - 1),
}


def read_integer(field: FieldDescriptor, value: object) -> int:
    """Return a number that may be written as a string."""
    name, least, greatest = INTEGERS[field.type]
    if isinstance(value, str) and not isinstance(value, Fraction):
        value = unquoted(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
        raise mismatch(value, name)
    return value


def unquoted(text: str) -> object:
    """Return what is between quotes, read as JSON."""
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise too_deep() from None
    except json.JSONDecodeError as error:
        message = "unexpected end of JSON input" if error.pos >= len(text) else syntax_error(error)
        raise NotAMessageError(message) from None


def read_enum(field: FieldDescriptor, value: object) -> int:
    """Return an enum's number from its name or number."""
    enum: EnumDescriptor = field.enum_type  # type: ignore[assignment]  # fields of this type have one
    package, _, name = enum.full_name.partition(".")
    in_go = f"{package}.{name.replace('.', '_')}"
    if isinstance(value, str) and not isinstance(value, Fraction):
        if value not in enum.values_by_name:
            raise NotAMessageError(f'unknown value "{value}" for enum {in_go}')
        return int(enum.values_by_name[value].number)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**31:
        raise mismatch(value, in_go)
    return value


SCALARS: dict[int, Callable[[FieldDescriptor, Any], Any]] = {
    FieldDescriptor.TYPE_BYTES: read_bytes,
    FieldDescriptor.TYPE_STRING: read_string,
    FieldDescriptor.TYPE_BOOL: read_bool,
    FieldDescriptor.TYPE_ENUM: read_enum,
    FieldDescriptor.TYPE_INT64: read_integer,
    FieldDescriptor.TYPE_UINT64: read_integer,
    FieldDescriptor.TYPE_UINT32: read_integer,
}
