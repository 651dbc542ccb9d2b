import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

THOROUGH = bool(os.environ.get("THOROUGH"))
"""Whether slow tests should take their time (make thorough)."""

ROOT = Path(__file__).parent.parent


def cases(many: int, part: int = 2) -> int:
    """Return how many cases a slow test should have: a part of them, if there is little time."""
    return many if THOROUGH else many // part


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the outputs of the scenario files anew")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
