"""Logs with what their snapshots stand for.

The model's state machine is the list of all that was applied. So what it saves is that list; whoever has a snapshot
has every entry that it stands for, and properties and refinement go on speaking of whole logs.
"""

from functools import lru_cache

import msgspec

from raftimpl.log import Entries, Log

REMEMBERED = 100_000

DECODER: msgspec.msgpack.Decoder[Entries] = msgspec.msgpack.Decoder(Entries)


def saved(entries: Entries) -> bytes:
    """Return the content of a snapshot after these entries."""
    return msgspec.msgpack.encode(entries)


@lru_cache(REMEMBERED)
def entries_in(content: bytes) -> Entries:
    """Return the entries that a snapshot with this content stands for; none if it is empty."""
    return DECODER.decode(content) if content else ()


def whole(log: Log) -> Entries:
    """Return all entries from index 1 on."""
    return entries_in(log.snapshot.content) + log.entries if log.snapshot.content else log.entries
