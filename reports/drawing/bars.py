"""Grouped bars, ours in the left panel and the paper's in the right one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from pandas.core.groupby import SeriesGroupBy

from reports.drawing.style import HALO, INK, PALETTE, Drawing, like_paper, mark_diverged, notes
from reports.reading.exhibit import Evidence
from reports.reading.knobs import sort_key
from reports.reading.notation import metric
from reports.reading.summary import settings, values_of

UNSURE = ("inferred", "third_party")  # confidences that a reader of the paper's bars must know of
KNOWN = 0.1  # of its bars, from which the paper's plot is worth a panel
REFERENCE = {"color": INK, "linestyle": (0, (4, 2))}


@dataclass(frozen=True)
class Bars:
    """What a bar chart shows: a metric along groups (x) of coloured bars (hue), within the paper's limits.

    paper_metric: the paper's, where ours is another one. paper_grid: the values of x and hue that the paper's plot has,
    if not all of its bars are published; its other rows are not bars. assumed: of a plot that we could not see, what
    its grid is taken from. over: knobs over whose settings a bar is the mean and its error bar the standard deviation;
    without them a bar is a cell and its spread that over seeds. references: levels of ours that a line across our panel
    shows, by their label.
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


def draw_bars(evidence: Evidence, bars: Bars, *lines: str) -> Drawing:
    """Both panels on one scale of units; `lines` are further notes. Of few known bars a sentence tells."""
    ours, paper = measured_bars(evidence, bars), printed_bars(evidence, bars)
    groups = [values_of(ours, bars.x), [*bars.paper_grid.get(bars.x, values_of(paper, bars.x))]]
    grid = len(groups[1]) * len(bars.paper_grid.get(bars.hue, values_of(paper, bars.hue)))
    limits, both = fitting_limits([ours], bars), len(paper) > KNOWN * grid
    bars = bars if both else replace(bars, paper_grid={})
    colors = hue_colors(evidence if both else replace(evidence, paper=evidence.paper[:0]), bars)
    widths = [max(4, len(each) + 1) for each in groups[: 1 + both]]
    figure, panels = plt.subplots(1, len(widths), figsize=(7.4, 3.6), width_ratios=widths, squeeze=False)
    left, *right = panels[0]
    draw_panel(left, ours, bars, colors, limits)
    left.set(title=f"Ours ({evidence.exhibit.scale})", ylabel=metric(bars.metric).header)
    for level in bars.references.values():
        left.axhline(level, **REFERENCE)
    for axes in right:
        draw_panel(axes, paper, bars, colors, bars.limits, bars.paper_grid)
        axes.set(title=f"Paper ({bars.paper_setting})")
        if bars.paper_metric not in ("", bars.metric):
            axes.set_ylabel(metric(bars.paper_metric).header)
    draw_legend(figure, bars, colors)
    said = _compared(paper, bars, groups, grid, limits) if right else _few(paper, bars, grid)
    return notes(figure, evidence, *said, dataset_of(evidence), *spread_notes([ours], bars), *lines)


def measured_bars(evidence: Evidence, bars: Bars) -> pd.DataFrame:
    """The values of which our bars are means, one a row: of seeds, or with `bars.over` of settings."""
    rows = evidence.measured[evidence.measured["metric"] == bars.metric]
    return rows.groupby(evidence.knobs, sort=False)["value"].mean().reset_index() if bars.over else rows


def printed_bars(evidence: Evidence, bars: Bars) -> pd.DataFrame:
    """The paper's bars as far as they are known."""
    paper = evidence.paper[evidence.paper["metric"] == (bars.paper_metric or bars.metric)]
    for knob, values in bars.paper_grid.items():
        paper = paper[paper[knob].isin(values)]
    return paper.assign(value=paper["number"])


def hue_colors(evidence: Evidence, bars: Bars) -> dict[str, tuple[float, ...]]:
    """Ordered colours for numbers, distinct ones for words; a value has one colour in both panels."""
    shown = evidence.measured[evidence.measured["metric"] == bars.metric]
    theirs = [*bars.paper_grid.get(bars.hue, values_of(printed_bars(evidence, bars), bars.hue))]
    hues = settings(replace(evidence, measured=shown), bars.hue, printed=theirs)
    if any(sort_key(hue)[0] for hue in hues):
        return dict(zip(hues, sns.color_palette(PALETTE, len(hues)), strict=True))
    ramp = sns.color_palette("viridis_r", as_cmap=True)
    return {hue: ramp(0.04 + 0.96 * place / max(1, len(hues) - 1))[:3] for place, hue in enumerate(hues)}


def fitting_limits(panels: Sequence[pd.DataFrame], bars: Bars) -> tuple[float, float]:
    """The vertical limits of panels that hold our bars."""
    groups = pd.concat([_groups(panel, bars).agg(["mean", "std"]).fillna({"std": 0}) for panel in panels])
    ends = [*(groups["mean"] - groups["std"]), *(groups["mean"] + groups["std"])]
    return like_paper([*ends, *bars.references.values()], bars.limits)


