"""A training that has diverged is ended, so that it does not go on with numbers that mean nothing."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from simclr.distributed import anywhere

EVERY = 50  # updates between two looks: each makes a GPU wait for the host


class Diverged(ArithmeticError):
    """A loss, a weight or a score is not a finite number, or weights are so large that their norm is not.

    step: the number of updates when that was noticed. For a loss it is the very update, counted from 1; for weights
    alone it is the update after which they were looked at.
    last_finite_loss: the last finite loss before that; None if the first loss was not finite.
    """

    def __init__(self, step: int, last_finite_loss: float | None, what: str = "the loss") -> None:
        super().__init__(step, last_finite_loss, what)
        self.step, self.last_finite_loss, self.what = step, last_finite_loss, what

    def __str__(self) -> str:
        before = "no loss" if self.last_finite_loss is None else f"the loss {self.last_finite_loss:g}"
        return f"diverged: {self.what} is not finite at update {self.step}, after {before}"


class Watch:
    """Keeps the losses of a training until it looks at them, and at the weights of the networks.

    It looks after fixed updates, so that a resumed training ends where an unbroken one does, and several processes,
    which have the same losses, end together. A look changes nothing.
    """

    def __init__(self, *networks: nn.Module) -> None:
        self._networks = networks
        self._losses: list[Tensor] = []
        self._step = 0
        self._last, self._wrong = math.inf, 0  # infinite: no loss so far; 0: no update had a wrong one

    @property
    def last_finite_loss(self) -> float | None:
        """The last loss before the first that is not finite, among those that have been looked at."""
        return None if math.isinf(self._last) else self._last

    def see(self, loss: Tensor, step: int, *, last: bool) -> None:
        """After update number `step`, counted from 1, whose loss this was. May raise Diverged."""
        self._losses.append(loss.detach())
        self._step = step
        if step % EVERY == 0 or last:
            self._require_finite_losses()
            # Local batch norm may be wrong in one process alone, and all have to end.
            if anywhere(not _all_finite(self._networks), loss.device):
                raise Diverged(step, self.last_finite_loss, "a weight")

    def require_finite(self, scores: Tensor, step: int) -> Tensor:
        """`scores` unchanged. Raises Diverged if one is not finite, because no metric can order it."""
        self._require_finite_losses()
        if not bool(scores.isfinite().all()):
            raise Diverged(step, self.last_finite_loss, "a score")
        return scores

    def state(self) -> dict[str, Tensor]:
        """What a resumed training needs: the last finite loss, and the update of the first loss that was not finite.

        It never raises: one of several processes may write a checkpoint alone, and the others would wait for it.
        """
        self._read()
        return {"divergence": torch.tensor([self._last, self._wrong], dtype=torch.float64)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue where `state()` was taken."""
        self._losses, (self._last, wrong) = [], state["divergence"].tolist()
        self._wrong = int(wrong)

    def _require_finite_losses(self) -> None:
        self._read()
        if self._wrong:
            raise Diverged(self._wrong, self.last_finite_loss)

    def _read(self) -> None:
        """Go through the losses that were kept, with one wait for all of them."""
        values = torch.stack(self._losses).tolist() if self._losses else []
        self._losses = []
        for step, value in enumerate(values, start=self._step - len(values) + 1):
            if self._wrong:
                return
            if math.isfinite(value):
                self._last = value
            else:
                self._wrong = step


def _all_finite(networks: tuple[nn.Module, ...]) -> bool:
    # Norms, because one call makes them all: a norm is finite only if every entry is.
    norms = torch.stack(torch._foreach_norm(list(_numbers(networks)))) if networks else torch.zeros(0)
    return bool(norms.isfinite().all())


def _numbers(networks: tuple[nn.Module, ...]) -> Iterator[Tensor]:
    """Parameters and running statistics."""
    for network in networks:
        yield from (p.detach() for p in network.parameters())
        yield from (b for b in network.buffers() if b.is_floating_point())
