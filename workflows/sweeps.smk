# One job is one sweep: all runs of one stage for one exhibit.


def trained_by(wildcards):
    """The sweeps whose runs an evaluation reads."""
    return [
        index(wildcards.exhibit, stage)
        for stage, exhibit in SWEEPS
        if exhibit == wildcards.exhibit and stage in PLAN["opens"]
    ]


rule train:
    input:
        plan=f"params/plan/{SCALE}/{{exhibit}}.yaml",
        code=f"{RESULTS}/code/stages/{{stage}}",
        data=rules.prepare.output,
    output:
        update(f"{RESULTS}/index/{{exhibit}}/trained/{{stage}}.json"),
    threads: max(1, workflow.cores // 2) if not glob.glob("/dev/nvidia[0-9]*") else workflow.cores
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} --sweep {{wildcards.exhibit}} --jobs {{threads}} {WATCHED}"


use rule train as evaluate with:
    input:
        plan=f"params/plan/{SCALE}/{{exhibit}}.yaml",
        code=f"{RESULTS}/code/stages/{{stage}}",
        trained=trained_by,
    output:
        update(f"{RESULTS}/index/{{exhibit}}/evaluated/{{stage}}.json"),