def draw_panel(
    axes: Axes,
    rows: pd.DataFrame,
    bars: Bars,
    colors: Mapping[str, tuple[float, ...]],
    limits: tuple[float, float],
    grid: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """The bars of `rows`, with the standard deviation of each; with a `grid`, room for all of its bars."""
    groups = [*(grid or {}).get(bars.x, values_of(rows, bars.x))]
    hues = [hue for hue in colors if hue in (grid or {}).get(bars.hue, set(rows[bars.hue]))]
    where = {"x": bars.x, "y": "value", "hue": bars.hue, "order": groups, "hue_order": hues}
    look = {
        "errorbar": "sd",
        "capsize": 0.3,
        "err_kws": {"color": INK, "linewidth": 0.9, "path_effects": HALO},
    }
    if len(rows):
        sns.barplot(
            rows, **where, **look, palette=dict(colors), saturation=1, edgecolor="white", linewidth=0.4,
            legend=False, ax=axes,
        )  # fmt: skip
        width = 0.8 / len(hues)
        lost = rows[rows["value"].isna()] if grid is None else rows[:0]
        for x, hue in zip(lost[bars.x], lost[bars.hue], strict=True):
            mark_diverged(axes, groups.index(x) + (hues.index(hue) - (len(hues) - 1) / 2) * width)
    blanks = len(groups) * len(hues) - len(rows) if grid else 0
    if blanks:
        axes.set_title(
            f"{blanks} of {len(groups) * len(hues)} bars not known",
            fontsize=7.5,
            loc="right",
            weight="normal",
        )
    axes.set(xlabel=bars.x_label, ylabel="", ylim=limits)


def draw_legend(figure: Figure, bars: Bars, colors: Mapping[str, tuple[float, ...]]) -> None:
    """One legend above all panels: the colours of the bars, and the lines across."""
    handles = [Patch(color=color, label=bars.names.get(hue, hue)) for hue, color in colors.items()]
    handles += [Line2D([], [], label=label, **REFERENCE) for label in bars.references]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), title=bars.hue_label)


def dataset_of(evidence: Evidence) -> str:
    """A sentence that every comparison with the paper needs."""
    return f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}."


def spread_notes(panels: Sequence[pd.DataFrame], bars: Bars) -> Iterator[str]:
    """What the error bars of ours are, if there are any."""
    counts = pd.concat([_groups(panel, bars).count() for panel in panels])
    if (counts > 1).any():
        count = f"{counts.max()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
        over = " and ".join(f"{knob.replace('_', ' ').removesuffix('s')}s" for knob in bars.over)
        yield f"Error bars: standard deviation over {count} {f'settings ({over})' if over else 'seeds'}."


def _groups(rows: pd.DataFrame, bars: Bars) -> SeriesGroupBy:
    """The values by bar."""
    return rows.groupby([bars.x, bars.hue])["value"]


def _compared(
    paper: pd.DataFrame,
    bars: Bars,
    groups: Sequence[Sequence[str]],
    grid: int,
    limits: tuple[float, float],
) -> Iterator[str]:
    """What keeps the two panels from being laid over each other, and how sure the paper's bars are."""
    if groups[0] != groups[1]:
        yield f"The panels differ in their {bars.x_label.lower()}."
    if limits != bars.limits:
        (low, high), (paper_low, paper_high) = limits, bars.limits
        whose = "the right one's" if bars.assumed else "the paper's"
        yield f"The vertical axes differ: ours {low:g} to {high:g}, {whose} {paper_low:g} to {paper_high:g}."
    unsure = paper[paper["confidence"].isin(UNSURE)]
    for (confidence, note), rows in unsure.groupby(["confidence", "note"], sort=False):
        bar = "bars are" if len(rows) > 1 else "bar is"
        yield f"The paper's {bar} {confidence.replace('third_party', 'read by a third party')}: {note}."
    if bars.assumed:
        yield (
            f"We could not see the paper's plot: its grid of {grid} bars is assumed ({bars.assumed}), and the right "
            "panel's vertical axis is ours."
        )


def _few(paper: pd.DataFrame, bars: Bars, grid: int) -> Iterator[str]:
    """What is known of a plot of which hardly a bar is; an exhibit of our own is compared with nothing."""
    if not grid:
        return
    known = [
        f"{row.number:g} {row.unit} ({bars.hue_label.lower()} {row[bars.hue]}, {bars.x_label.lower()} {row[bars.x]}; "
        f"{row.note})"
        for _, row in paper.iterrows()
    ]
    yield f"Of the paper's {grid} bars we know {len(known) or 'none'}{': ' if known else ''}{'; '.join(known)}."
    if bars.assumed:
        yield f"Its grid is assumed: {bars.assumed}."
