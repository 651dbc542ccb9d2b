"""The specification written down: as text, as Markdown, as a TLA+ module."""

from raftcheck.document.markdown import specification_markdown
from raftcheck.document.text import formula_text, specification_text
from raftcheck.document.tla import TlcModel, tla_config, tla_module

__all__ = ["TlcModel", "formula_text", "specification_markdown", "specification_text", "tla_config", "tla_module"]
