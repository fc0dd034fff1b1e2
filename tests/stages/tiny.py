"""A project in miniature: 60 images of three colours, a network of eight layers, runs of a few steps."""

import importlib
import itertools
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from common import atomic, files
from common.seals import SEAL, sealed
from simclr.classification import Classification
from stages.data import datasets
from stages.planning import fingerprint
from stages.planning.plans import Plan, Run
from stages.planning.searches import points, search_of
from stages.running import finished, store, sweeps
from stages.running.job import Job
from stages.running.provenance import cause_of
from stages.running.store import CHECKPOINT

RESULTS = Path("results")
# Exhibits of two runs.
TWO_PRETRAININGS = """\
knobs: {temperature: nt_xent.temperature}
runs:
  - chain: [pretrain]
    grid: {temperature: [0.5, 1.0]}
measure: [pretrain.loss]
seeds: [0]
"""
TWO_GRADIENTS = """\
knobs:
  loss:
    NT-Xent: {gradient_check.loss: nt_xent, gradient_check.parameters: [0.5]}
    NT-Logistic: {gradient_check.loss: nt_logistic, gradient_check.parameters: [0.5]}
runs:
  - chain: [gradients]
    grid: {loss: [NT-Xent, NT-Logistic]}
measure: [gradients.max_error]
seeds: [0]
"""
ABOUT = {"title": "Tiny", "classes": ["red", "green", "blue"], "metric": "top1"}
VALIDATION = {"fraction": 0.25, "seed": 0}
SIZES = {"train": 48, "test": 12}

SHARED = {
    "dataset.name": "tiny",
    "execution.device": "cpu",
    "ViewPolicy.size": 8,
    "ViewPolicy.ops": ["crop", "flip"],
    "resnet.depth": 8,
    "resnet.stem": "cifar",
    "resnet.base_channels": 4,
}
OWN = {
    "pretrain": {
        "Pretraining.batch_size": 16,
        "Pretraining.epochs": 2,
        "Pretraining.warmup_epochs": 1,
        "Pretraining.base_lr": 1.0,
        "projection_head.out_dim": 8,
        "nt_xent.temperature": 0.5,
        "Lars.weight_decay": 1e-6,
    },
    "linear_eval": {
        "linear_evaluation.batch_size": 12,
        "linear_evaluation.epochs": 3,
        "linear_evaluation.base_lr": 2.0,
    },
    "supervised": {
        "supervised.batch_size": 16,
        "supervised.epochs": 2,
        "supervised.base_lr": 1.0,
        "supervised.warmup_epochs": 1,
    },
    "initialize": {},
    "finetune": {
        "label_subset.fraction": 0.25,
        "fine_tuning.batch_size": 16,
        "fine_tuning.epochs": 3,
        "fine_tuning.base_lr": 1.0,
    },
    "transfer": {
        "transfer_grid.learning_rates": [0.1, 0.3],
        "transfer_grid.weight_decays": [0.0],
        "transfer_training.steps": 5,
        "transfer_training.batch_size": 12,
    },
    "transfer_search": {
        "transfer_training.lr": 0.1,
        "transfer_training.weight_decay": 0.0,
        "transfer_training.steps": 5,
        "transfer_training.batch_size": 12,
    },
    "tsne": {
        "chosen_images.classes": 3,
        "chosen_images.images_per_class": 4,
        "embedding.perplexity": 3.0,
        "embedding.iterations": 250,
    },
}


