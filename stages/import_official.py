"""Import a published TensorFlow checkpoint in the place of a pretraining, so that its evaluations run without one.

    python -m stages import_official --checkpoint 1x/model.ckpt-225206 --exhibit table_06 --run RUN --scale paper

TensorFlow reads the checkpoint (`make official` installs it). The run of the plan says which network is expected.
Afterwards the run holds the official weights; its run.json, its provenance and every drawing that shows it say so. What
evaluated other weights in its place is removed; a finished training of our own is not replaced. With --parity the
network's logits are compared with those that the official code gave for the same images. A checkpoint whose projection
head was never trained (the published supervised networks) is refused without --parity.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from common import atomic, files, scales
from common.errors import UserError, command
from common.names import nearest
from common.options import add_results, add_scale
from stages.obtaining.checkpoints import checksums, read_checkpoint
from stages.planning.plans import Run, read_plan
from stages.running import origins, store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

STAGE = "pretrain"
PARITY = 1e-3  # of the largest logit: float32 sums in another order, through up to 152 layers


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages import_official --checkpoint PREFIX --exhibit ID --run RUN [--scale S] [--parity FILE]`."""
    parser = argparse.ArgumentParser(
        prog="python -m stages import_official", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        type=Path,
        help="the path of the checkpoint, without .index or .data-...",
    )
    parser.add_argument("--exhibit", required=True, help="an exhibit that has a pretraining of this network")
    parser.add_argument(
        "--run",
        required=True,
        help="which of its pretrainings the weights stand for; an unknown name lists them",
    )
    add_scale(parser)
    add_results(parser)
    parser.add_argument(
        "--parity",
        type=Path,
        help="an .npz file with images (n, H, W, 3) in [0, 1] and the official logits (n, classes), to compare with",
    )
    options = parser.parse_args(arguments)
    scale = scales.check_scale(options.scale or scales.default())
    run = _run_of(options.exhibit, scale, options.run)
    import_checkpoint(options.checkpoint, run, options.results, options.parity)
    return 0


def import_checkpoint(checkpoint: Path, run: Run, results: Path, parity: Path | None = None) -> None:
    """Seal `run` with the checkpoint's weights, and remove evaluations of others.

    UserError if they belong to another network or fail parity, if the run is a finished training, or if another command
    is at work on it.
    """
    with store.locked(store.store_folder(results, run)) as mine:
        if not mine:
            raise UserError(
                "another command is at work on this run",
                expected="one at a time",
                found="its lock is held",
                where=store.store_folder(results, run),
                remedy="wait until it ends, or end it",
            )
        _check_not_trained(run, results)
        said = _import(checkpoint, run, results, parity)
    headless = (
        " without a projection head: what shows z is left out" if origins.is_headless(run, results) else ""
    )
    print(f"{run.exhibit} {run.id}: imported {checkpoint.name}{headless}; parity {said}")


def _check_not_trained(run: Run, results: Path) -> None:
    if trained := [
        place
        for place, cause in origins.copies(run, results).items()
        if store.is_finished(place, run) and not origins.checksums(cause)
    ]:
        raise UserError(
            "this run is a finished training of our own",
            expected="a run that is not there, or that was imported",
            found="its weights, and perhaps evaluations of them",
            where=trained[0],
            remedy="choose another run or other --results; or, to give this training up, remove "
            + " and ".join(map(str, trained)),
        )


def _import(checkpoint: Path, run: Run, results: Path, parity: Path | None) -> str:
    """The work of `import_checkpoint`, under the run's lock; returns what parity came to."""
    from simclr.encoder import millions
    from simclr.official import classifier_from
    from stages.running.job import Job

    variables = read_checkpoint(checkpoint)
    importlib.import_module("simclr.training")  # gin binds only names of what is imported
    job = Job(run, results)
    encoder, head = _networks(variables, run, checkpoint)
    is_trained = head_was_trained(variables)
    if not is_trained and parity is None:
        raise _never_trained(run, checkpoint)
    classifier = classifier_from(variables)
    said = check_parity(encoder, classifier, parity)
    if not is_trained:
        head, said = None, f"{said}; its projection head was never trained and is left out"
        print(f"warning: {checkpoint.name} is not a contrastive pretraining: {said}", file=sys.stderr)
    parts = {"encoder": encoder, "head": head, "classifier": classifier}
    has = [name for name, part in parts.items() if part is not None]
    imported = {"checkpoint": checkpoint.name, "sha256": checksums(checkpoint), "parity": said, "parts": has}
    shutil.rmtree(job.folder)  # of a training that was begun
    stored = store.store_folder(results, run)
    job.save_weights(**{name: parts[name] for name in has})
    # First: a kill in between leaves nothing that passes for an evaluation of these weights.
    read = origins.evaluations(run, results)
    origins.discard(folder for folder, digests in read.items() if digests != imported["sha256"])
    job.finish({"params": millions(encoder)}, imported=imported)
    for folder in {run.folder(results), *origins.copies(run, results)} - {stored}:
        atomic.link_tree(stored, folder)
    return said


