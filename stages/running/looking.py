"""The look that comes before every call of an engine, which itself knows only which files are there, and since when.

What says that something is done goes if it is not true any more. Then the engine does it again.
"""

from __future__ import annotations

from pathlib import Path

from common import receipts
from stages.obtaining import appeared
from stages.running import lost


def look_again(results: Path, scale: str) -> None:
    """Look for a data set that was missing and a run that was lost, and at all that receipts list.

    UserError for runs that another version of this project wrote.
    """
    folder = results / scale
    if appeared.may_have_come(folder / "data"):
        receipts.discard(folder)  # first: a kill between the two leaves a reason to look again
        (folder / "data" / "manifest.json").unlink()
    lost.discard_indices(results, scale)
    receipts.discard_broken(folder)


def untrue(results: Path, scale: str) -> list[str]:
    """What `look_again` would discard, in words. Nothing is changed: for a dry run. UserError as above."""
    folder = results / scale
    data = ["the data sets"] if appeared.may_have_come(folder / "data") else []
    runs = [f"the runs of {lost.sweep_of(path)}" for path in lost.broken_indices(folder)]
    return [*data, *runs, *receipts.broken(folder)]
