"""Structured logs: one JSON object a line, on stderr, with the names that etcd's logs use."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class Stderr:
    """Writes lines to wherever stderr is then. A server goes on when nobody can read its log."""

    def msg(self, line: str) -> None:
        """Write a line, if that is possible."""
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = msg


def configure(level: str, **fields: str) -> None:
    """Write what happens at or above a level (see LEVELS). `fields` stand in every line, the server's name for one."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.EventRenamer("msg"),
            in_order,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: Stderr(),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(**fields)


def in_order(_: object, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a record with what every line has at the front."""
    return {name: record[name] for name in ("level", "ts", "msg", "server") if name in record} | dict(record)


logger = structlog.get_logger()
"""That of this process."""
