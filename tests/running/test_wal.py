"""The write-ahead log: what is read is what was written; what was damaged is refused."""

import contextlib
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftimpl.errors import InvariantViolationError
from raftimpl.messages import Entry, Snapshot
from raftimpl.running.files import Files
from raftimpl.running.ports import DiskError
from raftimpl.running.records import Identity
from raftimpl.running.recovery import Replay, damaged
from raftimpl.running.wal import WriteAheadLog, create_log
from raftimpl.step import Persist
from tests.running.power import Crash, PowerSystem
from tests.running.writes import folded, next_write, some_writes

FOLDER, MARK = Path("/wal"), Path("/synced")
IDENTITY = Identity(7, 1)

randoms = st.integers(0, 1 << 32).map(Random)


def empty_log() -> PowerSystem:
    system = PowerSystem()
    system.mkdir(str(FOLDER))
    create_log(Files(system), FOLDER, MARK, IDENTITY)
    return system


class Opened(WriteAheadLog):
    """A log that was opened and repaired."""

    def __init__(self, system: PowerSystem, segment_bytes: int) -> None:
        super().__init__(Files(system), FOLDER, MARK, IDENTITY, segment_bytes)
        self.repaired = self.repair()


def opened(system: PowerSystem, segment_bytes: int = 700) -> Opened:
    return Opened(system, segment_bytes)


def write_all(system: PowerSystem, random: Random, writes: list[Persist], segment_bytes: int = 700) -> int:
    """Write in batches, the last of which is written and not synced; return how many were synced."""
    log = opened(system, segment_bytes)
    synced = log.records
    for number, write in enumerate(writes, synced + 1):
        assert log.append(write) == number
        if random.random() < 0.4:
            log.write(log.take())
            synced = number
            if random.random() < 0.3:
                log.discard()
    system.stop_at = system.calls + 2  # at most one system call more: the write, or the beginning of another segment
    with contextlib.suppress(Crash):
        log.write(log.take())
    return synced


@given(randoms, st.integers(0, 40), st.integers(100, 3000))
def test_what_is_read_is_what_was_written(random: Random, count: int, segment_bytes: int) -> None:
    """Terms, votes, entries replaced, snapshots; in any batches and segments, with old ones discarded."""
    writes, system = some_writes(random, count), empty_log()
    synced = write_all(system, random, writes, segment_bytes)
    log = opened(system.killed(), segment_bytes)
    assert synced <= log.records <= count
    assert log.found.durable == folded(writes[: log.records])
    assert opened(system.killed(), segment_bytes).found.durable == log.found.durable


@given(randoms, st.integers(0, 30))
def test_what_is_written_after_a_restart_follows(random: Random, count: int) -> None:
    writes, system = some_writes(random, count), empty_log()
    for _ in range(3):
        more = random.randrange(1 + count)
        done = opened(system).records
        write_all(system, random, writes[done : done + more])
        system = system.killed()
    log = opened(system)
    assert log.found.durable == folded(writes[: log.records])


@given(randoms, st.integers(1, 25), st.data())
def test_damage_is_refused_or_was_never_synced(random: Random, count: int, data: st.DataObject) -> None:
    """Bits flipped, files cut or gone: what was synced is there, or it is said what is wrong where."""
    writes, system = some_writes(random, count), empty_log()
    synced = write_all(system, random, writes)
    system = system.killed()
    damage_something(system, data)
    refusal = r"(/wal/\d{4}\.wal|/synced) is damaged at offset \d+|the mark of what was synced"
    log = opened_or_refused(system, refusal)
    if log is not None:
        assert synced <= log.records <= count
        assert log.found.durable == folded(writes[: log.records])


def opened_or_refused(system: PowerSystem, refusal: str) -> Opened | None:
    """Return the log if it opens; otherwise it must say this."""
    refused = None
    try:
        return opened(system)
    except DiskError as error:
        refused = error
    assert re.search(refusal, str(refused))
    return None


def damage_something(system: PowerSystem, data: st.DataObject) -> None:
    paths = ["/synced", *(f"/wal/{name}" for name in system.listing("/wal") if name.endswith(".wal"))]
    path = data.draw(st.sampled_from(paths))
    content = bytearray(system.content(path))
    match data.draw(st.sampled_from(["flip", "flip", "cut", "remove", "append"])):
        case "flip":
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del content[data.draw(st.integers(0, len(content))) :]
        case "remove":
            system.remove(path)
            return
        case "append":
            content += data.draw(st.binary(max_size=30))
    system.put(path, bytes(content))


def test_every_bit_of_a_small_log() -> None:
    """No bit of what was synced can flip unnoticed."""
    system, writes = empty_log(), some_writes(Random(3), 3)
    log = opened(system)
    for write in writes:
        log.append(write)
    log.write(log.take())
    for path in ("/synced", "/wal/0001.wal"):
        content = system.content(path)
        for bit in range(len(content) * 8):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            system.put(path, bytes(flipped))
            with pytest.raises(
                DiskError,
                match=rf"{path} is damaged at offset \d+: (the checksum|the record is incompl|it does not tell)",
            ):
                opened(system.killed())
        system.put(path, content)
    assert opened(system.killed()).found.durable == folded(writes)


