"""etcd3gw, a client that speaks JSON over HTTP, as it comes."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.conftest import Place

etcd3gw = pytest.importorskip("etcd3gw", reason="etcd3gw is not installed")


@pytest.fixture
def client(place: Place) -> Iterator[Any]:
    client = etcd3gw.Etcd3Client(host=place.host, port=place.port, timeout=10)
    client.delete(b"\0", range_end="\0")
    yield client
    client.session.close()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_get_and_put(client: Any) -> None:
    assert client.put("a/1", "one")
    assert client.put("a/2", "two")
    assert client.get("a/1") == [b"one"]
    assert client.get("absent") == []
    assert [value for value, _ in client.get_prefix("a/")] == [b"one", b"two"]
    [(value, meta)] = client.get("a/2", metadata=True)
    assert (value, meta["key"], meta["version"]) == (b"two", b"a/2", "1")
    assert [value for value, _ in client.get_all()] == [b"one", b"two"]
    assert client.get_prefix("a/", sort_order="descend")[0][0] == b"two"
    assert client.delete("a/1")
    assert not client.delete("a/1")
    assert client.get("a/1") == []


def test_bytes_and_other_scripts(client: Any) -> None:
    assert client.put("ключ".encode(), "значение".encode())
    assert client.get("ключ".encode()) == ["значение".encode()]
    assert client.put(b"\xff\x00", b"\x80")
    assert client.get(b"\xff\x00") == [b"\x80"]


def test_create_and_replace(client: Any) -> None:
    assert client.create("c", "1")
    assert not client.create("c", "2")
    assert client.replace("c", "1", "3")
    assert not client.replace("c", "1", "4")
    assert client.get("c") == [b"3"]


def test_transaction(client: Any) -> None:
    client.put("t", "before")
    txn = {
        "compare": [{"key": encoded("t"), "result": "EQUAL", "target": "VALUE", "value": encoded("before")}],
        "success": [{"request_put": {"key": encoded("t"), "value": encoded("after")}}],
        "failure": [{"request_range": {"key": encoded("t")}}],
    }
    assert client.transaction(txn)["succeeded"]
    again = client.transaction(txn)
    assert not again.get("succeeded", False)
    assert again["responses"][0]["response_range"]["kvs"][0]["value"] == encoded("after")


def test_watch(client: Any) -> None:
    events, cancel = client.watch_prefix("w/")
    client.put("w/1", "one")
    client.put("other", "unseen")
    client.delete("w/1")
    first, second = next(events), next(events)
    cancel()
    assert (first["kv"]["key"], first["kv"]["value"]) == (b"w/1", b"one")
    assert (second["type"], second["kv"]["key"]) == ("DELETE", b"w/1")


def test_watch_from_a_revision(client: Any) -> None:
    client.put("w", "1")
    [(_, meta)] = client.get("w", metadata=True)
    client.put("w", "2")
    assert client.watch_once("w", timeout=10, start_revision=int(meta["mod_revision"]))["kv"]["value"] == b"1"


def test_lease(client: Any) -> None:
    lease = client.lease(ttl=100)
    client.put("l", "1", lease=lease)
    assert lease.keys() == [b"l"]
    assert 0 < lease.ttl() <= 100
    assert lease.refresh() == 100
    assert lease.revoke()
    assert client.get("l") == []


def test_lock(client: Any) -> None:
    with client.lock("mutex", ttl=100) as held:
        assert held.is_acquired()
        assert not client.lock("mutex", ttl=100).acquire()
        assert held.refresh() == 100
    assert not held.is_acquired()
    assert client.lock("mutex", ttl=100).acquire()


def test_status_and_members(client: Any) -> None:
    status, members = client.status(), client.members()
    assert status["leader"] in [member["ID"] for member in members]
    assert status["version"] == "3.4.23"
