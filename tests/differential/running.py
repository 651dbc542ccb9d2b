"""Runs the commands of a transcript on a system, as a user would type them.

A command is one of

    etcdctl ...                a line for bash, with whatever bash can do ($'\\xff', pipes, <<<)
    POST /v3/... {json}        a request to the JSON gateway of the first server; so are GET and the others.
                               b"..." in the JSON is what base64 makes of these bytes
    NAME = ...                 one of these that grants a lease; later commands know it as $NAME (as etcdctl writes
                               it) and as $NAME_number (as the gateway does)
    start NAME ...             one of these that goes on in the background
    expect NAME COUNT          the next lines that it prints, waiting for them
    end NAME                   what else it prints until it ends by itself
    stop NAME                  what else it has printed; then it is stopped
    drop NAME                  it is stopped, whatever else it has printed

$E1, $E2, ... are the endpoints of the servers, $M1, $M2, ... their ids, $DIR is an empty folder.
"""

import ast
import base64
import http.client
import os
import queue
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from tests.differential.masks import Names, masked
from tests.differential.systems import System
from tests.differential.transcripts import Command, Entry

PATIENCE = 20.0
"""Seconds that a command may take, and that lines are waited for."""

GRACE = 0.1
"""Seconds that something in the background may still print before it is stopped."""

BYTES = re.compile(r'(?<=[:\[,])b("(?:[^"\\]|\\.)*")')
REQUEST = re.compile(r"(GET|HEAD|POST|PUT|DELETE|OPTIONS) (\S+) ?(.*)", re.DOTALL)
GRANTED = re.compile(r'lease ([0-9a-f]{16}) granted|"ID"(?::"?| : )(\d+)')


def lines_of(sign: str, data: bytes) -> list[str]:
    """Return what was printed as lines of a transcript. Bytes that are no text are written as \\xNN."""
    text = data.decode("utf-8", "backslashreplace").replace("\r", "\\r").replace("\0", "\\x00")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [f"{sign} {line}".rstrip(" ") for line in lines]


def with_base64(body: str) -> str:
    """Put base64 in place of each b"..."."""
    return BYTES.sub(lambda found: f'"{base64.b64encode(ast.literal_eval("b" + found[1])).decode()}"', body)


class Background(Protocol):
    """Something that goes on printing: lines from a queue, None at the end, and then how it ended."""

    lines: "queue.SimpleQueue[bytes | None]"

    def stop(self) -> None: ...

    def ending(self) -> list[str]: ...


