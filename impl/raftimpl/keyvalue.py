"""The replicated state machine: documents under keys, with etcd's revisions.

It is a value: applying a command gives a new store and leaves the old one as it is. What the operations mean is
told by `raftspec.keyvalue`; this is the efficient form, which shares all unchanged parts between versions.

A command carries its client's name and a sequence number. A client numbers its writes 1, 2, ... and has at most
one under way; so a write that the network or an impatient forwarder has repeated is recognised and not applied
again, and its client gets the first answer (thesis, section 6.3).
"""

from __future__ import annotations  # rpds classes cannot be subscripted at run time

from typing import Any

import msgspec
from rpds import HashTrieMap

from raftimpl.errors import MalformedInputError
from raftimpl.values import Value
from raftspec.keyvalue import CompareAndSet, Delete, Document, Get, Key, ListPrefix, Put, Read, Result, Write


class Command(Value, frozen=True):
    """A client's write as it stands in the log."""

    client: str
    sequence: int
    operation: Write


class Record(Value, frozen=True):
    """A document and its history in numbers, as etcd keeps them.

    `create_revision` and `mod_revision` are the store's revisions when the key was created and last changed;
    `version` counts the changes since it was created.
    """

    document: Document
    create_revision: int
    mod_revision: int
    version: int = 1


class Answer(Value, frozen=True):
    """What a client is told: the result, and the store's revision that it reflects."""

    result: Result
    revision: int


class Session(Value, frozen=True):
    """The last write of a client that was applied, and its answer."""

    sequence: int
    answer: Answer


class Store(Value, frozen=True):
    """The whole state. The revision is 1 at first and rises by 1 with every write that changes something."""

    revision: int = 1
    records: HashTrieMap[Key, Record] = HashTrieMap()
    sessions: HashTrieMap[str, Session] = HashTrieMap()


OPERATIONS: dict[str, type[Write]] = {"put": Put, "delete": Delete, "compare-and-set": CompareAndSet}
NAMES: dict[type[Write], str] = {operation: name for name, operation in OPERATIONS.items()}


class EncodedCommand(msgspec.Struct, array_like=True):
    """A command in the log: JSON, an array, the operation's fields by name."""

    client: str
    sequence: int
    operation: str
    fields: msgspec.Raw


def encode_command(command: Command) -> bytes:
    """Return the bytes that go into the log. Raises MalformedInputError for texts that are no Unicode."""
    try:
        fields = msgspec.Raw(msgspec.json.encode(command.operation))
        name = NAMES[type(command.operation)]
        return msgspec.json.encode(EncodedCommand(command.client, command.sequence, name, fields))
    except UnicodeEncodeError as error:
        raise MalformedInputError(f"not a command of the key-value store: {error}") from error


def decode_command(encoded: bytes) -> Command:
    """Return the command. Raises MalformedInputError for bytes that are none."""
    try:
        read = msgspec.json.decode(encoded, type=EncodedCommand)
        operation: Any = msgspec.json.decode(read.fields, type=OPERATIONS[read.operation])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError) as error:
        raise MalformedInputError(f"not a command of the key-value store: {encoded!r}: {error}") from error
    return Command(read.client, read.sequence, operation)


def apply_command(store: Store, command: Command) -> tuple[Store, Answer | None]:
    """Apply a write once; return the store after it and its answer.

    A repetition changes nothing and has the first answer; a write that its client has since moved on from has
    none, for nobody waits for it.
    """
    session = store.sessions.get(command.client)
    if session is not None and command.sequence <= session.sequence:
        return store, session.answer if command.sequence == session.sequence else None
    after, result = apply_write(store, command.operation)
    answer = Answer(result, after.revision)
    sessions = store.sessions.insert(command.client, Session(command.sequence, answer))
    return msgspec.structs.replace(after, sessions=sessions), answer


def apply_write(store: Store, operation: Write) -> tuple[Store, Result]:
    """Carry out a write; return the store after it and the result."""
    found = found_at(store, operation.key)
    match operation:
        case Put(key, document):
            return changed(store, key, document), Result(True, found)
        case Delete(key):
            return (changed(store, key, None) if found else store), Result(bool(found), found)
        case CompareAndSet(key, expected, document):
            current = store.records.get(key)
            matches = (current.document if current else None) == expected
            return (changed(store, key, document) if matches else store), Result(matches, found)


def read(store: Store, operation: Read) -> Answer:
    """Answer a read from the store as it is."""
    match operation:
        case Get(key):
            found = found_at(store, key)
            return Answer(Result(bool(found), found), store.revision)
        case ListPrefix(prefix):
            keys = sorted(key for key in store.records if key.startswith(prefix))
            return Answer(Result(True, tuple((key, store.records[key].document) for key in keys)), store.revision)


def found_at(store: Store, key: Key) -> tuple[tuple[Key, Document], ...]:
    """Return the key with its document, or nothing."""
    record = store.records.get(key)
    return () if record is None else ((key, record.document),)


def changed(store: Store, key: Key, document: Document | None) -> Store:
    """Return the store at its next revision with a new document under the key, or without the key."""
    revision = store.revision + 1
    old = store.records.get(key)
    if document is None:
        records = store.records.remove(key)
    elif old is None:
        records = store.records.insert(key, Record(document, revision, revision))
    else:
        records = store.records.insert(key, Record(document, old.create_revision, revision, old.version + 1))
    return msgspec.structs.replace(store, revision=revision, records=records)
