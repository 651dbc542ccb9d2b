"""What a server has counted, as Prometheus reads it, under etcd's names where the meaning is the same."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from raftimpl.etcd.backend import Backend, Histogram
from raftimpl.etcd.calls import CallCounter
from raftimpl.etcd.connections import Connections
from raftimpl.etcd.maintenance import ETCD_VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one server. Nothing is counted twice: they are put together when they are asked for."""

    def __init__(self, backend: Backend, counter: CallCounter, connections: Connections) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(ServerCollector(backend, counter, connections))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class ServerCollector(Collector):
    """Reads what the server and the API have counted."""

    def __init__(self, backend: Backend, counter: CallCounter, connections: Connections) -> None:
        self._backend = backend
        self._counter = counter
        self._connections = connections

    def describe(self) -> list[Metric]:
        """Return nothing: names are not reserved by collecting when the server may not run yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics but those of the process."""
        yield from self._gauges()
        yield from self._counters()
        yield histogram(
            "etcd_disk_wal_fsync_duration_seconds",
            "How long it takes to bring the log to the disk.",
            self._backend.measurements().wal_fsync,
        )
        yield self._versions()
        yield self._calls()

    def _gauges(self) -> Iterator[Metric]:
        backend, counts, store = self._backend, self._backend.measurements(), self._backend.store
        leader = backend.leader
        for name, text, value in (
            ("etcd_server_has_leader", "Whether a leader is known.", int(leader != 0)),
            ("etcd_server_is_leader", "Whether this server is the leader.", int(leader == backend.member_id)),
            ("etcd_server_proposals_committed_total", "Entries that are committed.", counts.proposals_committed),
            ("etcd_server_proposals_applied_total", "Entries that are applied.", counts.proposals_applied),
            ("etcd_server_proposals_pending", "Proposals that wait for an answer.", counts.proposals_pending),
            ("etcd_mvcc_db_total_size_in_bytes", "What the server has on disk.", backend.status().db_size),
            ("etcd_debugging_mvcc_current_revision", "The store's revision.", store.revision),
            ("etcd_debugging_mvcc_compact_revision", "The store's compacted revision.", store.compact_revision),
            ("raftproof_client_connections", "Connections of clients that are open.", len(self._connections)),
        ):
            yield GaugeMetricFamily(name, text, value)

    def _counters(self) -> Iterator[Metric]:
        counts = self._backend.measurements()
        yield CounterMetricFamily(
            "etcd_server_leader_changes_seen", "How often the leader changed.", counts.leader_changes
        )
        yield CounterMetricFamily(
            "etcd_server_proposals_failed", "Proposals without an answer.", counts.proposals_failed
        )
        yield CounterMetricFamily(
            "raftproof_client_connections_refused",
            "Connections that were refused because there were too many.",
            self._connections.refused,
        )

    def _versions(self) -> Metric:
        family = GaugeMetricFamily("etcd_server_version", "Which version this is.", labels=["server_version"])
        family.add_metric([ETCD_VERSION], 1)
        return family

    def _calls(self) -> Metric:
        family = CounterMetricFamily(
            "grpc_server_handled",
            "Calls that have ended, over gRPC and as JSON.",
            labels=["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
        )
        for ended in self._counter:
            method = ended.method
            family.add_metric([method.kind.value, method.service, method.name, ended.code], ended.calls)
        return family


def histogram(name: str, text: str, measured: Histogram) -> Metric:
    """Return a histogram; Prometheus wants each bucket to contain the lower ones."""
    bounds = [*(repr(bound) for bound in measured.bounds), "+Inf"]
    return HistogramMetricFamily(
        name, text, buckets=list(zip(bounds, accumulate(measured.counts), strict=True)), sum_value=measured.sum
    )
