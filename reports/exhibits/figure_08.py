"""Figure 8: linear evaluation by projection head and output width."""

from dataclasses import replace

import pandas as pd

from reports.drawing.bars import Bars, draw_bars
from reports.drawing.style import Drawing
from reports.reading.exhibit import Evidence
from reports.reading.notation import written
from reports.reading.summary import Lookup

BARS = Bars(
    metric="top1",
    x="output_dim",
    hue="projection",
    limits=(30, 70),
    x_label="Projection output dimensionality",
    hue_label="Projection",
    names={"linear": "Linear", "nonlinear": "Non-linear", "none": "None"},
)


def draw(evidence: Evidence) -> Drawing:
    """Bars start at 30 % as in the paper; no head has one width only, that of the representation."""
    return draw_bars(_on_h(evidence), BARS, *_h_against_z(evidence))


def _on_h(evidence: Evidence) -> Evidence:
    """Without the head whose two sides are compared: its h is a bar already."""
    measured = evidence.measured
    bars = measured.get("representation", pd.Series("", index=measured.index)) == ""
    return replace(evidence, measured=measured[bars].reset_index(drop=True))


def _h_against_z(evidence: Evidence) -> list[str]:
    """Section 4.2 says that h is better than g(h) by more than 10 %, and shows no bar of it."""
    lookup = Lookup(evidence)
    sides = [lookup.ours("top1", representation=side) for side in ("h", "z")]
    if None in sides:
        return []
    h, z = (written(side, "top1") for side in sides)
    return [
        f"One nonlinear head from both sides: {h} % of h, {z} % of z = g(h) (the paper: h better by more than 10)."
    ]
