"""The certificate: for each obligation the strategy and the hypotheses with which Z3 proves it at once.

It makes the proof quick and proves nothing by itself: every obligation is put to Z3 each time. What it does not know,
or what has changed since, is searched for anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import z3

from raftcheck.model import ModelError
from raftcheck.prove.safety.portfolio import Found

SCHEMA = "raftproof-certificate/1"

BUILT_IN = Path(__file__).with_name("certificate.json")
"""The certificate of the specification as it is."""

Certificate = Mapping[str, Found]
"""What is known, by the obligation's key."""

NOTHING_KNOWN: Certificate = {}


class Document(msgspec.Struct):
    """A certificate as it is written."""

    schema: str
    solver: str
    proofs: dict[str, Found]


def load(path: Path = BUILT_IN) -> Certificate:
    """Read a certificate. Raises ModelError if there is none."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except OSError as error:
        raise ModelError(f"cannot read the certificate {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path} is no certificate of a proof: {error}") from error
    if document.schema != SCHEMA:
        raise ModelError(f"{path} has schema {document.schema!r}, not {SCHEMA!r}")
    return document.proofs


def document_of(certificate: Certificate) -> dict[str, Any]:
    """Return a certificate as plain JSON values."""
    return {
        "schema": SCHEMA,
        "solver": f"Z3 {z3.get_version_string()}",
        "proofs": {key: list(found) for key, found in certificate.items()},
    }
