"""Logistic regression with an l2 penalty by L-BFGS, for a whole path of penalties (transfer, Appendix B.8).

One fit minimises, over weights W (classes, features) and an unpenalised bias,

    sum over examples of loss(W h + bias, label)  +  l2 / 2 * |W|^2

where the loss is softmax cross-entropy for labels (n,), and the sum of one binary cross-entropy per class for labels
(n, classes) of 0 and 1 (an UNJUDGED one is left out). This is scikit-learn's LogisticRegression(C=1 / l2), fitted to
each class by itself in the second case (for two classes given as labels (n,) scikit-learn fits one weight vector, not
two). A mean over examples would have l2 / n in place of l2.

What makes a path fast, and changes no solution:
- Features are centred (the free bias takes that up) and rotated to their principal axes (the penalty is the same in
  every orthonormal basis), once for the path. There the Hessian is close to a diagonal that the singular values give,
  and L-BFGS starts from its inverse instead of from a multiple of the identity.
- Penalties go from strong to weak, each from where the last two solutions point to.
- Along a step the logits are a line: however many points a line search tries, an iteration costs two products with x.

A fit ends when the next step of L-BFGS, before any line search, is shorter than `tolerance` times the weights, for
every class, and the gradient is as small as scikit-learn's default asks for. All sums are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from simclr.labels import UNJUDGED

CHUNK = 4096  # examples that are converted to float64 at a time
HISTORY = 20  # steps that L-BFGS remembers
SLOPE = 0.5  # a line search ends where the slope is at most this share of where it began
TRIALS = 40  # points of one line search
TINY = 1e-12  # prevents a division by zero for what never varies and is hardly penalised
GRADIENT = 1e-4  # scikit-learn's own bound on the largest entry of the gradient of the mean objective


@dataclass(frozen=True)
class Classifier:
    """A fitted model: weight float64 (classes, d), bias float64 (classes,), its penalty, and how long it took."""

    weight: Tensor
    bias: Tensor
    l2: float
    iterations: int

    def logits(self, features: Tensor) -> Tensor:
        """Scores float64 (n, classes) of features (n, d)."""
        return torch.cat([part.double() @ self.weight.T + self.bias for part in features.split(CHUNK)])


class NotConverged(RuntimeError):
    """A fit did not reach its tolerance within its iterations."""


def path(
    features: Tensor,
    labels: Tensor,
    classes: int,
    penalties: Iterable[float],
    tolerance: float = 1e-5,
    max_iterations: int = 20_000,
) -> Iterator[Classifier]:
    """A Classifier for each of `penalties` (l2 > 0, best evenly spaced in the logarithm), from strong to weak.

    features: float (n, d). labels: int64 (n,) in [0, classes), or 0, 1 and UNJUDGED of shape (n, classes). Needs about
    8 n (d + 5 classes) bytes beside the features. May raise NotConverged; ValueError for l2 <= 0.
    """
    ordered = sorted(penalties, reverse=True)
    if ordered and ordered[-1] <= 0:
        raise ValueError(f"penalties must be positive, found {ordered[-1]}")
    problem = Problem(features, labels, classes)
    before = last = problem.origin
    for l2 in ordered:
        start = 2 * last - before if before is not problem.origin else last
        solution, iterations = minimize(problem, l2, start, tolerance, max_iterations)
        before, last = last, solution
        yield problem.classifier(solution, l2, iterations)


class Problem:
    """The examples of some fits, in the coordinates that suit the solver: x (n, d + 1) and weights (d + 1, classes).

    The columns of x are the centred features along their principal axes, and a one for the bias.
    """

    def __init__(self, features: Tensor, labels: Tensor, classes: int) -> None:
        self.softmax = labels.dim() == 1
        self.judged = labels != UNJUDGED  # used where there are several labels
        self.targets = labels if self.softmax else labels.double()
        self._rows = torch.arange(len(features), device=features.device)
        self.mean = sum(part.double().sum(dim=0) for part in features.split(CHUNK)) / len(features)
        centred = (part.double() - self.mean for part in features.split(CHUNK))
        energy, self.axes = torch.linalg.eigh(sum(part.T @ part for part in centred))
        self.energy = torch.cat([energy.clamp_min(0), energy.new_tensor([len(features)])])[:, None]
        self.penalized = torch.ones_like(self.energy)
        self.penalized[-1] = 0
        self.origin = torch.zeros_like(self.energy).repeat(1, classes)
        self.x = energy.new_ones(len(features), len(self.energy))
        for part, rows in zip(features.split(CHUNK), self.x.split(CHUNK), strict=True):
            rows[:, :-1] = (part.double() - self.mean) @ self.axes

    def residuals(self, logits: Tensor) -> Tensor:
        """Derivative of the summed loss by the logits (n, classes): probabilities minus targets, 0 for no target."""
        if not self.softmax:
            return (logits.sigmoid() - self.targets) * self.judged
        residuals = logits.softmax(dim=1)
        residuals[self._rows, self.targets] -= 1
        return residuals

    def curvature(self, residuals: Tensor) -> Tensor:
        """Mean second derivative of the loss by a logit: (1,), or (classes,) where classes are fitted apart.

        One number for all classes of a softmax keeps the sum of the weights over classes where it is, at zero.
        """
        size = residuals.abs()  # p or 1 - p
        spread = (size * (1 - size)).mean(dim=0)
        return spread.mean(dim=0, keepdim=True) if self.softmax else spread

    def classifier(self, weights: Tensor, l2: float, iterations: int) -> Classifier:
        """The same function in terms of the features."""
        weight = (self.axes @ weights[:-1]).T
        return Classifier(weight, weights[-1] - weight @ self.mean, l2, iterations)


class InverseHessian:
    """The inverse Hessian as L-BFGS knows it, from a diagonal start (d + 1, 1 or classes).

    In the compact form of Byrd, Nocedal and Schnabel (1994, equation 3.1): a few matrix products instead of two loops
    over the steps, which for small problems would take longer than the data do.
    """

    def __init__(self, diagonal: Tensor, shape: torch.Size) -> None:
        self.shape, self.diagonal = shape, diagonal.expand(shape).reshape(-1)
        self.steps = self.changes = self.diagonal.new_empty(0, len(self.diagonal))

    def learn(self, step: Tensor, change: Tensor) -> None:
        """`step` has changed the gradient by `change`, both (d + 1, classes)."""
        step, change = step.reshape(1, -1), change.reshape(1, -1)
        curvature = (step * change).sum()
        if curvature <= 0:  # never, but for rounding
            return
        self.steps = torch.cat([self.steps[1 - HISTORY :], step])
        self.changes = torch.cat([self.changes[1 - HISTORY :], change])
        self.scale = curvature / (self.diagonal * change**2).sum()
        self.scaled = self.changes * (self.diagonal * self.scale)
        products = self.steps @ self.changes.T
        self.upper = products.triu()
        self.middle = self.changes @ self.scaled.T + products.diag().diag()

    def __matmul__(self, gradient: Tensor) -> Tensor:
        gradient = gradient.reshape(-1)
        if len(self.steps) == 0:
            return (self.diagonal * gradient).view(self.shape)
        along = torch.linalg.solve_triangular(self.upper, (self.steps @ gradient)[:, None], upper=True)
        beside = self.middle @ along - (self.scaled @ gradient)[:, None]
        weights = torch.linalg.solve_triangular(self.upper.T, beside, upper=False)
        product = (
            self.diagonal * self.scale * gradient + weights[:, 0] @ self.steps - along[:, 0] @ self.scaled
        )
        return product.view(self.shape)


def minimize(
    problem: Problem, l2: float, start: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, int]:
    """The minimum (d + 1, classes), found from `start`, and the number of iterations. May raise NotConverged."""
    weights, penalty, logits = start, l2 * problem.penalized, problem.x @ start
    residuals = problem.residuals(logits)
    gradient = problem.x.T @ residuals + penalty * weights
    diagonal = 1 / (problem.curvature(residuals) * problem.energy + penalty + TINY)
    inverse = InverseHessian(diagonal, weights.shape)
    for iteration in range(max_iterations + 1):
        step = -(inverse @ gradient)
        if _converged(step, weights, gradient / len(logits), tolerance):
            return weights, iteration
        line = Line(problem, logits, step, penalty * weights, penalty * step)
        length = _line_search(line.slope, float((gradient * step).sum()))
        weights, logits = weights + length * step, line.logits
        before, gradient = gradient, problem.x.T @ line.residuals + penalty * weights
        inverse.learn(length * step, gradient - before)
    raise NotConverged(f"no minimum for l2 = {l2:g} within {max_iterations} iterations of L-BFGS")


class Line:
    """The objective along weights + t * step; keeps logits and residuals of the last t that it was asked for."""

    def __init__(self, problem: Problem, logits: Tensor, step: Tensor, pull: Tensor, stretch: Tensor) -> None:
        self.problem, self.start, self.along = problem, logits, problem.x @ step
        self.linear, self.square = float((pull * step).sum()), float((stretch * step).sum())  # of the penalty

    def slope(self, t: float) -> float:
        """The derivative by t."""
        self.logits = torch.add(self.start, self.along, alpha=t)
        self.residuals = self.problem.residuals(self.logits)
        return float(torch.vdot(self.residuals.view(-1), self.along.view(-1))) + self.linear + t * self.square


def _converged(step: Tensor, weights: Tensor, mean_gradient: Tensor, tolerance: float) -> bool:
    size = weights.norm(dim=0) + 1e-6  # where every weight is zero, as of constant features
    return bool((step.norm(dim=0) <= tolerance * size).all() and mean_gradient.abs().max() <= GRADIENT)


def _line_search(slope: Callable[[float], float], first: float) -> float:
    """A length t > 0 at which a convex function, of slope `first` at 0, is almost level: 1 if it serves.

    Doubling, then false position. Slopes need no values of the function, whose differences are rounding near the
    minimum. `slope` was last asked for the length that is returned.
    """
    low, at_low, high, at_high, t = 0.0, first, math.inf, math.nan, 1.0
    for _ in range(TRIALS):
        here = slope(t)
        if abs(here) <= SLOPE * abs(first):
            return t
        if here < 0:
            low, at_low = t, here
        else:
            high, at_high = t, here
        t = 2 * low if math.isinf(high) else _between(low, high, at_low / (at_low - at_high))
    slope(t)
    return t


def _between(low: float, high: float, share: float) -> float:
    """`share` of the way, but away from both ends."""
    return low + min(max(share, 0.1), 0.9) * (high - low)
