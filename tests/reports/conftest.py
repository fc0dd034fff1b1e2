"""A laboratory in a temporary folder: declarations, the paper's real values, and small tidy results."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from common.errors import UserError
from common.files import sha256_file
from common.seals import SEAL, sealed
from reports import draw, index, verdict
from reports.drawing.literal import literal
from reports.drawing.style import Drawing, style
from reports.judging import testing
from reports.reading.exhibit import Evidence, load
from reports.reading.folders import Folders

ROOT = Path(__file__).resolve().parents[2]
SCALE = "smoke"


def call(main: Callable[..., int], *words: str) -> None:
    """A command as its code, so that what it refuses is raised and not printed."""
    main.__wrapped__(list(words))


def flat(said: str) -> str:
    """What an error says, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"(expected|found|where|what to do): +", r"\1 ", said)).strip()


@contextmanager
def refused(pattern: str) -> Iterator[pytest.ExceptionInfo]:
    """Something that a user can mend is refused in these words."""
    with pytest.raises(UserError) as caught:
        yield caught
    assert re.search(pattern, flat(str(caught.value))), str(caught.value)


class Lab:
    """Writes what stages would leave, and runs the commands on it."""

    def __init__(self, folder: Path):
        self.results, self.params, self.out = folder / "results", folder / "params", folder / "out"
        self.metrics, self.evidence = folder / "metrics", folder / "evidence"
        shutil.copytree(ROOT / "params" / "paper", self.params / "paper")

    def declare(self, exhibit: str, knobs: Sequence[str], thinned: str = "", title: str = "A title") -> None:
        lines = [
            f"id: {exhibit}",
            f"kind: {exhibit.split('_')[0]}",
            'section: "4.2"',
            f"title: {json.dumps(title)}",
            "caption: What it shows.",
            f"knobs: {{{', '.join(f'{knob}: module.{knob}' for knob in knobs)}}}",
            f"scales: {{{SCALE}: {{{f'thinned: {json.dumps(thinned)}' if thinned else ''}}}}}",
        ]
        path = self.params / "exhibits" / f"{exhibit}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")

    def collect(
        self,
        exhibit: str,
        knobs: Sequence[str],
        rows: Sequence[Sequence[Any]],
        arrays: dict[str, np.ndarray] | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        folder = self.tidy(exhibit)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "rows.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [[*knobs, "seed", "metric", "value", "run"], *rows]
            )
        adopted = {"stage": "pretrain", "code": "c0de", "same_as": "01dc0de", "reason": "a renamed variable"}
        cause = {
            "fingerprint": "f" * 24,
            "stage": "pretrain",
            "code": "c0de",
            "data": "da7a",
            "adopted": adopted,
        }
        runs = {f"pretrain/{row[-1]}": cause | {"bindings": {"seed": row[-4]}} for row in rows}
        found = {"scale": SCALE, "exhibit": exhibit, "dataset": "toy", "missing": list(missing)}
        found |= {"runs": runs, "versions": {"numpy": "1"}}
        if arrays:
            np.savez(folder / "arrays.npz", **arrays)
        self.seal(exhibit, found)

    def seal(self, exhibit: str, found: Mapping[str, Any] | None = None) -> None:
        """Leave the provenance `found`, or the one that lies there, as `collect` does: sealed, with checksums."""
        folder = self.tidy(exhibit)
        path = folder / "provenance.json"
        found = dict(json.loads(path.read_text()) if found is None else found)
        found.pop(SEAL, None)
        others = [other for other in sorted(folder.iterdir()) if other != path]
        found["files"] = {other.name: sha256_file(other) for other in others}
        path.write_text(json.dumps(sealed(found)))

    def settle(self) -> None:
        """Seal what a test has edited, as if `collect` had written it so: what is damaged besides is then found."""
        for path in sorted(self.results.glob(f"{SCALE}/tidy/*/provenance.json")):
            with suppress(ValueError, RecursionError):
                found = json.loads(path.read_text())
                if isinstance(found, dict):
                    self.seal(path.parent.name, found)

    def put(self, exhibit: str, knobs: Sequence[str], rows: Sequence[Sequence[Any]], **extra: Any) -> None:
        """Declare and collect."""
        declared = {key: extra.pop(key) for key in ("thinned", "title") if key in extra}
        self.declare(exhibit, knobs, **declared)
        self.collect(exhibit, knobs, rows, **extra)

    def lose(
        self, exhibit: str, missing: Sequence[str], gone: Callable[[str], bool] = lambda run: True
    ) -> None:
        """As if the runs that are `gone` (all of them) had left no result, so that collect names `missing`."""
        folder = self.tidy(exhibit)
        header, *lines = (folder / "rows.csv").read_text().splitlines()
        kept = [line for line in lines if not gone(line.rsplit(",", 1)[1])]
        (folder / "rows.csv").write_text("\n".join([header, *kept]) + "\n")
        found = json.loads((folder / "provenance.json").read_text()) | {"missing": list(missing)}
        found["runs"] = {name: run for name, run in found["runs"].items() if not gone(name.split("/", 1)[1])}
        self.seal(exhibit, found)

    def tidy(self, exhibit: str) -> Path:
        return self.results / SCALE / "tidy" / exhibit

    @property
    def folders(self) -> Folders:
        return Folders(self.results, self.params, self.evidence)

    def places(self, *names: str) -> list[str]:
        """The options by which a command finds these folders here, and not those of the project."""
        return [f"--{name}={getattr(self, name)}" for name in names]

    def load(self, exhibit: str) -> Evidence:
        """Evidence with what was tested on it."""
        self.settle()
        found = load(exhibit, SCALE, self.folders)
        return replace(found, judged=testing.judged(found, {}))

    def draw(self, exhibit: str) -> dict[str, bytes]:
        """Run the command; the files it wrote, by ending."""
        self.settle()
        options = self.places("results", "params", "out")
        call(verdict.main, "--scale", SCALE, "--exhibit", exhibit, *options)
        call(draw.main, "--scale", SCALE, "--exhibit", exhibit, *options)
        return {path.suffix[1:]: path.read_bytes() for path in (self.out / SCALE).glob(f"{exhibit}.*")}

    def drawing(self, exhibit: str) -> Drawing:
        """The figure as drawn, before it becomes bytes, with its notes."""
        with style(exhibit):
            return Drawing.of(import_module(f"reports.exhibits.{exhibit}").draw(literal(self.load(exhibit))))

    def figure(self, exhibit: str) -> Figure:
        return self.drawing(exhibit).figure

    def notes(self, exhibit: str) -> str:
        """All that a figure says in words."""
        return " ".join(self.drawing(exhibit).notes)

    def judge(self, *more: str) -> dict[str, Any]:
        """Run the command over all exhibits; the verdicts it wrote."""
        self.settle()
        options = self.places("results", "params", "out", "evidence")
        call(verdict.main, "--scale", SCALE, *options, *more)
        return json.loads((self.out / SCALE / "verdicts.json").read_text())

    def index(self) -> str:
        """Judge, and run the command; the page it wrote."""
        self.judge()
        options = self.places("results", "params", "out", "evidence", "metrics")
        call(index.main, "--scale", SCALE, *options)
        return (self.out / SCALE / "index.html").read_text()

    def page(self) -> str:
        """Write the page over the verdicts that lie there, without judging again."""
        folder = self.out / SCALE
        text = index.page(SCALE, index.contents(SCALE, folder, self.folders), folder, self.folders)
        (folder / "index.html").write_text(text)
        return text


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Lab, Lab]:
    """Two empty laboratories to be compared: base, here."""
    return Lab(tmp_path / "base"), Lab(tmp_path / "here")


