"""What Lars and Sgd share: named parameters, weight decay by name, momentum.

The interface is that of torch.optim, with two differences. Parameters have names, because LARS excludes by name.
And nothing here derives from torch.optim.Optimizer: its constructor imports torch._dynamo, three seconds that
every process of a sweep of short runs would pay.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Optimizer(Protocol):
    """What the trainings here need from an optimizer."""

    weight_decay: float

    def zero_grad(self) -> None: ...
    def step(self, lr: float) -> None: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: dict[str, Tensor]) -> None: ...


# Called with (name, parameter) pairs, and with weight_decay=... where a training sets it.
MakesOptimizer = Callable[..., Optimizer]


class MomentumOptimizer:
    """One momentum buffer per parameter. Subclasses fill `param_groups` and add step(lr)."""

    def __init__(self, named_parameters: Iterable[tuple[str, nn.Parameter]], momentum: float, nesterov: bool):
        parameters = {name: p for name, p in named_parameters if p.requires_grad}
        if not parameters:
            raise ValueError("the optimizer got no trainable parameter; pass module.named_parameters()")
        self.momentum, self.nesterov = momentum, nesterov
        self._parameters = parameters
        self._velocity = {name: torch.zeros_like(p) for name, p in parameters.items()}
        self.param_groups: list[dict] = []

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """The momentum buffers by parameter name, not copied."""
        return dict(self._velocity)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy momentum buffers in. Raises ValueError when names or shapes differ from the parameters'."""
        missing, unexpected = self._velocity.keys() - state.keys(), state.keys() - self._velocity.keys()
        if missing or unexpected:
            raise ValueError(
                "momentum buffers do not fit these parameters; was the state saved by the same recipe? "
                f"missing {sorted(missing)}, unexpected {sorted(unexpected)}"
            )
        for name, velocity in self._velocity.items():
            if state[name].shape != velocity.shape:
                expected, found = tuple(velocity.shape), tuple(state[name].shape)
                raise ValueError(f"momentum buffer of {name}: expected shape {expected}, found {found}")
            velocity.copy_(state[name])

    def _group(self, names: list[str], weight_decay: float, **settings: object) -> dict:
        params = [self._parameters[name] for name in names]
        return {"names": names, "params": params, "weight_decay": weight_decay, **settings}

    def _lists(self, group: dict) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Weights, decayed gradients and momentum buffers of the group's parameters that have a gradient."""
        names = [n for n, p in zip(group["names"], group["params"], strict=True) if p.grad is not None]
        weights = [self._parameters[n] for n in names]
        gradients = [w.grad for w in weights]
        if names and group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        return weights, gradients, [self._velocity[n] for n in names]

    def _accumulate(self, velocity: list[Tensor], change: list[Tensor]) -> Sequence[Tensor]:
        """v = m v + change, in place; the update is v, or with Nesterov's look-ahead m v + change."""
        torch._foreach_mul_(velocity, self.momentum)
        torch._foreach_add_(velocity, change)
        return torch._foreach_add(change, velocity, alpha=self.momentum) if self.nesterov else velocity


def matches_any(name: str, patterns: Sequence[str] | None) -> bool:
    """Whether any of the regular expressions is found in the name."""
    return any(re.search(pattern, name) for pattern in patterns or ())
