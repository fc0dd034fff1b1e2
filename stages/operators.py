"""Stage operators: what the augmentations do to real images (Figures 2, 3, 4 and 6)."""

from typing import Annotated

import gin
import numpy as np
import torch
from torch import Tensor

from common.errors import UserError
from simclr.declared import AtLeast
from simclr.views import ViewPolicy, as_float, resize
from stages.data import splits
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job


@gin.configurable
def illustration(
    images: Tensor,
    seed: int,
    image: Annotated[int, AtLeast(0)] = gin.REQUIRED,
    copies: Annotated[int, AtLeast(1)] = 1,
    others: Annotated[int, AtLeast(1)] = 64,
    bins: Annotated[int, AtLeast(1)] = 32,
    skip: Annotated[int, AtLeast(0)] = 0,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """`copies` views of one training image under gin's ViewPolicy: pictures, intensity histograms, distances.

    images: uint8 (n, 3, H, W). `skip` views are passed over first. Histograms run over all channels, `bins` bins on
    [0, 1] (Figure 6). Distances between histograms are total variation: within the views of this image, and between
    them and the views of `others` other images, chosen by address (claim A10). mean_abs_change is that of the first
    view against the image resized, in grey levels of 255.
    """
    if not 0 <= image < len(images):
        raise UserError(
            "no such image", expected=f"illustration.image from 0 to {len(images) - 1}", found=image
        )
    policy = ViewPolicy()
    views = _views(policy, images[image : image + 1], image, seed, range(skip, skip + copies))
    order = torch.from_numpy(splits.addressed_order(seed, "illustration/others", len(images)))
    rest = order[order != image][:others]  # from everywhere: data sets may be sorted by class
    strangers = policy.one(images[rest], rest, 0, seed)
    own, foreign = histograms(views, bins), histograms(strangers, bins)
    plain = as_float(images[image : image + 1])
    resized = resize(plain, policy.size).clamp(0, 1)
    arrays = {
        "image": _pixels(views[:1])[0],
        "crops": _pixels(views),
        "original": _pixels(resized)[0],
        "histograms": (own * views[0].numel()).round().to(torch.int64).numpy(),
    }
    metrics = {
        "mean_abs_change": float((views[0] - resized[0]).abs().mean() * 255),
        "between_distance": float(torch.cdist(own, foreign, p=1).mean() / 2),
    }
    if copies > 1:
        pairs = torch.pdist(own, p=1) / 2
        metrics["within_distance"] = float(pairs.mean())
    return arrays, metrics


def histograms(views: Tensor, bins: int) -> Tensor:
    """(n, 3, H, W) in [0, 1] -> float64 (n, bins), on the CPU: the share of values, over channels, in equal bins."""
    return torch.stack([torch.histc(view, bins, 0, 1) / view.numel() for view in views.cpu()]).double()


def _views(policy: ViewPolicy, image: Tensor, index: int, seed: int, numbers: range) -> Tensor:
    address = torch.tensor([index])
    return torch.cat([policy.one(image, address, 0, seed, view=number) for number in numbers])


def _pixels(views: Tensor) -> np.ndarray:
    return (views * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def cost(bound: Bindings, images: Splits) -> Work:
    """Views of a few images, and no network. The data must hold the image that is shown."""
    shown = bound["illustration.image"] + 1
    return Work(fits={"illustration.image": (shown, images.train_and_validation, "images to show one of")})


def work(job: Job) -> None:
    """Illustrate one operator or policy on one image."""
    images, _ = job.data("train+validation")
    arrays, metrics = illustration(images, job.run.seed)
    job.save_arrays(arrays)
    job.finish(metrics)
