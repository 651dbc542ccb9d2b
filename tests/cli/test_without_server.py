"""The program where the extra `server` is not installed."""

import subprocess
import sys

import pytest

from raftcheck.cli.main import COMMANDS
from raftcheck.version import __version__

PROGRAM = """
import sys

EXTRA = {"sortedcontainers", "h11", "hpack", "structlog", "prometheus_client", "google", "yaml"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in EXTRA:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from raftcheck.cli.main import main
code = main(sys.argv[1:])
print(*sorted(name.removeprefix("raftcheck.cli.") for name in sys.modules if name.startswith("raftcheck.cli.")))
sys.exit(code)
"""
"""Runs a command without what the extra installs, then tells which modules of the command line were loaded."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)


def test_help_lists_all_commands() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "check"], ["--version", "torture"]])
def test_the_version_loads_no_command(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    version, loaded = done.stdout.splitlines()
    assert version == f"raftproof {__version__}"
    assert loaded.split() == ["exits", "main"]


def test_a_mistyped_command_is_one_line() -> None:
    done = run("chekc")
    assert done.returncode == 2
    assert done.stderr.startswith("raftproof: No such command 'chekc'.")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["torture"], ["torture", "--simulated"], ["serve"], ["cluster"]])
def test_what_needs_the_extra_says_how_to_install_it(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("raftproof: a running server needs ")
    assert done.stderr.endswith(", which is not installed: pip install 'raftproof[server]'\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["torture", "--help"], ["serve", "--help"], ["cluster", "--help"]])
def test_help_of_a_command_needs_no_extra(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: raftproof {arguments[0]} ")


def test_a_command_is_loaded_alone() -> None:
    done = run("spec")
    assert done.returncode == 0
    loaded = done.stdout.splitlines()[-1].split()
    assert "spec" in loaded
    assert not set(COMMANDS) & set(loaded) - {"spec"}
