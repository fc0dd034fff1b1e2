# One job is one sweep: all runs of one stage for one exhibit. Its driver decides which of them are left to do, so the
# index alone is declared: Snakemake deletes declared outputs before a job, and finished runs must survive.

SWEEPS = PLAN["sweeps"]
TRAINED = [stage for stage in SWEEPS if stage in PLAN["opens"]]
EVALUATED = [stage for stage in SWEEPS if stage not in PLAN["opens"]]


def trained_by(wildcards):
    """The sweeps whose runs an evaluation reads."""
    stages = [stage for stage in TRAINED if wildcards.exhibit in SWEEPS[stage]]
    return [
        f"{RESULTS}/index/{wildcards.exhibit}/trained/{stage}.json" for stage in stages
    ]


rule train:
    input:
        plan=f"params/plan/{SCALE}/{{exhibit}}.yaml",
        code=f"{RESULTS}/code/{{stage}}",
        data=rules.prepare.output,
    output:
        f"{RESULTS}/index/{{exhibit}}/trained/{{stage}}.json",
    wildcard_constraints:
        stage="|".join(TRAINED),
    threads: SWEEP_THREADS
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} --sweep {{wildcards.exhibit}} --jobs {{threads}}"


rule evaluate:
    input:
        plan=f"params/plan/{SCALE}/{{exhibit}}.yaml",
        code=f"{RESULTS}/code/{{stage}}",
        trained=trained_by,
    output:
        f"{RESULTS}/index/{{exhibit}}/evaluated/{{stage}}.json",
    wildcard_constraints:
        stage="|".join(EVALUATED),
    threads: SWEEP_THREADS
    shell:
        f"{PYTHON} -m stages {{wildcards.stage}} --scale {SCALE} --sweep {{wildcards.exhibit}} --jobs {{threads}}"


def sweeps_of(wildcards):
    """Everything that is measured for an exhibit."""
    return [
        f"{RESULTS}/index/{wildcards.exhibit}/{part}/{stage}.json"
        for part, stages in (("trained", TRAINED), ("evaluated", EVALUATED))
        for stage in stages
        if wildcards.exhibit in SWEEPS[stage]
    ]


rule collect:
    input:
        sweeps_of,
        plan=f"params/plan/{SCALE}/{{exhibit}}.yaml",
        adopted="params/adopted.yaml",
        code=f"{RESULTS}/code/collect",
    output:
        f"{RESULTS}/tidy/{{exhibit}}/rows.csv",
        f"{RESULTS}/tidy/{{exhibit}}/provenance.json",
    shell:
        f"{PYTHON} -m stages collect --scale {SCALE} --exhibit {{wildcards.exhibit}}"
