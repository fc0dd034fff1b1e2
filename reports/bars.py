"""Grouped bars, ours in the left panel and the paper's in the right one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.evidence import Evidence, sort_key
from reports.style import INK, MUTED, PALETTE, like_paper, notes
from reports.summary import metric, settings, summarize, values_of

Color = tuple[float, ...] | str


@dataclass(frozen=True)
class Bars:
    """What a bar chart shows: a metric along groups (x) of coloured bars (hue), within the paper's limits."""

    metric: str
    x: str
    hue: str
    limits: tuple[float, float]
    x_label: str
    hue_label: str
    names: Mapping[str, str] = field(default_factory=dict)
    paper_setting: str = "ImageNet, ResNet-50"


def draw_bars(evidence: Evidence, bars: Bars) -> Figure:
    """Both panels on one scale of units, ours with the spread over seeds as error bars."""
    ours = summarize(evidence.measured, evidence.knobs).query("metric == @bars.metric")
    paper = evidence.paper.query("metric == @bars.metric").rename(columns={"number": "mean"})
    unit, colors = metric(bars.metric), _colors(settings(evidence, bars.hue))
    widths = [max(4, len(values_of(frame, bars.x)) + 1) for frame in (ours, paper)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.4), width_ratios=widths)
    limits = like_paper([*(ours["mean"] + ours["spread"].fillna(0)), *ours["mean"]], bars.limits)
    _panel(left, ours, bars, colors, f"Ours ({evidence.exhibit.scale})", limits)
    _panel(right, paper, bars, colors, f"Paper ({bars.paper_setting})", bars.limits)
    left.set_ylabel(f"{unit.label} ({unit.unit})")
    _legend(figure, (left, right), [bars.names.get(hue, hue) for hue in colors], bars.hue_label)
    notes(figure, evidence, *_differences(evidence, ours, paper, bars), *_limits_differ(bars, limits))
    return figure


def _colors(hues: Sequence[str]) -> dict[str, Color]:
    """Ordered colours for numbers, distinct ones for words; a value has one colour in both panels."""
    if any(sort_key(hue)[0] for hue in hues):
        return {hue: PALETTE[place % len(PALETTE)] for place, hue in enumerate(hues)}
    ramp, last = plt.get_cmap("cividis_r"), max(1, len(hues) - 1)
    return {hue: ramp(0.08 + 0.92 * place / last) for place, hue in enumerate(hues)}


def _panel(
    axes: Axes,
    cells: pd.DataFrame,
    bars: Bars,
    colors: Mapping[str, Color],
    title: str,
    limits: tuple[float, float],
) -> None:
    groups = values_of(cells, bars.x)
    hues = [hue for hue in colors if hue in set(cells[bars.hue])]
    width = 0.8 / max(1, len(hues))
    for place, hue in enumerate(hues):
        rows = cells[cells[bars.hue] == hue].set_index(bars.x).reindex(groups)
        x = [group + (place - (len(hues) - 1) / 2) * width for group in range(len(groups))]
        _draw_hue(axes, x, rows, width, colors[hue], bars.names.get(hue, hue))
    if not groups:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=MUTED)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(title=title, xlabel=bars.x_label, ylim=limits, xlim=(-0.5, max(1, len(groups)) - 0.5))


def _draw_hue(axes: Axes, x: list[float], rows: pd.DataFrame, width: float, color: Color, label: str) -> None:
    axes.bar(x, rows["mean"], width, color=color, edgecolor="white", linewidth=0.4, label=label)
    if "spread" in rows:
        axes.errorbar(x, rows["mean"], yerr=rows["spread"], fmt="none", ecolor=INK, elinewidth=0.9, capsize=2)


def _legend(figure: Figure, panels: Sequence[Axes], names: Sequence[str], title: str) -> None:
    found: dict[str, Any] = {}
    for axes in panels:
        found |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    shown = [name for name in names if name in found]
    if shown:
        handles = [found[name] for name in shown]
        figure.legend(handles, shown, loc="outside upper center", ncols=len(shown), title=title)


def _differences(evidence: Evidence, ours: pd.DataFrame, paper: pd.DataFrame, bars: Bars) -> Iterator[str]:
    """What keeps the two panels from being laid over each other, and what the error bars are."""
    yield f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}."
    if values_of(ours, bars.x) != values_of(paper, bars.x):
        yield f"The grids differ: each panel has its own ticks for {bars.x_label.lower()}."
    if (ours["n"] > 1).any():
        fewest, most = int(ours["n"].min()), int(ours["n"].max())
        seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
        yield f"Error bars: standard deviation over {seeds} seeds."


def _limits_differ(bars: Bars, limits: tuple[float, float]) -> Iterator[str]:
    if limits != bars.limits:
        (low, high), (paper_low, paper_high) = limits, bars.limits
        yield f"The vertical axes differ: ours {low:g} to {high:g}, paper {paper_low:g} to {paper_high:g}."
