"""Results of a scale that nobody has run: folders with as many small files, so that engines have as much to look at.

python -m tests.bench.stand_ins paper          # in a clone, below results/ and reports/
python -m tests.bench.stand_ins --own table_05 # the runs of one exhibit in the scale in use, as JSON
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from common import files, receipts, scales
from stages import run as running
from stages.planning.declaration import exhibit_ids
from stages.planning.plans import Run, read_plan
from stages.running import store
from stages.running.provenance import cause_of

RESULTS = Path("results")
# What a run leaves beside its metrics, its gin, its seal and its record. Tests hold it to real runs.
TRAINED = ("curve.csv", "weights.safetensors")
LEAVES = {
    "finetune": (*TRAINED, "subset.csv"),
    "initialize": ("weights.safetensors",),
    "linear_eval": TRAINED,
    "logistic": ("arrays.npz",),
    "operators": ("arrays.npz",),
    "pretrain": TRAINED,
    "probe": ("curve.csv",),
    "spectrum": ("arrays.npz",),
    "supervised": TRAINED,
    "transfer": ("arrays.npz", "grid.csv", "weights.safetensors"),
    "tsne": ("arrays.npz",),
}
DRAWN = ("svg", "png", "csv", "json")


def stand_in(scale: str) -> None:
    """Write all that a finished scale has."""
    folder = RESULTS / scale
    files.write_json(folder / "data" / "manifest.json", {"missing": []})
    for name in exhibit_ids():
        for runs in read_plan(name, scale).stages.values():
            for each in runs:
                finish(each)
    running.main(["--scale", scale, "--ignore-evidence"])
    steps = {
        "tidy": [folder / "tidy" / name / "rows.csv" for name in exhibit_ids()],
        "judged": [folder / "judged" / f"{name}.json" for name in exhibit_ids()],
        "drawn": [folder / "drawn" / f"{name}.json" for name in exhibit_ids()],
        "page": [Path("reports/out") / scale / f"{name}.{end}" for name in exhibit_ids() for end in DRAWN],
    }
    for step, left in steps.items():
        for path in left:
            files.write_text(path, f"stands in for {path.name}\n")
        receipts.write(folder, step, left)
    for name in exhibit_ids():
        receipts.write(
            folder, f"drawn/{name}", [Path("reports/out") / scale / f"{name}.{end}" for end in DRAWN]
        )
    files.write_json(Path("reports/metrics") / f"{scale}.json", {})
    files.write_text(Path("reports/evidence") / scale / "figure_01" / "rows.csv", "stands in\n")


def finish(run: Run) -> None:
    """Put a run into the store that was never done."""
    destination = store.store_folder(RESULTS, run)
    if destination.is_dir():
        return
    partial = store.partial_folder(RESULTS, run)
    for name in written_by(run.stage):
        files.write_text(partial / name, f"stands in for {name} of {run.fingerprint}\n")
    store.finish(partial, destination, cause_of(run), {"seconds": 0})
    if not store.is_finished(destination, run):
        raise RuntimeError(
            f"what stands in for {destination} is not taken for a finished run: it would be made"
        )


def written_by(stage: str) -> tuple[str, ...]:
    """The files that a run of a stage writes; the store adds its record and its seal."""
    return ("metrics.json", "operative.gin", *LEAVES.get(stage, ()))


def own_runs(exhibit: str) -> list[str]:
    """ "<stage>/<fingerprint>" of each run that an exhibit shows, and of what they evaluate."""
    plan = read_plan(exhibit, scales.default())
    return sorted({f"{run.stage}/{run.fingerprint}" for runs in plan.stages.values() for run in runs})


def main() -> None:
    """One of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scale", nargs="?")
    parser.add_argument("--own")
    options = parser.parse_args()
    if options.own:
        print(json.dumps(own_runs(options.own)))
    else:
        stand_in(scales.check_scale(options.scale))


if __name__ == "__main__":
    main()
