"""Counterexamples on disk."""

import re
from pathlib import Path
from typing import Any

from raftcheck.cli.output import json_text, write_file
from raftcheck.explore import Counterexample
from raftcheck.report import Labels, itf_document, mermaid


def save_counterexample(folder: Path, found: Counterexample, document: dict[str, Any], labels: Labels) -> Path:
    """Write NAME.json (to replay), NAME.itf.json and NAME.mmd; return the path of the first.

    NAME is made of the mutant's name, if there is one, and the property's.
    """
    words = [document["mutant"] or "", found.violated]
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    path = folder / f"{name}.json"
    write_file(path, json_text(document))
    write_file(folder / f"{name}.itf.json", json_text(itf_document(found, labels)))
    write_file(folder / f"{name}.mmd", mermaid(found, labels))
    return path
