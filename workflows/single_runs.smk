# One job is one run, with what it needs: for a cluster. Which runs there are, and what each takes, the plan says. What
# says that a run is done is named after what decides its numbers, so that an edit asks for the runs that it made new.

import json

with open(f"{RESULTS}/code/runs.json", encoding="utf-8") as file:
    RUNS = json.load(
        file
    )  # {"<stage>/<fingerprint>": {exhibit, run, upstream, processes, nodes, minutes}}
for key, run in RUNS.items():
    checked([*key.split("/"), run["exhibit"], run["run"]], f"{RESULTS}/code/runs.json")
SMALL_MINUTES = 30  # shorter ones share a job


def done(key):
    return f"{RESULTS}/done/{key}"


def its(wildcards):
    return RUNS[f"{wildcards.stage}/{wildcards.fingerprint}"]


def upstream(wildcards):
    """The run that this one evaluates."""
    return [done(key)] if (key := its(wildcards)["upstream"]) else []


def gpus_per_node(wildcards):
    return its(wildcards)["processes"] // its(wildcards)["nodes"]


def minutes(wildcards, attempt):
    """Twice what the plan expects, and more after every failure; a run that is cut off goes on from its checkpoint."""
    return max(30, round(2 * attempt * its(wildcards)["minutes"]))


def keys(are_small):
    chosen = [
        key
        for key, run in RUNS.items()
        if (run["minutes"] < SMALL_MINUTES) is are_small
    ]
    return "|".join(key.split("/")[1] for key in chosen) or "none"


rule one_run:
    input:
        upstream,
        data=rules.prepare.output,
    output:
        touch(f"{RESULTS}/done/{{stage}}/{{fingerprint}}"),
    wildcard_constraints:
        stage="|".join(STAGES),
        fingerprint=keys(are_small=False),
    resources:
        nodes=lambda wildcards: its(wildcards)["nodes"],
        runtime=minutes,
        cpus_per_task=lambda wildcards: 8 * gpus_per_node(wildcards),
        mem_mb_per_cpu=8000,
        slurm_extra=lambda wildcards: f"'--gpus-per-node={gpus_per_node(wildcards)} --ntasks-per-node=1 --requeue'",
    params:
        run=lambda wildcards: f"--sweep {its(wildcards)['exhibit']} --run {its(wildcards)['run']}",
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} {{params.run}} {WATCHED}"


use rule one_run as small_run with:
    wildcard_constraints:
        stage="|".join(STAGES),
        fingerprint=keys(are_small=True),
    group:
        "small"
