"""Grouped bars, ours in the left panel and the paper's in the right one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.drawing.style import HALO, INK, MUTED, PALETTE, like_paper, notes
from reports.evidence import Evidence, sort_key
from reports.summary import metric, settings, summarize, values_of

Color = tuple[float, ...] | str
UNSURE = ("inferred", "third_party")  # confidences that a reader of the paper's bars must know of


@dataclass(frozen=True)
class Bars:
    """What a bar chart shows: a metric along groups (x) of coloured bars (hue), within the paper's limits.

    paper_metric: the paper's, where ours is another one. paper_grid: the values of x and hue that the paper's plot has,
    if not all of its bars are published; its other rows are not bars. assumed: of a plot that we could not see, what
    its grid is taken from; its limits are then ours too, and nothing calls either the paper's. over: knobs over whose
    settings a bar is the mean and its error bar the standard deviation; without them a bar is a cell and its spread
    that over seeds. references: levels of ours that a line across our panel shows, by their label.
    """

    metric: str
    x: str
    hue: str
    limits: tuple[float, float]
    x_label: str
    hue_label: str
    names: Mapping[str, str] = field(default_factory=dict)
    paper_setting: str = "ImageNet, ResNet-50"
    paper_metric: str = ""
    paper_grid: Mapping[str, Sequence[str]] = field(default_factory=dict)
    assumed: str = ""
    over: tuple[str, ...] = ()
    references: Mapping[str, float] = field(default_factory=dict)


def draw_bars(evidence: Evidence, bars: Bars, *lines: str) -> Figure:
    """Both panels on one scale of units, ours with their spread as error bars; `lines` are further notes."""
    ours, paper = measured_bars(evidence, bars), printed_bars(evidence, bars)
    colors = hue_colors(evidence, bars)
    groups = [values_of(ours, bars.x), [*bars.paper_grid.get(bars.x, values_of(paper, bars.x))]]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7.4, 3.4), width_ratios=[max(4, len(each) + 1) for each in groups]
    )
    limits = fitting_limits(ours, bars)
    draw_panel(left, ours, bars, colors, limits)
    for label, level in bars.references.items():
        left.axhline(level, color=INK, linestyle=(0, (4, 2)), label=label)
    draw_panel(right, paper, bars, colors, bars.limits, bars.paper_grid)
    left.set(title=f"Ours ({evidence.exhibit.scale})", ylabel=_with_unit(bars.metric))
    right.set(title=f"Paper ({bars.paper_setting})")
    if bars.paper_metric not in ("", bars.metric):
        right.set(ylabel=_with_unit(bars.paper_metric))
    names = [bars.names.get(hue, hue) for hue in colors]
    draw_legend(figure, (left, right), [*names, *bars.references], bars.hue_label)
    said = [*_differences(evidence, ours, groups, bars), *_printed(paper, bars, limits), *lines]
    figure.set_figheight(3.4 + 0.13 * max(0, len(said) - 3))  # many notes must not flatten the bars
    notes(figure, evidence, *said)
    return figure


def measured_bars(evidence: Evidence, bars: Bars) -> pd.DataFrame:
    """Our bars: knobs, n, mean, spread. With `bars.over` n counts settings, each the mean over its seeds."""
    cells = summarize(evidence.measured, evidence.knobs).query("metric == @bars.metric")
    if not bars.over:
        return cells
    kept = [knob for knob in evidence.knobs if knob not in bars.over]
    return cells.groupby(kept, sort=False)["mean"].agg(n="size", mean="mean", spread="std").reset_index()


def printed_bars(evidence: Evidence, bars: Bars) -> pd.DataFrame:
    """The paper's bars as far as they are known."""
    paper = evidence.paper[evidence.paper["metric"] == (bars.paper_metric or bars.metric)]
    paper = paper.rename(columns={"number": "mean"})
    for knob, values in bars.paper_grid.items():
        paper = paper[paper[knob].isin(values)]
    return paper


def hue_colors(evidence: Evidence, bars: Bars) -> dict[str, Color]:
    """Ordered colours for numbers, distinct ones for words; a value has one colour in both panels."""
    shown = evidence.measured.query("metric == @bars.metric")
    theirs = [*bars.paper_grid.get(bars.hue, values_of(printed_bars(evidence, bars), bars.hue))]
    hues = settings(replace(evidence, measured=shown), bars.hue, printed=theirs)
    if any(sort_key(hue)[0] for hue in hues):
        return {hue: PALETTE[place % len(PALETTE)] for place, hue in enumerate(hues)}
    ramp, last = plt.get_cmap("cividis_r"), max(1, len(hues) - 1)
    return {hue: ramp(0.08 + 0.92 * place / last) for place, hue in enumerate(hues)}


