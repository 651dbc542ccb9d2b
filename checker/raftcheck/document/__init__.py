"""The specification written down: as text, as Markdown, as a TLA+ module."""

from raftcheck.document.text import formula_text

__all__ = ["formula_text"]
