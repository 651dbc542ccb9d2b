"""Files for TLS that do not do: what a server says about them when it starts."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from raftcheck.cli.main import main
from raftimpl.running import tls
from raftimpl.running.configuration import Configuration, configuration_of, options_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make certificates of two servers, the second one's out of date, and files that are none."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def make(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    make("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=ca")
    for name, days in (("server", "2"), ("old", "-1")):
        make("req", *ec, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        make("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", days, "-out", f"{name}.crt")  # fmt: skip
    make("ec", "-aes256", "-passout", "pass:secret", "-in", "server.key", "-out", "locked.key")
    (folder / "empty").touch()
    (folder / "text").write_text("nothing of the kind\n")
    return folder


BAD_FILES: list[tuple[str, str, str, str, str]] = [
    ("", "server.crt", "old.key", "", "--key-file {}/old.key: it is not the key of the certificate in --cert-file {}/"),
    ("", "server.crt", "locked.key", "", "--key-file {}/locked.key: it cannot be the key of --cert-file {}/server.crt"),
    ("", "server.crt", "text", "", "--key-file {}/text: it cannot be the key of --cert-file {}/server.crt"),
    ("", "empty", "server.key", "", "--cert-file {}/empty: it holds no certificates in PEM"),
    ("", "server.crt", "server.key", "text", "--trusted-ca-file {}/text: it holds no certificates"),
    ("peer-", "server.crt", "old.key", "", "--peer-key-file {}/old.key: it is not the key of the certificate"),
    ("peer-", "text", "server.key", "", "--peer-cert-file {}/text: it holds no certificates in PEM"),
    ("peer-", "server.crt", "server.key", "empty", "--peer-trusted-ca-file {}/empty: it holds no certificates"),
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "cert", "key", "trusted_ca", "text"), BAD_FILES)
def test_files_that_do_not_fit_are_named(
    folder: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    prefix: str,
    cert: str,
    key: str,
    trusted_ca: str,
    text: str,
) -> None:
    whose = "peer" if prefix else "client"
    arguments = ["--data-dir", str(tmp_path / "data"), f"--listen-{whose}-urls", "https://127.0.0.1:1"]
    for option, name in (("cert", cert), ("key", key), ("trusted-ca", trusted_ca)):
        arguments += [f"--{prefix}{option}-file", str(folder / name)] if name else []
    assert main(["serve", *arguments]) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert json.loads(line)["msg"].startswith(text.format(folder, folder))
    assert not (tmp_path / "data").exists()


def test_a_file_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(tls.ConfigurationError, match=f"--peer-cert-file {folder}/server.crt: Permission denied"):
        tls.require_usable(configured(folder, "server"))


def test_a_certificate_that_has_expired_is_a_warning(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cert, key = str(folder / "old.crt"), str(folder / "old.key")
    tls_options = ["--cert-file", cert, "--key-file", key, "--listen-client-urls", "https://127.0.0.1:1"]
    assert main(["serve", *tls_options, "--data-dir", "/proc/x"]) == 2
    warning, error = map(json.loads, capfd.readouterr().err.splitlines())
    assert warning["level"] == "warning"
    assert warning["msg"] == (f"--cert-file {cert}: the certificate has expired: whoever verifies it will not connect")
    assert "/proc/x" in error["msg"]
    assert list(tls.warnings(configured(folder, "server"))) == []


def configured(folder: Path, name: str) -> Configuration:
    """Return what a server is to do that has this certificate for the others."""
    cert, key = str(folder / f"{name}.crt"), str(folder / f"{name}.key")
    given = {"peer-cert-file": cert, "peer-key-file": key, "listen-peer-urls": "https://127.0.0.1:1"}
    return configuration_of(options_of(given, "the options"))
