"""Figure 5: linear evaluation by the first and the second augmentation of one branch."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.drawing.style import INK, MUTED, Drawing, notes
from reports.reading.exhibit import Evidence
from reports.reading.notation import written
from reports.reading.summary import Lookup, settings, summarize

AVERAGE = ("Average", "row_mean_top1")  # the paper's last column
MIDDLE = 0.18  # luminance on which dark and white letters are equally legible
BOTH = {"first": "Crop+Color", "second": "both branches"}


class Panel(NamedTuple):
    """One heat map: values (rows, columns and their average) with NaN where nothing is known."""

    title: str
    values: np.ndarray
    colors: str
    form: str = ".1f"
    centred: bool = False


def draw(evidence: Evidence) -> Drawing:
    """Ours, the paper's and their difference; and the contrastive task's accuracy, which is not in the paper."""
    lookup, rows, columns = Lookup(evidence), settings(evidence, "first"), settings(evidence, "second")
    names = [name for name in rows if name in columns]
    ours, paper = _grid(names, _ours(lookup, "top1")), _grid(names, _paper(lookup))
    printed = np.array([_number(lookup.paper(AVERAGE[1], first=name, second=AVERAGE[0])) for name in names])
    scale, change = evidence.exhibit.scale, ours - paper
    contrastive = _grid(names, _ours(lookup, "contrastive_accuracy"))
    panels = [
        Panel(f"Ours ({scale}), top-1 (%)", _with_average(ours), "cividis"),
        Panel("Paper (ImageNet), top-1 (%)", np.column_stack([paper, printed]), "cividis"),
        Panel("Ours minus paper (points)", _with_average(change), "PuOr", "+.1f", centred=True),
        Panel("Ours, contrastive accuracy (%)", _with_average(contrastive), "cividis"),
    ]
    figure, axes = plt.subplots(2, 2, figsize=(7.4, 6.6))
    for place, panel in zip(axes.flat, panels, strict=True):
        _draw(place, panel, names)
    return notes(figure, evidence, *_explanations(evidence, lookup, ours))


def _grid(names: Sequence[str], cell: Callable[[str, str], float]) -> np.ndarray:
    return np.array([[cell(first, second) for second in names] for first in names])


def _ours(lookup: Lookup, name: str) -> Callable[[str, str], float]:
    def cell(first: str, second: str) -> float:
        found = lookup.ours(name, first=first, second=second)
        return found.mean if found else np.nan

    return cell


def _paper(lookup: Lookup) -> Callable[[str, str], float]:
    return lambda first, second: _number(lookup.paper("top1", first=first, second=second))


def _number(text: str | None) -> float:
    return float(text) if text else np.nan


def _with_average(values: np.ndarray) -> np.ndarray:
    """A last column with the mean of each row's known cells, the diagonal included."""
    means = [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in values]
    return np.column_stack([values, means])


def _draw(axes: Axes, panel: Panel, names: Sequence[str]) -> None:
    table = pd.DataFrame(panel.values, index=names, columns=[*names, AVERAGE[0]])
    known = table.stack()
    if panel.centred:  # the same in both directions
        largest = max(1.0, known.abs().max()) if len(known) else 1.0
        limits = {"vmin": -largest, "vmax": largest}
    else:
        limits = {"vmin": known.min(), "vmax": max(known.max(), known.min() + 1)} if len(known) else {}
    words = table.map(lambda value: format(value, panel.form) if np.isfinite(value) else "-")
    look = {"cmap": panel.colors, "annot_kws": {"fontsize": 6.5}, "fmt": "", "cbar_kws": {"pad": 0.02}}
    sns.heatmap(table, annot=words, ax=axes, linewidths=0.4, **limits, **look)
    axes.collections[0].update_scalarmappable()
    cells = axes.collections[0].get_facecolors().reshape(*table.shape, 4)
    for text in axes.texts:
        column, row = map(int, text.get_position())
        text.set_color(INK if _luminance(cells[row, column]) > MIDDLE else "white")
    # seaborn writes nothing where nothing is known
    for row, column in zip(*np.where(table.isna()), strict=True):
        axes.text(column + 0.5, row + 0.5, "-", ha="center", va="center", fontsize=6.5, color=MUTED)
    axes.axvline(len(names), color="white", linewidth=3)  # the average is no transformation
    axes.set(title=panel.title, xlabel="2nd transformation", ylabel="1st transformation", facecolor="#F4F4F4")
    axes.set_xticks(axes.get_xticks(), table.columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(axes.get_yticks(), names, rotation=0)
    axes.grid(False)


def _luminance(color: np.ndarray) -> float:
    """Relative luminance (WCAG) of a colour, (4,) in sRGB."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(linear[:3] @ [0.2126, 0.7152, 0.0722])


def _explanations(evidence: Evidence, lookup: Lookup, ours: np.ndarray) -> list[str]:
    lines = [
        f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}. Each panel has its own colour scale."
    ]
    lines.append("Diagonal: one transformation alone. Average: mean of the row, the diagonal included.")
    if np.isnan(ours).any():
        lines.append("A dash: not run. Averages of ours and of the difference are over the cells that were.")
    both = lookup.ours("top1", **BOTH)
    if both:
        lines.append(f"Crop and color on both branches, as usual: {written(both, 'top1')} % (n = {both.n}).")
    cells = summarize(evidence.measured, evidence.knobs).query("metric == 'top1'")
    if (cells["n"] > 1).any():
        lines.append(
            f"Means over seeds; median standard deviation of a cell: {cells['spread'].median():.1f} points."
        )
    return lines
