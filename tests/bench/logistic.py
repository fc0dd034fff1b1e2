"""The path of 45 penalties (Appendix B.8): our seconds, scikit-learn's, and how far the coefficients are apart.

Both run in this process, on as many threads, on the same features: h of a ResNet-8 (512 features) after a few epochs of
pretraining on the embedded images, for crops of these images until there are enough rows. scikit-learn's loop is what
one would write (L-BFGS, its own tolerance of 1e-4, strong penalties first, warm starts, up to 1,000 iterations each);
it is stopped after `--times` of our time, and the ratio is then a lower bound. For the penalties `--exact` the
coefficients are compared with its Newton solver's, on `--exact-rows` rows. Prints JSON.

    python -m stages prepare --dataset cifar10_subset --out /tmp/data
    python -m tests.bench.logistic --data /tmp/data/cifar10_subset
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import gin
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor

from common import machine
from simclr.logistic import Classifier, path
from simclr.training import Pretraining
from simclr.views import ViewPolicy
from stages.data import datasets
from tests.bench.findings import Finding

PENALTIES = np.logspace(5, -6, 45).tolist()
SETTINGS = {
    "ViewPolicy.size": 32,
    "ViewPolicy.ops": ("crop", "flip", "color"),
    "color_distortion.strength": 0.5,
    "resnet.depth": 8,
    "resnet.stem": "imagenet",  # a quarter of the pixels, for speed
    "resnet.base_channels": 128,
    "projection_head.out_dim": 64,
    "Pretraining.batch_size": 250,
    "Pretraining.epochs": 3,
    "Pretraining.warmup_epochs": 0.5,
    "Pretraining.base_lr": 2.0,
    "nt_xent.temperature": 0.5,
    "Lars.weight_decay": 1e-6,
}


def real_features(folder: Path, rows: int, updates: int) -> tuple[Tensor, Tensor]:
    """h float32 (rows, 512) and labels: the same crops, by address, at every call."""
    images, labels = (torch.from_numpy(array) for array in datasets.load(folder, "train+validation"))
    images = images.permute(0, 3, 1, 2).contiguous()
    for name, value in SETTINGS.items():
        gin.bind_parameter(name, value)
    training = Pretraining(images, seed=0)
    for _ in range(updates):
        training.step()
    encoder, policy, found = training.encoder.eval(), ViewPolicy(ops=("crop", "flip")), []
    with torch.no_grad():
        for start in range(0, rows, 500):
            index = torch.arange(start, min(start + 500, rows))
            here = index % len(images)
            views = policy.one(images[here], here, start // len(images), 0)
            found.append(encoder(views))
    return torch.cat(found), labels[torch.arange(rows) % len(images)]


def ours(features: Tensor, labels: Tensor) -> tuple[float, list[Classifier]]:
    """Seconds, and the path."""
    start = time.perf_counter()
    fitted = list(path(features, labels, 10, PENALTIES))
    return time.perf_counter() - start, fitted


def scikit_learns(features: np.ndarray, labels: np.ndarray, limit: float) -> tuple[float, list[int]]:
    """Seconds until the loop or the time is over, and the iterations of each penalty that was done."""
    start, done = time.perf_counter(), []
    model = LogisticRegression(max_iter=1000, warm_start=True)
    for l2 in PENALTIES:
        model.set_params(C=1 / l2).fit(features, labels)
        done.append(int(model.n_iter_[0]))
        if time.perf_counter() - start > limit:
            break
    return time.perf_counter() - start, done


def differences(features: Tensor, labels: Tensor, penalties: list[float]) -> dict[str, float]:
    """Relative distance of our coefficients from the Newton solver's, by penalty."""
    found = {}
    start = sorted({*penalties, *(l2 for l2 in PENALTIES if l2 > min(penalties))})
    for classifier in path(features, labels, 10, start):
        if classifier.l2 in penalties:
            model = LogisticRegression(C=1 / classifier.l2, solver="newton-cholesky", tol=1e-8, max_iter=100)
            theirs = model.fit(features.double().numpy(), labels.numpy()).coef_
            distance = np.linalg.norm(classifier.weight.numpy() - theirs) / np.linalg.norm(theirs)
            found[f"{classifier.l2:g}"] = float(f"{distance:.2g}")
    return found


def row(rounds: int, seconds: float) -> list[Finding]:
    """5,000 rows, all cores. scikit-learn is stopped after four times our seconds: the value is then a least one."""
    with tempfile.TemporaryDirectory() as folder:
        prepare = ["-m", "stages", "prepare", "--dataset", "cifar10_subset", "--out", folder]
        measure = [
            "-m",
            "tests.bench.logistic",
            "--data",
            f"{folder}/cifar10_subset",
            "--rows",
            "5000",
            "--updates",
            "5",
        ]
        measure += ["--times", "4", "--threads", str(machine.cores()), "--exact"]
        subprocess.run([sys.executable, *prepare], check=True, stdout=subprocess.DEVNULL)
        found = json.loads(subprocess.run([sys.executable, *measure], check=True, capture_output=True).stdout)
    measured = {
        "our s": found["our_seconds"],
        "scikit-learn's s": found["scikit_learn_seconds"],
        "penalties that scikit-learn did": found["scikit_learn_penalties_done"],
    }
    return [
        Finding("L-BFGS path of 45 penalties, against scikit-learn", found["ratio"], "x", measured=measured)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the prepared cifar10_subset")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--updates", type=int, default=60, help="of the pretraining")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=float, default=6, help="stop scikit-learn after so many of our times")
    parser.add_argument("--exact", type=float, nargs="*", default=[100.0, 0.01])
    parser.add_argument("--exact-rows", type=int, default=4000)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        features, labels = real_features(options.data, options.rows, options.updates)
        seconds, fitted = ours(features, labels)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        theirs, done = scikit_learns(features.double().numpy(), labels.numpy(), options.times * seconds)
        few = slice(0, options.exact_rows)
        exact = differences(features[few], labels[few], options.exact) if options.exact else {}
    result = {
        "rows": options.rows,
        "features": features.shape[1],
        "threads": options.threads,
        "our_seconds": round(seconds, 1),
        "our_iterations": sum(classifier.iterations for classifier in fitted),
        "our_peak_gib_with_the_encoder": round(peak, 2),
        "scikit_learn_seconds": round(theirs, 1),
        "scikit_learn_iterations": done,
        "scikit_learn_penalties_done": f"{len(done)} of {len(PENALTIES)}",
        "ratio": round(theirs / seconds, 2),
        "relative_difference_from_newton": exact,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
