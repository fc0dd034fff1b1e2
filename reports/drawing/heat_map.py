"""Heat maps: a number in every cell of a grid of two knobs, ours beside the paper's where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.drawing.style import INK, MUTED, Drawing, blank, notes
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.summary import summarize, values_of

MIDDLE = 0.18  # luminance on which dark and white letters are equally legible


class Panel(NamedTuple):
    """One heat map: its table has NaN where nothing is known. centred: its colours are, on zero.

    lost: where that is because every seed diverged, bool of the same shape.
    """

    title: str
    table: pd.DataFrame
    colors: str = "cividis"
    form: str = ".1f"
    centred: bool = False
    lost: np.ndarray | None = None


@dataclass(frozen=True)
class HeatMap:
    """What a heat map shows: a metric by the knobs `row` and `column`."""

    metric: str
    row: str
    column: str
    row_label: str
    column_label: str


def draw_heat_map(evidence: Evidence, shown: HeatMap, *lines: str) -> Drawing:
    """Ours, and beside it the paper's if it has any; `lines` are further notes."""
    header, scale = metric(shown.metric).header, evidence.exhibit.scale
    ours = summarize(evidence.measured, evidence.knobs).rename(columns={"mean": "number"})
    ours = ours[ours["metric"] == shown.metric]
    paper = evidence.paper[evidence.paper["metric"] == shown.metric]
    table = _table(ours, shown)
    lost = _table(ours.assign(number=ours["diverged"]), shown) > 0
    panels = [Panel(f"Ours ({scale}), {header}", table, lost=(lost & table.isna()).to_numpy())]
    panels += [Panel(f"Paper, {header}", _table(paper, shown))] if len(paper) else []
    figure, axes = plt.subplots(1, len(panels), figsize=(3.7 * len(panels), 3.4), squeeze=False)
    for place, panel in zip(axes[0], panels, strict=True):
        draw_panel(place, panel, shown.row_label, shown.column_label)
    said = [f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}."]
    if (ours["n"] > 1).any():
        said.append(
            f"Means over {ours['n'].max()} seeds; median standard deviation {ours['spread'].median():.2g}."
        )
    return notes(figure, evidence, *said, *lines)


def draw_panel(axes: Axes, panel: Panel, row_label: str, column_label: str) -> None:
    """A panel with its numbers, a cross in every cell that diverged, a dash in one of which nothing is known."""
    table, known = panel.table, panel.table.stack().dropna()
    if known.empty and not np.any(panel.lost):
        axes.set(title=panel.title)
        return blank(axes, "no values")
    if panel.centred:  # the same in both directions
        largest = max(1.0, known.abs().max()) if len(known) else 1.0
        limits = {"vmin": -largest, "vmax": largest}
    else:
        low = known.min() if len(known) else 0.0
        limits = {"vmin": low, "vmax": max(known.max(), low + 1) if len(known) else low + 1}
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
        mark = "x" if panel.lost is not None and panel.lost[row, column] else "-"
        axes.text(column + 0.5, row + 0.5, mark, ha="center", va="center", fontsize=6.5, color=MUTED)
    axes.set(title=panel.title, xlabel=column_label, ylabel=row_label, facecolor="#F4F4F4")
    axes.set_xticks(axes.get_xticks(), table.columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(axes.get_yticks(), table.index, rotation=0)
    axes.grid(False)


def _table(cells: pd.DataFrame, shown: HeatMap) -> pd.DataFrame:
    """The numbers by row and column, settings in their order; over further knobs their mean."""
    table = cells.pivot_table(index=shown.row, columns=shown.column, values="number", dropna=False)
    return table.reindex(index=values_of(cells, shown.row), columns=values_of(cells, shown.column)).astype(
        float
    )


def _luminance(color: Sequence[float]) -> float:
    """Relative luminance (WCAG) of a colour, (4,) in sRGB."""
    color = np.asarray(color)
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(linear[:3] @ [0.2126, 0.7152, 0.0722])
