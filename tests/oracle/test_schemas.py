"""The JSON Schemas that come with the package are those of the records that are read."""

import json

import pytest

from raftcheck.oracle.trace import steps
from tests.conftest import ROOT

SCHEMAS = ROOT / "checker" / "raftcheck" / "oracle" / "schemas"


def test_the_schema_of_traces_is_that_of_the_records(request: pytest.FixtureRequest) -> None:
    written = json.dumps(steps.json_schema(), indent=2) + "\n"
    path = SCHEMAS / "trace.schema.json"
    if request.config.getoption("--rewrite"):
        path.write_text(written, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == written
