"""From the segments of a write-ahead log to the durable state; or to the reason why they are not to be trusted.

What was synced must be there, whole. The mark tells up to where that is; besides, all that precedes another segment or
another batch was. An invalid record before that is damage, and refused. After that it is the torn tail of a batch that
nobody was promised, and cut.
"""

import itertools
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec

from raftimpl.errors import InvariantViolationError
from raftimpl.log import Log
from raftimpl.messages import Entry
from raftimpl.rules import persisted
from raftimpl.running.files import Files
from raftimpl.running.ports import DiskError
from raftimpl.running.records import (
    FORMAT,
    HEAD_DECODER,
    PERSIST_DECODER,
    Damage,
    HardState,
    Head,
    Identity,
    Kind,
    Position,
    Record,
    begins_batch_after,
    record_at,
)
from raftimpl.state import DurableState
from raftimpl.step import Persist

ENDING = ".wal"

WHAT_TO_DO = (
    "This was synced: other servers may rely on votes and entries that are lost with it. They go on without this server"
    " while a majority of the cluster runs. Do not start it again from this folder cut short, emptied or restored from"
    " an older copy: under its id it would be trusted with what it has forgotten, and acknowledged writes could be"
    " lost. Bring back an undamaged copy of exactly what is damaged if there is one; otherwise leave this server off,"
    " or replace it by one with a new id"
)
"""What is true in Raft of a server that has lost a part of its durable state."""

WHAT_TO_DO_AFTER_THE_MARK = (
    "If somebody has put it there, move it out of the folder. If nobody has, it may have been synced all the same, for"
    " a loss of power can set the mark back: then bring back an undamaged copy of exactly this file, or leave this"
    " server off"
)
"""What is true of a segment that begins wrongly, and need not have been synced: no crash leaves one like it."""

MISSING = Entry(0)
"""Stands for an entry that only segments before the first had; a later snapshot covers it."""


class Segment(NamedTuple):
    """A segment of the log, and the last index of the log at its beginning."""

    number: int
    path: Path
    last_index: int


class Recovered(NamedTuple):
    """What was found.

    `unmarked` is what lies between the mark and the end, in the last segment; `cut` counts the bytes after the end.
    """

    durable: DurableState
    hard: HardState
    segments: list[Segment]
    end: Position
    unmarked: bytes
    cut: int


def segment_path(folder: Path, number: int) -> Path:
    """Return where a segment is."""
    return folder / f"{number:04}{ENDING}"


def damaged(path: Path, offset: int, reason: str) -> DiskError:
    """Return the error for durable state that is not what it was."""
    return DiskError(f"{path} is damaged at offset {offset}: {reason}. {WHAT_TO_DO}")


def segment_numbers(files: Files, folder: Path) -> list[int]:
    """Return the numbers of the segments in a folder, in order. Raises DiskError for a gap, or if there is none."""
    stems = [name.removesuffix(ENDING) for name in files.names(folder) if name.endswith(ENDING)]
    for stem in stems:
        if not (stem.isdecimal() and f"{int(stem):04}" == stem):
            raise DiskError(f"{folder / stem}{ENDING} is no segment of a log: move it out of this folder")
    numbers = sorted(map(int, stems))
    if not numbers:
        raise damaged(segment_path(folder, 1), 0, "there is no segment at all")
    for number, following in itertools.pairwise(numbers):
        if following != number + 1:
            raise damaged(segment_path(folder, number + 1), 0, "the segment is missing")
    return numbers


class Replay:
    """The writes of a log, one after the other, made to a durable state."""

    def __init__(self, hard: HardState) -> None:
        missing = (MISSING,) * (hard.last_index - hard.snapshot.last_included_index)
        self.hard = hard
        self._state = DurableState(hard.current_term, hard.voted_for, Log(missing, hard.snapshot))
        self._entries: list[Entry] = []

    def take(self, write: Persist) -> None:
        """Make the next write. Raises InvariantViolationError if it leaves a gap.

        Entries that only follow on the others are gathered: to append them one by one would take quadratic time.
        """
        after = self.hard.followed_by(write)
        if write.snapshot is None and write.first_index == self.hard.last_index + 1:
            self._entries += write.entries
        else:
            self._state = persisted(self.state(), write)
        self.hard = after

    def state(self) -> DurableState:
        """Return the durable state after the writes so far."""
        hard, entries = self.hard, tuple(self._entries)
        self._entries.clear()
        write = Persist(hard.current_term, hard.voted_for, self._state.log.last_index + 1, entries)
        self._state = persisted(self._state, write)
        return self._state


