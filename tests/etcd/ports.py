"""Ports for programs that cannot choose one themselves."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on at the moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
