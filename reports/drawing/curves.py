"""How each training went: loss and accuracies over epochs, a panel per stage and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from common.names import cell_name
from reports.drawing.style import INK, MUTED, PALETTE
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.tidy import DIVERGED

STAGES = {
    "pretrain": "Pretraining",
    "supervised": "Training with labels",
    "linear_eval": "Linear evaluation",
    "finetune": "Fine-tuning",
    "probe": "Probe",
}
LABELS = {
    "loss": "Loss",
    "contrastive_accuracy": "Contrastive accuracy (%)",
    "top1": "Top-1 on training images (%)",
    "accuracy": "Accuracy on training images (%)",
}
FEW = 7  # cells that have a colour and a name each; of more, the values of one knob have
ACROSS = 3  # panels in a row


class Look(NamedTuple):
    """The colour and the name of each cell's curves."""

    colors: Mapping[str, str]
    names: Mapping[str, str]


def draw_curves(evidence: Evidence, before: pd.DataFrame | None = None) -> Figure | None:
    """Means over seeds with a band from the least to the most; a cross where a run diverged. None without curves.

    before: other curves, as reports.reading.learning_curves has them, drawn dashed under those of the same cells.
    """
    if evidence.curves.empty:
        return None
    curves = evidence.curves.assign(cell=evidence.curves["run"].map(cell_name))
    panels = list(dict.fromkeys(zip(curves["stage"], curves["metric"], strict=True)))
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    figure, axes = plt.subplots(down, across, figsize=(7.4, 2.3 * down + 0.5), squeeze=False)
    look = _look(evidence, list(dict.fromkeys(curves["cell"])))
    lost = set(evidence.rows.loc[evidence.rows["metric"] == DIVERGED, "run"])
    for place, panel in zip(axes.flat, panels, strict=False):
        own = curves[(curves["stage"] == panel[0]) & (curves["metric"] == panel[1])]
        if before is not None and len(before):
            _draw_before(place, before[(before["stage"] == panel[0]) & (before["metric"] == panel[1])], look)
        _draw_panel(place, panel, own, look, lost)
    for place in axes.flat[len(panels) :]:
        place.remove()
    _legend(figure, look)
    return figure


def _draw_before(axes: Axes, curves: pd.DataFrame, look: Look) -> None:
    for cell, own in curves.groupby(curves["run"].map(cell_name), sort=False):
        mean = own.groupby("epoch")["value"].mean()
        axes.plot(mean.index, mean, linestyle="--", linewidth=0.9, color=look.colors.get(str(cell), MUTED))


def _draw_panel(axes: Axes, panel: tuple[str, str], curves: pd.DataFrame, look: Look, lost: set[str]) -> None:
    stage, name = panel
    few = curves["cell"].nunique() <= FEW
    for cell, own in curves.groupby("cell", sort=False):
        spread = own.groupby("epoch")["value"].agg(["mean", "min", "max", "size"])
        color = look.colors[str(cell)]
        axes.plot(
            spread.index, spread["mean"], color=color, linewidth=1.2 if few else 0.7, alpha=1 if few else 0.7
        )
        if few and (spread["size"] > 1).any():
            axes.fill_between(
                spread.index, spread["min"], spread["max"], color=color, alpha=0.18, linewidth=0
            )
    ends = curves[curves["run"].isin(lost)].groupby("run", sort=False).tail(1)
    axes.plot(ends["epoch"], ends["value"], "x", color=INK, markersize=5, linestyle="none")
    axes.set_title(STAGES.get(stage, stage.replace("_", " ").capitalize()))
    axes.set(xlabel="Epoch", ylabel=LABELS.get(name, metric(name).header), xlim=(0, None))
    axes.locator_params(nbins=3)


def _look(evidence: Evidence, cells: Sequence[str]) -> Look:
    """A colour per cell, or where they are many per value of the knob that has the fewest values, two at least."""
    settings = _settings(evidence)
    if len(cells) <= FEW:
        named = {cell: _named(settings.get(cell, {}), evidence.knobs) or cell for cell in cells}
        return Look(dict(zip(cells, PALETTE, strict=False)), named)
    counted = {knob: len({each[knob] for each in settings.values()}) for knob in evidence.knobs}
    knobs = [knob for knob in sorted(counted, key=lambda knob: counted[knob]) if 2 <= counted[knob] <= FEW]
    if not knobs:
        return Look(dict.fromkeys(cells, PALETTE[4]), dict.fromkeys(cells, f"{len(cells)} settings"))
    values = list(dict.fromkeys(each[knobs[0]] for each in settings.values()))
    colors = dict(zip(values, PALETTE, strict=False))
    of = {cell: settings.get(cell, {}).get(knobs[0]) for cell in cells}
    names = {cell: _named({knobs[0]: value}, knobs[:1]) if value else "other" for cell, value in of.items()}
    return Look({cell: colors.get(value, MUTED) for cell, value in of.items()}, names)


def _settings(evidence: Evidence) -> dict[str, dict[str, str]]:
    rows = evidence.rows.to_dict(orient="records")
    return {cell_name(row["run"]): {knob: row[knob] for knob in evidence.knobs} for row in rows}


def _named(setting: Mapping[str, str], knobs: Sequence[str]) -> str:
    return ", ".join(f"{knob.replace('_', ' ')} {setting[knob]}" for knob in knobs if setting.get(knob))


def _legend(figure: Figure, look: Look) -> None:
    """Once for all panels, under them: a line per name."""
    names = {name: look.colors[cell] for cell, name in look.names.items()}
    lines = [plt.Line2D([], [], color=color) for color in names.values()]
    columns = 2 if max(map(len, names)) > 24 else 4
    figure.legend(lines, list(names), loc="outside lower left", ncols=columns)
