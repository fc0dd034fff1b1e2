"""Names that the stages and the reports both speak: the nearest to a misspelled one, a run's cell, a binding."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean `x`?)", or nothing when no known name is close."""
    names = list(known)
    # table_5 is nearer to table_05 than to table_b5, whatever the letters say
    padded = re.sub(r"_(\d)$", r"_0\1", name)
    close = [padded] if padded in names else difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f" (did you mean `{close[0]}`?)" if close else ""


def cell_name(run: str) -> str:
    """The run's id without its seed: "projection1-output_dim2-seed0" is of cell "projection1-output_dim2"."""
    return re.sub(r"-seed\d+$", "", run)


def seed_of(run: str) -> str:
    """The seed at the end of the run's id, as text; "" for an id without one."""
    return run.rpartition("-seed")[2] if cell_name(run) != run else ""


def dotted(bindings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """{configurable: {parameter: value}}, as a plan nests bindings, as {"configurable.parameter": value}."""
    return {
        f"{name}.{parameter}": value for name, own in bindings.items() for parameter, value in own.items()
    }
