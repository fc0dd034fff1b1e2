# The runs, in jobs of one unit (--config unit=...): `scale`, all of them by one driver, the fastest on one machine;
# `sweep`, those of one stage for one exhibit; `run`, one each, for a cluster. The driver decides which are left to do.

UNIT = config.get("unit", "scale")
STAGES = list(PLAN["sweeps"])
PLANS = expand(f"params/plan/{SCALE}/{{exhibit}}.yaml", exhibit=PLAN["exhibits"])
CODE = expand(f"{RESULTS}/code/stages/{{stage}}", stage=STAGES)

if UNIT not in ("scale", "sweep", "run"):
    raise WorkflowError(
        f"error: unknown unit of work\n  expected:   scale | sweep | run\n  found:      {UNIT}"
    )
if (
    UNIT != "run"
    and workflow.is_main_process
    and OPTIONS.executor not in (None, "local", "dryrun", "touch")
):
    raise WorkflowError(
        "error: jobs of this unit ask a cluster for nothing: no GPU, one core, and the default time\n"
        f"  expected:   unit=run, whose jobs ask for what the plan says that each run takes\n  found:      unit={UNIT}\n"
        "  what to do: --workflow-profile profiles/slurm says unit=run; leave out --config unit"
    )


# None where a cluster's scheduler has them.
CORES = workflow.resource_settings.cores or 1

if UNIT == "sweep":

    include: "sweeps.smk"

elif UNIT == "run":

    include: "single_runs.smk"

else:

    def parts_of_runs(exhibit=None):
        """What says that the runs of an exhibit, or of all, are there: nothing, their job does them itself."""
        return []


# Where they are jobs of their own they are there by now: then this looks at all, and says so.
rule runs:
    input:
        parts_of_runs(),
        PLANS,
        CODE,
        rules.prepare.output,
    output:
        update(receipt("runs")),
    threads: CORES if UNIT == "scale" else 1
    shell:
        f"{PYTHON} -m stages run --scale {SCALE} --jobs {{threads}} {WATCHED}"
