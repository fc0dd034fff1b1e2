# The plan is made before the graph is built: it costs two seconds, and a stale one can then not be used. Files that an
# edit does not touch keep their times. Jobs that Snakemake starts on a cluster take the plan as it is, and write nothing.

import fcntl
import functools
import glob
import subprocess
import sys

from ruamel.yaml import YAML

sys.path.insert(0, workflow.basedir)  # the shared ground of stages and reports, and no torch
from common import receipts, scales
from common.errors import UserError


def read_yaml(path):
    with open(path, encoding="utf-8") as file:
        return YAML(typ="safe").load(file)


def checked_scale():
    try:
        return scales.check_scale(
            config.get("scale") or str(read_yaml("params/scale.yaml")["scale"])
        )
    except UserError as error:
        raise WorkflowError(f"error: {error}")


PYTHON = f'exec "{sys.executable}"'  # the driver's parent is then Snakemake itself, and it ends when that is gone
SCALE = checked_scale()
RESULTS = f"results/{SCALE}"
OUT = f"reports/out/{SCALE}"
if workflow.is_main_process:
    if subprocess.run(
        [sys.executable, "-m", "stages", "plan", "--quiet", "--scale", SCALE]
    ).returncode:
        raise WorkflowError("the declarations under params/ need mending, see above")
    # A drawing that was deleted, a digit that was changed: what says that they are there goes, and they are made again.
    receipts.discard_broken(RESULTS)
PLAN = read_yaml("params/plan/index.yaml")


wildcard_constraints:
    exhibit="|".join(PLAN["exhibits"]),


def receipt(step):
    """Says that a step was done, and what it left: results/<scale>/receipts/<step>.json."""
    return f"{RESULTS}/receipts/{step}.json"
