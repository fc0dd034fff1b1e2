"""Formulae, written once in LaTeX that matplotlib's mathtext also reads: a page shows them as outlines."""

from dataclasses import dataclass
from functools import cache
from html import escape

POINTS = 11.0  # type size of the outlines
STEPS = 25  # units of the SVG to a point, of which outlines take whole ones: 275 to an em
LETTERS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}  # matplotlib's codes in the words of SVG


@dataclass(frozen=True)
class Formula:
    """A formula in LaTeX (math mode, no packages beyond amsmath) and in words to be read aloud."""

    latex: str
    words: str

    @property
    def svg(self) -> str:
        """An inline SVG that takes the colour of the text around it and is labelled with `words`."""
        path, width, height = _outline(self.latex)
        return (
            f'<svg class="formula" role="img" aria-label="{escape(self.words)}" '
            f'width="{width / POINTS:.3f}em" height="{height / POINTS:.3f}em" '
            f'viewBox="0 0 {width * STEPS:.0f} {height * STEPS:.0f}" fill="currentColor">'
            f'<path d="{path}"/></svg>'
        )


@cache
def _outline(latex: str) -> tuple[str, float, float]:
    """SVG path data, width and height; y runs down, and a margin of one unit keeps thin strokes whole."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    outline_of = TextPath((0, 0), f"${latex}$", size=POINTS, prop=FontProperties(math_fontfamily="cm"))
    box = outline_of.get_extents()
    drawn = [
        LETTERS[int(code)]
        + " ".join(
            f"{STEPS * (x - box.x0 + 1):.0f} {STEPS * (box.y1 - y + 1):.0f}"
            for x, y in zip(vertices[::2], vertices[1::2], strict=True)
            if code != 79
        )
        for vertices, code in outline_of.iter_segments(curves=True, simplify=False)
    ]
    return "".join(drawn), box.width + 2, box.height + 2
