# The plan is made before the graph is built: it costs two seconds, and a stale one can then not be used. Files that an
# edit does not touch keep their times. Jobs that Snakemake starts on a cluster take the plan as it is, and write nothing,
# and so does a dry run beside a call that is at work; alone it makes the plan, if that is stale, and writes nothing else.

import contextlib
import functools
import glob
import io
import os
import re
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

os.environ["PYTHONUTF8"] = "1"  # for jobs: text is UTF-8 under any locale
# The shared ground of stages and reports, and no torch.
sys.path.insert(0, workflow.basedir)
from common import locks, machine, scales
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
# Options of Snakemake with which it carries nothing out.
ONLY_LOOK = ("dryrun", "dag", "rulegraph", "filegraph", "summary", "detailed_summary")


def options_of_call():
    """Those of the command line and of profiles. Snakemake itself says only after it has read this file whether a run is
    dry, and who executes it.
    """
    from snakemake.cli import parse_args

    with contextlib.redirect_stderr(io.StringIO()):  # what profiles it uses was said
        return parse_args(sys.argv[1:])[1]


def alone():
    """The lock of this scale, which the kernel frees when this process is gone, however it went. Snakemake's own, which
    a kill leaves behind, is switched off in profiles/default.
    """
    try:
        return locks.take(f"{RESULTS}/.lock")
    except locks.Held as held:
        raise WorkflowError(
            f"error: another command is at work on this scale\n  expected:   one at a time\n"
            f"  found:      {held}\n  where:      {RESULTS}/.lock\n"
            "  what to do: wait until it ends, or end it; the lock goes with it"
        )
    except OSError as error:
        raise WorkflowError(f"error: {explain(error)}")


def make_plan():
    words = [sys.executable, "-m", "stages", "plan", "--quiet", "--scale", SCALE]
    if subprocess.run(words).returncode:
        raise WorkflowError("the declarations under params/ need mending, see above")


def look_again():
    """What is not true any more goes, so that it is made again; a dry run says only what that is."""
    try:
        if not DRY:
            looking.look_again(Path("results"), SCALE)
        elif found := looking.untrue(Path("results"), SCALE):
            print(
                f"not as they were left, and to be done again: {', '.join(found)}",
                file=sys.stderr,
            )
    except UserError as error:
        raise WorkflowError(f"error: {error}")


# The nodes for which runs are priced, and by which they choose how many processes they take: for the plan and for jobs.
if HARDWARE := config.get("hardware") or os.environ.get(machine.HARDWARE):
    os.environ[machine.HARDWARE] = str(HARDWARE)
DRY = False
if workflow.is_main_process:
    OPTIONS = options_of_call()
    DRY = (
        any(getattr(OPTIONS, name) for name in ONLY_LOOK)
        or OPTIONS.executor == "dryrun"
    )
    LOCK = None if DRY else alone()
    if not (DRY and locks.holder(f"{RESULTS}/.lock")):
        make_plan()
    look_again()


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
