"""Masks hide what they are for, and nothing else."""

import re
from itertools import chain
from pathlib import Path

import pytest

from tests.differential.masks import MASKS, Mask, Names, masked
from tests.differential.systems import Member, System
from tests.differential.test_differential import TOPICS, transcript

CLUSTER, FIRST, SECOND, LEASE = 0xFEEDFACECAFEBEEF, 0x1122334455667788, 0x8899AABBCCDDEEFF, 0x694D7A0B1C2D3E4F

SYSTEM = System(
    CLUSTER,
    (
        Member(FIRST, "a1b2-s1", "127.0.0.1:40001", "127.0.0.1:40002"),
        Member(SECOND, "a1b2-s2", "127.0.0.1:40003", "127.0.0.1:40004"),
    ),
)

STATUS = "| 127.0.0.1:40001, 1122334455667788, 3.4.23, 20 kB, true, false, 2, 8, 9,"

HIDDEN = [
    ('| {"cluster_id":"18369614221190020847","member_id":"1234605616436508552","revision":"4","raft_term":"2"}',
     '| {"cluster_id":"<cluster>","member_id":"<member 1>","revision":"4","raft_term":"<term>"}'),
    ('| {"header":{"cluster_id":18369614221190020847,"member_id":9843086184167632639,"revision":4,"raft_term":2}}',
     '| {"header":{"cluster_id":<cluster>,"member_id":<member 2>,"revision":4,"raft_term":<term>}}'),
    ('| "ClusterID" : 18369614221190020847', '| "ClusterID" : <cluster>'),
    ('| "RaftTerm" : 17', '| "RaftTerm" : <term>'),
    (STATUS, "| <client 1>, <member 1>, 3.4.23, <size>, true, false, <term>, <index>,"),
    (STATUS.replace("| ", "| http://"),
     "| http://<client 1>, <member 1>, 3.4.23, <size>, true, false, <term>, <index>,"),
    (STATUS.replace("20 kB", "1.5 MB"), "| <client 1>, <member 1>, 3.4.23, <size>, true, false, <term>, <index>,"),
    ('| "version":"3.4.23","dbSize":"20480","raftIndex":"9","raftTerm":"2","raftAppliedIndex":"9","dbSizeInUse":"1"',
     '| "version":"3.4.23","dbSize":"<size>","raftIndex":"<index>","raftTerm":"<term>",'
     '"raftAppliedIndex":"<index>","dbSizeInUse":"<size>"'),
    ('| "RaftIndex" : 7', '| "RaftIndex" : <index>'),
    ('| "DBSize" : 20480', '| "DBSize" : <size>'),
    ("| 127.0.0.1:40003, 2750120396", "| <client 2>, <hash>"),
    ('| {"hash":123,"compact_revision":-1}', '| {"hash":<hash>,"compact_revision":-1}'),
    ('| "Hash" : 123', '| "Hash" : <hash>'),
    ("! 127.0.0.1:40001 is healthy: successfully committed proposal: took = 1.23ms",
     "! <client 1> is healthy: successfully committed proposal: took = <took>"),
    ('| "took":"954.243µs"', '| "took":"<took>"'),
    ('! {"level":"warn","ts":"2026-01-02T03:04:05.678Z","attempt":0}', '! {"level":"warn","ts":"<time>","attempt":0}'),
    ("! 2026-01-02 03:04:05.678901 C | pkg/flags", "! <time> C | pkg/flags"),
    ("! endpoint://client-6a66e0ba-b9ed-4ad9-b2a8-0d9e2a7d1a8d/127.0.0.1:40001",
     "! endpoint://client-<connection>/<client 1>"),
    ("| mutex/2040a212fbf76e1c", "| mutex/<session>"),
    ("| lease 694d7a0b1c2d3e4f granted with TTL(60s), remaining(58s)",
     "| lease <L> granted with TTL(60s), remaining(<remaining>s)"),
    ('| "id":7587855135325109839,"ttl":59,"granted-ttl":60,"keys":null',
     '| "id":<L>,"ttl":<remaining>,"granted-ttl":60,"keys":null'),
    ('| "TTL":"60","grantedTTL":"60"', '| "TTL":"<remaining>","grantedTTL":"60"'),
    ("| Snapshot saved at /tmp/user/snapshot.db", "| Snapshot saved at <DIR>/snapshot.db"),
    ("| a1b2-s2, http://127.0.0.1:40004, http://127.0.0.1:40003", "| <name 2>, http://<peer 2>, http://<client 2>"),
]  # fmt: skip

SHOWN = [
    '| "revision":"4"',
    '| "Revision" : 4',
    '| "create_revision":"2","mod_revision":"3","version":"2","lease":"1001"',
    '| "cluster_id":"18369614221190020848"',
    '| "member_id":12346056164365085521',
    "| 1122334455667789, started",
    "| 127.0.0.1:40005",
    "| 127.0.0.1:400011",
    "| lease 3e9 granted with TTL(600s)",
    "| lease 694d7a0b1c2d3e50 revoked",
    "| granted with TTL(60s), remaining(61s)",
    "| granted with TTL(60s), remaining(29s)",
    '| "ttl":-1,"granted-ttl":0',
    '| "TTL":"-1"',
    '| "TTL":"600"',
    '| "count":"12"',
    '| "ts":"yesterday"',
    "| mutex/3e9",
    "| 2026-01-02 03:04:05.678901",
    '| "compact_revision":"10"',
    "| 10.0.0.1, 20 kB, true, false, 2, 8, 9,",
    "| took = long",
    "| 2750120396",
    "| /tmp/users",
]


@pytest.fixture
def names() -> Names:
    names = Names(SYSTEM, Path("/tmp/user"))
    names.add_lease("L", LEASE)
    names.add_lease("OWN", 1001)
    return names


@pytest.mark.parametrize(("line", "expected"), HIDDEN)
def test_what_must_differ_is_hidden(line: str, expected: str, names: Names) -> None:
    assert masked(line, names) == expected


@pytest.mark.parametrize("line", SHOWN)
def test_all_else_is_shown(line: str, names: Names) -> None:
    assert masked(line, names) == line


RECORDED = [line for topic in TOPICS for line in chain(*(entry.answer for entry in transcript(topic).entries))]


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.name)
def test_every_mask_is_needed_and_explained(mask: Mask) -> None:
    assert any(f"<{mask.name}>" in line for line in RECORDED)
    assert any(f"<{mask.name}>" in expected for _, expected in HIDDEN)
    assert mask.reason


def test_no_number_that_is_recorded_would_be_hidden(names: Names) -> None:
    """Whatever number stands in a transcript: if it were another one, it would be seen."""
    for line in set(RECORDED):
        assert masked(line, names) == line
        for number in re.finditer(r"(?<![<\w])\d+", line):
            other = line[: number.start()] + str(int(number[0]) + 7) + line[number.end() :]
            assert masked(other, names) == other
