"""A copy of this repository in which a day's work takes minutes: few exhibits, few images, short trainings."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from common import files

ROOT = Path(__file__).resolve().parents[1]
TABLE_05 = "params/exhibits/table_05.yaml"


@dataclass
class Clone:
    """A working copy, its engine's command, and what a call of it printed."""

    folder: Path
    engine: list[str]

    def run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=900,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    def reports(self) -> str:
        return self.run(*self.engine)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        (self.folder / path).write_text(text.replace(old, new))

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "work")

    def products(self) -> dict[str, bytes]:
        out = self.folder / "reports" / "out" / "smoke"
        return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.name != ".gitignore"}


def ran(output: str) -> dict[str, str]:
    """{"pretrain table_05": "1 of 2", ...}: what the drivers did, without those that had nothing to do."""
    lines = re.findall(r"^(\w+ \w+): ran (\d+) of (\d+) runs", output, flags=re.M)
    return {sweep: f"{some} of {all}" for sweep, some, all in lines if some != "0"}


def copy_tree(folder: Path, exhibits: Collection[str]) -> None:
    """What git would clone of the working tree, with some of its exhibits and without DVC's notes on results."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for path in (folder / "params" / "exhibits").glob("*.yaml"):
        if path.stem not in exhibits:
            path.unlink()
    drop_scales_with_parents(folder / "params")
    (folder / "dvc.lock").unlink(missing_ok=True)


def drop_scales_with_parents(params: Path) -> None:
    """They say of single exhibits what differs, and may name one that is not in a copy, or that a test takes away."""
    for path in (params / "scales").glob("*.yaml"):
        if "parent" in files.read_yaml(path):
            path.unlink()


def shorten_training(clone: Clone) -> None:
    """Few images, one epoch."""
    clone.edit("params/recipes/pretrain_smoke.gin", "dataset.limit = 2000", "dataset.limit = 1000")
    clone.edit("params/recipes/linear_eval_smoke.gin", "dataset.limit = 0", "dataset.limit = 1000")
    clone.edit("params/recipes/pretrain_smoke.gin", "Pretraining.epochs = 3", "Pretraining.epochs = 1")
    clone.edit("params/recipes/linear_eval_smoke.gin", "evaluation.epochs = 3", "evaluation.epochs = 1")


def commit_all(clone: Clone) -> None:
    """Make the copy a repository, planned and committed."""
    clone.run("git", "init", "-q")
    clone.run("git", "config", "user.email", "tests@example.org")
    clone.run("git", "config", "user.name", "tests")
    clone.run(sys.executable, "-m", "stages", "plan")
    clone.commit()


def _environment() -> dict[str, str]:
    """A newcomer's shell: none of what `make test` hands down, or a `make` in the copy would take itself for a part."""
    handed_down = {"PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "SCALE", "BASE", "BASE_SCALE"}
    return {name: value for name, value in os.environ.items() if name not in handed_down} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
