"""Which photographs the official distribution of a data set has in which split, with which label.

One module per layout, found by the name that a data set declares, so that a new module here is a new layout. Its
`listing` takes the folder that the official archives unpack to and the declaration, and returns, for "train" (with
validation, which comes last where it is official) and "test", pairs of (path below the folder, label) in the official
order. A label is an int, or a list of 0, 1 and UNJUDGED where an image has several. Only lists and annotations are
read there, no photograph. UserError, naming the list, if it is missing or cannot be right.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from stages.obtaining.official_lists import Listing

if TYPE_CHECKING:
    from stages.data.records import Declaration


def known() -> list[str]:
    """The names of all layouts."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def listing(tree: Path, declared: Declaration) -> Listing:
    """Paths and labels of both splits, by the layout that the data set declares; it must be one of `known()`."""
    return importlib.import_module(f"{__name__}.{declared['layout']}").listing(tree, declared)
