"""The write-ahead log: what the core persists, in segments of a bounded size.

All that was appended is written at once and synced at once. Then the mark is written, which tells up to where the log
is durable: without a sync of its own, so it survives the process; after a loss of power it may lie behind, never ahead.
"""

from pathlib import Path
from typing import NamedTuple

from raftimpl.running.files import UNFINISHED, File, Files
from raftimpl.running.records import (
    ENCODER,
    FORMAT,
    HardState,
    Head,
    Identity,
    Kind,
    Position,
    decode_mark,
    encode_mark,
    encode_record,
)
from raftimpl.running.recovery import Reader, Recovered, Segment, damaged, segment_path
from raftimpl.step import Persist

SEGMENT_BYTES = 16 << 20
"""From which size on a segment is followed by another."""


class Batch(NamedTuple):
    """Records that are written together, and what is durable then."""

    records: tuple[bytes, ...]
    record: int
    checksum: int
    hard: HardState


def create_log(files: Files, folder: Path, mark: Path, identity: Identity) -> None:
    """Create an empty log, durably, in place of an unfinished one."""
    head = encode_head(Head(FORMAT, identity, 1, 1, 0, HardState()))
    files.replace(segment_path(folder, 1), head)
    files.replace(mark, encode_mark(Position(0, 1, len(head), 0)))


def encode_head(head: Head) -> bytes:
    """Return what a segment begins with."""
    return encode_record(Kind.HEAD, ENCODER.encode(head), 0)[0]


def read_mark(files: Files, path: Path) -> Position:
    """Return up to where a log was synced. Raises DiskError if that is not known."""
    if path.name not in files.names(path.parent):
        raise damaged(path, 0, "the file is missing, which tells what of the log was synced")
    mark = decode_mark(files.read(path))
    if mark is None:
        raise damaged(path, 0, "it does not tell any more what of the log was synced")
    return mark


class WriteAheadLog:
    """A log that was opened. `append` and `take` belong to one thread, `write` and `discard` to one other.

    All methods raise DiskError. After that the log must not be used any more: what of it is durable is not known.
    """

    def __init__(self, files: Files, folder: Path, mark: Path, identity: Identity, segment_bytes: int) -> None:
        """Read the log. Nothing is changed before `repair`."""
        self._files, self._folder, self._identity, self._segment_bytes = files, folder, identity, segment_bytes
        self._mark_path, self._mark = mark, read_mark(files, mark)
        self.found: Recovered = Reader(files, folder, identity, self._mark).read()
        """What was found when the log was opened."""
        self._segments = list(self.found.segments)
        self._end = self.found.end
        self.hard = self.found.hard
        """What is durable, as far as other threads may know."""
        self._appended = Batch((), self._end.record, self._end.checksum, self.hard)
        self._waiting: list[bytes] = []
        self._files_open: list[File] = []

    def repair(self) -> str:
        """Make the log ready to be written; return what was cut from it, in words, "" if nothing was.

        What lies after the mark is written once more: if an earlier sync has failed, it may be in memory alone.
        """
        found, path = self.found, self._segments[-1].path
        self._open_segment(path)
        self._mark_file = self._keep_open(self._files.open(self._mark_path))
        if found.cut:
            self._segment.truncate(found.end.offset)
        self._segment.write(found.unmarked, found.end.offset - len(found.unmarked))
        self._segment.sync()
        for name in self._files.names(self._folder):
            if name.endswith(UNFINISHED):
                self._files.remove(self._folder / name)
        self._files.sync_folder(self._folder)
        self._mark_file.write(encode_mark(found.end), 0)
        if not found.cut:
            return ""
        return f"cut {found.cut} bytes off {path} at offset {found.end.offset}: a write that was never synced"

    @property
    def records(self) -> int:
        """The number of the last record that was appended."""
        return self._appended.record

    def append(self, write: Persist) -> int:
        """Take a write into the next batch; return its record's number. Raises InvariantViolationError for a gap."""
        last = self._appended
        hard = last.hard.followed_by(write)
        kind = Kind.NEXT if self._waiting else Kind.FIRST
        encoded, checksum = encode_record(kind, ENCODER.encode(write), last.checksum)
        self._waiting.append(encoded)
        self._appended = Batch((), last.record + 1, checksum, hard)
        return self._appended.record

    def take(self) -> Batch:
        """Return what was appended since the last call."""
        batch = self._appended._replace(records=tuple(self._waiting))
        self._waiting.clear()
        return batch

    def write(self, batch: Batch) -> None:
        """Make a batch durable."""
        if not batch.records:
            return
        if self._end.offset >= self._segment_bytes:
            self._begin_segment()
        data = b"".join(batch.records)
        self._segment.write(data, self._end.offset)
        self._segment.sync_data()
        self._end = Position(batch.record, self._end.segment, self._end.offset + len(data), batch.checksum)
        self._mark_file.write(encode_mark(self._end), 0)
        self.hard = batch.hard

    def _begin_segment(self) -> None:
        """Go on in a new segment. Everything in those before it is durable."""
        record, number, _, checksum = self._end
        path = segment_path(self._folder, number + 1)
        head = encode_head(Head(FORMAT, self._identity, number + 1, record + 1, checksum, self.hard))
        self._files.replace(path, head)
        self._open_segment(path)
        self._segments.append(Segment(number + 1, path, self.hard.last_index))
        self._end = Position(record, number + 1, len(head), checksum)

    def discard(self) -> None:
        """Remove the segments all of whose entries the durable snapshot covers, the oldest first; never the last.

        First the mark is synced: it must not lie in a segment that is gone.
        """
        covered = self.hard.snapshot.last_included_index
        if len(self._segments) > 1 and self._segments[1].last_index <= covered:
            self._mark_file.sync()
        while len(self._segments) > 1 and self._segments[1].last_index <= covered:
            self._files.remove(self._segments.pop(0).path)
            self._files.sync_folder(self._folder)

    def close(self) -> None:
        """Close all files."""
        while self._files_open:
            self._files_open.pop().close()

    def _open_segment(self, path: Path) -> None:
        for file in [file for file in self._files_open if file.path.parent == self._folder]:
            self._files_open.remove(file)
            file.close()
        self._segment = self._keep_open(self._files.open(path))

    def _keep_open(self, file: File) -> File:
        self._files_open.append(file)
        return file
