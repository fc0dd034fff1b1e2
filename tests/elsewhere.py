"""A pretended accelerator: its tensors lie on the CPU but refuse what tensors on a GPU refuse.

`with elsewhere():` lets torch make tensors on `DEVICE`. They compute as on the CPU. RuntimeError where one meets a
tensor of the CPU that is not a scalar, an index or the other side of a copy; .numpy() fails, as on a GPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

DEVICE = torch.device("meta")  # torch knows it, and starts nothing for it
COPIES = ("_to_copy", "copy_", "_foreach_copy_")
INDEXED = (
    "index",
    "index_put",
    "index_put_",
    "_index_put_impl_",
)  # CUDA tensors take indices that lie on the CPU


class There(Tensor):
    """What lies on DEVICE."""

    @staticmethod
    def __new__(cls, here: Tensor) -> "There":
        return Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )

    def __init__(self, here: Tensor) -> None:
        self.here = here

    def tolist(self) -> Any:
        return self.here.tolist()

    def new_tensor(self, data: Any) -> "There":
        return There(self.here.new_tensor(data))

    def __repr__(self) -> str:
        return f"There({self.here!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(function, args, kwargs or {})


class Accelerator(TorchDispatchMode):
    """Sends what is made on DEVICE there."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(function, args, kwargs or {})


def computed(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The result of an operator, on the device where a GPU would leave it."""
    name = function._schema.name.removeprefix("aten::")
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    there = any(isinstance(tensor, There) for tensor in tensors)
    if there and name not in COPIES:
        subject = [leaf for leaf in args if isinstance(leaf, Tensor)] if name in INDEXED else tensors
        if strangers := [t for t in subject if not isinstance(t, There) and t.dim()]:
            raise RuntimeError(f"{name}: a tensor {tuple(strangers[0].shape)} lies on the CPU, others do not")
    if kwargs.get("device") is not None:
        there = kwargs["device"].type == DEVICE.type
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args, kwargs = tree_map_only(There, lambda tensor: tensor.here, (args, kwargs))
    found = function(*args, **kwargs)
    if function._schema.is_mutable and name != "_foreach_copy_":
        inplace = {id(t.here): t for t in tensors if isinstance(t, There)}
        return tree_map_only(Tensor, lambda t: inplace.get(id(t), t), found)
    return tree_map_only(Tensor, There, found) if there else found


@contextmanager
def elsewhere() -> Iterator[torch.device]:
    """Within the block DEVICE exists."""
    from_data = torch.tensor

    def tensor(data: Any, *, device: torch.device | None = None, **about: Any) -> Tensor:
        return from_data(data, **about).to(device)  # torch.tensor asks no mode on which device to make it

    torch.__future__.set_overwrite_module_params_on_conversion(True)  # else .to() keeps the CPU's Parameter
    try:
        with (
            mock.patch.object(torch, "autocast", lambda *_, **__: nullcontext()),
            mock.patch.object(torch, "tensor", tensor),
            Accelerator(),
        ):
            yield DEVICE
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