def _networks(
    variables: Mapping[str, Tensor], run: Run, checkpoint: Path
) -> tuple[nn.Module, nn.Module | None]:
    """The run's encoder, and its projection head if the checkpoint has one, with the checkpoint's weights."""
    from simclr.encoder import resnet
    from simclr.heads import projection_head
    from simclr.official import HEAD, encoder_variables, head_variables, left_over, state_from

    encoder = resnet(seed=run.seed)
    head, names = projection_head(encoder.feature_dim, seed=run.seed), encoder_variables(encoder)
    try:
        if extra := left_over(variables, names):
            raise ValueError(f"{len(extra)} encoder variables have no place, the first is {extra[0]}")
        encoder.load_state_dict(state_from(variables, names, encoder))
        if not any(name.startswith(f"{HEAD}/") for name in variables):
            return encoder, None
        head.load_state_dict(state_from(variables, head_variables(head), head))
        return encoder, head
    except ValueError as error:
        network = [f"{key} = {value}" for key, value in sorted(run.bindings.items()) if "resnet." in key]
        raise UserError(
            "the checkpoint belongs to another network",
            expected=f"the variables of run {run.id} of {run.exhibit} ({', '.join(network)})",
            found=str(error),
            where=checkpoint,
            remedy="choose the run whose depth, width and stem the checkpoint has",
        ) from error


def _never_trained(run: Run, checkpoint: Path) -> UserError:
    return UserError(
        "the projection head of this checkpoint was never trained",
        expected="the checkpoint of a contrastive pretraining",
        found="scale 1 and shift 0 in all batch norms of the head, as before the first step; the published "
        "supervised networks are like this",
        where=checkpoint,
        remedy=f"choose the checkpoint of a pretraining. To give {run.id} this network all the same, show with "
        "--parity that its logits are the official ones; it is then imported without a head, and its record says so",
    )


def head_was_trained(variables: Mapping[str, Tensor]) -> bool:
    """Whether training has touched the projection head: any scale of its batch norms is not 1, or any shift not 0.

    The official supervised networks carry a head that no loss ever reached. Weight decay and averages of activations
    change the rest of it all the same, but scale and shift have no decay and stay as initialized.
    """
    from simclr.official import HEAD

    named = [(name, value) for name, value in variables.items() if name.startswith(f"{HEAD}/")]
    scales = [value for name, value in named if name.endswith("/gamma")]
    shifts = [value for name, value in named if name.endswith("/beta")]
    return not scales or any((one != 1).any() for one in scales) or any((one != 0).any() for one in shifts)


def check_parity(encoder: nn.Module, classifier: nn.Module | None, path: Path | None) -> str:
    """Compare logits (or, without a classifier, h) with those of the official code; returns the result in words."""
    import numpy as np
    import torch

    if path is None:
        return "not checked"
    arrays = files.read_npz(path)
    name = "logits" if classifier else "features"
    if absent := {"images", name} - arrays.keys():
        raise UserError(
            "there are no official numbers to compare with",
            expected=f"arrays images and {name}",
            found=f"no {', '.join(absent)}",
            where=path,
        )
    encoder.eval()
    with torch.no_grad():
        images = torch.from_numpy(np.ascontiguousarray(arrays["images"], np.float32)).permute(0, 3, 1, 2)
        h = encoder(images)
        ours = (classifier(h) if classifier else h).numpy()
    official = arrays[name]
    worst = (
        float(np.abs(ours - official).max() / np.abs(official).max())
        if ours.shape == official.shape
        else np.inf
    )
    if not worst <= PARITY:
        raise UserError(
            "the imported network does not give the official numbers",
            expected=f"{name} {official.shape} within {PARITY:g} of the largest",
            found=f"{ours.shape}, off by {worst:.2g}",
            where=path,
            remedy="give the images as the official network saw them: in [0, 1], resized and cropped",
        )
    return f"{name} of {len(official)} images agree within {worst:.1e} of the largest"


def _run_of(exhibit: str, scale: str, name: str) -> Run:
    runs = {run.id: run for run in read_plan(exhibit, scale).runs(STAGE)}
    if name not in runs:
        raise UserError(
            f"{exhibit} has no pretraining `{name}`{nearest(name, runs)}",
            expected=", ".join(runs) or "an exhibit that pretrains",
            found=name,
            where=f"params/plan/{scale}/{exhibit}.yaml",
        )
    return runs[name]
