"""Tables of requests and answers, asked in three ways: of our gateway, of our gRPC server, and of etcd.

`--rewrite` takes the answers from etcd.
"""

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from raftimpl.etcd import gateway
from raftimpl.etcd.gojson import to_json
from tests.conftest import ROOT
from tests.etcd.ports import free_ports
from tests.etcd.running import Served, http_request, served

FOLDER = ROOT / "tests" / "etcd" / "cases"
FILES = sorted(FOLDER.glob("*.txt"))
ETCD = shutil.which("etcd")

MASKS = (r'"(cluster_id|member_id)":"\d+",?', r'"raft_term":"\d+"', r",(?=})")


class Case(NamedTuple):
    request: str
    answer: str

    @property
    def method(self) -> str:
        return self.request.split(" ")[0]

    @property
    def path(self) -> str:
        return self.request.split(" ")[1]

    @property
    def body(self) -> str:
        return self.request.split(" ", 2)[2] if self.request.count(" ") > 1 else ""


def read_cases(text: str) -> dict[str, list[Case]]:
    """Return the cases of a file by chapter; each chapter begins with an empty store."""
    chapters: dict[str, list[Case]] = {}
    for block in re.split(r"\n(?=[A-Z]+ /|== )", text):
        first, *rest = block.rstrip("\n").split("\n")
        if first.startswith("== "):
            chapters[first.removeprefix("== ").strip()] = []
        elif re.match(r"[A-Z]+ /", first):
            list(chapters.values())[-1].append(Case(first, "\n".join(line.strip() for line in rest if line)))
    return chapters


CHAPTERS = [(path, name, cases) for path in FILES for name, cases in read_cases(path.read_text()).items()]
IDS = [f"{path.stem}-{name}" for path, name, _ in CHAPTERS]


def shown(status: int, body: str) -> str:
    """Return an answer as the files have it: without what differs from cluster to cluster."""
    for mask in MASKS:
        body = re.sub(mask, "", body)
    return f"{status} {body}".strip()


Ask = Callable[[Case], str]


@pytest.mark.parametrize(("path", "name", "cases"), CHAPTERS, ids=IDS)
def test_the_gateway_answers_as_etcd(path: Path, name: str, cases: list[Case]) -> None:
    async def scenario() -> list[str]:
        async with served() as one:
            return [shown(*await one.http(case.method, case.path, case.body)) for case in cases]

    assert [Case(case.request, answer) for case, answer in zip(cases, asyncio.run(scenario()), strict=True)] == cases


@pytest.mark.parametrize(("path", "name", "cases"), [each for each in CHAPTERS if each[0].stem != "json"])
def test_grpc_says_the_same(path: Path, name: str, cases: list[Case]) -> None:
    """What is a message is asked over gRPC; the answer is compared as the JSON that it would be."""

    async def scenario() -> list[str]:
        async with served() as one:
            return [await grpc_answer(one, case) for case in asked]

    asked = [case for case in cases if route(case) and "EOF" not in case.answer]
    assert [Case(case.request, answer) for case, answer in zip(asked, asyncio.run(scenario()), strict=True)] == asked


def route(case: Case) -> str | None:
    """Return the method that a case is about, as "KV/Put"."""
    prefix = next((prefix for prefix in gateway.PREFIXES if case.path.startswith(prefix)), "")
    return gateway.ROUTES.get(case.path.removeprefix(prefix))


async def grpc_answer(one: Served, case: Case) -> str:
    """Return the answer over gRPC in the form of the gateway's."""
    name = str(route(case))
    method = next(each for each in one.server.methods if f"{each.service}/{each.name}" == f"etcdserverpb.{name}")
    messages = gateway.all_from_json_until_bad(method.request, case.body) or [method.request()]
    try:
        if name == "Lease/LeaseKeepAlive":
            call = one.method(name, one.channel.stream_stream)(iter(messages))
            return shown(200, "".join([f'{{"result":{to_json(each)}}}\n' async for each in call]))
        return shown(200, to_json(await one.call(name, messages[0])))
    except grpc.aio.AioRpcError as error:
        code = error.code().value[0]
        body = json.dumps({"error": error.details(), "message": error.details(), "code": code}, separators=(",", ":"))
        return shown(int(gateway.STATUSES[code]), body)


@pytest.fixture(scope="session")
def etcd_starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], int]]:
    """Start a new etcd whenever called; return its port."""
    if ETCD is None:
        pytest.skip("etcd is not installed")
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        client, peer = free_ports(2)
        urls = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        arguments = ["--listen-client-urls", urls[0], "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1],
                     "--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}",
                     "--data-dir", str(tmp_path_factory.mktemp("etcd"))]  # fmt: skip
        processes.append(
            subprocess.Popen([str(ETCD), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        for _ in range(200):
            try:
                if http_request(client, "GET", "/health")[0] == 200:
                    return client
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("etcd does not start")

    yield start
    for process in processes:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_etcd_answers_so(path: Path, etcd_starter: Callable[[], int], request: pytest.FixtureRequest) -> None:
    """The answers in the files are etcd's."""
    text = path.read_text()
    found = text.split("\n==")[0].rstrip("\n") + "\n"
    for name, cases in read_cases(text).items():
        port = etcd_starter()
        found += f"\n== {name}\n"
        for case in cases:
            answer = shown(*http_request(port, case.method, case.path, case.body))
            found += f"{case.request}\n" + "".join(f"    {line}\n" for line in answer.split("\n"))
    if request.config.getoption("--rewrite"):
        path.write_text(found)
    assert path.read_text() == found
