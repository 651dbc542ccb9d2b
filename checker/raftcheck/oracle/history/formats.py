"""The formats of histories: one table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from raftcheck.model import ModelError
from raftcheck.oracle.history.edn_history import Foreign, read_edn_history
from raftcheck.oracle.history.etcd import Etcd
from raftcheck.oracle.history.events import Event, History, Pairing
from raftcheck.oracle.history.jepsen_log import read_jepsen_log
from raftcheck.oracle.history.json_history import JsonHeader, read_json_history
from raftcheck.oracle.history.models import KeyValue, Model, Register
from raftcheck.oracle.history.porcupine_log import read_porcupine_log
from raftcheck.oracle.lines import Lines, open_lines


@dataclass(frozen=True)
class Format:
    """A format: what it is, how it is read, and the model that fits if none is named."""

    title: str
    read: Callable[[Lines], Iterator[Event | Foreign | JsonHeader]]
    model: str


FORMATS: dict[str, Format] = {
    "jepsen": Format("a register log as Jepsen printed it", read_jepsen_log, "register"),
    "porcupine": Format("a key-value log of Porcupine's test data", read_porcupine_log, "keyvalue"),
    "edn": Format("a history of Jepsen or Knossos", read_edn_history, "register"),
    "json": Format("lines of JSON, see docs/histories.md", read_json_history, "etcd"),
}

MODELS: dict[str, Callable[[str], Model]] = {
    "register": lambda form: Register(),
    "keyvalue": lambda form: KeyValue("" if form == "porcupine" else None),
    "etcd": lambda form: Etcd(),
}
"""The models by name; what one of them is may depend on the format."""


def model_named(name: str | None, form: str | None) -> Model:
    """Return a model. Raises ModelError for a name that no model has."""
    chosen = name or (FORMATS[form].model if form in FORMATS else None)
    if chosen not in MODELS:
        raise ModelError(f"there is no model {chosen!r}; there are {', '.join(MODELS)}")
    return MODELS[chosen](form or "")


def require_format(form: str | None) -> None:
    """Raise ModelError for a format that does not exist."""
    if form not in FORMATS:
        raise ModelError(f"there is no format {form!r}; there are {', '.join(FORMATS)}")


def read_history(name: str, form: str) -> History:
    """Read a file, or stdin for "-". Raises UnreadableError for a file that is no history, ModelError for a format."""
    require_format(form)
    with open_lines(name) as lines:
        pairing = Pairing(History(lines.name))
        for event in FORMATS[form].read(lines):
            if isinstance(event, Event):
                pairing.add(event)
            elif isinstance(event, Foreign):
                note = f"events of {event.process}, which is no client"
                pairing.history.notes[note] = pairing.history.notes.get(note, 0) + 1
            else:
                pairing.history.initial = event.initial
        return pairing.finish()
