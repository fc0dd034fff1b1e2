"""Whose weights an evaluation read: those of our own training, or published ones that stood in its place.

Both have one fingerprint, that of the training as declared. So an evaluation of imported weights keeps their checksums
in its run.json, nobody trains in the place of weights that were imported and evaluated, and an import removes the
evaluations of other weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common import atomic
from common.contracts import Cause
from common.errors import UserError
from stages.planning.runs import Run
from stages.running import store

READ = "upstream_imported"  # in the run.json of an evaluation: {file of the checkpoint: SHA-256}


def checksums(cause: Any) -> dict[str, str] | None:
    """The checksums of the published weights that a run holds; None for a training of our own, or for no run."""
    return cause["imported"]["sha256"] if cause and "imported" in cause else None


def is_headless(run: Run, results: Path) -> bool:
    """Whether published weights without a projection head stand in this run's place."""
    cause = _naming_it(store.store_folder(results, run), run)
    return "head" not in (cause or {}).get("imported", {}).get("parts", ["head"])


def copies(run: Run, results: Path) -> dict[Path, Cause]:
    """The folders here that say that they hold this run, in the store and in sweeps, with what their run.json says."""
    return {
        folder: cause
        for folder, cause in _naming(run, results).items()
        if cause["fingerprint"] == run.fingerprint
    }


def evaluations(run: Run, results: Path) -> dict[Path, dict[str, str] | None]:
    """The folders here of all finished runs that read this run's weights, each with the checksums of imported ones."""
    return {
        folder: cause.get(READ)
        for folder, cause in _naming(run, results).items()
        if cause.get("upstream") == run.fingerprint
    }


def _naming(run: Run, results: Path) -> dict[Path, Cause]:
    """Every whole run.json here in which the run's fingerprint stands, by folder."""
    paths = sorted((results / run.scale).glob(f"*/*/*/{store.RUN}"))
    folders = [path.parent for path in paths if path.parent.suffix != atomic.PARTIAL]
    return {folder: cause for folder in folders if (cause := _naming_it(folder, run))}


def _naming_it(folder: Path, run: Run) -> Cause | None:
    try:
        # Looked for before it is parsed: there are thousands.
        if run.fingerprint.encode() in (folder / store.RUN).read_bytes():
            return store.peek(folder)
    except (OSError, UserError):  # moved by another process; of another layout
        pass
    return None


def discard(folders: Iterable[Path]) -> None:
    """Remove finished runs: their sweeps are then not whole, and they are made again."""
    for folder in folders:
        shutil.rmtree(folder)
        print(f"{folder}: removed, it evaluated other weights", flush=True)


def check_trainable(run: Run, results: Path) -> None:
    """UserError if imported weights stood in this run's place: what evaluated them would then pass for ours."""
    if run.reads:  # published weights stand for what opens a chain
        return
    if found := [folder for folder, read in evaluations(run, results).items() if read]:
        raise UserError(
            "published weights stood in the place of this training, and are gone or damaged",
            expected="the imported run, which finished evaluations have read",
            found="none that is whole",
            where=store.store_folder(results, run),
            remedy="import them again (python -m stages import_official ...); or, to train it, remove what read them:\n"
            + "\n".join(map(str, found)),
        )


def fits(account: Any, run: Run, results: Path) -> bool:
    """Whether what is known of an evaluation was measured on the weights that lie here, if any do."""
    here = store.peek(store.find(results, run.upstream)) if run.upstream else None
    if here is None or here["fingerprint"] != run.upstream.fingerprint:
        return True
    return account.get(READ) == checksums(here)
