"""All drawings and the page from committed evidence, as `make page` makes them; one drawing beside plain seaborn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.bench.findings import Finding
from tests.bench.libraries import seconds_of

TOOLS = ("verdict", "draw", "index")
SCALE = "smoke"


def row(rounds: int, seconds: float) -> list[Finding]:
    """From nothing: judged, drawn, put on the page."""
    found = [pages() for _ in range(min(rounds, 2))]
    whole = statistics.median(sum(each.values()) for each in found)
    measured = {f"{tool}, s": statistics.median(each[tool] for each in found) for tool in TOOLS}
    return [
        Finding("all drawings and the page from committed evidence", whole, "s", None, 25, measured),
        *one(rounds),
    ]


def pages() -> dict[str, float]:
    """Seconds of each tool, in empty folders."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        where = ["--scale", SCALE, "--from", "evidence", "--out", f"{folder}/out", "--results", folder]
        for tool in TOOLS:
            start = time.perf_counter()
            command = [sys.executable, "-m", f"reports.{tool}", *where]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            found[tool] = time.perf_counter() - start
    return found


def one(rounds: int) -> list[Finding]:
    """Figure 8 as svg, png, csv and record, and the same bars by seaborn alone, saved as svg and png."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns

    from reports.draw import draw
    from reports.judging.testing import judged
    from reports.reading.exhibit import load
    from reports.reading.folders import Folders

    loaded = load("figure_08", SCALE, Folders(committed=True))
    evidence = replace(loaded, judged=judged(loaded, {}))
    rows = pd.read_csv(Folders(committed=True).rows("figure_08", SCALE)).query("metric == 'top1'")

    def plain() -> None:
        with tempfile.TemporaryDirectory() as folder:
            figure, axes = plt.subplots(layout="constrained")
            sns.barplot(rows, x="output_dim", y="value", hue="projection", ax=axes)
            for ending in ("svg", "png"):
                figure.savefig(Path(folder, f"plain.{ending}"))
            plt.close(figure)

    draw(evidence), plain()
    pairs = [(seconds_of(lambda: draw(evidence), 1), seconds_of(plain, 1)) for _ in range(rounds)]
    own, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    value = statistics.median(b / a for a, b in pairs)
    measured = {"our s, with curves, csv and record": own, "seaborn's s": other}
    return [Finding("Figure 8 drawn, against one plain plot of seaborn", value, "x", measured=measured)]
