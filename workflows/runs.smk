# The runs, in jobs of one unit (--config unit=...): `scale`, all of them by one driver, the fastest on one machine;
# `sweep`, those of one stage for one exhibit; `run`, one each, for a cluster. The driver decides which are left to do.

UNIT = config.get("unit", "scale")
STAGES = PLAN["stages"]
PLANS = expand(f"params/plan/{SCALE}/{{exhibit}}.yaml", exhibit=PLAN["exhibits"])
CODE = expand(f"{RESULTS}/code/stages/{{stage}}", stage=STAGES)

if UNIT not in ("scale", "sweep", "run"):
    raise WorkflowError(
        f"error: unknown unit of work\n  expected:   scale | sweep | run\n  found:      {UNIT}"
    )


def index(exhibit, stage):
    """What says that a sweep is there."""
    part = "trained" if stage in PLAN["opens"] else "evaluated"
    return f"{RESULTS}/index/{exhibit}/{part}/{stage}.json"


SWEEPS = [
    (stage, exhibit) for stage in STAGES for exhibit in PLAN["sweeps"].get(stage, [])
]


rule runs:
    input:
        PLANS if UNIT == "scale" else [index(exhibit, stage) for stage, exhibit in SWEEPS],
        CODE,
        rules.prepare.output,
    output:
        update(receipt("runs")),
    threads: workflow.cores if UNIT == "scale" else 1
    shell:
        f"{PYTHON} -m stages run --scale {SCALE} --jobs {{threads}}"


if UNIT == "sweep":
    include: "sweeps.smk"
elif UNIT == "run":
    include: "single_runs.smk"
