"""The modules of a running server, which need the extra `server`."""

from importlib import import_module
from types import SimpleNamespace

from raftcheck.model import ModelError

MODULES = ("configuration", "logs", "ports", "server")


def server_modules() -> SimpleNamespace:
    """Return the modules of `raftimpl.running` by their names. Raises ModelError if what they need is not installed."""
    try:
        return SimpleNamespace(**{name: import_module(f"raftimpl.running.{name}") for name in MODULES})
    except ModuleNotFoundError as error:
        if str(error.name).startswith("raft"):
            raise
        raise ModelError(
            f"a running server needs {error.name}, which is not installed: pip install 'raftproof[server]'"
        ) from error
