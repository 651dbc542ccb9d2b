"""HPACK, the compression of headers in HTTP/2 (RFC 7541): decoding what clients send, and writing plain answers.

The library `hpack` has the static table and the Huffman code. Its decoder takes tens of microseconds for a request's
headers; nearly all of these are references to a table, which this one looks up.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

Header = tuple[bytes, bytes]

STATIC: tuple[Header, ...] = tuple(HeaderTable.STATIC_TABLE)

ENTRY_OVERHEAD = 32
"""What an entry of the table counts beside its bytes (section 4.1)."""

TABLE_SIZE = 4096
"""How large the table may become; the default of HTTP/2, which we do not change."""

MAX_HEADERS_BYTES = 256 * 1024
"""How much a block may unfold to."""

LONGEST_INTEGER = 5
"""How many bytes an integer may go on for; no length or index needs more."""


class HeaderError(ValueError):
    """A block that cannot be decoded; the connection cannot go on."""


class MalformedRequestError(ValueError):
    """Headers that no request may have; the stream ends, the connection goes on."""


class HeaderDecoder:
    """Decodes the blocks of one connection, in their order."""

    def __init__(self) -> None:
        self._entries: deque[Header] = deque()
        self._size = 0
        self._limit = TABLE_SIZE

    def decode(self, block: bytes) -> list[Header]:
        """Return the headers of a block. Raises HeaderError."""
        headers: list[Header] = []
        total, position, end = 0, 0, len(block)
        while position < end:
            byte = block[position]
            if byte >= 0x80:
                index, position = self._integer(block, position, 0x7F)
                header = self._entry(index)
            elif byte & 0xE0 == 0x20:
                size, position = self._integer(block, position, 0x1F)
                self._resize(size, allowed=not headers)
                continue
            else:
                is_kept = byte >= 0x40
                header, position = self._literal(block, position, 0x3F if is_kept else 0x0F)
                if is_kept:
                    self._keep(header)
            headers.append(header)
            total += len(header[0]) + len(header[1]) + ENTRY_OVERHEAD
            if total > MAX_HEADERS_BYTES:
                raise HeaderError(f"headers of more than {MAX_HEADERS_BYTES} bytes")
        return headers

    def _entry(self, index: int) -> Header:
        if 0 < index <= len(STATIC):
            return STATIC[index - 1]
        if len(STATIC) < index <= len(STATIC) + len(self._entries):
            return self._entries[index - len(STATIC) - 1]
        raise HeaderError(f"no entry {index} in the table")

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[Header, int]:
        index, position = self._integer(block, position, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = self._string(block, position)
        value, position = self._string(block, position)
        return (name, value), position

    def _string(self, block: bytes, position: int) -> tuple[bytes, int]:
        if position >= len(block):
            raise HeaderError("the block ends before a string")
        is_huffman = block[position] >= 0x80
        length, position = self._integer(block, position, 0x7F)
        text = block[position : position + length]
        if len(text) < length:
            raise HeaderError("the block ends within a string")
        if is_huffman:
            try:
                text = decode_huffman(text)
            except HPACKDecodingError as error:
                raise HeaderError(str(error)) from error
        return text, position + length

    def _integer(self, block: bytes, position: int, mask: int) -> tuple[int, int]:
        """Return an integer and where it ends (section 5.1); its first byte has as many bits as the mask."""
        value = block[position] & mask
        position += 1
        if value < mask:
            return value, position
        for shift in range(0, 7 * LONGEST_INTEGER, 7):
            if position >= len(block):
                raise HeaderError("the block ends within an integer")
            byte = block[position]
            position += 1
            value += (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
        raise HeaderError("an integer that does not end")

    def _keep(self, header: Header) -> None:
        self._entries.appendleft(header)
        self._size += len(header[0]) + len(header[1]) + ENTRY_OVERHEAD
        self._evict()

    def _evict(self) -> None:
        while self._size > self._limit:
            name, value = self._entries.pop()
            self._size -= len(name) + len(value) + ENTRY_OVERHEAD

    def _resize(self, size: int, allowed: bool) -> None:
        if size > TABLE_SIZE or not allowed:
            raise HeaderError("a change of the table's size that is not allowed")
        self._limit = size
        self._evict()


def encode(headers: Iterable[Header]) -> bytes:
    """Return a block of literal headers that touches no table, so that it is the same on every connection."""
    block = bytearray()
    for name, value in headers:
        block += b"\x00" + _length(len(name)) + name + _length(len(value)) + value
    return bytes(block)


def _length(length: int) -> bytes:
    if length < 0x7F:
        return bytes([length])
    encoded = bytearray([0x7F])
    length -= 0x7F
    while length >= 0x80:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


NECESSARY = frozenset((b":method", b":scheme", b":path"))
PSEUDO = NECESSARY | {b":authority"}
"""What stands in the first line of a request of HTTP/1.1 (RFC 9113, section 8.3.1)."""

ABOUT_THE_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))


def request_fields(headers: Sequence[Header]) -> dict[bytes, bytes]:
    """Return the headers of a request by name. Raises MalformedRequestError (RFC 9113, section 8.2 and 8.3)."""
    fields: dict[bytes, bytes] = {}
    is_pseudo = True
    for name, value in headers:
        if name[:1] == b":":
            if not is_pseudo or name not in PSEUDO or name in fields:
                raise MalformedRequestError(f"{name!r} may not be here")
        else:
            is_pseudo = False
            if name in ABOUT_THE_CONNECTION or (name == b"te" and value != b"trailers") or name != name.lower():
                raise MalformedRequestError(f"{name!r} is no header of HTTP/2")
        fields[name] = value
    if not fields.get(b":path") or not fields.keys() >= NECESSARY:
        raise MalformedRequestError("no method, scheme or path")
    return fields
