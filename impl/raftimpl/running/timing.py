"""How long a node waits for what, in seconds; and how much it gathers."""

from typing import NamedTuple


class Timing(NamedTuple):
    """The timers of a node. An election timeout is drawn anew each time, between one and two `election_timeout`s.

    `heartbeat_interval` should be several times shorter. `request_timeout` is how long a client waits at most; by
    default as in etcd: 5 seconds and two elections.
    """

    heartbeat_interval: float = 0.1
    election_timeout: float = 1.0
    request_timeout: float = 7.0


class Limits(NamedTuple):
    """How much a node takes at once.

    `batch_requests` and `batch_bytes` bound what it gathers into one log entry; `waiting_requests` and `waiting_bytes`
    how many writes may wait, and with how much, and `waiting_requests` how many reads, apart from them; `inputs` what
    it handles before it syncs, `expired_leases` how many leases it ends in a heartbeat. The state machine is saved
    every `snapshot_entries` log entries or `snapshot_bytes` of log; `catch_up_entries` or `catch_up_bytes` more are
    kept for followers that lag a little, who would else need all of the snapshot.
    """

    batch_requests: int = 512
    batch_bytes: int = 1 << 20
    waiting_requests: int = 20_000
    waiting_bytes: int = 128 << 20
    inputs: int = 256
    expired_leases: int = 500
    snapshot_entries: int = 10_000
    snapshot_bytes: int = 64 << 20
    catch_up_entries: int = 1_000
    catch_up_bytes: int = 16 << 20


TIMING = Timing()
LIMITS = Limits()
