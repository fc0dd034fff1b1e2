# One job is one run, or some short ones of a sweep: for a cluster. Which runs there are, and what each takes, the plan
# says; which are left, and in which jobs, the process that a person starts decides anew in every call
# (stages/running/submission.py). The numbers of a cluster: profiles/slurm/cluster.yaml.

from stages.running import submission

CPUS_PER_GPU = config.get("cpus_per_gpu", 1)
MB_PER_GPU = 1000 * config.get("gb_per_gpu", 4)
MAX_MINUTES = config.get("max_minutes") or sys.maxsize

try:
    if workflow.is_main_process:
        DECIDED = submission.decide(Path("results"), SCALE, PLAN["exhibits"], dry=DRY)
    else:
        DECIDED = submission.read(Path("results"), SCALE)
except UserError as error:
    raise WorkflowError(f"error: {error}")

CALL, JOBS, LEFT_OUT = (DECIDED[name] for name in ("call", "jobs", "left_out"))
for name, job in JOBS.items():
    checked([*name.split("/"), job["exhibit"], *job["runs"]], f"{RESULTS}/work.json")
for name, run in LEFT_OUT.items():
    checked([*name.split(), *run["shown_by"]], f"{RESULTS}/work.json")
if workflow.is_main_process and LEFT_OUT:
    print(
        f"warning: {len(LEFT_OUT)} runs are left out: they fit not even all GPUs of {HARDWARE or 'the first entry'}, or "
        f"evaluate one that does not\n  where:      params/hardware.yaml\n  found:      {', '.join(LEFT_OUT)}\n"
        "  what to do: let a run have more `nodes` there, or name other `hardware` (profiles/slurm/cluster.yaml)",
        file=sys.stderr,
    )


def is_long(job):
    """Whether the time limit cuts it off before it took twice what the plan expects."""
    return submission.submissions(job, MAX_MINUTES) > 1


def rule_of(job):
    return ("long_on_" if is_long(job) else "on_") + (
        "one_node" if job["nodes"] == 1 else "several_nodes"
    )


def done(name):
    """What says that a job of this call is done."""
    return f"{RESULTS}/done/{CALL}/{rule_of(JOBS[name])}/{name}"


def asks(group):
    """Whether something is left of an exhibit, or of all, or nothing says yet that it is not."""
    left = submission.of_group(JOBS | LEFT_OUT, group)
    return bool(left) or not Path(RESULTS, "done", group).exists()


def parts_of_runs(exhibit=submission.ALL):
    """What says that the runs of an exhibit, or of all, are there: in every call the same file."""
    return [f"{RESULTS}/done/{exhibit}"]


def job_of(wildcards):
    if wildcards.call != CALL:  # it waited in the queue, and who submitted it is gone
        raise WorkflowError(f"error: a job of an earlier call\n  where:      {RESULTS}")
    return JOBS[f"{wildcards.stage}/{wildcards.job}"]


def read_by(wildcards):
    """The runs that these evaluate or choose among: they stand in the name of what reads them, so their time says nothing."""
    return [ancient(done(name)) for name in job_of(wildcards)["reads"]]


def nodes(wildcards):
    return job_of(wildcards)["nodes"]


def processes_per_node(wildcards):
    return job_of(wildcards)["processes"] // nodes(wildcards)


def minutes(wildcards, attempt):
    return submission.minutes(job_of(wildcards), attempt, MAX_MINUTES)


def per_node(wildcards):
    """What the executor has no name for. One task a node: torchrun starts the others."""
    gpus = f" --gpus-per-node={processes_per_node(wildcards)}"
    return f"--ntasks-per-node=1{gpus if config.get('gpus') else ''}"


# A run that is cut off goes on from its checkpoint, and is given up only after twice what the plan expects.
RETRIES = OPTIONS.retries if workflow.is_main_process else 0
RETRIES_OF_LONG = RETRIES + max(
    submission.submissions(job, MAX_MINUTES) for job in [*JOBS.values(), {"minutes": 0}]
)


wildcard_constraints:
    call=r"\w+",
    stage="|".join(STAGES),
    job=r"[\w.-]+",


rule on_one_node:
    input:
        read_by,
        data=ancient(rules.prepare.output),
    output:
        touch(f"{RESULTS}/done/{{call}}/on_one_node/{{stage}}/{{job}}"),
    resources:
        nodes=1,
        runtime=minutes,
        cpus_per_task=lambda wildcards: CPUS_PER_GPU * processes_per_node(wildcards),
        mem_mb=lambda wildcards: MB_PER_GPU * processes_per_node(wildcards),
        slurm_extra=per_node,
    params:
        sweep=lambda wildcards: job_of(wildcards)["exhibit"],
        runs=lambda wildcards: [f"--run {run}" for run in job_of(wildcards)["runs"]],
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} --sweep {{params.sweep}} {{params.runs}} {WATCHED}"


# Here the driver calls srun, so the executor must not call the driver by it (`mpi`): a SIGTERM to a step reaches all in
# it, and an srun among them answers by killing its tasks, before they can write a checkpoint.
use rule on_one_node as on_several_nodes with:
    output:
        touch(f"{RESULTS}/done/{{call}}/on_several_nodes/{{stage}}/{{job}}"),
    resources:
        mpi="srun",
        nodes=nodes,
        tasks=nodes,
        runtime=minutes,
        cpus_per_task=lambda wildcards: CPUS_PER_GPU * processes_per_node(wildcards),
        mem_mb=lambda wildcards: MB_PER_GPU * processes_per_node(wildcards),
        slurm_extra=per_node,


use rule on_one_node as long_on_one_node with:
    output:
        touch(f"{RESULTS}/done/{{call}}/long_on_one_node/{{stage}}/{{job}}"),
    retries: RETRIES_OF_LONG


use rule on_several_nodes as long_on_several_nodes with:
    output:
        touch(f"{RESULTS}/done/{{call}}/long_on_several_nodes/{{stage}}/{{job}}"),
    retries: RETRIES_OF_LONG


rule settled:
    input:
        lambda wildcards: [
            done(name) for name in submission.of_group(JOBS, wildcards.group)
        ],
    output:
        touch(f"{RESULTS}/done/{{group}}"),
    wildcard_constraints:
        group="|".join(filter(asks, [submission.ALL, *PLAN["exhibits"]])) or "none",
    retries: 0
    localrule: True
    params:
        left_out=lambda wildcards: submission.of_group(LEFT_OUT, wildcards.group),
    shell:
        'test -z "{params.left_out}" || {{ echo "error: left out: {params.left_out}" >&2; exit 1; }}'
