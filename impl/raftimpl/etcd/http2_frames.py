"""The frames of HTTP/2 (RFC 9113): their numbers, and how they are put together."""

import enum
import struct
from collections.abc import Mapping

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""The first bytes of every connection (section 3.4)."""

HEAD = struct.Struct(">BHBBI")
"""The head of a frame: length (8 and 16 bits), type, flags, stream."""

HEAD_BYTES = 9

FRAME_BYTES = 16384
"""How large a frame may be that is sent to us: the default, which we do not change."""

DEFAULT_WINDOW = 65535
GREATEST_WINDOW = 2**31 - 1

DATA = 0
HEADERS = 1
PRIORITY = 2
RST_STREAM = 3
SETTINGS = 4
PUSH_PROMISE = 5
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8
CONTINUATION = 9

ABOUT_THE_CONNECTION = {SETTINGS, PING, GOAWAY}
"""Frames that are on stream 0; an update of a window may be there, all others may not."""

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20


class Setting(enum.IntEnum):
    """What the two sides tell each other at the beginning (section 6.5.2)."""

    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ErrorCode(enum.IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionFailure(Exception):  # noqa: N818  # an error in HTTP/2's words is a code
    """The client broke the protocol, and the connection ends with this code."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    """Return a frame."""
    length = len(payload)
    return HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream) + payload


def settings(values: Mapping[Setting, int]) -> bytes:
    """Return a frame that tells settings."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in values.items()))


def window_update(stream: int, more: int) -> bytes:
    """Return a frame that allows the client to send so many bytes more."""
    return frame(WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))


def reset(stream: int, code: ErrorCode) -> bytes:
    """Return a frame that ends a stream."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def go_away(last_stream: int, code: ErrorCode, reason: str = "") -> bytes:
    """Return a frame that ends the connection; streams after the last one were not looked at."""
    return frame(GOAWAY, 0, 0, last_stream.to_bytes(4, "big") + code.to_bytes(4, "big") + reason.encode())


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return what a frame has beside padding and priority. Raises ConnectionFailure."""
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise ConnectionFailure(ErrorCode.FRAME_SIZE_ERROR, "no length of padding")
        start, end = 1, end - payload[0]
    if flags & WITH_PRIORITY:
        start += 5
    if start > end:
        raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, "more padding than frame")
    return payload[start:end]


def setting_of(name: int, value: int) -> Setting | None:
    """Return which setting it is, if we know it. Raises ConnectionFailure for a value that it cannot have."""
    limits = LIMITS.get(name)
    if limits is None:
        return None
    least, greatest, code = limits
    if not least <= value <= greatest:
        raise ConnectionFailure(code, f"{value} for {Setting(name).name}")
    return Setting(name)


LIMITS: dict[int, tuple[int, int, ErrorCode]] = {
    Setting.ENABLE_PUSH: (0, 1, ErrorCode.PROTOCOL_ERROR),
    Setting.INITIAL_WINDOW_SIZE: (0, GREATEST_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    Setting.MAX_FRAME_SIZE: (FRAME_BYTES, 2**24 - 1, ErrorCode.PROTOCOL_ERROR),
}
"""The least and the greatest value of a setting, and what is wrong with another."""