def _picture(size: int = 6) -> np.ndarray:
    return np.arange(size * size * 3, dtype=np.uint8).reshape(size, size, 3)


def _histogram_rows() -> list[list[Any]]:
    cells = [(image, distortion) for image in (5, 12) for distortion in ("no", "yes")]
    values = {"within_distance": 0.125, "between_distance": 0.375}
    return [
        [*cell, 0, name, value, "h-{}-{}".format(*cell)] for cell in cells for name, value in values.items()
    ]


def whole(lab: Lab) -> Lab:
    """All nine exhibits, whole, with values that tests recognize."""
    operators = (
        "original,crop and resize,crop resize flip,color drop,color jitter,rotate,cutout,gaussian noise,"
    )
    operators = (operators + "gaussian blur,sobel").split(",")
    strengths = ("1/8", "1/4", "1/2", "1", "1 (+Blur)", "AutoAug")
    lab.put(
        "figure_02", [], [[0, "mean_abs_change", 9.5, "r"]], arrays={"r/crops": np.stack([_picture()] * 2)}
    )
    lab.put("figure_03", [], [[0, "mean_abs_change", 0.0, "r"]], arrays={"r/image": _picture()})
    lab.put(
        "figure_04",
        ["operator"],
        [[name, 0, "mean_abs_change", 12.25, f"op{place}"] for place, name in enumerate(operators)],
        arrays={f"op{place}/image": _picture() for place in range(10)},
    )
    rows = _histogram_rows()
    crops = {f"{row[-1]}/crops": np.stack([_picture()] * 4) for row in rows}
    lab.put(
        "figure_06",
        ["image", "color_distortion"],
        rows,
        arrays=crops | {f"{row[-1]}/histograms": np.full((4, 8), 3) for row in rows},
    )
    heads = [["linear", 32], ["nonlinear", 32], ["none", 64]]
    lab.put(
        "figure_08",
        ["projection", "output_dim"],
        [
            [*head, seed, "top1", 41 + seed + len(head[0]), f"{head[0]}-{seed}"]
            for head in heads
            for seed in (0, 1)
        ],
        thinned="2 of 7 widths.",
    )
    lab.put(
        "figure_09",
        ["batch_size", "epochs"],
        [[batch, epochs, 0, "top1", 30.5, f"b{batch}-e{epochs}"] for batch in (32, 256) for epochs in (2, 4)],
    )
    lab.put(
        "table_01",
        ["method", "augmentation"],
        [
            [m, s, 0, "top1", 33.25, f"{m}{n}"]
            for m in ("SimCLR", "Supervised")
            for n, s in enumerate(strengths)
        ],
    )
    losses = ("NT-Xent", "NT-Logistic", "Margin Triplet")
    measured = {"max_error": 2.5e-16, "cases": 64}
    lab.put("table_02", ["loss"], [[loss, 0, *pair, loss] for loss in losses for pair in measured.items()])
    settings = [("yes", 0.05), ("yes", 0.1), ("yes", 0.5), ("yes", 1.0), ("no", 10.0), ("no", 100.0)]
    lab.put(
        "table_05",
        ["l2_norm", "temperature"],
        [
            [*s, 0, name, 4.75, f"t{place}"]
            for place, s in enumerate(settings)
            for name in ("entropy", "contrastive_accuracy", "top1")
        ],
    )
    return lab


