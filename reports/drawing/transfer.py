"""Transfer to other data sets: what Tables 8 and B.5 share."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from reports.drawing.tables import NOT_RUN, Cell, Table, Value
from reports.reading.exhibit import Evidence
from reports.reading.judged import is_bold
from reports.reading.notation import metric
from reports.reading.summary import Lookup, settings, settings_together, values_of

METRICS = ("top1", "mean_per_class", "map11")  # a data set has one of them
BLOCKS = {"linear": "Linear evaluation", "fine-tuned": "Fine-tuned"}
UNAVAILABLE = "†"  # beside the name of a data set that is not available here


def transfer_table(evidence: Evidence) -> Table:
    """A row per setting and method, a column per data set: as printed, then what only we have, then what is lacking."""
    lookup, named = Lookup(evidence), settings(evidence, "dataset")
    absent = [name for name in named if _is_absent(evidence, name)]
    datasets = [*(name for name in named if name not in absent), *absent]
    rows = [
        [BLOCKS.get(setting, setting), ", ".join([method, *network.values()])]
        + [
            _cell(lookup, name, name in absent, setting=setting, method=method, **network)
            for name in datasets
        ]
        for network in _networks(evidence)
        for setting, method in settings_together(evidence, "setting", "method")
    ]
    heads = [name + UNAVAILABLE if name in absent else name for name in datasets]
    compared = any(isinstance(cell, Value) and cell.bold for row in rows for cell in row)  # the best is bold
    return Table(
        ["", "Method", *heads], rows, stubs=2, notes=list(_notes(evidence, datasets, absent, compared))
    )


def _networks(evidence: Evidence) -> list[dict[str, str]]:
    """What tells the networks of the table apart: nothing if we ran one, which then stands beside the paper's."""
    if len(values_of(evidence.measured, "architecture")) <= 1:
        return [{}]
    return [{"architecture": name} for name in settings(evidence, "architecture")]


def _is_absent(evidence: Evidence, dataset: str) -> bool:
    """Whether this scale leaves one of the paper's data sets out; at scale paper a lacking one is a missing run."""
    return evidence.exhibit.scale != "paper" and dataset not in values_of(evidence.measured, "dataset")


def _cell(lookup: Lookup, dataset: str, absent: bool, **row: str) -> Cell:
    """Ours and the paper's in the metric of the data set, bold if not significantly worse than the block's best."""
    evidence, where = lookup.evidence, {**row, "dataset": dataset}
    name = _metric(evidence, dataset)
    ours = lookup.ours(name, **where)
    return Value(
        name,
        ours,
        lookup.paper(name, **where),
        absent="-" if absent else NOT_RUN,
        bold=ours is not None and is_bold(evidence.judged["bold"], where),
        paper_bold=_printed_bold(evidence.paper, where),
    )


def _metric(evidence: Evidence, dataset: str) -> str:
    """The metric that the paper prints for a data set or, of one that only we have, that its runs measured."""
    for frame in (evidence.paper, evidence.measured):
        found = set(frame.loc[frame["dataset"] == dataset, "metric"]) & set(METRICS)
        if found:
            return min(found, key=METRICS.index)
    return METRICS[0]


def _printed_bold(paper: pd.DataFrame, where: Mapping[str, str]) -> bool:
    """The print's bold, which the note of a value keeps."""
    rows = paper[(paper[list(where)] == pd.Series(where)).all(axis=1)]
    return bool(rows["note"].str.startswith("bold=yes").any())


def _notes(
    evidence: Evidence, datasets: Sequence[str], absent: Sequence[str], compared: bool
) -> Iterator[str]:
    ours, paper = (
        " and ".join(values_of(frame, "architecture")) for frame in (evidence.measured, evidence.paper)
    )
    yield f"Network: ours {ours or NOT_RUN}, the paper's {paper}. {_metrics(evidence, datasets)}"
    marked = evidence.paper["note"].str.startswith("bold=").any()
    yield (
        "Bold, ours: not significantly worse than the best of its block and column (permutation test on the test "
        "predictions of the first seed, 100,000 draws, p > 0.05); none where fewer than two methods have predictions"
        + ("" if compared else ", which is everywhere here")
        + ". "
        + (
            "The paper's: as printed."
            if marked
            else "Which of the paper's numbers are bold is not known to us."
        )
    )
    if absent:
        yield (
            f"{UNAVAILABLE} Not available here: {', '.join(absent)}. Scale {evidence.exhibit.scale} does not run them. "
            "To have them, obtain the data as params/datasets.yaml says for each, and run scale paper."
        )


def _metrics(evidence: Evidence, datasets: Sequence[str]) -> str:
    """Which data sets are not measured by top-1."""
    groups = {name: [one for one in datasets if _metric(evidence, one) == name] for name in METRICS[1:]}
    said = [f"{metric(name).label} of {', '.join(some)}" for name, some in groups.items() if some]
    return "; ".join(["In percent: top-1 accuracy", *said]) + "."
