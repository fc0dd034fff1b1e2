"""ViewPolicy: addressed, composed of the operators as documented, configured by gin."""

import pickle

import gin
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr.views import OPERATORS, ViewPolicy, color_jitter, gaussian_blur, grayscale, resize, resized_crop

N = 12
IMAGES = torch.randint(0, 256, (N, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
INDEX = torch.randperm(1000, generator=torch.Generator().manual_seed(1))[:N]


@pytest.fixture(autouse=True)
def strength():
    gin.clear_config()
    gin.bind_parameter("color_distortion.strength", 0.5)
    yield
    gin.clear_config()


def policy(*ops, size=16, **kwargs):
    return ViewPolicy(size=size, ops=ops, **kwargs)


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=6, deadline=None)
@given(cut=st.integers(1, N - 1))
def test_views_do_not_depend_on_how_the_batch_is_split(name, cut):
    make = policy("crop", "flip", name)
    together = make(IMAGES, INDEX, 3, 7)
    parts = [make(IMAGES[rows], INDEX[rows], 3, 7) for rows in (slice(cut), slice(cut, None))]
    for view in (0, 1):
        assert torch.equal(together[view], torch.cat([part[view] for part in parts]))


def test_views_do_not_depend_on_the_order_of_the_batch():
    make, order = policy("crop", "flip", "color", "blur"), torch.arange(N).flip(0)
    for one, other in zip(make(IMAGES, INDEX, 0, 0), make(IMAGES[order], INDEX[order], 0, 0), strict=True):
        assert torch.equal(one[order], other)


@pytest.mark.parametrize("change", [{"epoch": 1}, {"seed": 1}, {"index": INDEX + 1}], ids=str)
def test_views_depend_on_every_part_of_the_address(change):
    make, address = policy("crop", "color"), {"index": INDEX, "epoch": 0, "seed": 0}
    a, b = make(IMAGES, **address)
    other, _ = make(IMAGES, **(address | change))
    assert bool(((a - other).abs().amax((1, 2, 3)) > 0.01).all())
    assert bool(((a - b).abs().amax((1, 2, 3)) > 0.01).all())


@pytest.mark.parametrize("name", OPERATORS)
def test_views_have_the_size_range_and_type_promised(name):
    views = policy(name)(IMAGES, INDEX, 0, 0)
    for view in views:
        assert view.shape == (N, 3, 16, 16)
        assert view.dtype == torch.float32
        assert bool(((view >= 0) & (view <= 1)).all())


@pytest.mark.parametrize("ops_b", [None, ["crop", "rotate"]])
def test_one_view_is_the_view_of_the_pair(ops_b):
    make = policy("crop", "flip", "color", ops_b=ops_b, shared=["crop"])
    for view, expected in enumerate(make(IMAGES, INDEX, 2, 5)):
        assert torch.equal(make.one(IMAGES, INDEX, 2, 5, view), expected)


def test_the_default_policy_composes_the_operators_of_appendix_a():
    """Public functions, given the parameters the policy reports, make the same pixels."""
    make = policy("crop", "flip", "color", "blur", size=32)
    a, b, drawn = make(IMAGES, INDEX, 0, 0, return_parameters=True)
    for view, p in zip((a, b), drawn, strict=True):
        x = resized_crop(IMAGES / 255, p["crop/box"], 32, p["flip/applied"])
        order = torch.where(p["color/jittered"][:, None], p["color/order"], -1)
        factors = [p[f"color/{name}"] for name in ("brightness", "contrast", "saturation", "hue")]
        x = color_jitter(x, *factors, order)
        x = torch.where(p["color/grey"][:, None, None, None], grayscale(x), x).clamp(0, 1)
        blurred = gaussian_blur(x, p["blur/sigma"], 3)
        x = torch.where(p["blur/applied"][:, None, None, None], blurred, x).clamp(0, 1)
        torch.testing.assert_close(view, x, atol=1e-6, rtol=0)


def test_figure_5_crops_once_and_distorts_one_branch():
    make = policy("color", ops_b=[], shared=["crop", "flip"])
    a, b, drawn = make(IMAGES, INDEX, 0, 0, return_parameters=True)
    assert torch.equal(drawn[0]["shared/crop/box"], drawn[1]["shared/crop/box"])
    assert "color/grey" in drawn[0] and "color/grey" not in drawn[1]
    crop = resized_crop(IMAGES / 255, drawn[1]["shared/crop/box"], 16, drawn[1]["shared/flip/applied"])
    torch.testing.assert_close(b, crop.clamp(0, 1), atol=1e-6, rtol=0)
    untouched = ~(drawn[0]["color/jittered"] | drawn[0]["color/grey"])
    assert torch.equal(a[untouched], b[untouched])
    assert bool((a != b)[~untouched].flatten(1).any(1).all())


def test_a_repeated_operator_draws_anew():
    _, _, (drawn, _) = policy("crop", "crop")(IMAGES, INDEX, 0, 0, return_parameters=True)
    shared = policy("crop", shared=["crop"])(IMAGES, INDEX, 0, 0, return_parameters=True)[2][0]
    corners = drawn["crop/box"][:, :2] / 20, drawn["crop_2/box"][:, :2] / 16
    assert not torch.allclose(*corners, atol=0.1)
    assert not torch.equal(shared["crop/box"] / 16, shared["shared/crop/box"] / 20)


@pytest.mark.parametrize("then", [["rotate"], ("rotate", "blur")])
def test_second_operators_follow_the_first(then):
    make, whole = policy("color", shared=["crop"], then=then), policy("color", *then, shared=["crop"])
    for one, other in zip(make(IMAGES, INDEX, 1, 2), whole(IMAGES, INDEX, 1, 2), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("ops", [["rotate"], ["crop", "flip"]])
def test_the_diagonal_of_figure_5_applies_an_operator_once(ops):
    make = policy(*ops, ops_b=[], shared=["crop"], then=tuple(ops))
    a, b, (drawn, other) = make(IMAGES, INDEX, 0, 0, return_parameters=True)
    assert torch.equal(a, policy(*ops, shared=["crop"]).one(IMAGES, INDEX, 0, 0))
    assert {name.split("/")[0] for name in drawn} == {"shared", *ops}
    assert list(other) == ["shared/crop/box"] and not torch.equal(a, b)


def test_without_a_crop_the_whole_image_is_resized():
    a, b = policy()(IMAGES, INDEX, 0, 0)
    assert torch.equal(a, resize(IMAGES / 255, 16).clamp(0, 1))
    assert torch.equal(a, b)


def test_operators_before_a_crop_work_at_the_stored_resolution():
    drawn = policy("cutout", "crop")(IMAGES, INDEX, 0, 0, return_parameters=True)[2][0]
    assert drawn["cutout/centre"][:, 1].max() >= 16  # of 24 columns


def test_an_overshoot_is_clipped_before_an_operator_that_expects_an_image():
    _, _, (p, _) = policy("crop", "solarize", size=40)(IMAGES, INDEX, 0, 0, return_parameters=True)
    raw = resized_crop(IMAGES / 255, p["crop/box"], 40)
    assert raw.max() > 1.01 and raw.min() < -0.01
    gin.bind_parameter("solarize.probability", 1.0)
    view = policy("crop", "solarize", size=40).one(IMAGES, INDEX, 0, 0)
    clipped = raw.clamp(0, 1)
    torch.testing.assert_close(view, torch.where(clipped >= 0.5, 1 - clipped, clipped), atol=1e-6, rtol=0)


def test_float_images_are_left_as_they_were():
    images = IMAGES / 255
    before = images.clone()
    for name in OPERATORS:
        policy(name)(images, INDEX, 0, 0)
        policy(name, size=20)(images[..., :20], INDEX, 0, 0)
    assert torch.equal(images, before)


def test_probabilities_are_those_configured():
    n, images = 3000, torch.zeros(3000, 3, 4, 4, dtype=torch.uint8)
    gin.bind_parameter("rotate.angles", [0, 90, 180, 270])
    make = policy("flip", "color", "rotate", "grayscale", size=4)
    _, drawn = make.one(images, torch.arange(n), 0, 0, return_parameters=True)
    for name, expected in {"flip/applied": 0.5, "color/jittered": 0.8, "color/grey": 0.2}.items():
        assert drawn[name].double().mean() == pytest.approx(expected, abs=3.3 * 0.5 / n**0.5)
    assert drawn["rotate/angle"].unique().tolist() == [0, 90, 180, 270]
    together = (drawn["color/grey"] & drawn["grayscale/applied"]).double().mean()
    assert together == pytest.approx(0.04, abs=3.3 * 0.2 / n**0.5)  # independent of each other


def test_the_official_blur_shares_one_sigma_per_batch_and_view():
    gin.bind_parameter("gaussian_blur.sigma_per", "batch")
    _, _, drawn = policy("crop", "blur")(IMAGES, INDEX, 0, 0, return_parameters=True)
    sigmas = [p["blur/sigma"].unique() for p in drawn]
    assert [len(sigma) for sigma in sigmas] == [1, 1]
    assert sigmas[0] != sigmas[1]


def test_gin_configures_policy_and_operators_and_forgets_on_clear():
    gin.parse_config("""
        ViewPolicy.size = 8
        ViewPolicy.ops = ["crop", "rotate"]
        ViewPolicy.ops_b = []
        ViewPolicy.shared = ["flip"]
        random_crop.area = [0.5, 0.6]
        random_crop.sampler = "official"
        rotate.angles = [90]
    """)
    a, b, (drawn, other) = ViewPolicy()(IMAGES, INDEX, 0, 0, return_parameters=True)
    assert a.shape == b.shape == (N, 3, 8, 8)
    area = drawn["crop/box"][:, 2:].prod(1) / (20 * 24)
    assert area.min() >= 0.5 and area.max() <= 0.6
    assert drawn["rotate/angle"].tolist() == [90] * N
    assert list(other) == ["shared/flip/applied"]
    gin.clear_config()
    assert policy("color").ops["color"].strength == 1  # Appendix A
    with pytest.raises(RuntimeError, match="size"):
        ViewPolicy()
    drawn = policy("rotate").one(IMAGES, INDEX, 0, 0, return_parameters=True)[1]
    assert len(drawn["rotate/angle"].unique()) == 3


def test_a_policy_travels_to_another_process_with_its_settings():
    gin.bind_parameter("random_crop.area", (0.5, 0.5))
    make = policy("crop", "color")
    sent = pickle.dumps(make)
    gin.clear_config()
    assert torch.equal(pickle.loads(sent)(IMAGES, INDEX, 0, 0)[0], make(IMAGES, INDEX, 0, 0)[0])


@pytest.mark.parametrize(
    ("binding", "value", "op"),
    [
        ("random_crop.sampler", "uniform", "crop"),
        ("random_crop.resample", "lanczos", "crop"),
        ("gaussian_blur.sigma_per", "pixel", "blur"),
        ("rotate.angles", [45], "rotate"),
        ("color_distortion.clip", "never", "color"),
        ("color_distortion.brightness_mode", "gamma", "color"),
        ("autoaugment.policy", "none", "autoaugment"),
    ],
)
def test_a_wrong_setting_is_named(binding, value, op):
    gin.bind_parameter(binding, value)
    with pytest.raises(ValueError, match=str(value).strip("[]")):
        policy(op)(IMAGES, INDEX, 0, 0)


def test_wrong_operators_and_shapes_are_named():
    with pytest.raises(ValueError, match="crpo"):
        policy("crpo")
    with pytest.raises(ValueError, match="rotat"):
        policy("crop", then=["rotat"])
    with pytest.raises(ValueError, match=r"\(12, 3, 20, 24\) and \(3,\)"):
        policy("crop")(IMAGES, INDEX[:3], 0, 0)