@pytest.fixture
def nine(lab: Lab) -> Lab:
    """All nine exhibits, ready to be drawn."""
    return whole(lab)


def claims() -> list[dict[str, Any]]:
    """One claim of each verdict, as the verdicts of a scale hold them: absent fields are null."""
    measured = {
        "effect": 3.25,
        "low": 1.5,
        "high": 5.0,
        "unit": "points",
        "paper_unit": "points",
        "n": 9,
        "test": "paired t",
    }
    found = [
        {"id": "C1", "exhibit": "figure_08", "section": "4.2", "type": "D", "verdict": "confirmed"}
        | measured
        | {"says": "a nonlinear head beats a linear one", "p": 0.0004, "p_holm": 0.028, "paper_effect": 3.8},
        {"id": "A12", "exhibit": "table_01", "section": "3.2", "type": "R", "verdict": "contradicted"}
        | measured
        | {"says": "stronger colour hurts with labels", "paper_effect": -1.3, "metric": "top1"},
        {"id": "E1", "exhibit": "figure_09", "section": "5.2", "type": "R", "verdict": "inconclusive"}
        | measured
        | {"says": "larger batches are better", "low": -1.5, "seeds_needed": 12, "reason": "It holds zero."},
        {"id": "F1", "exhibit": "table_07", "section": "6", "verdict": "not run", "min_scale": "reduced"}
        | {"says": "few labels suffice", "missing": ["finetune/run1", "finetune/run2"]},
        {"id": "D5", "exhibit": "table_02", "section": "5.1", "type": "report", "verdict": "report"}
        | {"says": "how negatives are weighted", "effect": "none", "paper_effect": "exact"},
    ]
    return found


def judge(lab: Lab) -> None:
    """Write the verdicts of `claims` where the page looks for them."""
    path = lab.out / SCALE / "verdicts.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"scale": SCALE, "counts": {}, "claims": claims()}))


@pytest.fixture
def judged(nine: Lab) -> Lab:
    """The nine exhibits and verdicts on five claims."""
    judge(nine)
    return nine


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of figures and tables with verdicts, made once."""
    lab = whole(Lab(tmp_path_factory.mktemp("site")))
    for path in (ROOT / "params" / "exhibits").glob("*.yaml"):  # the others are declared, and not drawn
        if not (lab.params / "exhibits" / path.name).exists():
            shutil.copy(path, lab.params / "exhibits")
    for exhibit in ("figure_06", "figure_08", "figure_09", "table_01", "table_02", "table_05"):
        lab.draw(exhibit)
    judge(lab)
    lab.page()
    return lab.out / SCALE
