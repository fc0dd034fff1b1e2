# One job is one run, with what it needs, or some short ones of a sweep: for a cluster. Which runs there are, and what
# each takes, the plan says. What says that a job is done is named after what decides the numbers of its runs: an edit
# asks for those that it made new, times ask for none. The numbers of a cluster: profiles/slurm/cluster.yaml.

import hashlib
import json

with open(f"{RESULTS}/work.json", encoding="utf-8") as file:
    RUNS = json.load(file)  # {"<stage>/<fingerprint>": see stages/plan.py, work_list}
for key, run in RUNS.items():
    checked([*key.split("/"), run["exhibit"], run["run"]], file.name)
SMALL_MINUTES = 30  # runs that are shorter share a job,
TOGETHER = 16  # as many as this
CPUS_PER_GPU = config.get("cpus_per_gpu", 1)
MB_PER_GPU = 1000 * config.get("gb_per_gpu", 4)


def gathered():
    """{"<stage>/<job>": the runs of a job}: a run alone under its own name."""
    jobs, small = {}, {}
    for key, run in RUNS.items():
        if run["minutes"] < SMALL_MINUTES and run["nodes"] == 1:
            kind = key.split("/")[0], run["exhibit"], run["processes"]
            small.setdefault(kind, []).append(key)
        else:
            jobs[key] = [key]
    for (stage, exhibit, _), keys in small.items():
        for some in (
            keys[start : start + TOGETHER] for start in range(0, len(keys), TOGETHER)
        ):
            digest = hashlib.sha256("".join(some).encode()).hexdigest()[:16]
            jobs[f"{stage}/{exhibit}-{digest}"] = some
    return jobs


JOBS = gathered()
JOB_OF = {key: job for job, keys in JOBS.items() for key in keys}


def done(key):
    """What says that the job of a run is done."""
    return f"{RESULTS}/done/{JOB_OF[key]}"


def is_finished(key, note):
    """Whether the run is whole; what did not change since its note was written is not read again."""
    stage, fingerprint = key.split("/")
    run, since = RUNS[key], note.stat().st_mtime_ns if note.exists() else 0
    return lost.is_whole(
        Path(RESULTS), stage, run["exhibit"], run["run"], fingerprint, since
    )


def known():
    """The fingerprints of runs whose numbers are committed, where the scale takes them from there."""
    if not scales.read(SCALE).reuses_evidence:
        return set()
    from stages.planning.plans import read_plan
    from stages.running.sweeps import known_elsewhere, runs_of

    return known_elsewhere(
        runs_of(read_plan(name, SCALE) for name in PLAN["exhibits"]), Path("results")
    )


def settle():
    """Runs that are finished, or known by evidence, ask for no job, and lost ones for theirs.

    Only who submits the jobs decides it.
    """
    elsewhere = known()
    for job, keys in JOBS.items():
        note = Path(RESULTS, "done", job)
        if all(
            key.split("/")[1] in elsewhere or is_finished(key, note) for key in keys
        ):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.touch()
        else:
            note.unlink(missing_ok=True)


if workflow.is_main_process:
    try:
        settle()
    except UserError as error:
        raise WorkflowError(f"error: {error}")


def parts_of_runs(exhibit=None):
    """What says that the runs of an exhibit, or of all, are there."""
    wanted = (key for key, run in RUNS.items() if exhibit in (None, *run["shown_by"]))
    return sorted({done(key) for key in wanted})


def its_runs(wildcards):
    return [RUNS[key] for key in JOBS[f"{wildcards.stage}/{wildcards.job}"]]


def read_by(wildcards):
    """The runs that these evaluate or choose among: they stand in the name of what reads them, so their time says nothing."""
    wanted = {done(key) for run in its_runs(wildcards) for key in run["reads"]}
    return [ancient(path) for path in sorted(wanted)]


def nodes(wildcards):
    return its_runs(wildcards)[0]["nodes"]


def processes_per_node(wildcards):
    return its_runs(wildcards)[0]["processes"] // nodes(wildcards)


def minutes(wildcards, attempt):
    """Twice what the plan expects, and more after every failure; a run that is cut off goes on from its checkpoint."""
    expected = sum(run["minutes"] for run in its_runs(wildcards))
    return max(SMALL_MINUTES, round(2 * attempt * expected))


def per_node(wildcards):
    """What the executor has no name for. One task a node: torchrun starts the others."""
    gpus = f" --gpus-per-node={processes_per_node(wildcards)}"
    return f"--ntasks-per-node=1{gpus if config.get('gpus') else ''}"


def names(wanted):
    return (
        "|".join(job.split("/")[1] for job in JOBS if wanted(RUNS[JOBS[job][0]]))
        or "none"
    )


rule on_one_node:
    input:
        read_by,
        data=ancient(rules.prepare.output),
    output:
        touch(f"{RESULTS}/done/{{stage}}/{{job}}"),
    wildcard_constraints:
        stage="|".join(STAGES),
        job=names(lambda run: run["nodes"] == 1),
    resources:
        nodes=1,
        runtime=minutes,
        cpus_per_task=lambda wildcards: CPUS_PER_GPU * processes_per_node(wildcards),
        mem_mb=lambda wildcards: MB_PER_GPU * processes_per_node(wildcards),
        slurm_extra=per_node,
    params:
        sweep=lambda wildcards: its_runs(wildcards)[0]["exhibit"],
        runs=lambda wildcards: [f"--run {run['run']}" for run in its_runs(wildcards)],
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} --sweep {{params.sweep}} {{params.runs}} {WATCHED}"


# Here the driver calls srun, so the executor must not call the driver by it (`mpi`): a SIGTERM to a step reaches all in
# it, and an srun among them answers by killing its tasks, before they can write a checkpoint.
use rule on_one_node as on_several_nodes with:
    wildcard_constraints:
        stage="|".join(STAGES),
        job=names(lambda run: run["nodes"] > 1),
    resources:
        mpi="srun",
        nodes=nodes,
        tasks=nodes,
        runtime=minutes,
        cpus_per_task=lambda wildcards: CPUS_PER_GPU * processes_per_node(wildcards),
        mem_mb=lambda wildcards: MB_PER_GPU * processes_per_node(wildcards),
        slurm_extra=per_node,
