"""What is hidden in answers because it cannot be the same on two clusters, and nothing else.

Ids and addresses are known, so they are replaced by value: an answer with the id of another cluster or member still
differs. The rest is recognised by its form: see the table MASKS.
"""

import functools
import re
from pathlib import Path
from typing import NamedTuple

from tests.differential.systems import System


class Names:
    """Names for the values that a cluster has chosen: its ids and addresses, the leases that it has granted."""

    def __init__(self, system: System, folder: Path) -> None:
        self.values: dict[str, str] = {str(folder): "<DIR>"}
        self.add_id("cluster", system.cluster_id)
        for number, member in enumerate(system.members, 1):
            self.add_id(f"member {number}", member.id)
            self.values |= {
                member.client: f"<client {number}>",
                member.peer: f"<peer {number}>",
                member.name: f"<name {number}>",
            }
        self.compile()

    def add_id(self, name: str, id: int) -> None:
        assert id > 2**32, f"the id {id} could be taken for another number"
        self.values |= {str(id): f"<{name}>", f"{id:x}": f"<{name}>", f"{id:016x}": f"<{name}>"}

    def add_lease(self, name: str, id: int) -> None:
        """Name a lease, unless the client has chosen its id."""
        if id > 2**32:
            self.add_id(name, id)
            self.compile()

    def compile(self) -> None:
        values = "|".join(map(re.escape, sorted(self.values, key=len, reverse=True)))
        self.pattern = re.compile(rf"(?<![\w.])(?:{values})(?![\w])")

    def put_into(self, text: str) -> str:
        return self.pattern.sub(lambda found: self.values[found[0]], text)


class Mask(NamedTuple):
    """What is hidden by its form: the group `hidden` of each form goes, and `<name>` stands for it."""

    name: str
    forms: tuple[str, ...]
    reason: str


LATE = 30
HEX = "[0-9a-f]"
STATUS = r"^\| (?:http://)?<client \d>, <member \d>, [\w.-]+"
"""How a line of `endpoint status` begins."""

MASKS = (
    Mask(
        "size",
        (
            r'"(?:dbSize|dbSizeInUse)":"?(?P<hidden>\d+)',
            r'"DBSize(?:InUse)?" : (?P<hidden>\d+)',
            STATUS + r", (?P<hidden>[\d.]+ [kM]?B), ",
        ),
        "bytes of a file of one's own format",
    ),
    Mask(
        "term",
        (
            r'"(?:raft_term|raftTerm)":"?(?P<hidden>\d+)',
            r'"RaftTerm" : (?P<hidden>\d+)',
            STATUS + r", <size>, \w+, \w+, (?P<hidden>\d+), ",
        ),
        "the number of elections depends on timers",
    ),
    Mask(
        "index",
        (
            r'"(?:raftIndex|raftAppliedIndex)":"?(?P<hidden>\d+)',
            r'"(?:RaftIndex|RaftAppliedIndex)" : (?P<hidden>\d+)',
            STATUS + r", <size>, \w+, \w+, <term>, (?P<hidden>\d+, \d+),",
        ),
        "the log also has entries that no client has asked for",
    ),
    Mask(
        "hash",
        (r'"hash":(?P<hidden>\d+)', r'"Hash" : (?P<hidden>\d+)', r"^\| <client \d>, (?P<hidden>\d+)$"),
        "covers lease ids that the servers have chosen; only servers of one cluster can be compared",
    ),
    Mask(
        "took",
        (r"took = (?P<hidden>[\d.]+[mµ]?s)$", r'"took":"(?P<hidden>[\d.]+[mµ]?s)"'),
        "a duration",
    ),
    Mask(
        "time",
        (r'"ts":"(?P<hidden>[\dT:.-]+Z)"', r"^! (?P<hidden>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}) "),
        "when etcdctl has written a line of its log",
    ),
    Mask(
        "remaining",
        (
            r"granted with TTL\((?P<granted>\d+)s\), remaining\((?P<hidden>\d+)s\)",
            r'"ttl":(?P<hidden>\d+),"granted-ttl":(?P<granted>\d+)',
            r'"TTL":"(?P<hidden>\d+)","grantedTTL":"(?P<granted>\d+)"',
        ),
        f"the seconds that a lease still has, if at most {LATE} have passed since it was granted",
    ),
    Mask(
        "connection",
        (rf"endpoint://client-(?P<hidden>{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}})/",),
        "a random name that etcdctl gives to its connection",
    ),
    Mask(
        "session",
        (rf"^\| [\w-]+/(?P<hidden>{HEX}{{14,16}})$",),
        "lock and elect name their key after a lease, whose id the server has chosen",
    ),
)


def masked(line: str, names: Names) -> str:
    """Return a line of an answer with names in place of what cannot be the same."""
    line = names.put_into(line)
    for mask in MASKS:
        for form in mask.forms:
            line = re.sub(form, functools.partial(without_hidden, mask.name), line)
    return line


def without_hidden(name: str, found: re.Match[str]) -> str:
    """Return what was found with the mask's name in place of what is hidden."""
    granted = found.groupdict().get("granted")
    if granted and not int(granted) - LATE <= int(found["hidden"]) <= int(granted):
        return found[0]
    start, end = found.span("hidden")
    return found[0][: start - found.start()] + f"<{name}>" + found[0][end - found.start() :]
