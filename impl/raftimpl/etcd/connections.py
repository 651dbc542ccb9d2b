"""All connections of clients."""

from raftimpl.etcd.front import Front
from raftimpl.etcd.http2_server import Http2Connection
from raftimpl.etcd.http_server import HttpConnection


class Connections:
    """The connections that are open, by what they speak; at most `most`. `refused` counts those that were too many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.refused = 0
        self.fresh: set[Front] = set()
        self.http1: set[HttpConnection] = set()
        self.http2: set[Http2Connection] = set()

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self.fresh) + len(self.http1) + len(self.http2)

    def known(self) -> list[HttpConnection | Http2Connection]:
        """Return those of which it is known what they speak."""
        return [*self.http1, *self.http2]
