"""Where clients that others have written find a server: this project's, and real etcd, on which the same must pass.

Of a cluster, they speak to a server that does not lead.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.differential import systems

SYSTEMS: dict[str, Callable[[Path], AbstractContextManager[systems.System]]] = {
    "etcd": partial(systems.etcd, 1),
    "store": systems.local,
    "cluster": partial(systems.raftproof, 3),
}


class Place(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


@pytest.fixture(scope="module", params=SYSTEMS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if request.param == "etcd" and (reason := systems.missing("etcd")):
        pytest.skip(reason)
    with SYSTEMS[request.param](tmp_path_factory.mktemp("server")) as system:
        host, _, port = system.members[-1].client.partition(":")
        yield Place(host, int(port))
