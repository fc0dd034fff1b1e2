"""Evidence whose text matplotlib draws as it stands: it reads what is between two dollar signs as math."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from reports.reading.exhibit import Evidence


def literal(evidence: Evidence) -> Evidence:
    """The same evidence with every $ escaped, in what is declared, measured and judged; for a figure.

    What a drawing function writes of its own stays: a formula there is meant as one.
    """
    return _escaped(evidence)


def spoken(text: str) -> str:
    """Text of a figure as it was before it was escaped."""
    return text.replace(r"\$", "$")


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", r"\$")
    if isinstance(value, Mapping):
        return {key: _escaped(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_escaped(each) for each in value])
    if isinstance(value, pd.DataFrame):
        words = [name for name in value if not pd.api.types.is_numeric_dtype(value[name])]
        return value.assign(**{name: value[name].map(_escaped).astype(value[name].dtype) for name in words})
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return np.char.replace(value, "$", r"\$")
    if is_dataclass(value):
        return replace(value, **{each.name: _escaped(getattr(value, each.name)) for each in fields(value)})
    return value
