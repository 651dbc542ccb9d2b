"""/version, /health and /metrics; messages as JSON; the messages' own pool."""

import asyncio
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from raftimpl.etcd import generate
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.gojson import all_from_json, from_json, to_json
from tests.etcd.running import Served, refusal, run
from tests.etcd.test_front import talk


def test_the_version_is_etcds_and_says_what_it_is() -> None:
    async def scenario(one: Served) -> None:
        status, body = await one.http("GET", "/version?pretty")
        versions = json.loads(body)
        assert (status, versions["etcdserver"], versions["etcdcluster"]) == (200, "3.4.23", "3.4.0")
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", versions["raftproof"])

    run(scenario)


@pytest.mark.parametrize("trouble", ["leader", "delay"])
def test_health(trouble: str) -> None:
    async def scenario(one: Served) -> None:
        assert await one.http("GET", "/health") == (200, '{"health":"true"}')
        setattr(one.backend, trouble, 0 if trouble == "leader" else 60)
        assert await one.http("GET", "/health") == (503, '{"health":"false"}\n')

    run(scenario)


def test_metrics_are_what_prometheus_reads() -> None:
    async def scenario(one: Served) -> None:
        await one.put(b"a")
        await one.http("POST", "/v3/kv/put", '{"key":"YQ=="}')
        await refusal(one.put(b""))
        status, text = await one.http("GET", "/metrics")
        assert status == 200
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name, *sorted(sample.labels.items())] = sample.value
        plain = {name[0]: value for name, value in found.items() if len(name) == 1}
        assert plain["etcd_server_has_leader"] == plain["etcd_server_is_leader"] == 1
        assert plain["etcd_server_proposals_applied_total"] == plain["etcd_server_proposals_committed_total"] == 2
        assert plain["etcd_server_leader_changes_seen_total"] == 1
        assert plain["etcd_server_proposals_failed_total"] == plain["etcd_server_proposals_pending"] == 0
        assert plain["etcd_mvcc_db_total_size_in_bytes"] == one.backend.store.size
        assert plain["etcd_debugging_mvcc_current_revision"] == 3
        assert plain["process_resident_memory_bytes"] > 1_000_000
        fsync = "etcd_disk_wal_fsync_duration_seconds"
        assert plain[f"{fsync}_sum"] == 0.0125
        assert plain[f"{fsync}_count"] == 8
        buckets = [found[f"{fsync}_bucket", ("le", bound)] for bound in ("0.001", "0.002", "+Inf")]
        assert buckets == [5, 7, 8]
        for code, count in (("OK", 2), ("InvalidArgument", 1)):
            labels = [("grpc_code", code), ("grpc_method", "Put"), ("grpc_service", "etcdserverpb.KV"),
                      ("grpc_type", "unary")]  # fmt: skip
            assert found["grpc_server_handled_total", *labels] == count

    run(scenario)


def test_streams_are_counted_when_they_end() -> None:
    async def scenario(one: Served) -> None:
        method = next(method for method in one.server.methods if method.name == "Watch")
        call = await one.watch(rpc.WatchCreateRequest(key=b"a"))
        await call.read()
        call.cancel()
        async with asyncio.timeout(5):
            while 'grpc_code="Canceled",grpc_method="Watch"' not in (await one.http("GET", "/metrics"))[1]:
                await asyncio.sleep(0.01)
        assert method.service == "etcdserverpb.Watch"

    run(scenario)


def test_a_stream_that_fails_says_so_in_its_last_line() -> None:
    async def scenario(one: Served) -> None:
        one.backend.leader = 0
        status, body = await one.http("POST", "/v3/lease/keepalive", '{"ID":5}')
        assert (status, json.loads(body)) == (
            200,
            {"error": {"grpc_code": 14, "http_code": 503, "message": "etcdserver: no leader",
                       "http_status": "Service Unavailable"}},
        )  # fmt: skip

    run(scenario)


