"""One PDF of a page: the same bytes twice, and plain words where there is no page, no browser, or no PDF."""

import shutil
import stat

import pytest

from reports import pdf

BROWSER = next(filter(None, map(shutil.which, pdf.BROWSERS)), None)


def page(folder):
    path = folder / "smoke" / "index.html"
    path.parent.mkdir()
    path.write_text("<!doctype html><title>t</title><h1>One page</h1>")
    return f"--out={folder}"


def script(folder, text):
    path = folder / "browser"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"--browser={path}"


def said(capsys, *arguments):
    assert pdf.main(["--scale=smoke", *arguments]) == 2
    return capsys.readouterr().err


@pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine: apt-get install chromium")
def test_one_page_prints_to_the_same_bytes(tmp_path):
    where = page(tmp_path)
    printed = []
    for _ in range(2):
        pdf.main(["--scale=smoke", where, f"--browser={BROWSER}"])
        printed.append((tmp_path / "smoke" / "report.pdf").read_bytes())
    assert printed[0].startswith(b"%PDF-") and printed[0] == printed[1]
    assert b"(D:19700101000000" in printed[0]


def test_dates_change_and_offsets_do_not():
    stamped = b"<</CreationDate (D:20261124191253+00'00')\n/ModDate (D:20261124191253+00'00')>> D:20261124"
    found = pdf.undated(stamped)
    assert len(found) == len(stamped) and found.count(b"D:19700101000000") == 2
    assert found.endswith(b"D:20261124")


def test_without_a_page_it_says_how_to_make_one(tmp_path, capsys):
    assert "python -m reports.index --scale smoke" in said(capsys, f"--out={tmp_path}")


def test_without_a_browser_it_says_how_to_get_one(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    where = page(tmp_path)
    assert "apt-get install chromium" in said(capsys, where)
    assert "no-such" in said(capsys, where, "--browser=no-such")
    assert not (tmp_path / "smoke" / "report.pdf").exists()


def test_a_browser_that_fails_is_quoted(tmp_path, capsys):
    found = said(capsys, page(tmp_path), script(tmp_path, "echo no display >&2; exit 3"))
    assert "status 3, no display" in found and not (tmp_path / "smoke" / "report.pdf").exists()
