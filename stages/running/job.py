"""What a stage works with in one run: bindings, images, folder, checkpoint, and a way to report progress."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gin
import numpy as np

from common import files
from common.errors import UserError
from simclr.distributed import anywhere, barrier, rank, world_size
from simclr.divergence import Diverged
from stages.data import datasets
from stages.data.loading import dataset
from stages.planning.cost import cost_of
from stages.planning.plans import Run
from stages.running import checkpoint, origins, store
from stages.running.execution import execution
from stages.running.finished import Finished, finished
from stages.running.provenance import cause_of, record_of
from stages.running.stopping import STOP, Stopped

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from simclr.encoder import ResNet
    from stages.data.photographs import Photographs

AGREE_STEPS = 4  # steps between two agreements of several processes whether to stop
Report = Callable[[int, int], None]  # images done, images in all


class Job:
    """One run at work in its partial folder; `finish` seals it and moves it to the store."""

    def __init__(self, run: Run, results: Path, report: Report = lambda done, total: None) -> None:
        self.run, self.results, self.report = run, results, report
        self.folder = store.partial_folder(results, run)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started = self.saved = time.monotonic()
        # Before the checkpoint from which it goes on, if it does.
        self.seconds_before = 0.0
        self.images, self.checkpoints_asked = 0, 0
        self.read_imported: dict[str, str] | None = None
        # Of several processes one writes; all have the same state.
        self.leads = rank() == 0
        bind(run)
        _check_processes(run)
        self.execution = execution()
        self.device = self.execution.prepare()

    def carry_out(self, work: Callable[[Job], None]) -> None:
        """Do the stage's `work`, and seal what came of it: also that it diverged, or that what it evaluates had.

        A divergence is a result: the run is not tried again, and every exhibit that shows it says so.
        """
        if before := self._divergence_of_upstream():
            self.finish({}, diverged=before)
            return
        try:
            work(self)
        except Diverged as error:
            told = {"stage": self.run.stage, "step": error.step, "last_finite_loss": error.last_finite_loss}
            self.finish({}, diverged=told)

    def _divergence_of_upstream(self) -> dict[str, Any] | None:
        upstream = self.run.upstream
        return store.read_run(store.find(self.results, upstream)).get("diverged") if upstream else None

    def data(self, split: str) -> tuple[Tensor | Photographs, Tensor]:
        """Images uint8 (n, 3, H, W), or photographs, and labels (n,) of one split of the declared data set."""
        folder, how = self.results / self.run.scale / "data", self.execution
        return dataset(folder, split, self.device, workers=how.workers, keep_gb=how.keep_gb)

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
        if not tensors:
            raise UserError(
                f"the weights of the upstream run have no {part}",
                expected=f"those of {upstream.stage} {upstream.exhibit} {upstream.id}, as it is planned",
                found="others; published ones have no projection head",
                where=store.find(self.results, upstream),
                remedy="train that run (remove what is there in its place), or leave out what shows this one",
            )
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
        folder = store.find(self.results, upstream)
        cause = store.read_run(folder)
        # After `dvc pull` a sweep may hold a run of another plan under the same id.
        if cause["fingerprint"] != upstream.fingerprint:
            raise UserError(
                "the upstream run is not the one that the plan describes",
                expected=f"fingerprint {upstream.fingerprint}",
                found=cause["fingerprint"],
                where=folder,
                remedy=f"run stage {upstream.stage} for this sweep first",
            )
        tensors = files.read_tensors(folder / "weights.safetensors")
        self.read_imported = origins.checksums(cause)
        return {
            name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")
        }

    def search(self) -> list[Finished]:
        """What each run of the search found, verified, in the order of the grid; one that diverged has no metric.

        UserError if one is not there.
        """
        return [self._found(run) for run in self.run.search]

    def _found(self, run: Run) -> Finished:
        found = finished(run, self.results)
        if found is None or found.account["fingerprint"] != run.fingerprint:
            raise UserError(
                "a run among which this one chooses is not there",
                expected=f"fingerprint {run.fingerprint} for run {run.id}",
                found=found.account["fingerprint"] if found else "none",
                where=store.store_folder(self.results, run),
                remedy=f"run stage {run.stage} for this sweep first",
            )
        return found

    def tell(self, images: int, total: int) -> None:
        """Report progress."""
        self.images = images
        self.report(images, total)

    def checkpoint(self, state: Callable[[], dict[str, Tensor]]) -> None:
        """Save `state()` if the declared minutes have passed since the last time, or if the run has to stop.

        Raises Stopped in the latter case.
        """
        stop = self._all_stop()
        # By minutes and not by steps: a step takes a millisecond at one scale and a second at another.
        due = time.monotonic() - self.saved >= 60 * self.execution.checkpoint_minutes
        if self.leads and (stop or due):
            checkpoint.write(self.folder / store.CHECKPOINT, state(), self._seconds())
            self.saved = time.monotonic()
        if stop:
            raise Stopped

    def _all_stop(self) -> bool:
        """Whether the run has to stop. Several processes agree on it, or some would wait for those that are gone."""
        self.checkpoints_asked += 1
        if world_size() == 1:
            return STOP.is_set()
        # Asking all processes takes a message that the next step waits for, so they ask now and then.
        return self.checkpoints_asked % AGREE_STEPS == 0 and anywhere(STOP.is_set(), self.device)

    def restore(self) -> dict[str, Tensor] | None:
        """The last checkpoint of this very run (same fingerprint), or None. A damaged one is discarded, and said."""
        path, state, damaged = self.folder / store.CHECKPOINT, None, False
        try:
            if path.is_file():
                state, self.seconds_before = checkpoint.read(path)
        except UserError:
            damaged = True
        # Nobody goes on, and writes another one, before all have read this one.
        barrier()
        if damaged and self.leads:
            path.unlink()
            print(f"{path}: damaged, discarded; the run starts anew", file=sys.stderr, flush=True)
        return state

    def _seconds(self) -> float:
        """How long the run has taken up to now, with what came before the checkpoint from which it went on."""
        return self.seconds_before + time.monotonic() - self.started

    def save_curve(self, rows: list[dict[str, float]]) -> None:
        """curve.csv: one row per epoch."""
        header = list(rows[0]) if rows else []
        lines = [",".join(header)] + [",".join(f"{row[name]:.10g}" for name in header) for row in rows]
        self.write_text("curve.csv", "\n".join(lines) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """A small file beside the others, by name."""
        if self.leads:
            files.write_text(self.folder / name, text)

    def save_weights(self, **modules: torch.nn.Module) -> None:
        """weights.safetensors: the state of each module under its keyword as prefix."""
        tensors = {
            f"{prefix}.{name}": t for prefix, m in modules.items() for name, t in m.state_dict().items()
        }
        if self.leads:
            files.write_tensors(self.folder / "weights.safetensors", tensors)

    def save_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """arrays.npz: what an exhibit draws besides numbers."""
        if self.leads:
            files.write_npz(self.folder / "arrays.npz", arrays)

    def finish(
        self,
        metrics: dict[str, float],
        imported: dict[str, Any] | None = None,
        diverged: dict[str, Any] | None = None,
    ) -> None:
        """Write metrics, operative gin and provenance, and seal the run.

        `imported` says which published weights stand in the place of a training; it stays with every number. `diverged`
        says which stage did, at which step, and its last finite loss. Raises ValueError for a metric that is no number.
        """
        if not self.leads:
            return
        files.write_json(
            self.folder / "metrics.json", {name: float(value) for name, value in metrics.items()}
        )
        files.write_text(self.folder / "operative.gin", gin.operative_config_str())
        cause = cause_of(self.run) | {"cost": dataclasses.asdict(cost_of(self.run))}
        cause |= {"imported": imported} if imported else {}
        cause |= {origins.READ: self.read_imported} if self.read_imported else {}
        cause |= {"diverged": diverged} if diverged else {}
        record = record_of(self._seconds(), self.images, self.device.type, world_size())
        store.finish(self.folder, store.store_folder(self.results, self.run), cause, record)


def _check_processes(run: Run) -> None:
    """UserError where the number of processes, which is no part of the fingerprint, would decide the numbers."""
    if world_size() > 1 and run.bindings.get("BatchNorm.global_statistics") is False:
        raise UserError(
            "with batch norm over each process alone, their number would decide the numbers",
            expected="1 process",
            found=f"{world_size()}, and BatchNorm.global_statistics = False",
            where=f"run {run.id} of {run.stage} {run.exhibit}",
            remedy="bind execution.processes = 1, or BatchNorm.groups: statistics over so many parts of the batch",
        )


def bind(run: Run) -> None:
    """Make gin hold exactly the bindings of this run."""
    with gin.unlock_config():
        gin.clear_config()
        for key, value in run.bindings.items():
            gin.bind_parameter(key, tuple(value) if isinstance(value, list) else value)
