"""Results travel by DVC: one machine pushes, another pulls, and neither engine trains anything there."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.small_copy import TABLE_05, Clone, commit_all, copy_tree, ran, shorten_training

pytestmark = pytest.mark.slow
BUCKET = "results"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Clone:
    """A clone whose exhibit is drawn and committed."""
    folder = tmp_path_factory.mktemp("first") / "clone"
    copy_tree(folder, ["table_05"])
    clone = Clone(folder, ["dvc", "repro"])
    clone.edit(TABLE_05, "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.5\n")
    clone.edit(TABLE_05, "    - 10.0\n    - 100.0\n", "    - 10.0\n")
    shorten_training(clone)
    commit_all(clone)
    assert ran(clone.reports())["pretrain table_05"] == "2 of 2"
    clone.commit()
    return clone


@pytest.fixture(params=["folder", "s3"])
def remote(request, tmp_path, monkeypatch) -> Iterator[list[list[str]]]:
    """What tells DVC of the remote: a folder, or a server on this machine that speaks S3."""
    if request.param == "folder":
        yield [["dvc", "remote", "add", "--force", "--default", "store", str(tmp_path / "store")]]
        return
    for name in ("dvc_s3", "moto"):
        pytest.importorskip(name, reason="make test-remotes has it")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        _make_bucket(url)
        yield [
            ["dvc", "remote", "add", "--force", "--default", "store", f"s3://{BUCKET}/store"],
            ["dvc", "remote", "modify", "store", "endpointurl", url],
        ]
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _make_bucket(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{url}/{BUCKET}", method="PUT"), timeout=5).close()
            return
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.3)


def test_what_one_machine_pushed_another_pulls_and_trains_nothing(trained, remote, tmp_path):
    for words in remote:
        trained.run(*words)
    trained.commit()
    trained.run("dvc", "push")
    trained.run("git", "clone", "-q", ".", str(tmp_path / "second"))
    second = Clone(tmp_path / "second", trained.engine)
    second.run("git", "config", "user.email", "tests@example.org")
    second.run("git", "config", "user.name", "tests")
    second.run("dvc", "pull")
    assert not ran(second.reports())
    assert second.products() == trained.products()
    second.run("snakemake", "--cores", "1", "--touch", "reports")
    said = second.run("snakemake", "--cores", "1", "reports")
    assert "Nothing to be done" in said, said
    # Runs as jobs of their own are known as finished, too: none stands in the table of jobs.
    said = second.run("snakemake", "--cores", "1", "--config", "unit=run", "-n", "--", "runs")
    assert re.search(r"^runs +1$", said, flags=re.M), said
    assert not re.search(r"^on_\w+ +\d+$", said, flags=re.M), said
