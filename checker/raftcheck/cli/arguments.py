"""Command-line texts that become values. Each function raises ModelError, naming the text, for what it cannot read."""

import re

from raftcheck.model import ModelError

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def memory(text: str | None) -> int | None:
    """Read an amount of memory, such as 500M or 2G, in bytes."""
    if text is None:
        return None
    read = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if not read:
        raise ModelError(f"--max-memory {text!r} is no amount of memory; write for example 500M or 2G")
    return int(float(read[1]) * UNITS[read[2].upper()])


def candidates(text: str | None) -> dict[int, int]:
    """Read "TERM:SERVER,..." as a mapping."""
    if not text:
        return {}
    pairs = [re.fullmatch(r"\s*(\d{1,3})\s*:\s*(\d{1,3})\s*", part) for part in text.split(",")]
    if not all(pairs):
        raise ModelError(f"--candidates {text!r} is no list of TERM:SERVER; write for example 2:1,3:0")
    chosen = {int(pair[1]): int(pair[2]) for pair in pairs if pair}
    if len(chosen) < len(pairs):
        raise ModelError(f"--candidates {text!r} names a term twice")
    return chosen


def cut(text: str | None) -> tuple[tuple[int, int], ...]:
    """Read "SERVER-SERVER,..." as pairs."""
    if not text:
        return ()
    pairs = [re.fullmatch(r"\s*(\d{1,3})\s*-\s*(\d{1,3})\s*", part) for part in text.split(",")]
    if not all(pairs):
        raise ModelError(f"--cut {text!r} is no list of SERVER-SERVER; write for example 0-1,0-2")
    return tuple((int(pair[1]), int(pair[2])) for pair in pairs if pair)


def weights(text: str) -> tuple[int, ...]:
    """Read "WEIGHT,..." as whole numbers, one a server."""
    parts = text.split(",")
    if not all(re.fullmatch(r"\s*[0-9]{1,9}\s*", part) for part in parts):
        raise ModelError(f"--weights {text!r} is no list of whole numbers; write for example 3,1,1,1")
    return tuple(int(part) for part in parts)
