"""Print the page of a scale as one PDF, by a headless Chromium.

The command reads <out>/<scale>/index.html and writes report.pdf beside it. Dates in the PDF are set to 1970, so that
one browser always prints a page to the same bytes; another version of the browser may print other bytes.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common.errors import UserError, command
from common.files import read_bytes, write_bytes
from common.options import add_scale
from common.scales import default

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
EPOCH = b"19700101000000"
SECONDS = 120  # that one page may take, on a slow machine


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.pdf", description=__doc__.splitlines()[0])
    add_scale(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("reports/out"),
        help="the page lies in <out>/<scale> (default: reports/out)",
    )
    parser.add_argument(
        "--browser", help="the Chromium to use (default: $CHROMIUM, or the first on the PATH)"
    )
    options = parser.parse_args(arguments)
    options.scale = options.scale or default()
    page = options.out / options.scale / "index.html"
    read_bytes(page, f"make it: python -m reports.index --scale {options.scale}")
    write_bytes(page.with_name("report.pdf"), undated(printed(page, find_browser(options.browser))))


def find_browser(asked: str | None = None) -> str:
    """The path of a Chromium: the one asked for, that of $CHROMIUM, or one on the PATH. UserError if none."""
    asked = asked or os.environ.get("CHROMIUM")
    browser = next(filter(None, map(shutil.which, [asked] if asked else BROWSERS)), None)
    if browser is None:
        raise UserError(
            "no browser to print with",
            expected=f"a Chromium ({asked or ', '.join(BROWSERS)})",
            found="none",
            remedy="install one (Debian: apt-get install chromium), or name it with --browser",
        )
    return browser


def printed(page: Path, browser: str) -> bytes:
    """The page as the browser prints it. UserError if the browser fails."""
    with tempfile.TemporaryDirectory(prefix="print-") as folder:
        target = Path(folder) / "report.pdf"
        command = [browser, *FLAGS, f"--user-data-dir={folder}/profile", "--no-pdf-header-footer"]
        command += [f"--print-to-pdf={target}", page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unprinted(browser, page, error) from error
        if not target.exists():
            last = (done.stderr.strip().splitlines() or ["it printed no reason"])[-1]
            raise _unprinted(browser, page, f"no PDF (status {done.returncode}, {last})")
        return target.read_bytes()


def _unprinted(browser: str, page: Path, found: object) -> UserError:
    return UserError(
        "the browser printed no page",
        expected=f"a PDF by {browser}",
        found=found,
        where=page,
        remedy="try the browser by hand: <browser> --headless --print-to-pdf <page>",
    )


def undated(pdf: bytes) -> bytes:
    """The same PDF with its dates set to 1970, digit for digit, so that offsets within it stay true."""
    return re.sub(rb"/(Creation|Mod)Date \(D:\d{14}", lambda date: date[0][:-14] + EPOCH, pdf)


if __name__ == "__main__":
    sys.exit(main())
