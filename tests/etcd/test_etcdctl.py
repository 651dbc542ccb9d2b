"""etcd's own command line, as Debian has it, against a server that is a store alone."""

import asyncio
import os
import re
import shutil
from collections.abc import Callable

import pytest

from tests.etcd.running import Served, eventually, run

ETCDCTL = shutil.which("etcdctl")
pytestmark = pytest.mark.skipif(ETCDCTL is None, reason="etcdctl is not installed")


async def etcdctl(
    one: Served, *arguments: str, stdin: str = "", until: Callable[[str], object] = lambda _: False
) -> str:
    """Run etcdctl; return what it prints, errors too, without its own log. It is ended when that is as wanted."""
    process = await asyncio.create_subprocess_exec(
        str(ETCDCTL), *arguments,
        env={**os.environ, "ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": f"127.0.0.1:{one.port}"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(stdin.encode())
    process.stdin.close()
    text = ""
    async with asyncio.timeout(20):
        while not until(text) and (line := await process.stdout.readline()):
            text += "" if line.startswith(b'{"level"') else line.decode()
    if process.returncode is None and until(text):
        process.terminate()
    await process.communicate()
    return text


TXN = 'value("a") = "1"\nver("a") > "0"\n\nput a 2\nget a\n\nput a 3\n\n'

SESSION: list[tuple[str, str]] = [
    ("put a 1", "OK\n"),
    ("put b 1 --prev-kv", "OK\n"),
    ("put a 1 --prev-kv", "OK\na\n1\n"),
    ("get a", "a\n1\n"),
    ("get a -w fields", r'"ClusterID" : 3098\n"MemberID" : 2827\n"Revision" : 4\n"RaftTerm" : 2\n"Key" : "a"\n[^$]*'),
    ("get --prefix --keys-only", "a\n\nb\n\n"),
    ("get a z --order=DESCEND --sort-by=KEY --limit=1", "b\n1\n"),
    ("txn", "SUCCESS\n\nOK\n\na\n2\n"),
    ("del b --prev-kv", "1\nb\n1\n"),
    ("get a --rev=2", "a\n1\n"),
    ("compaction 5", "compacted revision 5\n"),
    ("get a --rev=2", "Error: etcdserver: mvcc: required revision has been compacted\n"),
    ("lease grant 100", r"lease (\w+) granted with TTL\(100s\)\n"),
    ("lease list", r"found 1 leases\n\w+\n"),
    ("member list", "b0b, started, alone, http://127.0.0.1:2380, http://127.0.0.1:2379, false\n"),
    ("endpoint status", r"127.0.0.1:\d+, b0b, 3.4.23, \d+ B, true, false, 2, \d+, \d+, \n"),
    ("endpoint health", r"127.0.0.1:\d+ is healthy: successfully committed proposal: took = .*\n"),
    ("endpoint hashkv", r"127.0.0.1:\d+, \d+\n"),
    ("alarm list", ""),
    ("alarm disarm", ""),
    ("defrag", r"Finished defragmenting etcd member\[127.0.0.1:\d+\]\n"),
    ("move-leader b0b", "Leadership transferred from b0b to b0b\n"),
    ("move-leader 7", "Error: etcdserver: bad leader transferee\n"),
    ("user list", "Error: rpc error: code = Unimplemented desc = raftproof: not supported: authentication by .*\n"),
    ("member remove 7", "Error: rpc error: code = Unimplemented desc = raftproof: not supported: the members .*\n"),
]


def test_a_session() -> None:
    async def scenario(one: Served) -> None:
        for command, expected in SESSION:
            answer = await etcdctl(one, *command.split(" "), *([""] if "--prefix" in command else []), stdin=TXN)
            assert re.fullmatch(expected, answer), (command, answer)

    run(scenario)


def test_leases_end_with_their_keys() -> None:
    async def scenario(one: Served) -> None:
        granted = await etcdctl(one, "lease", "grant", "100")
        lease = granted.split(" ")[1]
        await etcdctl(one, "put", "a", "1", f"--lease={lease}")
        assert await etcdctl(one, "lease", "keep-alive", "--once", lease) == f"lease {lease} keepalived with TTL(100)\n"
        told = await etcdctl(one, "lease", "timetolive", lease, "--keys")
        assert re.fullmatch(rf"lease {lease} granted with TTL\(100s\), remaining\(\d+s\), .* keys\(\[a\]\)\n", told)
        assert await etcdctl(one, "lease", "revoke", lease) == f"lease {lease} revoked\n"
        assert await etcdctl(one, "get", "a") == ""
        assert await etcdctl(one, "lease", "timetolive", lease) == f"lease {lease} already expired\n"
        assert await etcdctl(one, "lease", "keep-alive", lease) == f"lease {lease} expired or revoked.\n"

    run(scenario)


def test_watching() -> None:
    async def scenario(one: Served) -> None:
        await one.put(b"a", b"1")
        expected = "PUT\na\n1\nPUT\na\n1\na\n2\n"
        watching = asyncio.ensure_future(
            etcdctl(one, "watch", "a", "--rev=2", "--prev-kv", until=lambda text: text.count("\n") == 8)
        )
        await eventually(lambda: one.server._hub._index, seconds=20)
        await one.put(b"a", b"2")
        assert await watching == expected

    run(scenario)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["lock", "l", "echo", "locked"], lambda text: text == "locked\n"),
        (["elect", "e", "me"], lambda text: re.fullmatch(r"e/\w+\nme\n", text)),
        (["snapshot", "save", "PATH"], lambda text: text == "Snapshot saved at PATH\n"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_what_is_made_of_these(command: list[str], expected: Callable[[str], object], tmp_path: object) -> None:
    async def scenario(one: Served) -> None:
        path = f"{tmp_path}/saved"
        words = [path if word == "PATH" else word for word in command]
        answer = await etcdctl(one, *words, until=lambda text: expected(text.replace(path, "PATH")))
        assert expected(answer.replace(path, "PATH")), answer

    run(scenario)