def coloured(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise uint8 (n, 8, 8, 3), brighter in the channel that the label (n,) names."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 100, (n, 8, 8, 3), np.uint8)
    images[np.arange(n), :, :, labels] += 120
    return images, labels.astype(np.int64)


def prepare_tiny(project: Path) -> Path:
    """Declare the data set "tiny" in the project and lay it down as `prepare` would; returns its folder."""
    folder = RESULTS / "smoke" / "data" / "tiny"
    declared, manifest = {}, {}
    for seed, (split, size) in enumerate(SIZES.items()):
        pair = dict(zip(("images", "labels"), coloured(size, seed), strict=True))
        files.write_arrays(folder, {f"{split}.{kind}": array for kind, array in pair.items()})
        hashes = {kind: datasets.array_sha256(array) for kind, array in pair.items()}
        declared[split] = {"size": size, **hashes}
        manifest[split] = {"size": size} | {
            kind: {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": hashes[kind]}
            for kind, array in pair.items()
        }
    about = {**ABOUT, "validation": VALIDATION}
    cause = {"splits": declared, "validation": VALIDATION}
    whole = {"name": "tiny", **about, "splits": manifest, "sha256": datasets.combined_sha256(cause)}
    files.write_json(folder / "manifest.json", whole)
    declare(project, {**about, "image": [8, 8, 3], "splits": declared})
    return folder


def rewrite_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Put another manifest in the place of the one that `prepare_tiny` laid down, with its checksum."""
    seal = datasets.manifest_sha256(manifest["splits"], manifest["validation"])
    files.write_json(folder / "manifest.json", {**manifest, "sha256": seal})


def declare(project: Path, body: dict[str, Any]) -> None:
    """Put "tiny" among the project's data sets; a second call replaces the first."""
    path = project / "params" / "datasets.yaml"
    files.write_yaml(path, {**files.read_yaml(path), "tiny": body})
    fingerprint.declaration_of.cache_clear()


def a_run(stage: str, upstream: Run | None = None, seed: int = 0, **changes: Any) -> Run:
    """One run of a stage that trains, with its search if it chooses; in `changes` "__" stands for the dot."""
    importlib.import_module(f"stages.{stage}")  # gin knows only the names of what is imported
    bindings = (
        SHARED | OWN.get(stage, {}) | {name.replace("__", "."): value for name, value in changes.items()}
    )
    run = Run("table_05", "smoke", stage, f"run-seed{seed}", seed, bindings, {}, upstream)
    search = search_of(stage)
    return replace(run, search=tuple(points(run, *search))) if search else run


def work(run: Run, results: Path = RESULTS) -> Path:
    """Do the run in this process, after those of its search, and link it into its sweep; returns its folder there."""
    for point in run.search:
        if not store.is_finished(store.find(results, point), point):
            carry_out(point, results)
    importlib.import_module(f"stages.{run.stage}").work(Job(run, results))
    atomic.link_tree(store.store_folder(results, run), run.folder(results))
    return run.folder(results)


def carry_out(run: Run, results: Path = RESULTS) -> Path:
    """The same for a run that may diverge, without its search."""
    Job(run, results).carry_out(importlib.import_module(f"stages.{run.stage}").work)
    atomic.link_tree(store.store_folder(results, run), run.folder(results))
    return run.folder(results)


def killed_after(steps: int, run: Run, results: Path) -> Path:
    """A results folder where a process did so many steps of a classifier's run and was then killed (SIGKILL).

    The data and the finished runs of other stages are those of RESULTS. Forked, so that torch need not start again.
    """
    (results / "smoke").mkdir(parents=True)
    for path in (RESULTS / "smoke").resolve().iterdir():
        if path.name not in ("store", run.stage):
            (results / "smoke" / path.name).symlink_to(path)
    step, done = Classification.step, itertools.count()

    def dies(training: Classification) -> dict[str, Tensor]:
        if next(done) == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(training)

    def child() -> None:
        Classification.step = dies
        importlib.import_module(f"stages.{run.stage}").work(Job(run, results))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert (store.partial_folder(results, run) / CHECKPOINT).is_file()
    return results


def listed(folder: Path) -> dict[str, str]:
    """The checksums of everything that a run promises to be the same."""
    return files.read_json(folder / "run.json")["files"]


def declare_only(project: Path, exhibits: dict[str, str]) -> None:
    """Make these the only exhibits: {id: its YAML from `knobs` to `seeds`}."""
    folder = project / "params" / "exhibits"
    for path in folder.glob("*.yaml"):
        path.unlink()
    for name, body in exhibits.items():
        head = f"id: {name}\nkind: {name.split('_')[0]}\nsection: '1'\ntitle: T\ncaption: C\n"
        scales = "scales: {smoke: {}, reduced: {}, cifar10: {}, paper: {}}\n"
        files.write_text(folder / f"{name}.yaml", head + body + scales)


def retune(project: Path, stage: str) -> None:
    """Bind in the recipe of a stage that trains what no recipe binds."""
    with open(project / "params" / "recipes" / f"{stage}_smoke.gin", "a") as recipe:
        recipe.write("random_flip.probability = 0.25\n")


def seal(run: Run, metrics: dict[str, float], arrays: dict[str, np.ndarray] | None = None) -> None:
    """Put a finished run into the store without doing it."""
    folder = store.partial_folder(RESULTS, run)
    files.write_json(folder / "metrics.json", metrics)
    if arrays:
        files.write_npz(folder / "arrays.npz", arrays)
    store.finish(folder, store.store_folder(RESULTS, run), cause_of(run), {})


def sweep(plan: Plan, stage: str) -> None:
    """Link the sealed runs of one stage into its sweep and write its index, as the driver does."""
    assert sweeps.bring([sweeps.Sweep(plan, stage)], RESULTS, 1, stage) == 0


def seal_evidence(folder: Path, record: dict[str, Any]) -> None:
    """Commit another provenance of an exhibit, under a seal that fits it."""
    content = {name: value for name, value in record.items() if name != SEAL}
    files.write_json(folder / "provenance.json", sealed(content))
    forget_evidence()


def forget_evidence() -> None:
    """Read committed evidence anew: a process reads it once."""
    for cached in (finished._evidence, finished._record, finished._gathered):
        cached.cache_clear()
