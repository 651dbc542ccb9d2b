"""What can go wrong in the core."""


class RaftError(Exception):
    """The base of all errors of this package."""


class MalformedInputError(RaftError):
    """An input that no correct peer or driver sends; the state is unchanged. The text says what is wrong."""


class InvariantViolationError(RaftError):
    """Something that Raft excludes has happened: a bug here, a peer that lies, or lost durable state.

    The server must stop: going on could spread the damage.
    """