def test_a_stream_through_the_gateway_can_need_a_leader() -> None:
    """As over gRPC, by a header."""

    async def scenario(one: Served) -> None:
        one.backend.leader = 0
        head = b"POST /v3/watch HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nGrpc-Metadata-hasleader: true\r\n\r\n{}"
        answer = await talk(one.port, head, enough=lambda received: received.endswith(b"0\r\n\r\n"))
        assert b'"message":"etcdserver: no leader"' in answer

    run(scenario)


NOT_SUPPORTED = [
    ("auth/enable", "authentication by users and roles"),
    ("auth/user/add", "authentication by users and roles"),
    ("cluster/member/add", "the members of a cluster are fixed when it starts"),
    ("cluster/member/promote", "the members of a cluster are fixed when it starts"),
]


@pytest.mark.parametrize(("path", "what"), NOT_SUPPORTED)
def test_what_is_not_supported(path: str, what: str) -> None:
    async def scenario(one: Served) -> None:
        status, body = await one.http("POST", f"/v3/{path}", "{}")
        text = f"raftproof: not supported: {what}"
        assert (status, json.loads(body)) == (501, {"error": text, "message": text, "code": 12})

    run(scenario)


def test_sizes_through_the_gateway() -> None:
    async def scenario(one: Served) -> None:
        for size, status, code in ((1_500_000, 200, None), (1_600_000, 400, 3), (2_100_000, 429, 8)):
            body = to_json(rpc.PutRequest(key=b"a", value=bytes(size)))
            answer = await one.http("POST", "/v3/kv/put", body)
            assert (answer[0], json.loads(answer[1]).get("code")) == (status, code)

    run(scenario)


def test_status_and_members_through_the_gateway() -> None:
    async def scenario(one: Served) -> None:
        _, body = await one.http("POST", "/v3/maintenance/status", "{}")
        status = json.loads(body)
        assert set(status) >= {"header", "version", "leader", "raftTerm"}
        assert (status["version"], status["leader"], status["raftTerm"]) == ("3.4.23", "2827", "2")
        _, body = await one.http("POST", "/v3/cluster/member/list", "{}")
        assert json.loads(body)["members"] == [
            {"ID": "2827", "name": "alone", "peerURLs": ["http://127.0.0.1:2380"],
             "clientURLs": ["http://127.0.0.1:2379"]}
        ]  # fmt: skip

    run(scenario)


int64 = st.integers(-(2**63), 2**63 - 1)
range_requests = st.builds(
    rpc.RangeRequest,
    key=st.binary(),
    range_end=st.binary(),
    limit=int64,
    sort_order=st.sampled_from([0, 1, 2, 9]),
    keys_only=st.booleans(),
)
messages = st.one_of(
    range_requests,
    st.builds(rpc.AlarmRequest, memberID=st.integers(0, 2**64 - 1), alarm=st.sampled_from([0, 1, 2])),
    st.builds(rpc.Member, name=st.text(), peerURLs=st.lists(st.text(), max_size=3), isLearner=st.booleans()),
    st.builds(rpc.HashKVResponse, hash=st.integers(0, 2**32 - 1), header=st.builds(rpc.ResponseHeader, revision=int64)),
    st.builds(
        rpc.TxnRequest,
        compare=st.lists(st.builds(rpc.Compare, key=st.binary(), value=st.binary(), target=st.just(3)), max_size=2),
        success=st.lists(st.builds(rpc.RequestOp, request_range=range_requests) | st.just(rpc.RequestOp()), max_size=3),
    ),
)


@given(message=messages, again=messages)
def test_messages_are_the_same_when_written_as_json_and_read(message: rpc.Member, again: rpc.Member) -> None:
    """Read as protobuf's own reader would, under both spellings of names, and one after the other."""
    kind = type(message)
    assert from_json(kind, to_json(message)) == message
    assert from_json(kind, json_format.MessageToJson(message)) == message
    assert json_format.Parse(to_json(message), kind()) == message
    both = f" {to_json(message)}\n{to_json(message)}"
    assert list(all_from_json(kind, both)) == [message, message]


