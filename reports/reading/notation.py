"""How numbers are written: a metric's label, unit and format, and a mean with its spread."""

from typing import NamedTuple


class Measured(NamedTuple):
    """A mean over n seeds; spread is their standard deviation (with n - 1), None for one seed.

    diverged: how many further seeds diverged. If all did, the mean is NaN.
    """

    mean: float
    spread: float | None
    n: int
    diverged: int = 0


class Metric(NamedTuple):
    """How a metric is written: its label, its unit, and the format of one number."""

    label: str
    unit: str
    format: str = ".1f"

    @property
    def header(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


METRICS = {
    "top1": Metric("Top-1 accuracy", "%"),
    "top5": Metric("Top-5 accuracy", "%"),
    "knn_top1": Metric("kNN top-1", "%"),
    "online_top1": Metric("On-line top-1 accuracy", "%"),
    "accuracy": Metric("Accuracy", "%"),
    "params": Metric("Parameters", "M", ".3g"),
    "mean_per_class": Metric("mean per class", "%"),
    "map11": Metric("11-point mAP", "%"),
    "contrastive_accuracy": Metric("Contrastive accuracy", "%"),
    "entropy": Metric("Entropy", "nat"),
    "max_error": Metric("Largest difference", "", ".1e"),
    "cases": Metric("Cases", "", ".0f"),
    "top2": Metric("Top-2 accuracy", "%"),
    "knn_accuracy": Metric("Nearest neighbour accuracy", "%"),
    "silhouette": Metric("Silhouette", "", ".3f"),
    "effective_rank": Metric("Effective rank", ""),
    "top5_share": Metric("Share of the largest 5 %", "%"),
}


def metric(name: str) -> Metric:
    """The notation of a metric; an unknown one is written by its own name, to four digits."""
    return METRICS.get(name, Metric(name.replace("_", " "), "", ".4g"))


def written(measured: Measured, name: str) -> str:
    """Mean and spread, for example 43.4 ± 0.5, or 43.4 of a single seed; and how many seeds diverged."""
    if not measured.n:
        return "diverged"
    form = metric(name).format
    spread = "" if measured.spread is None else f" ± {measured.spread:{form}}"
    lost = f" ({measured.diverged} of {measured.n + measured.diverged} diverged)" if measured.diverged else ""
    return f"{measured.mean:{form}}{spread}{lost}"


def written_effect(effect: float | None, unit: str) -> str:
    """For example +3.6 points, or 9 of 12."""
    if effect is None:
        return ""
    return f"{effect:.0f} {unit}" if unit.startswith("of ") else f"{effect:+.3g} {unit}".strip()
