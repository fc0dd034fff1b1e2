"""What both engines' graphs are made from: params/plan/index.yaml, and workflows/dvc.yaml with a stage per exhibit."""

from __future__ import annotations

from typing import Any

from common.contracts import Index
from common.errors import UserError
from stages.planning.declaration import PARAMS, exhibit_ids
from stages.planning.plans import Plan
from stages.planning.searches import search_of, stages_with_runs

TOOLS = ("stages run", "stages collect", "reports.verdict", "reports.draw")
# What these tools read besides what is of one exhibit. Snakemake's rule (workflows/reports.smk) has the same.
SHARED = (
    "params/adopted.yaml",
    "params/paper/contents.csv",
    "params/scales",
    "reports/drawing/style.mplstyle",
    "reports/templates/table.html.j2",
    "results/${scale}/code/collect",
    "results/${scale}/code/judging",
    "results/${scale}/code/stages",
    "results/${scale}/data/manifest.json",
)


def index_of(plans: list[Plan]) -> Index:
    """The exhibits, the sweeps of every stage, and which stages open a chain or choose among another stage's runs."""
    names, sweeps = exhibit_ids(), {stage: [] for stage in stages_with_runs()}
    searches = {stage: search.stage for stage in sweeps if (search := search_of(stage))}
    opens, evaluates = set(), set()
    for plan in plans:
        for stage, entry in plan.document["stages"].items():
            sweeps[stage].append(plan.exhibit)
            (evaluates if entry["evaluates"] else opens).add(stage)
    for stage in opens & evaluates:
        raise UserError(f"stage {stage} both opens a chain and evaluates one", where=PARAMS / "exhibits")
    return Index(exhibits=names, opens=sorted(opens), searches=searches, sweeps=sweeps)


def single_exhibits() -> dict[str, Any]:
    """workflows/dvc.yaml: a stage for each exhibit. What it draws belongs to the whole graph; its receipt is its own.

    Every id in these commands was checked to have the form of an exhibit's id.
    """
    figures = [name for name in exhibit_ids() if name.startswith("figure")]
    return {
        "vars": ["../params/scale.yaml"],
        "stages": {name: _single_exhibit(name) for name in exhibit_ids()},
        "plots": [f"../reports/out/${{scale}}/{name}.png" for name in figures],
    }


def _single_exhibit(name: str) -> dict[str, Any]:
    paper = PARAMS / "paper" / f"{name}.csv"  # none for an exhibit of one's own
    own = [
        f"params/exhibits/{name}.yaml",
        *([paper.as_posix()] if paper.is_file() else []),
        f"params/plan/${{scale}}/{name}.yaml",
        f"results/${{scale}}/code/drawing/{name}",
    ]
    return {
        "wdir": "..",
        "cmd": [f"python -m {tool} --exhibit {name}" for tool in TOOLS],
        "deps": sorted([*own, *SHARED]),
        "outs": [{f"results/${{scale}}/receipts/drawn/{name}.json": {"cache": False, "persist": True}}],
    }
