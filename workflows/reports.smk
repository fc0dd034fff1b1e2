# Ink: from an exhibit's tidy folder and the paper's numbers to a figure or table, and one page that shows them all.


DRAWN = f"{RESULTS}/drawn/{{exhibit}}.json"  # the checksums of what was drawn: what the page depends on


@functools.cache
def declared(exhibit):
    """Title, caption and section: what `snakemake --report` says beside an exhibit."""
    return read_yaml(f"params/exhibits/{exhibit}.yaml")


rule figure:
    input:
        rules.collect.output,
        "params/exhibits/{exhibit}.yaml",
        "params/paper/{exhibit}.csv",
        f"{RESULTS}/code/drawing/{{exhibit}}",
    output:
        report(
            f"{OUT}/{{exhibit}}.svg",
            caption="../reports/captions/exhibit.rst",
            category="Figures",
            labels={"exhibit": "{exhibit}"},
        ),
        expand(f"{OUT}/{{{{exhibit}}}}.{{kind}}", kind=["png", "csv", "json"]),
        f"{RESULTS}/drawn/{{exhibit}}.json",
    wildcard_constraints:
        exhibit="figure_.*",
    params:
        title=lambda wildcards: declared(wildcards.exhibit)["title"],
        caption=lambda wildcards: declared(wildcards.exhibit)["caption"],
        section=lambda wildcards: declared(wildcards.exhibit)["section"],
        scale=SCALE,
    shell:
        f"{PYTHON} -m reports.draw --scale {SCALE} --exhibit {{wildcards.exhibit}}"


rule table:
    input:
        rules.collect.output,
        "params/exhibits/{exhibit}.yaml",
        "params/paper/{exhibit}.csv",
        "reports/templates/table.html.j2",
        f"{RESULTS}/code/drawing/{{exhibit}}",
    output:
        report(
            f"{OUT}/{{exhibit}}.html",
            caption="../reports/captions/exhibit.rst",
            category="Tables",
            labels={"exhibit": "{exhibit}"},
        ),
        expand(f"{OUT}/{{{{exhibit}}}}.{{kind}}", kind=["tex", "csv", "json"]),
        f"{RESULTS}/drawn/{{exhibit}}.json",
    wildcard_constraints:
        exhibit="table_.*",
    params:
        title=lambda wildcards: declared(wildcards.exhibit)["title"],
        caption=lambda wildcards: declared(wildcards.exhibit)["caption"],
        section=lambda wildcards: declared(wildcards.exhibit)["section"],
        scale=SCALE,
    shell:
        f"{PYTHON} -m reports.draw --scale {SCALE} --exhibit {{wildcards.exhibit}}"


rule index:
    input:
        expand(DRAWN, exhibit=PLAN["exhibits"]),
        "params/paper/contents.csv",
        glob.glob("reports/templates/*"),
        f"{RESULTS}/code/page",
    output:
        f"{OUT}/index.html",
        f"{OUT}/verdicts.json",
        f"reports/metrics/{SCALE}.json",
    shell:
        f"{PYTHON} -m reports.index --scale {SCALE}"


rule reports:
    input:
        rules.index.output,


for exhibit in PLAN["exhibits"]:

    rule:
        name:
            exhibit
        input:
            expand(DRAWN, exhibit=exhibit),
