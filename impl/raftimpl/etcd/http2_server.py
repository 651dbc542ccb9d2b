"""HTTP/2 on a connection: streams, flow control, and what the protocol asks of a server.

What the streams are about is told by an exchange, which is made for each by its headers. All that is written while
one batch of bytes is worked on, and whatever tasks write until the loop comes round, leaves in one piece.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from raftimpl.etcd import http2_frames as h2
from raftimpl.etcd.header_blocks import Header, HeaderDecoder, HeaderError, MalformedRequestError, request_fields
from raftimpl.etcd.http2_frames import ConnectionFailure, ErrorCode, Setting
from raftimpl.etcd.http2_stream import Block, Exchange, ExchangeFactory, Stream

STREAM_WINDOW = 5 * 1024 * 1024
"""How much a client may send on a stream before anything is taken: more than any message or body may have."""

CONNECTION_WINDOW = 64 * 1024 * 1024

MAX_STREAMS = 10_000
"""How many streams a connection may have open."""

MAX_BLOCK_BYTES = 64 * 1024

MOST_BYTES_OUT = 256 * 1024
"""How much is gathered before it is sent; only then the transport tells whether the client takes it."""

MOST_BYTES_WAITING = 16 * 1024 * 1024
"""How much of answers may wait for a client that does not take them before no more answers are made for it."""

OUR_SETTINGS = {
    Setting.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
    Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    Setting.MAX_HEADER_LIST_SIZE: MAX_BLOCK_BYTES,
}


class Http2Connection(asyncio.Protocol):
    """A connection whose first bytes were those of HTTP/2."""

    def __init__(self, accept: ExchangeFactory, open_connections: "set[Http2Connection]") -> None:
        self._accept = accept
        self._open = open_connections
        self._decoder = HeaderDecoder()
        self._received = b""
        self._has_preface = False
        self._streams: dict[int, Stream] = {}
        self._blocked: dict[Stream, None] = {}
        self._last_stream = 0
        self._block: tuple[int, int, bytearray] | None = None
        self._unacknowledged = 0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._is_going_away = False
        self._initial_window = self._next_initial_window = h2.DEFAULT_WINDOW
        self._unacknowledged_settings = 0
        self.window = h2.DEFAULT_WINDOW
        self.frame_bytes = self._next_frame_bytes = h2.FRAME_BYTES
        self.is_paused = False
        self._bytes_waiting = 0
        self.large_answer = asyncio.Lock()
        self._has_room = asyncio.Event()
        self._has_room.set()

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: tell the client what it may do."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._open.add(self)
        self.write(h2.settings(OUR_SETTINGS) + h2.window_update(0, CONNECTION_WINDOW - h2.DEFAULT_WINDOW))

    def connection_lost(self, _: Exception | None) -> None:
        """End all exchanges."""
        self._open.discard(self)
        for stream in list(self._streams.values()):
            self._reset(stream)

    def pause_writing(self) -> None:
        """The client takes nothing: send nothing, and ask for nothing more, until it does."""
        self.is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.is_paused = False
        self._transport.resume_reading()
        self._pump_blocked()

    def write(self, data: bytes) -> None:
        """Send bytes, together with all others of this turn of the loop."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > MOST_BYTES_OUT:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._out)
        self._out.clear()
        self._out_bytes = 0
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Work on all frames that are complete."""
        self._received = self._received + data if self._received else data
        try:
            if not self._has_preface:
                self._take_preface()
            self._take_frames()
            self._apply_settings()
        except ConnectionFailure as failure:
            self.shut_down(failure.code, failure.reason)
        except HeaderError as error:
            self.shut_down(ErrorCode.COMPRESSION_ERROR, str(error))

    def shut_down(self, code: ErrorCode, reason: str = "") -> None:
        """End the connection now; tell the client why."""
        self.write(h2.go_away(self._last_stream, code, reason))
        self._flush_and_close()

    def _flush_and_close(self) -> None:
        self._flush()
        self._transport.close()

    def stop(self) -> None:
        """Take no new streams; close when those that are open have ended."""
        self._is_going_away = True
        self.write(h2.go_away(self._last_stream, ErrorCode.NO_ERROR))
        for stream in list(self._streams.values()):
            cast("Exchange", stream.exchange).stop()
        if not self._streams:
            self._flush_and_close()

    def close(self) -> None:
        """Close now."""
        self._transport.close()

    # Frames

    def _take_preface(self) -> None:
        if not self._received.startswith(h2.PREFACE):
            raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, "not HTTP/2")
        self._received = self._received[len(h2.PREFACE) :]
        self._has_preface = True

    def _take_frames(self) -> None:
        received, position = self._received, 0
        unpack, end = h2.HEAD.unpack_from, len(received)
        while position + h2.HEAD_BYTES <= end and not self._transport.is_closing():
            high, low, kind, flags, stream = unpack(received, position)
            size = high << 16 | low
            if size > h2.FRAME_BYTES:
                raise ConnectionFailure(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            start = position + h2.HEAD_BYTES
            if start + size > end:
                break
            position = start + size
            if self._block is not None and kind != h2.CONTINUATION:
                raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, "headers are not continued")
            handler = HANDLERS.get(kind)
            if handler is not None:
                stream &= h2.GREATEST_WINDOW
                if (stream == 0) is not (kind in h2.ABOUT_THE_CONNECTION) and kind != h2.WINDOW_UPDATE:
                    raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, f"a frame of type {kind} on stream {stream}")
                handler(self, flags, stream, received[start:position])
        self._received = received[position:]

    def _on_data(self, flags: int, id: int, payload: bytes) -> None:
        self._acknowledge(len(payload))
        stream = self._streams.get(id)
        if stream is None or stream.is_client_done:
            self._require_begun(id)
            self.write(h2.reset(id, ErrorCode.STREAM_CLOSED))
            return
        stream.to_come -= len(payload)
        if stream.to_come < 0:
            self._fail(stream, ErrorCode.FLOW_CONTROL_ERROR)
            return
        exchange = cast("Exchange", stream.exchange)
        data = h2.unpadded(flags, payload) if flags & h2.PADDED else payload
        if len(data) < len(payload):
            stream.taken(len(payload) - len(data))
        if data:
            exchange.receive(data)
        if flags & h2.END_STREAM:
            self._finish(stream)

    def _require_begun(self, id: int) -> None:
        if id > self._last_stream:
            raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, f"stream {id} has not begun")

    def _acknowledge(self, size: int) -> None:
        """Let the client send on, at half of the window, so that it is never exceeded.

        What a stream has not taken counts for the window of the stream alone; else many that are not complete could
        stop each other.
        """
        self._unacknowledged += size
        if self._unacknowledged > CONNECTION_WINDOW // 2:
            self.write(h2.window_update(0, self._unacknowledged))
            self._unacknowledged = 0

    def _on_headers(self, flags: int, id: int, payload: bytes) -> None:
        if flags & (h2.PADDED | h2.WITH_PRIORITY):
            payload = h2.unpadded(flags, payload)
        if flags & h2.END_HEADERS:
            self._take_headers(flags, id, payload)
        else:
            self._block = (flags, id, bytearray(payload))

    def _on_continuation(self, flags: int, id: int, payload: bytes) -> None:
        if self._block is None or self._block[1] != id or not payload:
            raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, "a continuation of nothing, or with nothing")
        begun, _, block = self._block
        block += payload
        if len(block) > MAX_BLOCK_BYTES:
            raise ConnectionFailure(ErrorCode.ENHANCE_YOUR_CALM, f"headers of more than {MAX_BLOCK_BYTES} bytes")
        if flags & h2.END_HEADERS:
            self._block = None
            self._take_headers(begun, id, bytes(block))

    def _take_headers(self, flags: int, id: int, block: bytes) -> None:
        headers = self._decoder.decode(block)
        stream = self._streams.get(id)
        if stream is None and id > self._last_stream and id % 2:
            self._last_stream = id
            if self._is_going_away or len(self._streams) >= MAX_STREAMS:
                self.write(h2.reset(id, ErrorCode.REFUSED_STREAM))
                return
            self._begin(flags, id, headers)
            return
        if stream is None and (id > self._last_stream or not id % 2):
            raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, f"no client begins stream {id}")
        if stream is not None and (stream.is_client_done or not flags & h2.END_STREAM):
            raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, f"headers amid stream {id}")
        if stream is None:
            raise ConnectionFailure(ErrorCode.STREAM_CLOSED, f"headers for stream {id}, which has ended")
        self._finish(stream)

    def _begin(self, flags: int, id: int, headers: Sequence[Header]) -> None:
        try:
            fields = request_fields(headers)
        except MalformedRequestError:
            self.write(h2.reset(id, ErrorCode.PROTOCOL_ERROR))
            return
        self._streams[id] = stream = Stream(self, id, self._initial_window, STREAM_WINDOW)
        stream.is_client_done = bool(flags & h2.END_STREAM)
        stream.exchange = self._accept(stream, fields)
        if stream.is_client_done:
            stream.exchange.finish()

    def _finish(self, stream: Stream) -> None:
        stream.is_client_done = True
        cast("Exchange", stream.exchange).finish()

    def _on_reset(self, _: int, id: int, payload: bytes) -> None:
        self._require_begun(id)
        require_size(payload, 4)
        stream = self._streams.get(id)
        if stream is not None:
            self._reset(stream)

    def _reset(self, stream: Stream) -> None:
        self.forget(stream)
        if stream.exchange is not None:
            stream.exchange.reset()

    def _on_priority(self, _: int, id: int, payload: bytes) -> None:
        require_size(payload, 5)
        if int.from_bytes(payload[:4], "big") & h2.GREATEST_WINDOW == id:
            self.write(h2.reset(id, ErrorCode.PROTOCOL_ERROR))

    def _on_settings(self, flags: int, _: int, payload: bytes) -> None:
        if len(payload) % 6 or (flags & h2.ACK and payload):
            raise ConnectionFailure(ErrorCode.FRAME_SIZE_ERROR, "settings that are none")
        if flags & h2.ACK:
            return
        self._unacknowledged_settings += 1
        for start in range(0, len(payload), 6):
            name = int.from_bytes(payload[start : start + 2], "big")
            value = int.from_bytes(payload[start + 2 : start + 6], "big")
            setting = h2.setting_of(name, value)
            if setting is Setting.INITIAL_WINDOW_SIZE:
                self._next_initial_window = value
            elif setting is Setting.MAX_FRAME_SIZE:
                self._next_frame_bytes = value

    def _apply_settings(self) -> None:
        """Do as the last settings of a batch of bytes say, and acknowledge all: windows change once, not with each."""
        self.frame_bytes = self._next_frame_bytes
        more = self._next_initial_window - self._initial_window
        if more:
            self._initial_window += more
            for stream in self._streams.values():
                stream.window += more
                if stream.window > h2.GREATEST_WINDOW:
                    raise ConnectionFailure(ErrorCode.FLOW_CONTROL_ERROR, "a window that is too large")
        if self._unacknowledged_settings:
            self.write(h2.frame(h2.SETTINGS, h2.ACK, 0) * self._unacknowledged_settings)
            self._unacknowledged_settings = 0
        if more > 0:
            self._pump_blocked()

    def _on_ping(self, flags: int, _: int, payload: bytes) -> None:
        require_size(payload, 8)
        if not flags & h2.ACK:
            self.write(h2.frame(h2.PING, h2.ACK, 0, payload))

    def _on_window_update(self, _: int, id: int, payload: bytes) -> None:
        require_size(payload, 4)
        self._require_begun(id)
        more = int.from_bytes(payload, "big") & h2.GREATEST_WINDOW
        if id == 0:
            self._widen(more)
        elif (stream := self._streams.get(id)) is not None:
            stream.window += more
            if more == 0 or stream.window > h2.GREATEST_WINDOW:
                self._fail(stream, ErrorCode.FLOW_CONTROL_ERROR if more else ErrorCode.PROTOCOL_ERROR)
            else:
                self.pump(stream)

    def _widen(self, more: int) -> None:
        self.window += more
        if more == 0 or self.window > h2.GREATEST_WINDOW:
            code = ErrorCode.FLOW_CONTROL_ERROR if more else ErrorCode.PROTOCOL_ERROR
            raise ConnectionFailure(code, f"a window of {self.window}, {more} more than before")
        self._pump_blocked()

    def _fail(self, stream: Stream, code: ErrorCode) -> None:
        self.write(h2.reset(stream.id, code))
        self._reset(stream)

    def _on_go_away(self, *_: object) -> None:
        """The client begins no more streams; it closes when it has its answers."""

    def _on_push_promise(self, *_: object) -> None:
        raise ConnectionFailure(ErrorCode.PROTOCOL_ERROR, "a client that pushes")

    # Sending

    def count_waiting(self, more: int) -> None:
        """Note that so many more bytes of answers wait to be sent; calls go on at half of what may wait."""
        self._bytes_waiting += more
        if self._bytes_waiting > MOST_BYTES_WAITING:
            self._has_room.clear()
        elif self._bytes_waiting <= MOST_BYTES_WAITING // 2:
            self._has_room.set()

    async def room(self) -> None:
        """Return when another answer may be made. Frames are still taken meanwhile: they tell what may be sent."""
        while not self._has_room.is_set():
            await self._has_room.wait()

    def pump(self, stream: Stream) -> None:
        """Send what waits on a stream, as far as the windows allow."""
        pending = stream.pending
        while pending:
            first = pending[0]
            if isinstance(first, Block):
                pending.popleft()
                self._end(stream, first.trailers)
                return
            size = min(len(first), stream.window, self.window, self.frame_bytes)
            if (size <= 0 and first) or self.is_paused:
                self._blocked[stream] = None
                return
            self.write(h2.frame(h2.DATA, 0, stream.id, first[:size]))
            stream.window -= size
            self.window -= size
            self.count_waiting(-size)
            if size < len(first):
                pending[0] = first[size:]
            else:
                pending.popleft()
        self._blocked.pop(stream, None)
        if stream.room is not None and not stream.room.done():
            stream.room.set_result(None)

    def _pump_blocked(self) -> None:
        for stream in list(self._blocked):
            self.pump(stream)

    def _end(self, stream: Stream, trailers: bytes | None) -> None:
        if trailers is None:
            self.write(h2.frame(h2.DATA, h2.END_STREAM, stream.id))
        else:
            self.write(h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream.id, trailers))
        self.close_stream(stream)

    def close_stream(self, stream: Stream) -> None:
        """Forget a stream whose answer is complete; what the client still sends of it is not wanted."""
        if stream.id in self._streams:
            self.forget(stream)
            if not stream.is_client_done:
                self.write(h2.reset(stream.id, ErrorCode.NO_ERROR))
            if self._is_going_away and not self._streams:
                self._loop.call_soon(self._flush_and_close)

    def forget(self, stream: Stream) -> None:
        """Have nothing to do with a stream any more."""
        self._streams.pop(stream.id, None)
        self._blocked.pop(stream, None)
        self.count_waiting(-sum(len(piece) for piece in stream.pending if isinstance(piece, memoryview)))
        stream.pending.clear()
        if stream.room is not None and not stream.room.done():
            stream.room.cancel()


HANDLERS: dict[int, Callable[[Http2Connection, int, int, bytes], None]] = {
    h2.DATA: Http2Connection._on_data,
    h2.HEADERS: Http2Connection._on_headers,
    h2.PRIORITY: Http2Connection._on_priority,
    h2.RST_STREAM: Http2Connection._on_reset,
    h2.SETTINGS: Http2Connection._on_settings,
    h2.PUSH_PROMISE: Http2Connection._on_push_promise,
    h2.PING: Http2Connection._on_ping,
    h2.GOAWAY: Http2Connection._on_go_away,
    h2.WINDOW_UPDATE: Http2Connection._on_window_update,
    h2.CONTINUATION: Http2Connection._on_continuation,
}


def require_size(payload: bytes, size: int) -> None:
    """Raise ConnectionFailure for a frame that does not have the size of its kind."""
    if len(payload) != size:
        raise ConnectionFailure(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {len(payload)} bytes instead of {size}")
