"""What one run sees: its bindings, its images, its folder, its checkpoint, and somebody to tell how far it is."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gin
import numpy as np

from common import files
from common.errors import UserError
from stages.data import datasets
from stages.data.loading import dataset
from stages.planning.code_hashes import ROOT, code_hash
from stages.planning.cost import cost_of
from stages.planning.fingerprint import adoption_of, data_hash
from stages.planning.plans import Run
from stages.running import store
from stages.running.execution import execution

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from simclr.encoder import ResNet
    from stages.data.photographs import Photographs

LIBRARIES = ("torch", "torchvision", "numpy", "gin-config", "scipy", "scikit-learn")
CHECKPOINT = "checkpoint.safetensors"
Report = Callable[[int, int], None]  # images done, images in all


class Job:
    """One run at work in its partial folder; `finish` seals it and moves it to the store."""

    def __init__(self, run: Run, results: Path, report: Report = lambda done, total: None) -> None:
        self.run, self.results, self.report = run, results, report
        self.folder = store.partial_folder(results, run)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started = self.saved = time.monotonic()
        self.images = 0
        bind(run)
        self.execution = execution()
        self.device = self.execution.prepare()

    def data(self, split: str) -> tuple[Tensor | Photographs, Tensor]:
        """Images uint8 (n, 3, H, W), or photographs, and labels (n,) of one split of the declared data set."""
        return dataset(self.results / self.run.scale / "data", split, self.device)

    def manifest(self) -> dict[str, Any]:
        """What `prepare` found of the declared data set: its classes, its metric, its splits."""
        return datasets.read_manifest(self.results / self.run.scale / "data" / str(self.run.dataset))

    def upstream_encoder(self) -> ResNet:
        """The upstream run's encoder: the network that its bindings describe, with its verified weights."""
        from simclr.encoder import resnet

        return self._upstream_network(resnet, "encoder")

    def upstream_head(self, in_dim: int) -> nn.Module:
        """The upstream run's projection head, (n, in_dim) -> (n, out_dim), likewise."""
        from simclr.heads import projection_head

        return self._upstream_network(projection_head, "head", in_dim=in_dim)

    def _upstream_network(self, build: Callable[..., Any], part: str, **given: Any) -> Any:
        tensors, upstream = self.upstream_tensors(part), self.run.upstream
        prefix = f"{build.__name__}."
        bound = {
            key.removeprefix(prefix): value
            for key, value in upstream.bindings.items()
            if key.startswith(prefix)
        }
        network = build(**given, **bound, seed=upstream.seed)
        network.load_state_dict(tensors)
        return network.to(self.device)

    def upstream_tensors(self, prefix: str) -> dict[str, Tensor]:
        """The tensors `prefix.*` of the upstream run's weights, verified, without the prefix."""
        upstream = self.run.upstream
        assert upstream is not None, "a stage asks for an upstream run only where its chain has one"
        folder = upstream.folder(self.results)
        cause = store.read_run(folder)
        if cause["fingerprint"] != upstream.fingerprint:
            raise UserError(
                "the upstream run is not the one that the plan describes",
                expected=f"fingerprint {upstream.fingerprint}",
                found=cause["fingerprint"],
                where=folder,
                remedy=f"run stage {upstream.stage} for this sweep first",
            )
        tensors = files.read_tensors(folder / "weights.safetensors")
        return {
            name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")
        }

    def tell(self, images: int, total: int) -> None:
        """Report progress."""
        self.images = images
        self.report(images, total)

    def checkpoint(self, state: Callable[[], dict[str, Tensor]]) -> None:
        """Save `state()` if the declared minutes have passed since the last time."""
        if time.monotonic() - self.saved >= 60 * self.execution.checkpoint_minutes:
            files.write_tensors(self.folder / CHECKPOINT, state())
            self.saved = time.monotonic()

    def restore(self) -> dict[str, Tensor] | None:
        """The last checkpoint of this very run (same fingerprint), or None. A damaged one is discarded."""
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return None
        try:
            return files.read_tensors(path)
        except UserError:
            path.unlink()
            return None

    def save_curve(self, rows: list[dict[str, float]]) -> None:
        """curve.csv: one row per epoch."""
        header = list(rows[0]) if rows else []
        lines = [",".join(header)] + [",".join(f"{row[name]:.10g}" for name in header) for row in rows]
        files.write_text(self.folder / "curve.csv", "\n".join(lines) + "\n")

    def save_weights(self, **modules: torch.nn.Module) -> None:
        """weights.safetensors: the state of each module under its keyword as prefix."""
        tensors = {
            f"{prefix}.{name}": t for prefix, m in modules.items() for name, t in m.state_dict().items()
        }
        files.write_tensors(self.folder / "weights.safetensors", tensors)

    def save_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """arrays.npz: what an exhibit draws besides numbers."""
        files.write_npz(self.folder / "arrays.npz", arrays)

    def finish(self, metrics: dict[str, float], imported: dict[str, Any] | None = None) -> None:
        """Write metrics, operative gin and provenance, and seal the run.

        `imported` says which published weights stand in the place of a training; it stays with every number.
        """
        files.write_json(
            self.folder / "metrics.json", {name: float(value) for name, value in metrics.items()}
        )
        files.write_text(self.folder / "operative.gin", gin.operative_config_str())
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        cause = cause_of(self.run) | {"cost": dataclasses.asdict(cost_of(self.run))}
        cause |= {"imported": imported} if imported else {}
        store.finish(self.folder, store.store_folder(self.results, self.run), cause, self._record())

    def _record(self) -> dict[str, Any]:
        seconds = time.monotonic() - self.started
        return {
            "seconds": round(seconds, 3),
            "images_per_second": round(self.images / seconds, 1),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "host": platform.node(),
            "platform": platform.platform(),
            "device": self.device.type,
            "git": git_state(),
        }


def bind(run: Run) -> None:
    """Make gin hold exactly the bindings of this run."""
    with gin.unlock_config():
        gin.clear_config()
        for key, value in run.bindings.items():
            gin.bind_parameter(key, tuple(value) if isinstance(value, list) else value)


def cause_of(run: Run) -> dict[str, Any]:
    """What decided the numbers of this run, for run.json: equal for equal runs on any machine with these libraries."""
    return {
        "fingerprint": run.fingerprint,
        "stage": run.stage,
        "seed": run.seed,
        "bindings": run.bindings,
        "code": code_hash(run.stage),
        "adopted": adoption_of(run.stage),
        "data": data_hash(run.dataset) if run.dataset else None,
        "upstream": run.upstream.fingerprint if run.upstream else None,
        "versions": {name: metadata.version(name) for name in LIBRARIES}
        | {"python": platform.python_version()},
    }


def git_state() -> dict[str, str | None]:
    """The commit, and a hash of what differs from it in the folders that decide numbers; None outside a checkout."""

    def git(*words: str) -> str | None:
        done = subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
        )
        return done.stdout if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    patch = git("diff", "HEAD", "--", "simclr", "stages", "params")
    return {
        "commit": commit.strip() if commit else None,
        "patch_sha256": hashlib.sha256(patch.encode()).hexdigest() if patch else None,
    }
