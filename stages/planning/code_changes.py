"""Finished runs of older code: those that an edit will train again, unless their results are adopted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError
from stages.planning.fingerprint import accepted_code
from stages.planning.plans import Plan, Run


def changed_runs(plans: Iterable[Plan], results: Path) -> Counter[str]:
    """Finished runs of each stage, counted, whose code is neither today's nor adopted. Equal runs count once."""
    changed = {
        (run.stage, code_of(cause), cause.get("fingerprint"))
        for run, cause in finished(plans, results)
        if code_of(cause) != accepted_code(run.stage, run.code)
    }
    return Counter(stage for stage, _, _ in changed)


def notice(scale: str, changed: Counter[str]) -> str:
    """What an engine says of such runs in its first lines."""
    stages = ", ".join(f"{count} of {stage}" for stage, count in sorted(changed.items()))
    return (
        f"note: the code of {changed.total()} finished runs of scale {scale} has changed ({stages}): they will be made "
        f'again.\n      If their numbers cannot have changed: python -m stages adopt --scale {scale} --reason "..."'
    )


def finished(plans: Iterable[Plan], results: Path) -> Iterator[tuple[Run, dict[str, Any]]]:
    """The runs of these plans that lie in their sweeps' folders, each with its run.json."""
    for plan in plans:
        for runs in plan.stages.values():
            for run in runs:
                path = run.folder(results) / "run.json"
                if path.is_file() and (cause := _read(path)):
                    yield run, cause


def code_of(cause: dict[str, Any]) -> str | None:
    """The code to which the results of a run.json count: its own, or the older code that was adopted."""
    return cause["adopted"]["same_as"] if cause.get("adopted") else cause.get("code")


def _read(path: Path) -> dict[str, Any]:
    # The stage that made a damaged run notices it, and makes it again.
    try:
        cause = files.read_json(path)
    except UserError:
        return {}
    return cause if isinstance(cause, dict) else {}
