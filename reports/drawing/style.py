"""Colours, limits and bytes that every figure shares. Importing this chooses the Agg backend."""

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from reports.drawing.lean import lean, palette
from reports.evidence import Evidence
from reports.record import standing

# Okabe and Ito's colours, told apart with every common kind of colour blindness; their luminance falls along
# the list, so that neighbours also differ in grey print.
PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#000000")
INK, MUTED = "#1A1A1A", "#5C5C5C"
NOTES_WIDTH = 17.8  # characters of 7.5 pt text that fit an inch of a figure's width
HALO = [withStroke(linewidth=2.4, foreground="white")]  # keeps a dark line legible on a dark bar


@contextmanager
def style(exhibit: str) -> Iterator[None]:
    """Draw inside this: our style, and SVG ids that depend on the exhibit only."""
    sheet = Path(__file__).with_suffix(".mplstyle")
    with plt.style.context(["default", str(sheet)]), matplotlib.rc_context({"svg.hashsalt": exhibit}):
        yield
    plt.close("all")


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG, without a date or the name of the program."""
    return lean(_bytes(figure, "svg", {"Date": None, "Creator": None}).decode()).encode()


def png_bytes(figure: Figure) -> bytes:
    """The figure as PNG at 110 dpi, for screens: print has the SVG, without the name of the program."""
    return palette(_bytes(figure, "png", {"Software": None}))


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


def notes(figure: Figure, evidence: Evidence, *lines: str) -> None:
    """Write under the figure what a reader must know: scale, thinning, what is missing, and `lines`."""
    width = int(NOTES_WIDTH * figure.get_figwidth())
    text = "\n".join(textwrap.fill(line, width) for line in (*standing(evidence), *lines))
    if text:
        figure.supxlabel(text, fontsize=7.5, color=MUTED, x=0.01, ha="left")


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
