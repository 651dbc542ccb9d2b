"""Driving an adapter by hand: a schedule is told step by step, every answer is read strictly and judged."""

import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from raftcheck.oracle.judgement import Rejection
from raftcheck.oracle.trace.judge import StepJudge
from raftcheck.oracle.trace.messages import AppendEntries, Message, TracedEntry
from raftcheck.oracle.trace.steps import Header, State, Step


class Beginning(msgspec.Struct, forbid_unknown_fields=True):
    peer: str
    header: Header
    steps: tuple[Step, ...]


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    steps: tuple[Step, ...] | None = None
    unsupported: str | None = None


class Driven:
    """An adapter and its cluster. `rejection` is the first one; what comes after it is not judged any more."""

    def __init__(self, process: subprocess.Popen[str], servers: Sequence[str], seed: int = 1) -> None:
        self._process = process
        self.said: list[str] = []
        self.states: dict[str, State] = {}
        self.logs: dict[str, list[TracedEntry]] = {server: [] for server in servers}
        self.waiting: list[Message] = []
        self.rejection: Rejection | None = None
        beginning = msgspec.json.decode(self._say(do="begin", servers=servers, seed=seed), type=Beginning)
        self.peer, self.header = beginning.peer, beginning.header
        self._judge = StepJudge(beginning.header)
        self._take(beginning.steps)

    def ask(self, do: str, server: str, **fields: Any) -> str | None:
        """Ask for something; return why it is not supported, or None."""
        answer = msgspec.json.decode(self._say(do=do, server=server, **fields), type=Answer)
        self._take(answer.steps or ())
        return answer.unsupported

    def deliver(self, message: Message) -> None:
        """Hand over a message."""
        self._take(msgspec.json.decode(self._say(do="deliver", message=message.id), type=Answer).steps or ())

    def exchange(self, one: str, other: str) -> None:
        """Hand over all messages from one server to another, and the answers."""
        self.pass_on(one, other)
        self.pass_on(other, one)

    def pass_on(self, sender: str, to: str) -> None:
        """Hand over all messages on a link, in their order."""
        for message in self.take(sender, to):
            self.deliver(message)

    def take(self, sender: str, to: str) -> list[Message]:
        """Take all messages from a link, to deliver them later, or never."""
        taken = [message for message in self.waiting if (message.sender, message.to) == (sender, to)]
        self.waiting = [message for message in self.waiting if message not in taken]
        return taken

    def elect(self, server: str, *voters: str) -> None:
        """Let a server become the leader with votes of others; other messages of it and to it wait."""
        self.ask("timeout", server)
        for voter in voters:
            self.exchange(server, voter)
        assert self.states[server].role == "leader"

    def replicate(self, leader: str, *followers: str) -> None:
        """Let a leader send what followers lack, until they have it and know that it is committed."""
        for _ in range(4):
            self.ask("heartbeat", leader)
            for follower in followers:
                self.exchange(leader, follower)

    def wander(self, requests: int, seed: int) -> None:
        """Let so much happen, drawn by dice; messages keep their order, some are lost."""
        dice = random.Random(seed)
        servers = list(self.states)
        for number in range(requests):
            leaders = [server for server in servers if self.states[server].role == "leader"]
            if self.waiting and dice.random() < 0.7:
                message = dice.choice(self.waiting)
                link = self.take(message.sender, message.to)
                self.waiting += link[1:]
                if dice.random() < 0.95:
                    self.deliver(link[0])
            elif leaders and dice.random() < 0.7:
                self.ask("propose", dice.choice(leaders), value=f"w{number}")
                self.ask("heartbeat", dice.choice(leaders))
            else:
                self.ask("timeout", dice.choice(servers))

    def _say(self, **request: Any) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        self.said.append(self._process.stdout.readline())
        return self.said[-1]

    def _take(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if self.rejection is None:
                self.rejection = self._judge.step(step)
            self.states[step.server] = step.state
            if step.log is not None:
                self.logs[step.server][step.log.keep :] = step.log.entries
            self.waiting += step.sends


@contextmanager
def driven(command: Sequence[str], servers: Sequence[str] = ("1", "2", "3"), **environment: str) -> Iterator[Driven]:
    """Start an adapter and a cluster; end it afterwards."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment or None
    ) as process:
        yield Driven(process, servers)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def has_entries(message: Message) -> bool:
    """Tell whether a message brings entries."""
    return isinstance(message, AppendEntries) and bool(message.entries)
