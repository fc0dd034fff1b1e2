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


def check_targets(words):
    """WorkflowError for a word of the command line that is no exhibit and looks like one, with the nearest that is one.
    Snakemake knows its targets only after it has read this file, and then has no more to say than that no rule makes them.
    """
    for word in words:
        if re.fullmatch(r"(figure|table)_\w*", word) and word not in EXHIBITS:
            raise WorkflowError(
                f"error: unknown exhibit `{word}`{nearest(word, EXHIBITS)}\n  expected:   {', '.join(EXHIBITS)}\n"
                f"  found:      {word}"
            )


if workflow.is_main_process:
    check_targets(sys.argv[1:])
