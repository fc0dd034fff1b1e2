# One job is one run, with what it needs: for a cluster. Which runs there are, and what each takes, the plan says. What
# says that a run is done is named after what decides its numbers: an edit asks for the runs that it made new, times for
# none. The numbers of a cluster are configuration: profiles/slurm/cluster.yaml.

import json
from pathlib import Path

with open(f"{RESULTS}/code/runs.json", encoding="utf-8") as file:
    RUNS = json.load(file)  # {"<stage>/<fingerprint>": see stages/plan.py, work_list
SMALL_MINUTES = 30  # shorter ones share a job
CPUS_PER_GPU = config.get("cpus_per_gpu", 1)
MB_PER_GPU = 1000 * config.get("gb_per_gpu", 4)


def done(key):
    return f"{RESULTS}/done/{key}"


def is_finished(key):
    """Whether the run lies in the store or, after `dvc pull`, in its sweep."""
    stage, fingerprint = key.split("/")
    run = RUNS[key]
    pulled = Path(RESULTS, stage, run["exhibit"], run["run"], "run.json")
    if Path(RESULTS, "store", key, "run.json").is_file():
        return True
    return (
        pulled.is_file()
        and json.loads(pulled.read_bytes())["fingerprint"] == fingerprint
    )


def settle():
    """Finished runs ask for no job, and lost ones for theirs. Whoever runs a job leaves these notes as they are."""
    for key in RUNS:
        note = Path(done(key))
        if is_finished(key):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.touch()
        else:
            note.unlink(missing_ok=True)


if workflow.is_main_process:
    settle()


def parts_of_runs(exhibit=None):
    """What says that the runs of an exhibit, or of all, are there."""
    return [
        done(key) for key, run in RUNS.items() if exhibit in (None, *run["shown_by"])
    ]


def its(wildcards):
    return RUNS[f"{wildcards.stage}/{wildcards.fingerprint}"]


def upstream(wildcards):
    """The run that this one evaluates. What it is stands in the name of what evaluates it: its time says nothing."""
    return [ancient(done(key))] if (key := its(wildcards)["upstream"]) else []


def processes_per_node(wildcards):
    return its(wildcards)["processes"] // its(wildcards)["nodes"]


def minutes(wildcards, attempt):
    """Twice what the plan expects, and more after every failure; a run that is cut off goes on from its checkpoint."""
    return max(SMALL_MINUTES, round(2 * attempt * its(wildcards)["minutes"]))


def per_node(wildcards):
    """What the executor has no name for. One task a node: torchrun starts the others."""
    gpus = (
        f" --gpus-per-node={processes_per_node(wildcards)}"
        if config.get("gpus")
        else ""
    )
    return f"--ntasks-per-node=1{gpus}"


def fingerprints(wanted):
    chosen = [key.split("/")[1] for key, run in RUNS.items() if wanted(run)]
    return "|".join(chosen) or "none"


rule one_run:
    input:
        upstream,
        data=ancient(rules.prepare.output),
    output:
        touch(f"{RESULTS}/done/{{stage}}/{{fingerprint}}"),
    wildcard_constraints:
        stage="|".join(STAGES),
        fingerprint=fingerprints(
            lambda run: run["nodes"] == 1 and run["minutes"] >= SMALL_MINUTES
        ),
    resources:
        nodes=1,
        runtime=minutes,
        cpus_per_task=lambda wildcards: CPUS_PER_GPU * processes_per_node(wildcards),
        mem_mb=lambda wildcards: MB_PER_GPU * processes_per_node(wildcards),
        slurm_extra=per_node,
    params:
        run=lambda wildcards: f"--sweep {its(wildcards)['exhibit']} --run {its(wildcards)['run']}",
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} {{params.run}}"


# Over several nodes the driver starts one srun itself, so the executor must not start it within one (`mpi`): a SIGTERM
# to a step reaches all in it, and srun answers it by killing its tasks, before they can write a checkpoint.
use rule one_run as wide_run with:
    wildcard_constraints:
        stage="|".join(STAGES),
        fingerprint=fingerprints(lambda run: run["nodes"] > 1),
    resources:
        mpi="srun",
        nodes=lambda wildcards: its(wildcards)["nodes"],
        tasks=lambda wildcards: its(wildcards)["nodes"],
        runtime=minutes,
        cpus_per_task=lambda wildcards: CPUS_PER_GPU * processes_per_node(wildcards),
        mem_mb=lambda wildcards: MB_PER_GPU * processes_per_node(wildcards),
        slurm_extra=per_node,


# In a job that several share they take turns (`turn`: profiles/slurm/config.yaml).
use rule one_run as small_run with:
    wildcard_constraints:
        stage="|".join(STAGES),
        fingerprint=fingerprints(
            lambda run: run["nodes"] == 1 and run["minutes"] < SMALL_MINUTES
        ),
    group:
        "small"
    resources:
        turn=1,
        runtime=lambda wildcards, attempt: max(
            1, round(2 * attempt * its(wildcards)["minutes"])
        ),
        cpus_per_task=lambda wildcards: CPUS_PER_GPU * processes_per_node(wildcards),
        mem_mb=lambda wildcards: MB_PER_GPU * processes_per_node(wildcards),
        slurm_extra=per_node,
