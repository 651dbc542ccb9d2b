"""Logs of a server."""

import json
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from raftimpl.running.logs import configure, logger


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_line_is_one_object_with_level_time_and_message_first(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", server="s1")
    logger.debug("not told")
    logger.warning("no connection", peer=2)
    [line] = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert list(found) == ["level", "ts", "msg", "server", "peer"]
    assert (found["level"], found["msg"], found["server"], found["peer"]) == ("warning", "no connection", "s1", 2)


def test_a_log_that_nobody_can_read_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    configure("info", server="s1")
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    logger.error("told to nobody")
