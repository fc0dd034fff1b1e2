"""Path data of an SVG in few bytes: whole numbers on a grid, each place told from the one before it."""

import re
from collections.abc import Iterator

SIZES = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}  # numbers that follow a letter
Place = tuple[int, int]


def outline(data: str, grid: float, decimals: int = 0) -> str:
    """`data` (absolute M, L, Q, C and Z) on a grid of step `grid`, with relative letters.

    Numbers count steps, or with `decimals` tenths or hundredths of a step's own unit: outline("M8 8L16 24Z", 8) is
    "m1 1 1 2z", outline("M.126 0L1 0", .01, 2) is "m.13 0h.87". Every place is rounded by itself, so that a long
    path drifts by half a step at most.
    """
    said, last, here, start = [], "", (0, 0), (0, 0)
    for letter, places in _segments(data, grid):
        if letter == "Z":
            here = start
        name, steps = _relative(letter, places, here)
        if places:
            here = places[-1]
        start = here if letter == "M" else start
        repeated = name == last or (last, name) == (
            "m",
            "l",
        )  # what follows a move without a letter is a line
        said.append(("" if repeated and name != "z" else name) + _joined(steps, decimals, repeated))
        last = name
    return "".join(said)


def short(value: float, decimals: int) -> str:
    """A number with `decimals` places at most, and no zero that says nothing."""
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return re.sub(r"^(-?)0\.", r"\1.", "0" if text == "-0" else text)


def _segments(data: str, grid: float) -> Iterator[tuple[str, list[Place]]]:
    for letter, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", data):
        letter = letter.upper()
        steps = [round(float(number) / grid) for number in re.findall(r"-?[\d.]+", numbers)]
        places = list(zip(steps[::2], steps[1::2], strict=True))
        each = SIZES[letter] // 2
        for first in range(0, max(len(places), 1), each or 1):
            yield letter, places[first : first + each]


def _relative(letter: str, places: list[Place], here: Place) -> tuple[str, list[int]]:
    """The letter and the numbers from `here`; a line along an axis takes one number."""
    steps = [value - origin for place in places for value, origin in zip(place, here, strict=True)]
    if letter == "L" and 0 in steps:
        return ("h", steps[:1]) if steps[1] == 0 else ("v", steps[1:])
    return letter.lower(), steps


def _joined(steps: list[int], decimals: int, repeated: bool) -> str:
    """Numbers apart by a space, or by the sign that one begins with."""
    texts = [short(step / 10**decimals, decimals) for step in steps]
    joined = " ".join(texts).replace(" -", "-")
    return f" {joined}" if repeated and joined and joined[0] != "-" else joined
