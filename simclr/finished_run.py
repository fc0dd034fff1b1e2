"""The encoder of a finished run, from its folder, ready to embed images.

This is the only module of the library that reads files, because a user of a pretrained network has a folder in hand.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from simclr.encoder import ARCHITECTURES, ResNet, resnet
from simclr.evaluation import evaluated
from simclr.views import Images

WEIGHTS, CAUSE = "weights.safetensors", "run.json"
PREFIX = "encoder."


class Embedding(nn.Module):
    """Images -> h under the test preprocessing, by an encoder in evaluation mode.

    encoder: maps views (n, 3, size, size) in [0, 1] to h (n, feature_dim); what to fine-tune. size: of the views.
    """

    def __init__(self, encoder: ResNet, size: int) -> None:
        super().__init__()
        self.encoder, self.size, self.feature_dim = encoder, size, encoder.feature_dim
        self.eval()

    def forward(self, images: Images) -> Tensor:
        """h float32 (n, feature_dim), without gradients, of uint8 images (n, 3, H, W), or a list of (3, h, w)."""
        return evaluated(self.encoder, images, self.size)


def pretrained(folder: str | Path, size: int | None = None) -> Embedding:
    """The encoder of the finished run in `folder`, verified: embed = pretrained(folder); h = embed(images).

    size: side of the views in pixels; None takes that of the run's own views. Any run that keeps an encoder will do:
    pretraining, supervised, fine-tuning, imported weights. Raises FileNotFoundError where there is no finished run, and
    ValueError for weights that are not as run.json lists them, without an encoder, or where no size is known.
    """
    folder = Path(folder)
    if not (folder / CAUSE).is_file():
        raise FileNotFoundError(f"no finished run: {folder} has no {CAUSE}")
    cause = json.loads((folder / CAUSE).read_text("utf-8"))
    state = _encoder_state(folder, cause)
    size = size or cause.get("bindings", {}).get("ViewPolicy.size")
    if size is None:
        raise ValueError(
            f"the run in {folder} says nothing of the size of images: give pretrained(..., size=224)"
        )
    with torch.device("meta"):  # no initial weights are drawn: the run's take their place
        encoder = resnet(**architecture(state))
    encoder.load_state_dict(state, assign=True)
    return Embedding(encoder.to(memory_format=torch.channels_last), size)


def architecture(state: dict[str, Tensor]) -> dict[str, Any]:
    """The arguments of `resnet` that fit these weights, because the bindings of a fine-tuned network do not have them.

    Raises ValueError where no architecture fits.
    """
    names = [name.split(".") for name in state if name.startswith("groups.")]
    groups = {int(name[1]) for name in names}
    blocks = tuple(len({name[2] for name in names if int(name[1]) == group}) for group in sorted(groups))
    bottleneck = "groups.0.0.residual.2.conv.weight" in state
    depths = [depth for depth, (b, n, _) in ARCHITECTURES.items() if (b, n) == (blocks, bottleneck)]
    if not depths or "stem.conv.weight" not in state:
        kind = "bottleneck" if bottleneck else "basic"
        raise ValueError(f"no ResNet of this library has groups of {list(blocks)} {kind} blocks")
    channels, _, side, _ = state["stem.conv.weight"].shape
    return {
        "depth": depths[0],
        "width": 1,
        "stem": "imagenet" if side == 7 else "cifar",
        "base_channels": channels,
    }


def _encoder_state(folder: Path, cause: dict[str, Any]) -> dict[str, Tensor]:
    stage, listed = cause.get("stage"), cause.get("files", {}).get(WEIGHTS)
    if listed is None:
        raise ValueError(f"the run in {folder} (stage {stage}) kept no weights")
    content = (folder / WEIGHTS).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != listed:
        raise ValueError(
            f"{folder / WEIGHTS} is damaged: {CAUSE} lists SHA-256 {listed}, found {found}; run its stage again"
        )
    state = {n.removeprefix(PREFIX): t for n, t in load(content).items() if n.startswith(PREFIX)}
    if not state:
        raise ValueError(f"{folder / WEIGHTS} (stage {stage}) holds no encoder")
    return state
