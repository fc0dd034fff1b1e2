"""Figure B.8: CIFAR-10, linear evaluation by temperature and batch size, after short and after long training."""

from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd

from reports.drawing.bars import (
    Bars,
    dataset_of,
    draw_legend,
    draw_panel,
    fitting_limits,
    hue_colors,
    measured_bars,
    spread_notes,
)
from reports.drawing.style import Drawing, blank, notes
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.summary import Lookup, values_of

SPLIT = 300
BARS = Bars(
    metric="top1",
    x="batch_size",
    hue="temperature",
    limits=(80, 100),
    x_label="Batch size",
    hue_label="Temperature",
    over=("learning_rate", "epochs"),
)


def draw(evidence: Evidence) -> Drawing:
    """Ours only: of the paper's bars none is published."""
    halves = split(values_of(evidence.measured, "epochs"))
    cells = [_bars(evidence, lengths) for lengths in halves.values()]
    colors, limits = hue_colors(evidence, BARS), fitting_limits(cells, BARS)
    figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.4), sharey=True)
    for axes, ours, title in zip(panels, cells, halves, strict=True):
        axes.set_title(title)
        if len(ours):
            draw_panel(axes, ours, BARS, colors, limits)
        else:
            blank(axes, "not run")
    panels[0].set_ylabel(metric("top1").header)
    draw_legend(figure, BARS, colors)
    said = [dataset_of(evidence), *spread_notes(cells, BARS), *_in_words(evidence)]
    return notes(figure, evidence, *said)


def split(lengths: Sequence[str]) -> dict[str, list[str]]:
    """Epochs by title: up to 300 and above, as printed; if all are on one side, the shorter half and the rest."""
    low = [length for length in lengths if float(length) <= SPLIT]
    if not low or len(low) == len(lengths):
        low = list(lengths[: len(lengths) // 2])
        high = [*lengths[len(low) :]]
        return {f"(a) Epochs {_listed(low)}": low, f"(b) Epochs {_listed(high)}": high}
    return {f"(a) Epochs ≤ {SPLIT}": low, f"(b) Epochs > {SPLIT}": [*lengths[len(low) :]]}


def _bars(evidence: Evidence, lengths: Sequence[str]) -> pd.DataFrame:
    measured = evidence.measured
    return measured_bars(replace(evidence, measured=measured[measured["epochs"].isin(lengths)]), BARS)


def _listed(lengths: Sequence[str]) -> str:
    return ", ".join(lengths) or "(none)"


def _in_words(evidence: Evidence) -> list[str]:
    printed = Lookup(evidence).paper
    best = printed("best_temperature", panel=f"epochs > {SPLIT}")
    return [
        "The paper's bars were not available to us; the vertical axis is ours. "
        f"Its text: above {SPLIT} epochs the best temperature is {best} at any batch size; at 0.1 "
        f"{printed('trend_tau_0.1', panel='both')}."
    ]
