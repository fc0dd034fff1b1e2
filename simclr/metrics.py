"""The measures of the transfer data sets (Appendix B.8), all in percent: accuracy, mean per class, 11-point mAP."""

import torch
from torch import Tensor

from simclr.labels import UNJUDGED

METRICS = ("top1", "mean_per_class", "map11")  # by which a data set may ask to be scored


def score(metric: str, logits: Tensor, labels: Tensor, classes: int) -> float:
    """One of METRICS of logits (n, classes) against labels (n,), or (n, classes) of 0, 1 and UNJUDGED for map11."""
    if metric == "map11":
        return float(map11(logits, labels))
    guesses = predicted(logits, labels)
    return float(accuracy(guesses, labels) if metric == "top1" else mean_per_class(guesses, labels, classes))


def predicted(logits: Tensor, labels: Tensor) -> Tensor:
    """The likeliest class int64 (n,); for labels (n, classes) the likelier of 0 and 1 of each, uint8 (n, classes).

    Where a label is UNJUDGED, so is the prediction, whatever the logit. No two models differ there.
    """
    if labels.dim() == 1:
        return logits.argmax(dim=1)
    return (logits > 0).to(torch.uint8).masked_fill(labels == UNJUDGED, UNJUDGED)


def accuracy(predictions: Tensor, labels: Tensor) -> Tensor:
    """Share of entries that agree, in percent (float64 scalar): of examples (n,), or of judged labels (n, classes)."""
    right = predictions == labels
    return (right if labels.dim() == 1 else right[labels != UNJUDGED]).double().mean() * 100


def mean_per_class(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mean over classes of the share of a class's examples that are found, in percent (float64 scalar).

    predictions, labels: int64 (n,). Raises ValueError if a class has no example: its share would be 0 / 0.
    """
    sizes = torch.bincount(labels, minlength=classes)
    if bool((sizes == 0).any()):
        raise ValueError(f"no example of class {int(sizes.argmin())}: it has no accuracy")
    hits = torch.bincount(labels[predictions == labels], minlength=classes)
    return (hits / sizes.double()).mean() * 100


def map11(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean over classes of the 11-point interpolated average precision of PASCAL VOC 2007, in percent (float64 scalar).

    scores: (n, classes), higher is surer; labels: 0, 1 and UNJUDGED, (n, classes). Raises ValueError if a class has no
    positive.
    """
    pairs = zip(scores.unbind(1), labels.unbind(1), strict=True)
    return torch.stack([average_precision11(s, p) for s, p in pairs]).mean() * 100


def average_precision11(scores: Tensor, positive: Tensor) -> Tensor:
    """The mean over recalls t = 0, 0.1, ..., 1 of the best precision at a recall of at least t (float64 in [0, 1]).

    scores, positive: (n,). Examples whose label is UNJUDGED do not count. Examples of equal score are above or below a
    threshold together, so their order does not matter.
    """
    judged = positive != UNJUDGED
    scores, positive = scores[judged], positive[judged]
    total = int(positive.sum())
    if total == 0:
        raise ValueError("a class without a positive example has no average precision")
    ranked, order = scores.sort(descending=True)
    hits = (positive[order] > 0).cumsum(0)
    last = torch.cat([ranked[1:] != ranked[:-1], ranked.new_ones(1, dtype=torch.bool)])  # of its equals
    hits, taken = hits[last], torch.arange(1, len(ranked) + 1, device=hits.device)[last]
    best = (hits.double() / taken).flip(0).cummax(0).values.flip(0)  # from here to higher recalls
    tenths = torch.arange(11, device=hits.device) * total
    return best[torch.searchsorted(hits * 10, tenths)].mean()  # in whole numbers: 0.1 * 3 is not 0.3
