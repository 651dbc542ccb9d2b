import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="give slow tests all their cases and time, not a part")
    parser.addoption("--rewrite", action="store_true", help="write the outputs of the scenario files anew")


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether slow tests should take their time."""
    return bool(request.config.getoption("--thorough"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
