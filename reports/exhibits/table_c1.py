"""Table C.1: design choices of related methods as printed, and those of the default training of this scale."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports.drawing.tables import NOT_RUN, Table
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, values_of

COLUMNS = {
    "data_augmentation": "Data augmentation",
    "base_encoder": "Base encoder",
    "projection_head": "Projection head",
    "loss": "Loss",
    "batch_size": "Batch size",
    "train_epochs": "Train epochs",
}
HEADS = {"nonlinear": "Non-linear MLP", "linear": "Linear layer", "none": "None"}
MARKS = "†‡§¶"  # of footnotes, in this order, then doubled
LOSSES = {"nt_xent": "Xent", "nt_logistic": "Logistic", "margin_triplet": "Margin triplet"}


def draw(evidence: Evidence) -> Table:
    """The paper's words, row by row, then ours in the same words, read from the settings of the run."""
    lookup, remarks = Lookup(evidence), _remarks(evidence.paper)
    marks = {
        remark: MARKS[place % len(MARKS)] * (place // len(MARKS) + 1)
        for place, remark in enumerate(dict.fromkeys(filter(None, remarks.values())))
    }
    rows = [
        [model + marks.get(remark, ""), "paper", *[lookup.paper(name, model=model) or "" for name in COLUMNS]]
        for model, remark in remarks.items()
    ]
    runs = evidence.provenance["runs"]
    for model in values_of(evidence.measured, "model") or ["SimCLR, as run here"]:
        run = runs.get(f"pretrain/{lookup.run(model=model)}")
        design = _design(run["bindings"]) if run else {}
        rows.append([model, "ours", *[design.get(name, NOT_RUN) for name in COLUMNS]])
    columns, notes = (
        ["Model", "Source", *COLUMNS.values()],
        [f"{mark} {text}" for text, mark in marks.items()],
    )
    return Table(columns, rows, stubs=2, has_paper=False, notes=notes)


def _remarks(paper: pd.DataFrame) -> dict[str, str]:
    """What the paper adds to each model of its table, "" to most, in the order of its rows."""
    return {
        model: "; ".join(note for note in dict.fromkeys(rows["note"]) if note)
        for model, rows in paper.groupby("model", sort=False)
    }


def _design(bindings: Mapping[str, Any]) -> dict[str, str]:
    """What a pretraining's bindings say, in the words of the paper's table."""
    width = bindings["resnet.width"]
    operators = [*bindings["ViewPolicy.ops"], *bindings.get("ViewPolicy.then", ())]
    return {
        "data_augmentation": "+".join(operators).capitalize(),
        "base_encoder": f"ResNet-{bindings['resnet.depth']}" + (f" ({width}x)" if width > 1 else ""),
        "projection_head": HEADS[bindings["projection_head.kind"]],
        "loss": _loss(bindings),
        "batch_size": str(bindings["Pretraining.batch_size"]),
        "train_epochs": str(bindings["Pretraining.epochs"]),
    }


def _loss(bindings: Mapping[str, Any]) -> str:
    loss = bindings["Pretraining.loss"]
    details = ["l2"] if bindings.get(f"{loss}.l2_normalize", True) else []
    details += [f"τ = {bindings[f'{loss}.temperature']:g}"] if f"{loss}.temperature" in bindings else []
    details += [f"m = {bindings[f'{loss}.margin']:g}"] if f"{loss}.margin" in bindings else []
    return LOSSES[loss] + (f" w/ {', '.join(details)}" if details else "")
