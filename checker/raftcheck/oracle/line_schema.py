"""The JSON Schema of formats whose files are lines."""

from inspect import cleandoc
from typing import Any

import msgspec


def line_schema(title: str, *kinds: type) -> dict[str, Any]:
    """Return the JSON Schema of a line that is of one of these kinds."""
    references, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "anyOf": list(references),
        "$defs": {name: with_clean_description(definition) for name, definition in definitions.items()},
    }


def with_clean_description(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition whose description, a docstring, is not indented: msgspec's versions differ in that."""
    if "description" not in definition:
        return definition
    return {**definition, "description": cleandoc(definition["description"])}