def test_every_length_of_a_small_log() -> None:
    """A batch that was synced may not be cut; one that was not may be, anywhere."""
    system, writes = empty_log(), some_writes(Random(5), 6, snapshots=False)
    log = opened(system)
    for write in writes[:3]:
        log.append(write)
    log.write(log.take())
    end = log._end.offset
    for write in writes[3:]:
        log.append(write)
    batch = log.take()
    whole = system.content("/wal/0001.wal") + b"".join(batch.records)
    for size in range(len(whole) + 1):
        system.put("/wal/0001.wal", whole[:size])
        found = system.killed()
        if size < end:
            with pytest.raises(DiskError, match=r"/wal/0001.wal is damaged at offset \d+: .* This was synced"):
                opened(found)
        else:
            log = opened(found)
            assert log.found.durable == folded(writes[: log.records])
            assert log.records >= 3
            assert len(found.content("/wal/0001.wal")) == log.found.end.offset <= size
            cut = size - log.found.end.offset
            expected = (
                f"cut {cut} bytes off /wal/0001.wal at offset {log.found.end.offset}: a write that was never synced"
            )
            assert log.repaired == (expected if cut else "")
            assert opened(found.killed()).repaired == ""


def test_damage_before_a_later_batch_is_refused_even_where_the_mark_is_old() -> None:
    """After a loss of power the mark may lie behind; but the second batch would not be there without the first."""
    system = empty_log()
    old_mark = system.content("/synced")
    log = opened(system)
    random, state, offsets = Random(1), folded([]), []
    for size in (2, 1):
        for _ in range(size):
            write = next_write(random, state, snapshots=False)
            log.append(write)
        offsets.append(log._end.offset)
        log.write(log.take())
    system.put("/synced", old_mark)
    content = bytearray(system.content("/wal/0001.wal"))
    content[offsets[0] + 12] ^= 1
    system.put("/wal/0001.wal", bytes(content))
    with pytest.raises(
        DiskError, match=f"/wal/0001.wal is damaged at offset {offsets[0]}: the checksum does not match"
    ):
        opened(system.killed())
    system.put("/wal/0001.wal", bytes(content[: offsets[1]]))
    assert opened(system.killed()).records == 0, "without a second batch nothing says that the first was synced"


def three_segments(identity: Identity = IDENTITY, command: bytes = b"x") -> PowerSystem:
    """A log of three segments, of two batches each."""
    system = PowerSystem()
    system.mkdir(str(FOLDER))
    create_log(Files(system), FOLDER, MARK, identity)
    log = WriteAheadLog(Files(system), FOLDER, MARK, identity, 300)
    log.repair()
    for index in range(1, 7):
        log.append(Persist(1, None, index, (Entry(1, command),)))
        log.write(log.take())
    assert system.listing("/wal") == ["0001.wal", "0002.wal", "0003.wal"]
    return system


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.remove("/wal/0001.wal"), "/wal/0001.wal is damaged at offset 0: the segment is missing, and no"),
        (lambda s: s.remove("/wal/0002.wal"), "/wal/0002.wal is damaged at offset 0: the segment is missing"),
        (lambda s: s.remove("/wal/0003.wal"), "/wal/0003.wal is damaged at offset 0: the segment is missing"),
        (lambda s: s.remove("/synced"), "/synced is damaged at offset 0: the file is missing"),
        (lambda s: s.put("/synced", b""), "/synced is damaged at offset 0: it does not tell any more"),
        (lambda s: s.put("/wal/0002.wal", b""), "/wal/0002.wal is damaged at offset 0: the record is incomplete"),
        (
            lambda s: s.put("/wal/0002.wal", s.content("/wal/0003.wal")),
            "/wal/0002.wal is damaged at offset 0: it is not the segment that belongs here: segment is 3, not 2",
        ),
        (lambda s: s.put("/wal/0002.wal", s.content("/wal/0002.wal")[:-1]), r"/wal/0002.wal is damaged at offset \d+"),
        (lambda s: s.put("/wal/0003.wal", s.content("/wal/0003.wal")[:-1]), r"/wal/0003.wal is damaged at offset \d+"),
        (lambda s: s.rename("/wal/0003.wal", "/wal/03.wal"), "/wal/03.wal is no segment"),
    ],
)
def test_what_is_not_whole_is_refused(change, reason: str) -> None:  # type: ignore[no-untyped-def]
    system = three_segments()
    assert opened(system.killed()).found.segments[2].number == 3
    change(system)
    with pytest.raises(DiskError, match=reason):
        opened(system.killed())


def test_a_segment_of_another_time_is_refused() -> None:
    """An older copy of the last segment ends too early; one of another server's log does not follow."""
    system, other = three_segments(), three_segments(Identity(7, 2))
    system.put("/wal/0003.wal", other.content("/wal/0003.wal"))
    with pytest.raises(DiskError, match=r"/wal/0003.wal is damaged at offset 0: .* identity is .*member=2"):
        opened(system.killed())


