"""Steps and messages in words."""

import msgspec

from raftcheck.oracle.trace.messages import AppendEntries, Message
from raftcheck.oracle.trace.steps import Step

EVENTS = {
    "start": "{server} starts",
    "timeout": "{server} starts an election",
    "heartbeat": "{server}'s heartbeat time has come",
    "propose": "{server} gets a client's request",
    "receive": "{server} receives {message}",
    "other": "{server} does something by itself",
}


def step_in_words(step: Step) -> str:
    """Return what a server is given."""
    message = message_in_words(step.message) if step.message is not None else ""
    return EVENTS[step.event].format(server=step.server, message=message)


def message_in_words(message: Message) -> str:
    """Return a message with its fields."""
    fields = {name: value for name, value in msgspec.structs.asdict(message).items() if name not in HIDDEN}
    if isinstance(message, AppendEntries):
        fields["entries"] = [entry.term for entry in message.entries]
    told = ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
    return f"{type(message).__name__}({told}) from {message.sender} to {message.to}"


HIDDEN = ("sender", "to", "id")
