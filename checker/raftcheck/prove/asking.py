"""Asking Z3 so that Ctrl-C works."""

from typing import Any

import z3


def answer_of(solver: Any) -> Any:
    """Return what Z3 says. It takes Ctrl-C for itself; here it becomes the KeyboardInterrupt again that it was."""
    answer = solver.check()
    if answer == z3.unknown and "interrupt" in str(solver.reason_unknown()):
        raise KeyboardInterrupt
    return answer
