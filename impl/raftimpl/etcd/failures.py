"""What to do with an exception that should not have been: tell the operator, and go on."""

import asyncio


def report(error: BaseException) -> None:
    """Hand an exception to the loop's handler, which logs it with its traceback."""
    asyncio.get_running_loop().call_exception_handler({"message": "a request made the server fail", "exception": error})
