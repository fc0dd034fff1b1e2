# The plan is made before the graph is built: it costs two seconds, and a stale one can then not be used.
# Files that an edit does not touch keep their times.

import functools
import glob
import subprocess
import sys

from ruamel.yaml import YAML


def read_yaml(path):
    with open(path) as file:
        return YAML(typ="safe").load(file)


PYTHON = sys.executable
SCALE = config.get("scale") or read_yaml("params/scale.yaml")["scale"]
if subprocess.run(
    [PYTHON, "-m", "stages", "plan", "--quiet", "--scale", SCALE]
).returncode:
    raise WorkflowError("the declarations under params/ need mending, see above")
PLAN = read_yaml("params/plan/index.yaml")
RESULTS = f"results/{SCALE}"
OUT = f"reports/out/{SCALE}"


wildcard_constraints:
    exhibit="|".join(PLAN["exhibits"]),


# Two sweeps at a time on a machine without GPUs: one imports torch while the other trains. GPUs are for one sweep at a
# time, whose driver gives each run its own. Cluster profiles set their own numbers.
try:
    SWEEP_THREADS = (
        workflow.cores
        if glob.glob("/dev/nvidia[0-9]*")
        else max(1, workflow.cores // 2)
    )
except WorkflowError:  # a cluster profile, where cores are the jobs' affair
    SWEEP_THREADS = 8
