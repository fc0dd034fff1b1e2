# The plan is made before the graph is built: it costs two seconds, and a stale one can then not be used. Files that an
# edit does not touch keep their times. Jobs that Snakemake starts on a cluster take the plan as it is, and write nothing.

import functools
import glob
import os
import re
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

os.environ["PYTHONUTF8"] = "1"  # for jobs: text is UTF-8 under any locale
# The shared ground of stages and reports, and no torch.
sys.path.insert(0, workflow.basedir)
from common import locks, scales
from common.errors import UserError, explain
from common.names import nearest
from stages.running import looking, lost


def read_yaml(path):
    with open(path, encoding="utf-8") as file:
        return YAML(typ="safe").load(file)


def checked_scale():
    try:
        return scales.check_scale(str(config.get("scale") or scales.default()))
    except UserError as error:
        raise WorkflowError(f"error: {error}")


PYTHON = f'exec "{sys.executable}"'
# The driver's parent is Snakemake itself, no shell between: it ends, with checkpoints, when that is gone.
WATCHED = "--end-with-parent"
SCALE = checked_scale()
RESULTS = f"results/{SCALE}"
OUT = f"reports/out/{SCALE}"


def alone():
    """The lock of this scale, which the kernel frees when this process is gone, however it went. Snakemake's own, which
    a kill leaves behind, is switched off in profiles/default. A dry run goes without.
    """
    try:
        return locks.take(f"{RESULTS}/.lock")
    except locks.Held as held:
        if workflow.dryrun:
            return None
        raise WorkflowError(
            f"error: another command is at work on this scale\n  expected:   one at a time\n"
            f"  found:      process {held}\n  where:      {RESULTS}/.lock\n"
            "  what to do: wait until it ends, or end it; the lock goes with it"
        )
    except OSError as error:
        raise WorkflowError(f"error: {explain(error)}")


if workflow.is_main_process:
    LOCK = alone()
    if subprocess.run(
        [sys.executable, "-m", "stages", "plan", "--quiet", "--scale", SCALE]
    ).returncode:
        raise WorkflowError("the declarations under params/ need mending, see above")
    try:
        looking.look_again(Path("results"), SCALE)
    except UserError as error:
        raise WorkflowError(f"error: {error}")


def checked(names, where):
    """The names, which become words of commands: none may be more than a word."""
    if odd := [
        name for name in names if not re.fullmatch(r"[\w.-]+", str(name), re.ASCII)
    ]:
        raise WorkflowError(
            f"error: not a name\n  expected:   letters, digits, _, . and -\n  found:      {odd[0]!r:.60}\n"
            f"  where:      {where}\n  what to do: make plan"
        )
    return names


INDEX = "params/plan/index.yaml"
PLAN = read_yaml(INDEX)
for names in (
    PLAN["exhibits"],
    PLAN["sweeps"],
    PLAN["opens"],
    PLAN["searches"].values(),
    *PLAN["sweeps"].values(),
):
    checked(names, INDEX)


wildcard_constraints:
    exhibit="|".join(PLAN["exhibits"]),


def receipt(step):
    """Says that a step was done, and what it left: results/<scale>/receipts/<step>.json."""
    return f"{RESULTS}/receipts/{step}.json"
