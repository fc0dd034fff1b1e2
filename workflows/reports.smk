# From finished runs to the page: tidy tables, verdicts, ink. Each tool does what is left to do of its step.


EXHIBITS = PLAN["exhibits"]
DRAWING = {
    "figure": ["svg", "png", "csv", "json"],
    "table": ["html", "tex", "csv", "json"],
}
INK = ["reports/templates/table.html.j2", "reports/drawing/style.mplstyle"]


@functools.cache
def declared(exhibit):
    """Title, caption and section: what `snakemake --report` says beside an exhibit."""
    return read_yaml(f"params/exhibits/{exhibit}.yaml")


def kind(exhibit):
    return declared(exhibit)["kind"]


rule collect:
    input:
        rules.runs.output,
        "params/adopted.yaml",
        f"{RESULTS}/code/collect",
    output:
        update(receipt("tidy")),
    shell:
        f"{PYTHON} -m stages collect --scale {SCALE}"


rule judge:
    input:
        rules.collect.output,
        expand("params/exhibits/{exhibit}.yaml", exhibit=EXHIBITS),
        glob.glob("params/paper/*.csv"),
        glob.glob("params/scales/*.yaml"),
        f"{RESULTS}/code/judging",
    output:
        update(receipt("judged")),
    shell:
        f"{PYTHON} -m reports.verdict --scale {SCALE}"


rule draw:
    input:
        rules.judge.output,
        INK,
        expand(f"{RESULTS}/code/drawing/{{exhibit}}", exhibit=EXHIBITS),
    output:
        update(receipt("drawn")),
    shell:
        f"{PYTHON} -m reports.draw --scale {SCALE}"


rule page:
    input:
        rules.draw.output,
        glob.glob("reports/templates/*"),
        glob.glob("params/frozen/*.yaml"),
        f"{RESULTS}/code/page",
    output:
        update(receipt("page")),
    shell:
        f"{PYTHON} -m reports.index --scale {SCALE}"


rule reports:
    input:
        rules.page.output,


# One exhibit alone: only its own runs, its tables and its drawing. Its inputs: also stages/planning/pipelines.py.
for exhibit in EXHIBITS:

    rule:
        name:
            f"runs_of_{exhibit}"
        input:
            f"params/plan/{SCALE}/{exhibit}.yaml",
            CODE,
            rules.prepare.output,
            parts_of_runs(exhibit),
        output:
            update(receipt(f"runs/{exhibit}")),
        threads: CORES if UNIT == "scale" else 1
        params:
            # Read here: a command is put together when it runs, and the loop is over by then.
            only=f"--scale {SCALE} --exhibit {exhibit}",
        shell:
            f"{PYTHON} -m stages run {{params.only}} --jobs {{threads}} {WATCHED}"

    rule:
        name:
            exhibit
        input:
            receipt(f"runs/{exhibit}"),
            "params/adopted.yaml",
            f"params/exhibits/{exhibit}.yaml",
            "params/paper/contents.csv",
            glob.glob(f"params/paper/{exhibit}.csv"),
            glob.glob("params/scales/*.yaml"),
            INK,
            f"{RESULTS}/code/collect",
            f"{RESULTS}/code/judging",
            f"{RESULTS}/code/drawing/{exhibit}",
        output:
            update(receipt(f"drawn/{exhibit}")),
        params:
            only=f"--scale {SCALE} --exhibit {exhibit}",
        shell:
            " && ".join(
                f'"{sys.executable}" -m {tool} {{params.only}}'
                for tool in ("stages collect", "reports.verdict", "reports.draw")
            )
