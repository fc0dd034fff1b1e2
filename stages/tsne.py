"""Stage tsne: h and g(h) of ten classes in two dimensions, with numbers beside the picture (Figure B.4).

A picture is not a measurement. So silhouette and nearest neighbours are computed in the space itself, and not in the
plane.
"""

from typing import Annotated

import gin
import numpy as np
import torch

from common.errors import UserError
from simclr.declared import Above, AtLeast
from simclr.evaluation import evaluated
from simclr.randomness import permutation
from simclr.views import ViewPolicy
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.representing import representation


@gin.configurable
def embedding(
    features: np.ndarray,
    seed: int,
    perplexity: Annotated[float, Above(0)] = gin.REQUIRED,
    iterations: Annotated[int, AtLeast(250)] = 1000,
) -> np.ndarray:
    """t-SNE of features (n, d) -> float32 (n, 2), from a fixed start.

    The paper gives no settings. The start is the principal components, so `seed` hardly matters.
    """
    from sklearn.manifold import TSNE

    if perplexity >= len(features):
        raise UserError(
            "too few images for the perplexity", expected=f"above {perplexity}", found=len(features)
        )
    tsne = TSNE(perplexity=perplexity, max_iter=iterations, init="pca", random_state=seed, n_jobs=1)
    return tsne.fit_transform(features).astype(np.float32)


@gin.configurable
def chosen_images(
    labels: torch.Tensor,
    seed: int,
    classes: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    images_per_class: Annotated[int, AtLeast(1)] = gin.REQUIRED,
) -> np.ndarray:
    """Ascending indices of test images: up to `images_per_class` of each of `classes` classes, chosen by address."""
    known = torch.unique(labels)
    order = permutation(seed, "tsne/classes", 0, len(known))
    kept = set(known[order[:classes]].tolist())
    ranked = permutation(seed, "tsne/images", 0, len(labels)).tolist()
    seen: dict[int, int] = {}
    chosen = []
    for index in ranked:
        label = int(labels[index])
        if label in kept and seen.get(label, 0) < images_per_class:
            seen[label] = seen.get(label, 0) + 1
            chosen.append(index)
    return np.array(sorted(chosen))


def separation(features: np.ndarray, labels: np.ndarray, neighbours: int = 10) -> dict[str, float]:
    """How far apart the classes are: mean silhouette (-1 to 1, cosine) and leave-one-out kNN accuracy (percent)."""
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    count = min(neighbours + 1, len(features))
    neighbors = NearestNeighbors(n_neighbors=count, metric="cosine").fit(features)
    nearest = labels[neighbors.kneighbors(features, return_distance=False)[:, 1:]]
    votes = np.stack([(nearest == label).sum(axis=1) for label in range(int(labels.max()) + 1)], axis=1)
    return {
        "silhouette": float(silhouette_score(features, labels, metric="cosine")),
        "knn_accuracy": 100 * float((votes.argmax(axis=1) == labels).mean()),
    }


def _class_names(job: Job) -> list[str]:
    """The names of the classes by label; numbers where a data set declares only how many there are."""
    declared = job.manifest()["classes"]
    return [str(label) for label in range(declared)] if isinstance(declared, int) else declared


def cost(bound: Bindings, images: Splits) -> Work:
    """The chosen test images forwards, once."""
    chosen = bound["chosen_images.classes"] * bound["chosen_images.images_per_class"]
    fits = {
        "chosen_images.classes": (bound["chosen_images.classes"], images.classes, "classes"),
        "embedding.perplexity": (bound["embedding.perplexity"] + 1, chosen, "images to embed"),
    }
    return Work(frozen=chosen, size=bound["ViewPolicy.size"], frozen_batch=250, fits=fits)


def work(job: Job) -> None:
    """Embed test images; no classifier is trained."""
    images, labels = job.data("test")
    chosen = chosen_images(labels.cpu(), job.run.seed)
    network = representation(job)
    precision = job.execution.precision
    shown = images[torch.from_numpy(chosen)]
    features = evaluated(network, shown, ViewPolicy().size, precision=precision).cpu().numpy()
    classes = labels.cpu().numpy()[chosen]
    job.save_arrays(
        {
            "embedding": embedding(features, job.run.seed),
            "classes": classes,
            "class_names": np.array(_class_names(job)),
        }
    )
    job.finish(separation(features.astype(np.float64), classes))
