"""Planning refuses runs that could not train: a batch larger than the data, labels that do not fit."""

from __future__ import annotations

from collections.abc import Callable

from common.errors import UserError
from stages.planning.cost import splits_of, work_in
from stages.planning.fingerprint import declaration_of
from stages.planning.runs import Run

SEVERAL_LABELS = "map11"  # the metric of data sets whose images have several labels


def check_run(run: Run, where: Callable[[str], str]) -> None:
    """UserError for a run that its data, or its own numbers, do not allow. `where` says where a binding stands."""
    if run.dataset is not None:
        declaration_of(run.dataset, where("dataset.name"))
    splits, work = splits_of(run), work_in(run)
    data = f" of data set {run.dataset}" if run.dataset else ""
    if run.dataset and 0 < run.bindings.get("dataset.limit", 0) < splits.classes:
        limit = run.bindings["dataset.limit"]
        needed = f"at least {splits.classes}, an image of each class{data}"
        raise _refused(run, "dataset.limit", needed, str(limit), where)
    for key, (needed, there, what) in work.fits.items():
        if needed > there:
            raise _refused(run, key, f"at most {there:,.0f} {what}{data}", f"{needed:,.0f}", where)
    processes = run.bindings.get("execution.processes", 1)
    for key, (divisor, number) in {"execution.processes": (processes, work.batch), **work.divides}.items():
        if number % divisor:
            raise _refused(run, key, f"a divisor of {number:,.0f}", str(divisor), where)
    chooses = run.bindings.get("label_subset.fraction", 1) < 1 and not run.bindings.get("label_subset.file")
    if chooses and declaration_of(str(run.dataset)).get("metric") == SEVERAL_LABELS:
        found = "images with several labels"
        raise _refused(run, "label_subset.fraction", f"classes to balance{data}", found, where)


def _refused(run: Run, key: str, expected: str, found: str, where: Callable[[str], str]) -> UserError:
    return UserError(
        f"{key} does not fit run {run.id} of stage {run.stage}",
        expected=expected,
        found=found,
        where=where(key),
        remedy="change it, or the data that the run is bound to (dataset.name, dataset.limit)",
    )
