"""What Raft promises of a whole cluster, watched while a trace is read.

If every step is a step of `raftspec.raft`, the promises are kept: that is proved. The extended specification is not
proved; and whoever reads a verdict likes to know that a promise was broken, not only a guard.
"""

from raftcheck.oracle.trace.actions import Refused
from raftcheck.oracle.trace.log import Log
from raftcheck.oracle.trace.server import Server


class Promises:
    """Remembers who led which term, and what was committed."""

    def __init__(self) -> None:
        self._leaders: dict[int, str] = {}
        self._committed = Log()

    def check(self, n: str, before: Server, after: Server) -> None:
        """Look at what has become of a server. Raises Refused if a promise is broken.

        Of what it had applied, the last entry is looked at: by Log Matching those before it are there if it is.
        """
        if after.leader:
            other = self._leaders.setdefault(after.current_term, n)
            if other != n:
                raise Refused("Election Safety", f"{other} and {n} both lead term {after.current_term}")
        applied = before.commit_index
        if after.log is not before.log and after.log.term_at(applied) != before.log.term_at(applied):
            raise Refused("Applied Entries Stay", f"the log was {before.log}, committed up to {applied}")
        if after.commit_index > before.commit_index:
            self._check_committed(after, before.commit_index)

    def _check_committed(self, after: Server, start: int) -> None:
        known, log, commit = self._committed, after.log, after.commit_index
        if commit > log.last:
            raise Refused("State Machine Safety", f"entry {commit} is committed, but the log ends at {log.last}")
        common = min(commit, known.last)
        different = log.first_difference(known, start, common)
        if different <= common:
            raise Refused(
                "State Machine Safety",
                f"the entry at {different} is of term {log.term_at(different)}, and one of term "
                f"{known.term_at(different)} was committed there",
            )
        if commit > known.last:
            self._committed = log.cut(commit)
