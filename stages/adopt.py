"""Declare that the code of today gives the same numbers as the code that made the results at hand.

Results at hand lie under results, or are committed under reports/evidence where the scale reuses those.

For a renamed variable nobody should retrain a cluster-month. The declaration goes to params/adopted.yaml (commit it)
and stands, with its reason, in the provenance of every number that rests on it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from common import files, scales
from common.errors import UserError, command
from stages.planning import fingerprint
from stages.planning.code_changes import code_of, finished
from stages.planning.declaration import PARAMS
from stages.planning.plans import all_plans
from stages.running.finished import committed

ADOPTED = PARAMS / "adopted.yaml"
HEADER = (
    "# Made by `python -m stages adopt`: code that gives the same numbers as older code, and who says why.\n"
)


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages adopt --reason TEXT [--scale S]`."""
    parser = argparse.ArgumentParser(prog="python -m stages adopt", description=__doc__.splitlines()[0])
    parser.add_argument("--reason", required=True, help="why the numbers cannot have changed")
    parser.add_argument("--scale")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    scale = scales.check_scale(options.scale or scales.default())
    if not options.reason.strip():
        raise UserError(
            "an adoption needs a reason", expected="--reason 'renamed a variable'", found="an empty one"
        )
    new = list(_entries(scale, options.results, options.reason.strip()))
    if not new:
        print("nothing to adopt: the results at hand are of this code")
        return 0
    files.write_yaml(ADOPTED, [*fingerprint.adoptions(), *new], header=HEADER)
    for entry in new:
        print(f"{entry['stage']}: code {entry['code']} is taken to give the numbers of {entry['same_as']}")
    return 0


def _entries(scale: str, results: Path, reason: str) -> Iterator[dict[str, str]]:
    """One adoption for each code of today whose finished runs are of another."""
    older: dict[tuple[str, str], set[str]] = {}
    for run, cause in [*finished(all_plans(scale), results), *committed(all_plans(scale))]:
        older.setdefault((run.stage, run.code), set()).add(str(code_of(cause)))
    for (stage, code), codes in sorted(older.items()):
        if codes == {fingerprint.accepted_code(stage, code)}:
            continue
        if len(codes) > 1:
            raise UserError(
                f"results of stage {stage} are of several versions of its code: an adoption would mix them",
                expected="one version",
                found=", ".join(sorted(codes)),
                where=results / scale / stage,
                remedy="run the stage again for the sweeps of the older versions",
            )
        yield {"stage": stage, "code": code, "same_as": codes.pop(), "reason": reason}
