# One job is one sweep: all runs of one stage for one exhibit, by one driver.


def index(exhibit, stage):
    """What says that a sweep is there."""
    part = "trained" if stage in PLAN["opens"] else "evaluated"
    return f"{RESULTS}/index/{exhibit}/{part}/{stage}.json"


def sweeps_of(exhibit, stages):
    return [
        index(exhibit, stage) for stage in stages if exhibit in PLAN["sweeps"][stage]
    ]


def read_by(wildcards):
    """What the runs of a sweep read: the sweeps that open chains, and that among whose runs it chooses."""
    search = PLAN["searches"].get(wildcards.stage)
    return sweeps_of(wildcards.exhibit, [*PLAN["opens"], *([search] if search else [])])


def parts_of_runs(exhibit=None):
    """What says that the sweeps of an exhibit, or of all, are there."""
    exhibits = [exhibit] if exhibit else PLAN["exhibits"]
    return [path for name in exhibits for path in sweeps_of(name, STAGES)]


rule train:
    input:
        plan=f"params/plan/{SCALE}/{{exhibit}}.yaml",
        code=f"{RESULTS}/code/stages/{{stage}}",
        data=rules.prepare.output,
    output:
        update(f"{RESULTS}/index/{{exhibit}}/trained/{{stage}}.json"),
    threads: CORES
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} --sweep {{wildcards.exhibit}} --jobs {{threads}} {WATCHED}"


use rule train as evaluate with:
    input:
        plan=f"params/plan/{SCALE}/{{exhibit}}.yaml",
        code=f"{RESULTS}/code/stages/{{stage}}",
        data=rules.prepare.output,
        read=read_by,
    output:
        update(f"{RESULTS}/index/{{exhibit}}/evaluated/{{stage}}.json"),
