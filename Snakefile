# Every exhibit from one declaration: `snakemake --cores all reports`, or one of them: `snakemake --cores all figure_08`.
# The graph is params/plan/index.yaml; what each sweep runs is params/plan/<scale>/<exhibit>.yaml.

from snakemake.utils import min_version

min_version("9.0")


include: "workflows/plan.smk"
include: "workflows/data.smk"
include: "workflows/runs.smk"
include: "workflows/reports.smk"


rule all:
    default_target: True
    input:
        rules.reports.input,
