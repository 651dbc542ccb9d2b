"""What to do with an exception that should not have been: tell the operator, and go on."""

import asyncio


def report(error: BaseException) -> None:
    """Hand an exception to the loop's handler, which logs it with its traceback."""
    asyncio.get_running_loop().call_exception_handler({"message": "a request made the server fail", "exception": error})


def report_failure(task: "asyncio.Task[None]") -> None:
    """Report how a task has failed that was to go on; for its `add_done_callback`."""
    if not task.cancelled() and (error := task.exception()) is not None:
        report(error)
