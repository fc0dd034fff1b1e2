"""The pages for readers: their links lead somewhere, the files that they name are there, the README is short."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.small_copy import ROOT

PAGES = [ROOT / name for name in ("README.md", "FIDELITY.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
LONGEST = 250  # lines of the README


def sections(page: Path) -> set[str]:
    """The names by which a link reaches the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.M)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for address, section in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        if "://" in address:
            continue
        target = Path(os.path.normpath(page.parent / address)) if address else page
        assert target.exists(), f"{page.name} links {address}"
        assert not section or section in sections(target), f"{page.name} links {address}#{section}"


@pytest.mark.parametrize("page", [ROOT / "FIDELITY.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_files_of_code_that_a_page_names_are_there(page):
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in re.findall(r"`([\w/]+\.(?:py|npz|smk))`", page.read_text()):
        assert any(path == name or path.endswith(f"/{name}") for path in listed), f"{page.name} names {name}"


def test_every_page_of_docs_is_reached_from_the_readme():
    """Directly, or over another page."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s:]+\.md)", page.read_text())
        found = {Path(os.path.normpath(page.parent / link)) for link in links}
        waiting += [each for each in found if each.exists() and each not in reached]
    assert not {page.name for page in PAGES} - {page.name for page in reached}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= LONGEST
