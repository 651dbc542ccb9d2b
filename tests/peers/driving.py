"""Driving an adapter by hand: it is told what happens step by step, and every answer is read strictly and judged."""

import json
import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from raftcheck.oracle.judgement import Rejection
from raftcheck.oracle.trace.judge import StepJudge
from raftcheck.oracle.trace.messages import Message, TracedEntry
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

    def wander(self, requests: int, seed: int) -> None:
        """Let so much happen, drawn by dice: messages keep their order, some are lost, now and then a leader is."""
        dice = random.Random(seed)
        servers = list(self.states)
        for number in range(requests):
            leaders = [server for server in servers if self.states[server].role == "leader"]
            if self.waiting and dice.random() < 0.8:
                message = dice.choice(self.waiting)
                first, *others = self.take(message.sender, message.to)
                self.waiting += others
                if dice.random() < 0.95:
                    self.deliver(first)
            elif leaders and dice.random() < 0.9:
                self.ask("propose", dice.choice(leaders), value=f"w{number}")
                self.ask("heartbeat", dice.choice(leaders))
            elif not self.waiting or dice.random() < 0.1:
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
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        yield Driven(process, list(servers))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
