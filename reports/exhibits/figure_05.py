"""Figure 5: linear evaluation by the first and the second augmentation of one branch."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from reports.drawing.heat_map import Panel, draw_panel
from reports.drawing.style import Drawing, notes
from reports.reading.exhibit import Evidence
from reports.reading.notation import written
from reports.reading.summary import Lookup, settings, summarize

AVERAGE = ("Average", "row_mean_top1")  # the paper's last column
BOTH = {"first": "Crop+Color", "second": "both branches"}


def draw(evidence: Evidence) -> Drawing:
    """Ours, the paper's and their difference; and the contrastive task's accuracy, which is not in the paper."""
    lookup, rows, columns = Lookup(evidence), settings(evidence, "first"), settings(evidence, "second")
    names = [name for name in rows if name in columns]
    ours, paper = _grid(names, _ours(lookup, "top1")), _grid(names, _paper(lookup))
    printed = np.array([_number(lookup.paper(AVERAGE[1], first=name, second=AVERAGE[0])) for name in names])
    scale, change = evidence.exhibit.scale, ours - paper
    contrastive = _grid(names, _ours(lookup, "contrastive_accuracy"))
    lost = np.column_stack([_grid(names, _lost(lookup)) == 1, np.zeros(len(names), bool)])
    panels = [
        (f"Ours ({scale}), top-1 (%)", _with_average(ours)),
        ("Paper (ImageNet), top-1 (%)", np.column_stack([paper, printed])),
        ("Ours minus paper (points)", _with_average(change), "PuOr", "+.1f", True),
        ("Ours, contrastive accuracy (%)", _with_average(contrastive)),
    ]
    figure, axes = plt.subplots(2, 2, figsize=(7.4, 6.6))
    for place, (title, values, *look) in zip(axes.flat, panels, strict=True):
        table = pd.DataFrame(values, index=names, columns=[*names, AVERAGE[0]])
        panel = Panel(title, table, *look)
        own = panel._replace(lost=lost) if title.startswith("Ours") else panel
        draw_panel(place, own, "1st transformation", "2nd transformation")
        if place.collections:
            place.axvline(len(names), color="white", linewidth=3)  # the average is no transformation
    return notes(figure, evidence, *_explanations(evidence, lookup, ours))


def _grid(names: Sequence[str], cell: Callable[[str, str], float]) -> np.ndarray:
    return np.array([[cell(first, second) for second in names] for first in names])


def _ours(lookup: Lookup, name: str) -> Callable[[str, str], float]:
    def cell(first: str, second: str) -> float:
        ours = lookup.ours(name, first=first, second=second)
        return ours.mean if ours else np.nan

    return cell


def _lost(lookup: Lookup) -> Callable[[str, str], float]:
    def cell(first: str, second: str) -> float:
        found = lookup.ours("top1", first=first, second=second)
        return float(bool(found and found.diverged and not found.n))

    return cell


def _paper(lookup: Lookup) -> Callable[[str, str], float]:
    return lambda first, second: _number(lookup.paper("top1", first=first, second=second))


def _number(text: str | None) -> float:
    return float(text) if text else np.nan


def _with_average(values: np.ndarray) -> np.ndarray:
    """A last column with the mean of each row's known cells, the diagonal included."""
    means = [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in values]
    return np.column_stack([values, means])


def _explanations(evidence: Evidence, lookup: Lookup, ours: np.ndarray) -> list[str]:
    lines = [
        f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}. Each panel has its own colour scale."
    ]
    lines.append("Diagonal: one transformation alone. Average: mean of the row, the diagonal included.")
    if np.isnan(ours).any():
        lines.append(
            "A dash: not run. An x: diverged. Averages of ours and of the difference are over the others."
        )
    both = lookup.ours("top1", **BOTH)
    if both:
        lines.append(f"Crop and color on both branches, as usual: {written(both, 'top1')} % (n = {both.n}).")
    cells = summarize(evidence.measured, evidence.knobs).query("metric == 'top1'")
    if (cells["n"] > 1).any():
        lines.append(
            f"Means over seeds; median standard deviation of a cell: {cells['spread'].median():.1f} points."
        )
    return lines
