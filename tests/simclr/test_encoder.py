import csv
import re
from pathlib import Path

import gin
import pytest
import torch
import torch.nn.functional as F

from simclr.encoder import ARCHITECTURES, ResNet, resnet, same_max_pool
from simclr.heads import projection_head

FIGURE_7 = Path(__file__).resolve().parents[2] / "params" / "paper" / "figure_07.csv"
NETS = [
    "net0_r18_cifar_32",
    "net1_r18_imnet_64",
    "net2_r50_cifar_32",
    "net3_r50_imnet_64",
    "net4_r50_imnet_75",
]


def meta_resnet(*args: object, **settings: object) -> ResNet:
    """Shapes without memory."""
    with torch.device("meta"):
        return resnet(*args, **settings)


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("row", range(18))
def test_sizes_agree_with_the_official_code(golden, row):
    arrays, _ = golden("resnet_params")
    expected = dict(zip(arrays["columns"].tolist(), arrays["table"][row].tolist(), strict=True))
    stem = "cifar" if expected["cifar_stem"] else "imagenet"
    encoder = meta_resnet(expected["depth"], expected["width"], stem)
    convolutions = [p for p in encoder.parameters() if p.dim() == 4]
    assert encoder.feature_dim == expected["feature_dim"]
    assert count(encoder) == expected["encoder_trainable"]
    assert sum(b.numel() for b in encoder.buffers()) == expected["encoder_non_trainable_bn_stats"]
    assert len(convolutions) == expected["n_conv"]
    assert sum(p.numel() for p in convolutions) == expected["conv_params"]
    with torch.device("meta"):
        for layers in (2, 3):
            head = projection_head(encoder.feature_dim, hidden_layers=layers - 1)
            assert count(head) == expected[f"proj_head_{layers}_layers"]


def published_millions() -> list[tuple[int, int, str, float]]:
    """(depth, width, epochs, millions) of every point of Figure 7."""
    with open(FIGURE_7, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "params"]
    return [(int(row["depth"]), int(row["width"]), row["epochs"], float(row["value"])) for row in rows]


@pytest.mark.parametrize(("depth", "width", "epochs", "published"), published_millions())
def test_sizes_are_those_that_figure_7_shows(depth, width, epochs, published):
    """The paper counts in two ways. Its 13 points of 100 epochs (one decimal) include batch norm's running statistics.

    The longer and the supervised runs stand at the rounded 24, 94 and 375 of its text: trainable parameters. The
    supervised ResNet-50 stands at 26, which is 24 with the classifier of 1000 classes (2.05 million).
    """
    encoder = meta_resnet(depth, width)
    trainable, statistics = count(encoder), sum(buffer.numel() for buffer in encoder.buffers())
    if epochs == "100":
        assert (trainable + statistics) / 1e6 == pytest.approx(published, abs=0.05)
    else:
        classifier = 1000 * (encoder.feature_dim + 1) if (epochs, width) == ("90", 1) else 0
        assert round((trainable + classifier) / 1e6) == published


@pytest.fixture
def official_net(golden, official):
    def build(number: int) -> tuple[ResNet, dict, dict]:
        arrays, cases = golden("resnet_forward")
        case = cases[number]
        stem = "cifar" if case["cifar_stem"] else "imagenet"
        encoder = meta_resnet(case["depth"], case["width"], stem).double().to_empty(device="cpu")
        encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in official.weights(case).items()})
        return encoder, arrays, case

    return build


