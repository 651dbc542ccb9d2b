"""What servers say to each other when a connection begins, and the form of what follows."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from raftimpl.errors import RaftError
from raftimpl.messages import Message
from raftimpl.running.ports import DiskError

VERSION = 1

LONGEST_GREETING = 128 << 10
"""Bytes; the marks of a folder are 37 KiB at most."""

FORGETFUL = (
    "{me} has met {sender} with another data folder, or with a later state of this one: what one of the two has"
    " promised since then is forgotten, and acknowledged writes could be lost. Bring its folder back, or leave it off"
)
"""Why a server is refused whose folder is new, or an old copy; or it is the folder of the server which refuses."""

ESTRANGED = "{sender} does not trust the data folder of {me}, so {me} does not listen to {sender}"


class Greeting(msgspec.Struct, frozen=True):
    """What a connection begins with. It is for the snapshot that is named, the lease that is asked about, or messages.

    `marks` are those of the sender's folder (see `raftimpl.running.openings`), `client_urls` is where its clients go.
    """

    version: int
    cluster_id: int
    sender: int
    to: int
    marks: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)]
    client_urls: tuple[str, ...] = ()
    snapshot: bytes | None = None
    lease: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a greeting is answered with: why the connection is refused, "" if it is not.

    `is_distrusted` says that it is because of the folder of the server which has greeted.
    """

    refusal: str = ""
    is_distrusted: bool = False


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """A message and its sender's logical clock."""

    clock: int
    message: Message


class PeerError(RaftError):
    """Another server will not talk to this one, or not in this way. The text says why."""


NO_CONNECTION = (OSError, EOFError, TimeoutError, PeerError, DiskError, msgspec.DecodeError)
"""What is raised when another server cannot be reached, or does not answer as it should."""


ENCODER = msgspec.msgpack.Encoder()
GREETINGS: msgspec.msgpack.Decoder[Greeting] = msgspec.msgpack.Decoder(Greeting)
ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
SECONDS: msgspec.msgpack.Decoder[float | None] = msgspec.msgpack.Decoder(float | None)
ENVELOPES: msgspec.msgpack.Decoder[Envelope] = msgspec.msgpack.Decoder(Envelope)


def name_of(names: Sequence[str], server: int) -> str:
    """Return what a server is called, whatever number a stranger has given."""
    return names[server] if server in range(len(names)) else f"server {server}"


def refusal(encoded: bytes, cluster_id: int, server: int, names: Sequence[str]) -> str:
    """Return why a server does not talk to whoever has greeted so; nothing if it does.

    The server belongs to a cluster and has a number; `names` are those of all servers of the cluster.
    """
    try:
        greeting = GREETINGS.decode(encoded)
    except msgspec.DecodeError:
        return "this is the peer port of a raftproof server; clients have another one"
    if greeting.version != VERSION:
        return f"the peer protocol here has version {VERSION}, there {greeting.version}"
    if greeting.cluster_id != cluster_id:
        return f"this server belongs to cluster {cluster_id:x}, not {greeting.cluster_id:x}"
    if greeting.to != server or greeting.sender == server or greeting.sender not in range(len(names)):
        sender, to = (name_of(names, number) for number in (greeting.sender, greeting.to))
        return f"this is {names[server]}; {sender} looks for {to}"
    return ""
