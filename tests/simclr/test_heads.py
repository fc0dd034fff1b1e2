import pytest
import torch
import torch.nn.functional as F

from simclr.heads import projection_head


def shapes(head: torch.nn.Module) -> dict[str, list[int]]:
    return {name: list(p.shape) for name, p in head.named_parameters()}


def test_default_is_the_official_two_layer_head():
    assert shapes(projection_head(6, out_dim=4)) == {
        "0.dense.weight": [6, 6],
        "0.batch_norm.weight": [6],
        "0.batch_norm.bias": [6],
        "1.dense.weight": [4, 6],
        "1.batch_norm.weight": [4],  # no shift after the last layer
    }


def test_kinds_and_depth():
    assert list(shapes(projection_head(6, "linear", 4))) == ["0.dense.weight", "0.batch_norm.weight"]
    h = torch.randn(5, 6)
    assert torch.equal(projection_head(6, "none")(h), h)
    deep = projection_head(6, hidden_layers=3, out_dim=4)
    assert [list(layer.dense.weight.shape) for layer in deep] == [[6, 6]] * 3 + [[4, 6]]


def test_without_batch_norm_it_is_the_formula_of_the_paper():
    head = projection_head(6, out_dim=4, batch_norm=False)
    h = torch.randn(5, 6)
    with torch.no_grad():
        head[0].dense.bias.uniform_()
    w1, b1, w2, b2 = head.parameters()
    torch.testing.assert_close(head(h), F.relu(h @ w1.T + b1) @ w2.T + b2)
    assert not b2.any()


def test_output_of_every_layer_with_batch_norm_is_standardized():
    z = projection_head(6, out_dim=4).double()(torch.randn(64, 6, dtype=torch.float64))
    torch.testing.assert_close(z.mean(0), torch.zeros(4).double(), rtol=0, atol=1e-12)
    # Weights of 0.01 make activations so small that epsilon 1e-5 shows.
    assert (z.std(0, correction=0) < 1).all() and (z.std(0, correction=0) > 0.5).all()


def test_initial_weights_have_deviation_001_and_depend_on_seed_and_name_only():
    state = torch.random.get_rng_state()
    first, again, other = (projection_head(200, out_dim=200, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first[0].dense.weight, again[0].dense.weight)
    assert not torch.equal(first[0].dense.weight, other[0].dense.weight)
    assert not torch.equal(first[0].dense.weight, first[1].dense.weight)
    assert first[0].dense.weight.std().item() == pytest.approx(
        0.01, rel=0.02
    )  # 4 standard errors at 40,000 draws


def test_mistakes_are_errors():
    with pytest.raises(ValueError, match="found 'mlp'"):
        projection_head(6, "mlp")
    with pytest.raises(ValueError, match="hidden_layers >= 1, found 0"):
        projection_head(6, hidden_layers=0)