def stages(encoder: ResNet, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The tensors the official code calls by these names."""
    found, hooks = {}, []
    for name, module in {"initial_conv": encoder.stem.conv, "block_group": encoder.groups}.items():
        for i, part in enumerate(module if name == "block_group" else [module], start=1):
            key = f"block_group{i}" if name == "block_group" else name

            def keep(_: object, __: object, out: torch.Tensor, key: str = key) -> None:
                found[key] = out.clone()

            hooks.append(part.register_forward_hook(keep))
    hooks.append(
        encoder.groups[0].register_forward_pre_hook(lambda _, x: found.update(initial_max_pool=x[0].clone()))
    )
    found["features"] = encoder(images)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_every_stage_agrees_with_the_official_code(official, official_net, number, mode):
    encoder, arrays, case = official_net(number)
    key = f"{case['case']}_{mode}"
    official.round_momentum(encoder)
    images = torch.from_numpy(arrays[f"{case['case']}_img"]).permute(0, 3, 1, 2).double() / 255
    with torch.no_grad():
        found = stages(encoder.train(mode == "train"), images)
    expected = torch.from_numpy(arrays[f"{key}_features"])
    torch.testing.assert_close(
        found.pop("features"), expected, rtol=1e-10, atol=1e-10 * expected.abs().max().item()
    )
    assert len(found) == 2 + len(encoder.groups)
    for name, value in found.items():
        assert list(value.permute(0, 2, 3, 1).shape) == case["shapes"][name]
        statistics = torch.stack([value.mean(), value.std(correction=0), value.min(), value.max()])
        stored = torch.from_numpy(arrays[f"{key}_{name}_stats"])
        torch.testing.assert_close(statistics, stored, rtol=1e-10, atol=1e-10 * stored.abs().max().item())
        picture = torch.from_numpy(arrays[f"{key}_{name}_ch0"])  # float32 storage
        torch.testing.assert_close(
            value[0, 0].float(), picture, rtol=1e-6, atol=1e-6 * stored.abs().max().item()
        )
    if mode == "train":
        network = torch.nn.ModuleDict({"encoder": encoder})
        for stored in (k for k in arrays if k.startswith(f"{key}_after_")):
            buffer = network.get_buffer(official.our_name(stored.removeprefix(f"{key}_after_")))
            torch.testing.assert_close(buffer, torch.from_numpy(arrays[stored]), rtol=1e-10, atol=1e-12)


def test_torchvision_with_the_same_weights_and_our_two_differences_undone():
    """torchvision pads the max pool by 1 on every side; with ours patched in, ResNet-50 is the same."""
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50().double().eval()
    theirs.fc = torch.nn.Identity()
    theirs.maxpool = torch.nn.Sequential(
        torch.nn.ConstantPad2d((0, 1, 0, 1), -torch.inf), torch.nn.MaxPool2d(3, 2)
    )
    names = {f"layer{g}.{b}.": f"groups.{g - 1}.{b}." for g in range(1, 5) for b in range(6)}
    weights = {}
    for name, value in theirs.state_dict().items():
        for old, new in names.items():
            name = name.replace(old, new)
        name = re.sub(r"(conv|bn)(\d)", lambda m: f"residual.{int(m[2]) - 1}.{m[1]}", name)
        name = re.sub(r"^residual\.0\.", "stem.", name)
        name = name.replace("downsample.0", "shortcut.conv").replace("downsample.1", "shortcut.batch_norm")
        if not name.endswith("num_batches_tracked"):
            weights[name.replace(".bn.", ".batch_norm.")] = value
    ours = meta_resnet(50).double().to_empty(device="cpu").eval()
    ours.load_state_dict(weights)
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-10, atol=1e-12)
    # The second difference: ResNet-18's first group has a projection shortcut here, 64 * 64 + 2 * 64
    # parameters.
    with torch.device("meta"):
        small = torchvision.models.resnet18()
    assert count(meta_resnet(18)) == count(small) - count(small.fc) + 4224


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 8])
def test_max_pool_pads_as_tensorflow(size):
    x = torch.randn(2, 3, size, size + 1)
    pad = []
    for side in (size + 1, size):  # F.pad starts from the last dimension
        total = max((-(-side // 2) - 1) * 2 + 3 - side, 0)  # TensorFlow's definition of "SAME"
        pad += [total // 2, total - total // 2]
    assert torch.equal(same_max_pool(x), F.max_pool2d(F.pad(x, pad, value=-torch.inf), 3, 2))


@pytest.mark.parametrize(("depth", "convolutions"), [(8, 7), (14, 13), (20, 19), (34, 33), (101, 100)])
def test_depth_counts_layers(depth, convolutions):
    encoder = meta_resnet(depth, stem="cifar")
    outside_shortcuts = [n for n, p in encoder.named_parameters() if p.dim() == 4 and "shortcut" not in n]
    assert len(outside_shortcuts) == convolutions  # the classifier would be the last layer


def test_small_family_has_three_groups_and_base_channels_replaces_its_width():
    assert meta_resnet(8).feature_dim == 64
    assert meta_resnet(8, width=2).feature_dim == 128
    assert meta_resnet(8, base_channels=8).feature_dim == 32
    assert {depth for depth, (blocks, *_) in ARCHITECTURES.items() if len(blocks) == 3} == {8, 14, 20}


def test_residual_branches_start_at_zero():
    encoder = resnet(14, stem="cifar")
    for group in encoder.groups:
        for block in group:
            assert (
                not block.residual[-1].batch_norm.weight.any() and block.residual[0].batch_norm.weight.all()
            )


def test_initial_weights_have_the_official_distribution():
    weight = resnet(18, stem="cifar", base_channels=32).groups[3][1].residual[0].conv.weight.detach()
    deviation = weight.numel() ** -0.5
    scaled = weight * weight[0].numel() ** 0.5
    assert scaled.std().item() == pytest.approx(1.0, abs=4 * deviation)
    assert scaled.mean().item() == pytest.approx(0.0, abs=4 * deviation)
    assert (
        2.2 < scaled.abs().max().item() < 2.2738
    )  # cut at two standard deviations of the untruncated normal


def test_initial_weights_depend_on_seed_and_name_only():
    state = torch.random.get_rng_state()
    first, again, other = resnet(8, seed=1), resnet(8, seed=1), resnet(8, seed=2)
    assert torch.equal(torch.random.get_rng_state(), state)
    name = "groups.1.0.residual.0.conv.weight"
    assert torch.equal(first.get_parameter(name), again.get_parameter(name))
    assert not torch.equal(first.get_parameter(name), other.get_parameter(name))
    deeper = resnet(14, seed=1)
    assert torch.equal(first.get_parameter(name), deeper.get_parameter(name))


def test_channels_last_changes_the_layout_only():
    encoder, images = resnet(8, stem="cifar").double(), torch.rand(4, 3, 16, 16, dtype=torch.float64)
    expected = encoder(images)
    encoder.to(memory_format=torch.channels_last)
    inner = []
    encoder.groups[0].register_forward_hook(lambda _, __, out: inner.append(out))
    found = encoder(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert inner[0].is_contiguous(memory_format=torch.channels_last)


def test_mistakes_are_errors():
    with pytest.raises(ValueError, match="found 17"):
        resnet(17)
    with pytest.raises(ValueError, match="found 'mnist'"):
        resnet(8, stem="mnist")
    with pytest.raises(RuntimeError, match="depth"):
        resnet()
    gin.bind_parameter("resnet.depth", 8)
    assert resnet().feature_dim == 64
