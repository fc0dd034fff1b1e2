"""The values of knobs as text: one spelling for each, and an order for numbers and words."""

import math
from collections.abc import Iterable


def canonical(text: str) -> str:
    """One spelling per knob value, so that 0.10 meets 0.1 and 256.0 meets 256; words and "1/8" stay."""
    try:
        number = float(text)
    except ValueError:
        return text.strip()
    return f"{number:.12g}" if math.isfinite(number) else text.strip()


def sort_key(text: str) -> tuple[bool, float, str]:
    """Sorts numbers by size, before words by spelling."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def in_order(values: Iterable[str]) -> list[str]:
    """The distinct values: numbers by size, or, with a word among them, as they come."""
    distinct = list(dict.fromkeys(values))
    has_word = any(sort_key(value)[0] for value in distinct)
    return distinct if has_word else sorted(distinct, key=sort_key)