class Reader:
    """Reads segments in their order."""

    def __init__(self, files: Files, folder: Path, identity: Identity, mark: Position) -> None:
        self._files, self._folder, self._identity, self._mark = files, folder, identity, mark
        self._numbers = segment_numbers(files, folder)
        self._segments: list[Segment] = []
        self._replay = Replay(HardState())
        self._end = Position(0, 0, 0, 0)
        self._data = memoryview(b"")
        self._cut = 0

    def read(self) -> Recovered:
        """Return all that the segments hold. Raises DiskError if anything that was synced is missing or damaged."""
        if self._mark.segment > self._numbers[-1]:
            raise damaged(segment_path(self._folder, self._mark.segment), 0, "the segment is missing")
        if self._mark.segment < self._numbers[0]:
            self._refuse_mark(segment_path(self._folder, self._numbers[0]))
        for number in self._numbers:
            self._read_segment(number, segment_path(self._folder, number))
        durable = self._replay.state()
        if any(entry is MISSING for entry in durable.log.entries):
            missing = segment_path(self._folder, self._numbers[0] - 1)
            raise damaged(missing, 0, "the segment is missing, and no snapshot covers its entries")
        begin = self._mark.offset if self._mark.segment == self._end.segment else self._segments_begin
        unmarked = bytes(self._data[begin : self._end.offset])
        return Recovered(durable, self._replay.hard, self._segments, self._end, unmarked, self._cut)

    def _read_segment(self, number: int, path: Path) -> None:
        self._data = memoryview(self._files.read(path))
        self._read_head(number, path)
        has_met_mark = number != self._mark.segment or self._end == self._mark
        while self._end.offset < len(self._data):
            found = record_at(self._data, self._end.offset, self._end.checksum)
            if isinstance(found, Damage):
                self._judge_damage(path, found)
                break
            self._take(path, found)
            has_met_mark = has_met_mark or self._end == self._mark
        if number == self._mark.segment and self._end.offset < self._mark.offset:
            raise damaged(path, self._end.offset, f"the file ends there, and was synced up to {self._mark.offset}")
        if not has_met_mark:
            self._refuse_mark(path)

    def _read_head(self, number: int, path: Path) -> None:
        """Read what a segment begins with, and compare it to what precedes it."""
        found = record_at(self._data, 0, 0)
        if isinstance(found, Damage) or found.kind != Kind.HEAD:
            reason = found.reason if isinstance(found, Damage) else "it does not begin as a segment"
            raise self._bad_head(number, path, reason)
        try:
            head = HEAD_DECODER.decode(found.payload)
        except msgspec.DecodeError as error:
            raise self._bad_head(
                number, path, f"its head is not one that this version has written ({error})"
            ) from error
        if head.format != FORMAT:
            raise DiskError(f"{path} has format {head.format}; this version reads format {FORMAT}")
        if not self._segments:
            self._replay = Replay(head.hard)
            self._end = Position(head.first_record - 1, 0, 0, head.previous_checksum)
        record, checksum = self._end.record, self._end.checksum
        expected = Head(FORMAT, self._identity, number, record + 1, checksum, self._replay.hard)
        if head != expected:
            reason = f"it is not the segment that belongs here: {differences(head, expected)}"
            raise self._bad_head(number, path, reason)
        self._segments.append(Segment(number, path, head.hard.last_index))
        self._segments_begin = found.end
        self._end = Position(record, number, found.end, checksum)

    def _bad_head(self, number: int, path: Path, reason: str) -> DiskError:
        """Return the error for a segment that does not begin as it should: was it synced?"""
        if number <= self._mark.segment:
            return damaged(path, 0, reason)
        return DiskError(
            f"{path} is damaged at offset 0, or does not belong there: {reason}, and the mark of what was synced lies"
            f" before it, in segment {self._mark.segment}. {WHAT_TO_DO_AFTER_THE_MARK}"
        )

    def _take(self, path: Path, found: Record) -> None:
        """Make the write that a record holds."""
        try:
            if found.kind not in (Kind.FIRST, Kind.NEXT):
                raise InvariantViolationError(f"no record of kind {found.kind} belongs here")
            self._replay.take(PERSIST_DECODER.decode(found.payload))
        except (msgspec.DecodeError, InvariantViolationError) as error:
            raise damaged(path, self._end.offset, f"the record makes no sense ({error})") from error
        self._end = Position(self._end.record + 1, self._end.segment, found.end, found.checksum)

    def _judge_damage(self, path: Path, damage: Damage) -> None:
        """Raise DiskError if what is invalid there was once synced; otherwise note what is to be cut."""
        number, offset = self._end.segment, self._end.offset
        is_marked = number == self._mark.segment and offset < self._mark.offset
        if is_marked or number != self._numbers[-1] or begins_batch_after(self._data, damage):
            raise damaged(path, offset, damage.reason)
        self._cut = len(self._data) - offset

    def _refuse_mark(self, path: Path) -> NoReturn:
        raise DiskError(
            f"the mark of what was synced (record {self._mark.record}, segment {self._mark.segment}, offset"
            f" {self._mark.offset}) does not belong to {path}: one of them is from another time. {WHAT_TO_DO}"
        )


def differences(found: Head, expected: Head) -> str:
    """Tell in words where two heads differ."""
    return ", ".join(
        f"{field} is {getattr(found, field)}, not {getattr(expected, field)}"
        for field in Head.__struct_fields__
        if getattr(found, field) != getattr(expected, field)
    )