def fitting_limits(ours: pd.DataFrame, bars: Bars) -> tuple[float, float]:
    """The vertical limits of a panel that holds `ours`."""
    spread = ours["spread"].fillna(0)
    return like_paper(
        [*(ours["mean"] - spread), *(ours["mean"] + spread), *bars.references.values()], bars.limits
    )


def draw_panel(
    axes: Axes,
    cells: pd.DataFrame,
    bars: Bars,
    colors: Mapping[str, Color],
    limits: tuple[float, float],
    grid: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """The bars of `cells`; with a `grid`, which is an assumption, room for all of its bars and how many are unknown."""
    grid = grid or {}
    groups = [*grid.get(bars.x, values_of(cells, bars.x))]
    hues = [hue for hue in colors if hue in grid.get(bars.hue, set(cells[bars.hue]))]
    width = 0.8 / max(1, len(hues))
    for place, hue in enumerate(hues):
        rows = cells[cells[bars.hue] == hue].set_index(bars.x).reindex(groups)
        x = [group + (place - (len(hues) - 1) / 2) * width for group in range(len(groups))]
        _draw_hue(axes, x, rows, width, colors[hue], bars.names.get(hue, hue))
    blanks = len(groups) * len(hues) - len(cells) if grid else 0
    said = f"{blanks} of {len(groups) * len(hues)} bars not known; grid assumed" if blanks else ""
    said = said if groups else "no values"
    axes.text(
        0.5, 0.97 if groups else 0.5, said, transform=axes.transAxes, ha="center", va="top", color=MUTED
    )
    axes.set_xticks(range(len(groups)), groups)
    axes.set(xlabel=bars.x_label, ylim=limits, xlim=(-0.5, max(1, len(groups)) - 0.5))


def draw_legend(figure: Figure, panels: Sequence[Axes], names: Sequence[str], title: str) -> None:
    """One legend above all panels, in the order of `names`."""
    found: dict[str, Any] = {}
    for axes in panels:
        found |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    shown = [name for name in names if name in found]
    if shown:
        handles = [found[name] for name in shown]
        figure.legend(handles, shown, loc="outside upper center", ncols=len(shown), title=title)


def spread_notes(evidence: Evidence, ours: pd.DataFrame, bars: Bars) -> Iterator[str]:
    """What the error bars of ours are, if there are any."""
    if (ours["n"] > 1).any():
        fewest, most = int(ours["n"].min()), int(ours["n"].max())
        count = f"{most}" if fewest == most else f"{fewest} to {most}"
        over = " and ".join(f"{knob.replace('_', ' ').removesuffix('s')}s" for knob in bars.over)
        seeds = evidence.measured["seed"].nunique()
        what = f"settings ({over})" + (f", each a mean over {seeds} seeds" if seeds > 1 else "")
        what = what if over else "seeds"
        yield f"Error bars: standard deviation over {count} {what}."


def _draw_hue(axes: Axes, x: list[float], rows: pd.DataFrame, width: float, color: Color, label: str) -> None:
    axes.bar(x, rows["mean"], width, color=color, edgecolor="white", linewidth=0.4, label=label)
    if "spread" in rows:
        look = {"fmt": "none", "ecolor": INK, "elinewidth": 0.9, "capsize": 2}
        _, caps, lines = axes.errorbar(x, rows["mean"], yerr=rows["spread"], **look)
        for part in (*caps, *lines):
            part.set_path_effects(HALO)


def _with_unit(name: str) -> str:
    label, unit, _ = metric(name)
    return f"{label} ({unit})"


def _differences(
    evidence: Evidence, ours: pd.DataFrame, groups: Sequence[Sequence[str]], bars: Bars
) -> Iterator[str]:
    """What keeps the two panels from being laid over each other, and what the error bars are."""
    yield f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}."
    if groups[0] != groups[1]:
        yield f"The grids differ: each panel has its own ticks for {bars.x_label.lower()}."
    yield from spread_notes(evidence, ours, bars)


def _printed(paper: pd.DataFrame, bars: Bars, limits: tuple[float, float]) -> Iterator[str]:
    """How sure the paper's bars are, and how its axis differs from ours."""
    unsure = paper[paper["confidence"].isin(UNSURE)]
    for (confidence, note), rows in unsure.groupby(["confidence", "note"], sort=False):
        bar = "bars are" if len(rows) > 1 else "bar is"
        yield f"The paper's {bar} {confidence.replace('third_party', 'read by a third party')}: {note}."
    if bars.assumed:
        yield (
            "We have the paper's text and tables and could not see this plot: the right panel's vertical axis is ours, "
            f"and its grid is assumed ({bars.assumed})."
        )
    if limits != bars.limits:
        (low, high), (paper_low, paper_high) = limits, bars.limits
        right = "the right one" if bars.assumed else "paper"
        yield f"The vertical axes differ: ours {low:g} to {high:g}, {right} {paper_low:g} to {paper_high:g}."
