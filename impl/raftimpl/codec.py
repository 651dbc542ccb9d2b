"""Messages and durable state as bytes, for the network and the disk (MessagePack)."""

from typing import TypeVar

import msgspec

from raftimpl.errors import MalformedInputError
from raftimpl.messages import Message
from raftimpl.state import DurableState

T = TypeVar("T")

ENCODER = msgspec.msgpack.Encoder()
MESSAGE_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
DURABLE_DECODER: msgspec.msgpack.Decoder[DurableState] = msgspec.msgpack.Decoder(DurableState)


def encode_message(message: Message) -> bytes:
    """Return a message as bytes."""
    return ENCODER.encode(message)


def decode_message(encoded: bytes) -> Message:
    """Return the message. Raises MalformedInputError, saying what is wrong, for bytes that are none."""
    return _decode(MESSAGE_DECODER, encoded, "message")


def encode_durable(disk: DurableState) -> bytes:
    """Return a durable state as bytes."""
    return ENCODER.encode(disk)


def decode_durable(encoded: bytes) -> DurableState:
    """Return the durable state. Raises MalformedInputError, saying what is wrong, for bytes that are none."""
    return _decode(DURABLE_DECODER, encoded, "durable state")


def _decode(decoder: msgspec.msgpack.Decoder[T], encoded: bytes, what: str) -> T:
    try:
        return decoder.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInputError(f"not a {what}: {error}") from error
