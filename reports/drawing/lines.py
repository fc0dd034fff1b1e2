"""Lines over a knob, one for each value of another, ours beside the paper's where there are any."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.drawing.bars import dataset_of
from reports.drawing.style import PALETTE, Drawing, like_paper, mark_diverged, notes
from reports.reading.exhibit import Evidence
from reports.reading.knobs import sort_key
from reports.reading.notation import metric
from reports.reading.summary import settings, values_of

MARKERS = "os^Dvp"


@dataclass(frozen=True)
class Lines:
    """What a line plot shows: a metric over the knob x, a line for each value of the knob hue.

    limits: of the vertical axis, which is moved where ours lie outside. log: whether x is drawn on a logarithmic axis.
    """

    metric: str
    x: str
    hue: str
    limits: tuple[float, float]
    x_label: str
    hue_label: str
    log: bool = False


def draw_lines(evidence: Evidence, shown: Lines, *lines: str) -> Drawing:
    """Means over seeds with their standard deviation; `lines` are further notes."""
    ours = _values(evidence.measured, "value", shown)
    paper = _values(evidence.paper, "number", shown)
    panels = {f"Ours ({evidence.exhibit.scale})": ours} | ({"Paper": paper} if len(paper) else {})
    figure, axes = plt.subplots(1, len(panels), figsize=(3.7 * (1 + len(panels)) / 1.5, 3.4), squeeze=False)
    hues = settings(evidence, shown.hue)
    for place, (title, rows) in zip(axes[0], panels.items(), strict=True):
        limits = like_paper(_ends(rows, shown), shown.limits)
        _panel(place, rows, shown, hues)
        place.set(title=title, xlabel=shown.x_label, ylabel="", ylim=limits)
    axes[0, 0].set_ylabel(metric(shown.metric).header)
    if len(ours):
        axes[0, 0].legend(title=shown.hue_label)
    several = (ours.groupby([shown.x, shown.hue])["value"].count() > 1).any()
    said = ["Error bars: standard deviation over seeds."] if several else []
    return notes(figure, evidence, dataset_of(evidence), *said, *lines)


def _values(frame: pd.DataFrame, column: str, shown: Lines) -> pd.DataFrame:
    """Rows of the metric with x as numbers, where all of it are."""
    rows = frame[frame["metric"] == shown.metric]
    if not len(rows):
        return rows.reindex(columns=[shown.x, shown.hue, "value"])
    rows = rows.assign(value=rows[column].astype(float))
    are_words = any(sort_key(value)[0] for value in rows[shown.x])
    if not are_words:
        return rows.assign(**{shown.x: rows[shown.x].astype(float)})
    return rows.assign(**{shown.x: pd.Categorical(rows[shown.x], values_of(rows, shown.x))})


def _ends(rows: pd.DataFrame, shown: Lines) -> list[float]:
    """The ends of all error bars."""
    groups = (
        rows.groupby([shown.x, shown.hue], observed=True)["value"].agg(["mean", "std"]).fillna({"std": 0})
    )
    ends = [*(groups["mean"] - groups["std"]), *(groups["mean"] + groups["std"])]
    return [end for end in ends if math.isfinite(end)]


def _panel(axes: Axes, rows: pd.DataFrame, shown: Lines, hues: Sequence[str]) -> None:
    if shown.log:
        axes.set_xscale("log")
    if not len(rows):
        return
    colors = {hue: PALETTE[(place + 4) % len(PALETTE)] for place, hue in enumerate(hues)}
    markers = {hue: MARKERS[place % len(MARKERS)] for place, hue in enumerate(hues)}
    where = {"x": shown.x, "y": "value", "hue": shown.hue, "style": shown.hue}
    order = {"hue_order": hues, "style_order": hues, "palette": colors, "markers": markers, "dashes": False}
    spread = {"errorbar": "sd", "err_style": "bars", "err_kws": {"capsize": 2, "elinewidth": 0.8}}
    sns.lineplot(rows, **where, **order, **spread, markeredgecolor="auto", ax=axes)
    for x in rows.loc[rows["value"].isna(), shown.x]:
        mark_diverged(axes, x)
