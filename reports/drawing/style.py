"""Colours, limits and bytes that every figure shares. Importing this chooses the Agg backend."""

import io
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from reports.drawing.standing import standing
from reports.reading.exhibit import Evidence

# Okabe and Ito's colours, told apart with every common kind of colour blindness; their luminance falls along
# the list, so that neighbours also differ in grey print.
PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#000000")
INK, MUTED = "#1A1A1A", "#5C5C5C"
NOTES_WIDTH = 17.8  # characters of 7.5 pt text that fit an inch of a figure's width
MOST_LINES = 4  # of notes under a figure; the record has all of them
# The places in an SVG, and of their numbers the digits that are kept; a text says what it says.
PLACES = re.compile(rb' (?:d|x|y|width|height|points)="[^"]*"|translate\([^)]*\)')
DIGITS = re.compile(rb"(\.\d\d)\d+")
HALO = [withStroke(linewidth=2.4, foreground="white")]  # keeps a dark line legible on a dark bar


class Drawing(NamedTuple):
    """A figure and its notes: the first lines stand under it, and its record has all of them."""

    figure: Figure
    notes: list[str]

    @classmethod
    def of(cls, drawn: "Figure | Drawing") -> "Drawing":
        """What an exhibit drew: a figure without notes has none."""
        return drawn if isinstance(drawn, Drawing) else cls(drawn, [])


@contextmanager
def style(exhibit: str) -> Iterator[None]:
    """Draw inside this: our style, and SVG ids that depend on the exhibit only."""
    sheet = Path(__file__).with_suffix(".mplstyle")
    with plt.style.context(["default", str(sheet)]), matplotlib.rc_context({"svg.hashsalt": exhibit}):
        yield
    plt.close("all")


def words_as_text() -> AbstractContextManager[None]:
    """Inside this an SVG names its fonts and does not draw them: it is smaller, and looks as its reader's fonts do."""
    fonts = {"font.family": ["DejaVu Sans", "sans-serif"], "font.sans-serif": ["DejaVu Sans"]}
    return matplotlib.rc_context({"svg.fonttype": "none", **fonts})


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG, without a date or the name of the program: equal figures give equal bytes.

    Places are to a hundredth of a point, and nothing is indented: an eighth of the bytes.
    """
    drawn = _bytes(figure, "svg", {"Date": None, "Creator": None})
    drawn = PLACES.sub(lambda places: DIGITS.sub(rb"\1", places[0]), drawn)
    return re.sub(rb"\s*\n\s*", b"\n", drawn)


def png_bytes(figure: Figure) -> bytes:
    """The figure as PNG at 200 dpi, for screens: print has the SVG. Without the name of the program.

    One without photographs has a palette, a third of the bytes: no colour is off by more than a few of 255 levels.
    """
    drawn = Image.open(io.BytesIO(_bytes(figure, "png", {"Software": None}))).convert("RGB")
    if not any(axes.images for axes in figure.axes):
        drawn = drawn.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG", optimize=True, dpi=(200, 200))
    return buffer.getvalue()


def like_paper(values: Sequence[float], limits: tuple[float, float], step: float = 10) -> tuple[float, float]:
    """Limits for our values: the paper's if they fit, else its span moved by whole steps, else a wider one.

    With an equal span, one unit has one height in both panels.
    """
    low, high = limits
    finite = [value for value in values if math.isfinite(value)]
    if not finite or (low <= min(finite) and max(finite) <= high):
        return limits
    start = math.floor((min(finite) - 0.05 * (high - low)) / step) * step
    return start, max(start + high - low, math.ceil(max(finite) / step) * step)


def notes(figure: Figure, evidence: Evidence, *lines: str) -> Drawing:
    """The figure with what a reader must know under it, in MOST_LINES at most: scale, thinning, then `lines`."""
    width = int(NOTES_WIDTH * figure.get_figwidth())
    shown = [row for line in standing(evidence) for row in textwrap.wrap(line, width)][:MOST_LINES]
    room, flowing = MOST_LINES - len(shown), ""
    for line in lines:  # as many as fit, one after the other
        longer = f"{flowing} {line}".strip()
        if len(textwrap.wrap(longer, width)) > room:
            break
        flowing = longer
    text = "\n".join([*shown, *textwrap.wrap(flowing, width)])
    if text:
        figure.supxlabel(text, fontsize=7.5, color=MUTED, x=0.01, ha="left")
    return Drawing(figure, list(lines))


def draw_spread(
    axes: Axes, x: pd.Series, y: pd.Series, spread: pd.Series, color: str, across: bool = False
) -> None:
    """Error bars (of x, if across) of the points that have a spread, of several seeds; no legend tells of them."""
    several = spread.notna()
    if several.any():
        look = {"fmt": "none", "ecolor": color, "elinewidth": 0.8, "capsize": 2}
        axes.errorbar(x[several], y[several], **{"xerr" if across else "yerr": spread[several]}, **look)


def mark_diverged(axes: Axes, x: float) -> None:
    """A cross on the axis where a training diverged."""
    axes.plot([x], [0.02], "x", color=INK, markersize=6, transform=axes.get_xaxis_transform(), clip_on=False)


def blank(axes: Axes, text: str) -> None:
    """A dashed frame that says why a panel is empty."""
    axes.set(xticks=[], yticks=[], facecolor="#F4F4F4")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, linestyle=(0, (3, 3)), color=MUTED)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=7.5, color=MUTED)


def _bytes(figure: Figure, form: str, metadata: dict[str, None]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()