class BackgroundProcess:
    """A command line in the background; its standard input stays open until it is stopped."""

    def __init__(self, arguments: list[str], stdin: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.errors = b""
        self.readers = [threading.Thread(target=self.read_lines), threading.Thread(target=self.read_errors)]
        for reader in self.readers:
            reader.start()
        assert self.process.stdin is not None
        self.process.stdin.write(stdin.encode())
        self.process.stdin.flush()

    def read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def ending(self) -> list[str]:
        code = self.process.wait(PATIENCE)
        for reader in self.readers:
            reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return lines_of("!", self.errors) + ([f"= {code}"] if code not in (0, -signal.SIGKILL) else [])


class BackgroundRequest:
    """A request to the gateway whose answer is a stream of lines."""

    def __init__(self, endpoint: str, method: str, path: str, body: str) -> None:
        self.connection = connection_to(endpoint)
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.status = ""
        self.connection.request(method, path, body.encode())
        self.stopping = False
        self.reader = threading.Thread(target=self.read_lines)
        self.reader.start()

    def read_lines(self) -> None:
        try:
            response = self.connection.getresponse()
            self.status = status_of(response)
            for line in response:
                self.lines.put(line)
            response.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.status = "" if self.stopping else f"broken off: {error}"
        self.lines.put(None)

    def stop(self) -> None:
        self.stopping = True
        if self.connection.sock is not None:
            self.connection.sock.shutdown(socket.SHUT_RDWR)

    def ending(self) -> list[str]:
        self.reader.join(PATIENCE)
        self.connection.close()
        return [f"= {self.status}"] if self.status and not self.stopping else []


def connection_to(endpoint: str) -> http.client.HTTPConnection:
    host, _, port = endpoint.partition(":")
    return http.client.HTTPConnection(host, int(port), timeout=PATIENCE)


def status_of(response: http.client.HTTPResponse) -> str:
    """Return what is worth telling of an answer beside its body: nothing if it is the usual."""
    kind = response.getheader("Content-Type", "no type")
    usual = kind == "application/json"
    return "" if response.status == http.client.OK and usual else f"{response.status}" + ("" if usual else f" {kind}")


class Runner:
    """Runs commands on a system, one after the other. What is in the background is stopped by `close`."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self.names = Names(system, folder)
        self.background: dict[str, Background] = {}
        self.variables = {"DIR": str(folder)}
        for number, member in enumerate(system.members, 1):
            self.variables |= {f"E{number}": member.client, f"M{number}": f"{member.id:x}"}
        self.session = connection_to(system.members[0].client)
        self.verbs: dict[str, Callable[..., list[str]]] = {
            "expect": self.expect,
            "end": self.end,
            "stop": self.stop,
            "drop": self.drop,
        }

    def close(self) -> None:
        """Stop whatever still goes on."""
        self.session.close()
        for name in list(self.background):
            self.background[name].stop()
            self.end(name)

    def run(self, command: Command) -> tuple[str, ...]:
        """Run a command; return its answer, masked."""
        word, _, rest = command.text.partition(" ")
        if word in self.verbs:
            answer = self.verbs[word](*rest.split())
        elif word == "start":
            answer = self.start(Command(rest, command.stdin))
        elif rest.startswith("= "):
            answer = self.run_now(Command(rest[2:], command.stdin))
            self.learn(word, "\n".join(answer))
        else:
            answer = self.run_now(command)
        return tuple(masked(line, self.names) for line in answer)

    def run_now(self, command: Command) -> list[str]:
        request = self.request(command)
        return self.ask(*request) if request else self.execute(command)

    def request(self, command: Command) -> tuple[str, str, str] | None:
        """Return method, path and body, if the command is a request to the gateway."""
        found = REQUEST.fullmatch("\n".join([command.text, *command.stdin]))
        if not found:
            return None
        method, path, body = found.groups()
        return method, path, with_base64(self.expanded(body))

    def expanded(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda name: self.variables.get(name[1], name[0]), text)

    def environment(self, line: str) -> dict[str, str]:
        """Return the variables for a command line; etcdctl wants its endpoints in one place only."""
        first = {} if "--endpoints" in line else {"ETCDCTL_ENDPOINTS": self.system.members[0].client}
        return {"PATH": os.environ["PATH"], "HOME": str(self.variables["DIR"]), **first, **self.variables}

    def execute(self, command: Command) -> list[str]:
        try:
            done = subprocess.run(
                ["bash", "-c", command.text],
                env=self.environment(command.text),
                cwd=self.variables["DIR"],
                input="".join(f"{line}\n" for line in command.stdin).encode(),
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return [*lines_of("|", error.stdout or b""), *lines_of("!", error.stderr or b""), "= no end"]
        ending = [f"= {done.returncode}"] if done.returncode else []
        return lines_of("|", done.stdout) + lines_of("!", done.stderr) + ending

    def ask(self, method: str, path: str, body: str) -> list[str]:
        """Send a request in the one session that is kept alive; in a new one if the server has closed it."""
        try:
            self.session.request(method, path, body.encode(), {"Content-Type": "application/json"})
            response = self.session.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.session.close()
            return [f"= no answer: {type(error).__name__}"]
        status = status_of(response)
        return lines_of("|", data) + ([f"= {status}"] if status else [])

    def learn(self, name: str, answer: str) -> None:
        """Remember the lease that was granted."""
        found = GRANTED.search(answer)
        if not found:
            return
        id = int(found[1], 16) if found[1] else int(found[2])
        self.variables |= {name: f"{id:016x}", f"{name}_number": str(id)}
        self.names.add_lease(name, id)

    def start(self, command: Command) -> list[str]:
        name, _, text = command.text.partition(" ")
        request = self.request(Command(text, command.stdin))
        if request:
            self.background[name] = BackgroundRequest(self.system.members[0].client, *request)
        else:
            stdin = "".join(f"{line}\n" for line in command.stdin)
            self.background[name] = BackgroundProcess(["bash", "-c", text], stdin, self.environment(text))
        return []

    def expect(self, name: str, count: str) -> list[str]:
        lines = list(self.next_lines(name, int(count), PATIENCE))
        missing = int(count) - len(lines)
        return [*lines, *([f"= {missing} lines are missing"] if missing else [])]

    def next_lines(self, name: str, most: int, patience: float) -> Iterator[str]:
        for _ in range(most):
            try:
                line = self.background[name].lines.get(timeout=patience)
            except queue.Empty:
                return
            if line is None:
                self.background[name].lines.put(None)
                return
            yield from lines_of("|", line)

    def end(self, name: str) -> list[str]:
        lines = list(self.next_lines(name, 1000, PATIENCE))
        background = self.background.pop(name)
        try:
            return lines + background.ending()
        except subprocess.TimeoutExpired:
            background.stop()
            return [*lines, *background.ending(), "= no end"]

    def drop(self, name: str) -> list[str]:
        self.background[name].stop()
        self.end(name)
        return []

    def stop(self, name: str) -> list[str]:
        lines = list(self.next_lines(name, 1000, GRACE))
        self.background[name].stop()
        return lines + self.end(name)


def run_all(system: System, commands: Iterable[Command], folder: Path) -> list[Entry]:
    """Run commands in their order; return them with their answers, masked."""
    folder.mkdir()
    runner = Runner(system, folder)
    try:
        return [Entry(command, runner.run(command)) for command in commands]
    finally:
        runner.close()
