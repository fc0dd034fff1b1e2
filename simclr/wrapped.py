"""Networks in torch's DistributedDataParallel, which averages their gradients while backward still computes."""

from collections.abc import Iterator

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from simclr.distributed import replicated


def feature_dim(encoder: nn.Module) -> int:
    """The width of h of an encoder, wrapped or not. Raises ValueError for an encoder that does not say."""
    inner = encoder.module if isinstance(encoder, DistributedDataParallel) else encoder
    if not hasattr(inner, "feature_dim"):
        raise ValueError(f"{type(inner).__name__} has no feature_dim: set it to the width of its h")
    return inner.feature_dim


def wrapped(encoder: nn.Module) -> nn.Module:
    """`encoder` such that backward averages its gradients over the processes; itself if it does, or learns nothing."""
    learns = any(parameter.requires_grad for parameter in encoder.parameters())
    return replicated(encoder) if learns and not isinstance(encoder, DistributedDataParallel) else encoder


def not_averaged(*networks: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters whose gradients nobody has averaged over the processes yet: those that no wrapper holds."""
    modules = [module for network in networks for module in network.modules()]
    wrappers = [module for module in modules if isinstance(module, DistributedDataParallel)]
    done = {id(parameter) for wrapper in wrappers for parameter in wrapper.parameters()}
    return (p for network in networks for p in network.parameters() if id(p) not in done)
