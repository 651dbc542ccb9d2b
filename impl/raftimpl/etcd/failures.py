"""What to do when something goes wrong: tell the operator, and go on."""

import asyncio
from time import monotonic
from typing import Any

import structlog

logger = structlog.get_logger()

WARNING_INTERVAL = 1.0
"""Seconds between two warnings of one kind, at least."""


def report(error: BaseException) -> None:
    """Hand an exception that should not have been to the loop's handler, which logs it with its traceback."""
    asyncio.get_running_loop().call_exception_handler({"message": "a request made the server fail", "exception": error})


def report_failure(task: "asyncio.Task[None]") -> None:
    """Report how a task has failed that was to go on; for its `add_done_callback`."""
    if not task.cancelled() and (error := task.exception()) is not None:
        report(error)


class SeldomWarning:
    """A warning that clients can cause as often as they like: it is logged once a second, with how many were not."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._due = 0.0
        self._untold = 0

    def __call__(self, **fields: Any) -> None:
        """Log the warning, or count it."""
        if monotonic() < self._due:
            self._untold += 1
            return
        logger.warning(self._event, **fields, untold=self._untold)
        self._due, self._untold = monotonic() + WARNING_INTERVAL, 0