BESIDE_OURS = """
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from raftimpl.etcd import mvcc_pb2, rpc_pb2

file = descriptor_pb2.FileDescriptorProto(name="rpc.proto", package="etcdserverpb", syntax="proto3")
other = file.message_type.add(name="PutRequest")
other.field.add(name="quite_another", number=1, type=5, label=1)
pool = descriptor_pool.Default()
pool.Add(file)
theirs = GetMessageClass(pool.FindMessageTypeByName("etcdserverpb.PutRequest"))
assert theirs(quite_another=7).SerializeToString() == b"\\x08\\x07"
assert rpc_pb2.PutRequest(key=b"7").SerializeToString() == b"\\x0a\\x017"
try:
    pool.FindMessageTypeByName("mvccpb.KeyValue")
except KeyError:
    print(mvcc_pb2.KeyValue.DESCRIPTOR.full_name)
"""


def test_another_package_of_the_same_name_can_live_beside_ours() -> None:
    """Client libraries define etcdserverpb in the pool of the process, each in its own way; here in another process."""
    done = subprocess.run([sys.executable, "-c", BESIDE_OURS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("mvccpb.KeyValue\n", "")


DIGITS = "9" * 5000  # Python refuses to make a number of so many
TOO_DEEP = "exceeded max depth"
MALFORMED = [
    (f'{{"limit":{DIGITS}}}', f"json: cannot unmarshal number {DIGITS} into Go value of type int64"),
    (f'{{"limit":-{DIGITS}}}', f"json: cannot unmarshal number -{DIGITS} into Go value of type int64"),
    (f'{{"limit":"{DIGITS}"}}', f"json: cannot unmarshal number {DIGITS} into Go value of type int64"),
    (f'{{"key":[{DIGITS}]}}', f"json: cannot unmarshal number {DIGITS} into Go value of type uint8"),
    (f'{{"key":{DIGITS}}}', "json: cannot unmarshal number into Go value of type []uint8"),
    (f'{{"unknown":{DIGITS}}}', "etcdserver: key is not provided"),
    (
        f'{{"sort_order":{DIGITS}}}',
        f"json: cannot unmarshal number {DIGITS} into Go value of type etcdserverpb.RangeRequest_SortOrder",
    ),
    ('{"limit":"' + "[" * 100_000 + '"}', TOO_DEEP),
    ('{"unknown":' + "[" * 100_000 + "}", TOO_DEEP),
]


@pytest.mark.parametrize(("body", "text"), MALFORMED, ids=lambda value: value[:30])
def test_what_python_cannot_read_is_refused_in_words(body: str, text: str) -> None:
    """With etcd's text; that of what is too deep begins with a character."""

    async def scenario(one: Served) -> None:
        status, answer = await one.http("POST", "/v3/kv/range", body)
        assert (status, json.loads(answer)) == (400, {"error": text, "message": text, "code": 3})

    run(scenario)


def test_the_greatest_numbers_are_read() -> None:
    assert from_json(rpc.RangeRequest, f'{{"limit":{-(2**63)}}}').limit == -(2**63)
    assert from_json(rpc.StatusResponse, f'{{"leader":{2**64 - 1}}}').leader == 2**64 - 1


def test_the_generated_files_are_those_of_the_proto_files(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    written = generate.generate(tmp_path)
    assert {path.name for path in written} == {"mvcc_pb2.py", "mvcc_pb2.pyi", "rpc_pb2.py", "rpc_pb2.pyi"}
    for path in written:
        assert path.read_text() == (generate.HERE / path.name).read_text(), f"{path.name}: run make proto"


def test_every_service_of_the_proto_file_is_there() -> None:
    async def scenario(one: Served) -> None:
        described = {
            f"{service.full_name}/{method.name}"
            for service in rpc.DESCRIPTOR.services_by_name.values()
            for method in service.methods
        }
        assert described == {f"{method.service}/{method.name}" for method in one.server.methods}

    run(scenario)


def test_importing_the_api_needs_no_client_library() -> None:
    """The server's own dependencies are enough."""
    modules = [path.stem for path in Path(generate.HERE).glob("*.py")]
    for module in modules:
        import_module(f"raftimpl.etcd.{module}")
    source = "".join(path.read_text() for path in Path(generate.HERE).glob("*.py"))
    assert "import grpc\n" not in source
    assert "prometheus_client" in sys.modules
