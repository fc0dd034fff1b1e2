import subprocess
import sys

import gin
import numpy as np
import pytest
import torch

from simclr.objectives import contrastive_statistics
from simclr.schedule import learning_rate
from simclr.training import Pretraining

SMALL = {
    "ViewPolicy.size": 8,
    "ViewPolicy.ops": ("crop", "flip", "color"),
    "color_distortion.strength": 0.5,
    "resnet.depth": 8,
    "resnet.stem": "cifar",
    "resnet.base_channels": 4,
    "projection_head.out_dim": 8,
    "nt_xent.temperature": 0.5,
    "Lars.weight_decay": 1e-6,
    "Pretraining.batch_size": 8,
    "Pretraining.epochs": 3,
    "Pretraining.warmup_epochs": 1,
    "Pretraining.base_lr": 8.0,
}


def bind(**changes: object) -> None:
    """SMALL with changes; "__" stands for the dot."""
    for name, value in (SMALL | {k.replace("__", "."): v for k, v in changes.items()}).items():
        gin.bind_parameter(name, value)


def images(n: int = 20) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 12, 12), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def run(updates: int, training: Pretraining) -> dict[str, torch.Tensor]:
    for _ in range(updates):
        metrics = training.step()
    return metrics


@pytest.mark.parametrize("number", [0, 1])
def test_four_whole_updates_agree_with_the_official_code(golden, official, number):
    arrays, cases = golden("train_step")
    case = cases[number]
    stored = {k.removeprefix(f"{case['case']}_"): v for k, v in arrays.items() if k.startswith(case["case"])}
    bind(
        ViewPolicy__size=32,
        resnet__depth=case["depth"],
        resnet__base_channels=None,
        projection_head__out_dim=case["proj_out_dim"],
        projection_head__hidden_layers=case["num_proj_layers"] - 1,
        nt_xent__temperature=case["temperature"],
        Lars__weight_decay=case["weight_decay"],
        Lars__momentum=case["momentum"],
        Pretraining__loss_scale=2.0,  # the official loss is 2 L
        Pretraining__online_classifier=True,
        Pretraining__precision="float64",
    )
    views = torch.from_numpy(stored["images"]).permute(0, 3, 1, 2).double() / 255
    labels = torch.from_numpy(stored["labels"])
    training = Pretraining(views.new_zeros(8, 3, 32, 32).byte(), 0, labels=labels, n_classes=10)
    official.round_momentum(training.networks)
    training.networks.load_state_dict(official.weights(case))
    schedule = {
        "base_lr": case["base_lr"],
        "batch_size": case["train_batch_size_flag"],
        "n_examples": case["num_examples"],
        "epochs": case["train_epochs"],
        "warmup_epochs": case["warmup_epochs"],
    }
    outputs = []
    training.head.register_forward_hook(lambda _, __, z: outputs.append(z.detach()))
    tensors = training.networks.state_dict()
    for step in range(4):
        lr = learning_rate(step, **schedule)
        assert lr == pytest.approx(stored["lr"][step], rel=1e-7)
        lr = float(stored["lr"][step])  # rounded to float32 by TensorFlow
        found = training.update(*views.chunk(2, dim=1), labels, lr)
        assert 2 * found["loss"].item() == pytest.approx(stored["contrast_loss"][step], rel=1e-9)
        assert found["contrastive_accuracy"].item() == pytest.approx(100 * stored["contrast_acc"][step])
        assert found["entropy"].item() == pytest.approx(stored["contrast_entropy"][step], rel=1e-6)
        assert found["classifier_loss"].item() == pytest.approx(stored["sup_loss"][step], rel=1e-9)
        assert found["classifier_top1"].item() == pytest.approx(100 * stored["sup_acc"][step])
        for i, name in enumerate(case["trainable_order"]):
            parameter = training.networks.get_parameter(official.our_name(name))
            for what, value in (("grad", parameter.grad), ("param", parameter.detach())):
                after = "" if what == "grad" else "_after"
                norm = stored[f"{what}_norm{after}"][step, i]
                layout = {4: (2, 3, 1, 0), 2: (1, 0)}.get(value.dim(), (0,))
                first = value.permute(layout).reshape(-1)[:4].numpy()
                assert value.norm().item() == pytest.approx(norm, rel=1e-9), (step, name, what)
                np.testing.assert_allclose(
                    first,
                    stored[f"{what}_first4{after}"][step, i],
                    rtol=1e-9,
                    atol=1e-9 * norm,
                    err_msg=f"{step} {name}",
                )
        norms = [tensors[official.our_name(name)].norm().item() for name in case["bnstat_order"]]
        np.testing.assert_allclose(norms, stored["bnstat_norm_after"][step], rtol=1e-9)
    np.testing.assert_allclose(outputs[0], stored["proj_out_step0"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("online_classifier", [False, True])
def test_a_resumed_run_ends_in_the_same_bits(online_classifier):
    bind(Pretraining__online_classifier=online_classifier)
    arguments = {"images": images(), "seed": 1, "labels": torch.arange(20) % 3}
    unbroken = Pretraining(**arguments)
    run(6, unbroken)
    first = Pretraining(**arguments)
    run(3, first)
    saved = first.state()
    run(1, first)  # the saved state is a copy
    second = Pretraining(**arguments)
    second.load(saved)
    assert second.step_number == 3
    run(3, second)
    expected, found = unbroken.state(), second.state()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert all(value.is_contiguous() for value in saved.values())


def test_an_update_changes_weights_and_the_seed_matters():
    bind()
    first, other = Pretraining(images(), 1), Pretraining(images(), 2)
    before = first.state()
    run(2, first)  # the rate of the first update is 0
    run(2, other)
    name = "networks.encoder.stem.conv.weight"
    assert not torch.equal(before[name], first.state()[name])
    assert not torch.equal(other.state()[name], first.state()[name])


def test_loss_falls_on_views_that_stay_the_same():
    bind()
    training = Pretraining(images(), 0)
    views = images()[:, :, :8, :8] / 255
    losses = [training.update(views, views.flip(3), None, 1.0)["loss"].item() for _ in range(20)]
    assert losses[-1] < losses[0] - 1  # of the 3.7 nats that 39 equal candidates cost


def test_number_of_updates_drops_each_epochs_remainder():
    bind()
    training = Pretraining(images(20), 0)
    assert (training.steps_per_epoch, training.total_steps, training.pairs_per_step) == (2, 6, 8)
    seen = []
    training.views = lambda rows, index, epoch, seed: (
        seen.append((epoch, index)),
        (torch.rand(2, 8, 3, 8, 8)),
    )[1]
    rates = [training.step()["lr"].item() for _ in range(6)]
    assert [epoch for epoch, _ in seen] == [0, 0, 1, 1, 2, 2]
    for first, second in zip(seen[0::2], seen[1::2], strict=True):
        assert len(set(first[1].tolist() + second[1].tolist())) == 16  # no image twice in an epoch
    assert not torch.equal(seen[0][1], seen[2][1])
    schedule = {"base_lr": 8.0, "batch_size": 8, "n_examples": 20, "epochs": 3, "warmup_epochs": 1}
    assert rates == pytest.approx([learning_rate(step, **schedule) for step in range(6)])
    with pytest.raises(RuntimeError, match="all 6 updates are done"):
        training.step()


@pytest.mark.parametrize("loss", ["nt_xent", "nt_logistic", "margin_triplet"])
def test_two_processes_make_the_run_of_one(in_processes, loss):
    bound = {f"{loss}__{'margin' if loss == 'margin_triplet' else 'temperature'}": 0.5}
    bind(
        Pretraining__loss=loss, Pretraining__precision="float64", Pretraining__online_classifier=True, **bound
    )

    def work(_: int) -> tuple[dict, dict]:
        training = Pretraining(images(), 0, labels=torch.arange(20) % 3)
        metrics = run(4, training)
        return metrics, training.state()

    (metrics, state), results = work(0), in_processes(2, work)
    for found_metrics, found in results:
        for name, value in metrics.items():
            torch.testing.assert_close(found_metrics[name], value, rtol=1e-9, atol=0)
        for name, value in state.items():
            torch.testing.assert_close(
                found[name], value, rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_statistics_use_the_temperature_and_normalization_of_the_loss():
    za, zb = 3 * torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    bind(nt_xent__l2_normalize=False)
    gin.parse_config("t = 0.25\nnt_xent.temperature = %t")  # as in a recipe, through a macro
    expected = contrastive_statistics(za, zb, 0.25, l2_normalize=False)
    assert Pretraining(images(), 0)._statistics(za, zb)["entropy"] == expected[1]


def test_online_classifier_does_not_reach_the_encoder():
    def encoder_after(online_classifier: bool) -> torch.Tensor:
        bind(Pretraining__online_classifier=online_classifier)
        training = Pretraining(images(), 0, labels=torch.arange(20) % 3)
        run(3, training)
        return training.state()["networks.encoder.groups.2.0.residual.0.conv.weight"]

    assert torch.equal(encoder_after(True), encoder_after(False))


def test_bfloat16_stays_close_and_keeps_parameters_in_float32():
    bind()
    exact = run(1, Pretraining(images(), 0))["loss"]
    gin.bind_parameter("Pretraining.precision", "bfloat16")
    training = Pretraining(images(), 0)
    assert run(1, training)["loss"].item() == pytest.approx(exact.item(), rel=0.02)  # bfloat16 has 8 bits
    assert {p.dtype for p in training.networks.parameters()} == {torch.float32}


def test_a_state_of_another_recipe_is_an_error():
    bind()
    state = Pretraining(images(), 0).state()
    gin.bind_parameter("resnet.base_channels", 8)
    with pytest.raises(
        ValueError, match=r"of another recipe: \d+ tensors differ, the first is 'momentum.encoder"
    ):
        Pretraining(images(), 0).load(state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Pretraining__batch_size": 21}, "between 1 and the 20 images, found 21"),
        ({"Pretraining__loss": "triplet"}, "found 'triplet'"),
        ({"Pretraining__precision": "float16"}, "found 'float16'"),
        ({"Pretraining__online_classifier": True}, "one label for each of the 20 images, found none"),
        ({"Pretraining__warmup_epochs": 10}, "warmup_epochs 10 > epochs 3"),
    ],
)
def test_mistakes_are_errors_before_training(changes, message):
    bind(**changes)
    with pytest.raises(ValueError, match=message):
        Pretraining(images(), 0)


def test_pretraining_does_not_import_the_compiler_or_torchvision():
    """Each costs about three seconds per process; checked in a fresh interpreter."""
    lines = [
        "import sys, gin, torch",
        "from simclr.training import Pretraining",
        *(f"gin.bind_parameter({name!r}, {value!r})" for name, value in SMALL.items()),
        "training = Pretraining(torch.zeros(8, 3, 12, 12, dtype=torch.uint8), 0)",
        "training.step(); training.load(training.state()); training.step()",
        "print('torch._dynamo' in sys.modules, 'torchvision' in sys.modules)",
    ]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
