"""Official variable names against those that the official code reported of its own networks."""

import pytest
import torch

from simclr.encoder import resnet
from simclr.heads import projection_head
from simclr.official import encoder_variables, from_official_layout, head_variables, left_over, state_from


def rows(golden) -> list[dict]:
    import json

    from tests.conftest import GOLDEN

    return [row for row in json.loads((GOLDEN / "resnet_params.json").read_text()) if "encoder_vars" in row]


def test_names_and_shapes_are_those_of_the_official_networks(golden):
    found = rows(golden)
    assert {(row["depth"], row["cifar_stem"]) for row in found} == {
        (d, s) for d in (18, 50) for s in (True, False)
    }
    for row in found:
        with torch.device("meta"):
            encoder = resnet(row["depth"], row["width"], "cifar" if row["cifar_stem"] else "imagenet")
        ours, state = encoder_variables(encoder), encoder.state_dict()
        trained = [name for name in ours if "moving" not in name]
        assert trained == [name.removesuffix(":0") for name, _ in row["encoder_vars"]]
        for name, shape in row["encoder_vars"]:
            value = from_official_layout(torch.empty(shape, device="meta"))
            assert value.shape == state[ours[name.removesuffix(":0")]].shape, name
        assert set(ours.values()) == set(state)


@pytest.mark.parametrize("layers", [2, 3])
def test_heads_too(golden, layers):
    for row in rows(golden):
        head = projection_head(row["feature_dim"], hidden_layers=layers - 1)
        names = head_variables(head)
        expected = [name.removesuffix(":0") for name, _ in row[f"proj_head_{layers}"]["vars"]]
        assert [n.removeprefix("head_contrastive/") for n in names if "moving" not in n] == expected
        assert set(names.values()) == set(head.state_dict())


def test_what_is_missing_misshapen_or_too_much_is_named():
    encoder = resnet(8, stem="cifar", base_channels=2)
    names = encoder_variables(encoder)
    state = encoder.state_dict()
    back = {4: lambda t: t.permute(2, 3, 1, 0), 1: lambda t: t}
    variables = {official: back[state[ours].dim()](state[ours]) for official, ours in names.items()}
    again = state_from(variables, names, encoder)
    assert all(torch.equal(again[name], state[name]) for name in state)
    with pytest.raises(ValueError, match=r"base_model/conv2d/kernel is \(5, 3, 3, 3\)"):
        state_from({**variables, "base_model/conv2d/kernel": torch.zeros(3, 3, 3, 5)}, names, encoder)
    with pytest.raises(ValueError, match="the first is base_model/conv2d/kernel"):
        state_from({}, names, encoder)
    more = {"base_model/conv2d_99/kernel": 0, "base_model/conv2d/kernel/Momentum": 0, "global_step": 0}
    assert left_over(variables | more, names) == ["base_model/conv2d_99/kernel"]