@pytest.mark.parametrize(
    ("size", "reason"),
    [(0, "the record is incomplete"), (10, "the record is incomplete"), (None, "it is not the segment .* 2, not 4")],
)
def test_a_segment_after_the_mark_is_not_said_to_have_been_synced(size: int | None, reason: str) -> None:
    """Nor is it removed: the mark may lie behind."""
    system = three_segments()
    Files(system).create(Path("/wal/0004.wal")).close()
    system.put("/wal/0004.wal", system.content("/wal/0002.wal")[:size])
    with pytest.raises(
        DiskError, match=f"/wal/0004.wal is damaged at offset 0, or does not belong there: {reason}"
    ) as refusal:
        opened(system.killed())
    assert "in segment 3. If somebody has put it there, move it out of the folder." in str(refusal.value)
    assert "This was synced" not in str(refusal.value)
    system.remove("/wal/0004.wal")
    assert opened(system.killed()).found.segments[-1].number == 3


def test_a_mark_of_another_time_is_refused() -> None:
    system, other = three_segments(), three_segments(command=b"y")
    system.put("/synced", other.content("/synced"))
    with pytest.raises(DiskError, match=r"the mark of what was synced .* does not belong to /wal/0003.wal"):
        opened(system.killed())


def test_a_log_that_begins_after_the_mark_is_refused() -> None:
    """Segments are gone that were not discarded: what is discarded lies before the mark."""
    system = three_segments()
    old_mark = empty_log().content("/synced")
    log = opened(system)
    last = log.hard.last_index
    log.append(Persist(9, None, last + 1, (), Snapshot(last, 9, b"x")))
    log.write(log.take())
    log.discard()
    assert system.listing("/wal") == ["0003.wal"]
    assert opened(system.killed()).found.durable.log.snapshot.last_included_index == last
    system.put("/synced", old_mark)
    with pytest.raises(DiskError, match=r"the mark of what was synced .* does not belong"):
        opened(system.killed())


GAPS = [
    Persist(1, None, 5, (Entry(1),)),
    Persist(1, None, 0, ()),
    Persist(1, None, 2, (), Snapshot(2, 1, b"s")),
    Persist(1, None, 9, (), Snapshot(7, 1, b"s")),
]


@pytest.mark.parametrize("write", GAPS)
def test_a_write_that_leaves_a_gap_is_not_taken(write: Persist) -> None:
    system = empty_log()
    log = opened(system)
    log.append(Persist(1, None, 1, (Entry(1), Entry(1), Entry(1))))
    with pytest.raises(InvariantViolationError, match="do not follow on a log"):
        log.append(write)
    log.append(Persist(1, None, 4, (Entry(1),), Snapshot(3, 1, b"s")))
    with pytest.raises(InvariantViolationError, match="a snapshot of the log up to 2 replaces one up to 3"):
        log.append(Persist(1, None, 5, (), Snapshot(2, 1, b"s")))
    log.write(log.take())
    assert opened(system.killed()).records == 2


@given(randoms, st.integers(0, 30))
def test_replaying_is_folding(random: Random, count: int) -> None:
    """Gathering what only follows changes nothing; the hard state is what is left without entries."""
    replay, writes = Replay(opened(empty_log()).hard), some_writes(random, count)
    for write in writes:
        replay.take(write)
        if random.random() < 0.2:
            replay.state()
    state, hard = folded(writes), replay.hard
    assert replay.state() == state
    assert (hard.current_term, hard.voted_for) == (state.current_term, state.voted_for)
    assert (hard.snapshot, hard.last_index) == (state.log.snapshot, state.log.last_index)


def test_neither_disk_nor_reading_grows_with_history() -> None:
    """Of a long history with snapshots, the last segments remain."""
    system, index = empty_log(), 0
    log = opened(system, 2000)
    for _ in range(300):
        for _ in range(10):
            index += 1
            log.append(Persist(1, 0, index, (Entry(1, b"x" * 50),)))
            log.write(log.take())
        log.append(Persist(1, 0, index + 1, (), Snapshot(index - 5, 1, b"snapshot")))
        log.write(log.take())
        log.discard()
        sizes = [len(system.content(f"/wal/{name}")) for name in system.listing("/wal")]
        assert len(sizes) <= 2
        assert sum(sizes) < 5000
    found = opened(system.killed()).found
    assert found.durable.log.first_index == index - 4
    assert found.durable.log.last_index == index


def test_the_refusal_says_what_is_true() -> None:
    """To begin again with less under the same id is what must not happen, and the text says so."""
    text = str(damaged(Path("/wal/0002.wal"), 17, "the checksum does not match"))
    assert text.startswith("/wal/0002.wal is damaged at offset 17: the checksum does not match. This was synced")
    for words in ("cut short, emptied or restored from an older copy", "under its id", "new id"):
        assert words in text
