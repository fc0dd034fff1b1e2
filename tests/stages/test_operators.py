"""Pictures, histograms and distances of views, where they are known beforehand."""

import gin
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common import files
from stages import operators
from stages.planning.plans import Run
from stages.running import store
from stages.running.job import Job
from tests.stages import tiny


def grey(*levels: int, size: int = 8) -> torch.Tensor:
    """One constant image uint8 (3, size, size) for each level."""
    return torch.stack([torch.full((3, size, size), level, dtype=torch.uint8) for level in levels])


def noise(n: int = 6, size: int = 8) -> torch.Tensor:
    return torch.randint(
        0, 256, (n, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )


def bind(size: int = 8, ops: tuple[str, ...] = (), **settings: object) -> None:
    gin.clear_config()
    gin.bind_parameter("ViewPolicy.size", size)
    gin.bind_parameter("ViewPolicy.ops", ops)
    gin.bind_parameter("illustration.bins", 4)
    for name, value in settings.items():
        gin.bind_parameter(name.replace("__", "."), value)


@pytest.mark.parametrize(("value", "place"), [(0.0, 0), (0.3, 1), (0.5, 2), (0.99, 3), (1.0, 3)])
def test_a_uniform_image_fills_one_bin(value, place):
    expected = torch.zeros(4, dtype=torch.float64)
    expected[place] = 1
    assert torch.equal(operators.histograms(torch.full((2, 3, 5, 5), value), 4), expected.repeat(2, 1))


def test_every_grey_level_once_fills_all_bins_equally():
    ramp = torch.arange(256).reshape(1, 1, 16, 16).expand(1, 3, 16, 16) / 255
    assert torch.equal(operators.histograms(ramp, 32), torch.full((1, 32), 1 / 32, dtype=torch.float64))


@given(st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12), st.integers(1, 40))
def test_a_histogram_is_a_distribution(values, bins):
    shares = operators.histograms(torch.tensor(values).reshape(1, 3, 2, 2), bins)
    assert shares.shape == (1, bins) and (shares >= 0).all()
    assert float(shares.sum()) == pytest.approx(1, abs=1e-6)  # float32 shares of twelfths


def test_shapes_and_types():
    bind(size=6, ops=("crop", "flip", "color"), color_distortion__strength=1.0)
    arrays, metrics = operators.illustration(noise(), 0, image=2, copies=5)
    found = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    assert found == {
        "image": ((6, 6, 3), "uint8"),
        "crops": ((5, 6, 6, 3), "uint8"),
        "original": ((6, 6, 3), "uint8"),
        "histograms": ((5, 4), "int64"),
    }
    assert (arrays["histograms"].sum(axis=1) == 3 * 6 * 6).all()
    assert metrics.keys() == {"mean_abs_change", "between_distance", "within_distance"}
    assert all(0 <= metrics[name] <= 1 for name in ("between_distance", "within_distance"))


def test_without_operators_the_view_is_the_image():
    bind()
    arrays, metrics = operators.illustration(noise(), 0, image=3, copies=2)
    expected = noise()[3].permute(1, 2, 0).numpy()
    for picture in (arrays["image"], arrays["original"], *arrays["crops"]):
        np.testing.assert_array_equal(picture, expected)
    assert metrics["mean_abs_change"] == metrics["within_distance"] == 0


@pytest.mark.parametrize("size", [5, 16, 21])
def test_without_operators_nothing_changes_at_another_size_either(size):
    """The view and the image that it is held against must be resized alike, or resizing is a change."""
    bind(size=size)
    arrays, metrics = operators.illustration(noise(), 0, image=3)
    np.testing.assert_array_equal(arrays["image"], arrays["original"])
    assert metrics["mean_abs_change"] == 0


def test_a_known_change_in_grey_levels():
    bind(ops=("solarize",))
    arrays, metrics = operators.illustration(grey(200, 0), 0, image=0)
    changed = abs(int(arrays["image"][0, 0, 0]) - 200)
    assert metrics["mean_abs_change"] == pytest.approx(changed, abs=0.5)  # the picture is rounded to levels


def test_distances_of_greys_are_all_or_nothing():
    bind()
    _, metrics = operators.illustration(grey(0, 255, 255, 255), 0, image=0, copies=2)
    assert metrics["between_distance"] == pytest.approx(1, abs=1e-6) and metrics["within_distance"] == 0
    _, metrics = operators.illustration(grey(0, 1, 255, 255), 0, image=0, copies=2)
    assert metrics["between_distance"] == pytest.approx(2 / 3, abs=1e-6)


def test_strangers_are_other_images_and_as_many_as_asked_for():
    bind()
    _, metrics = operators.illustration(grey(0, 255, 255), 0, image=0, others=1)
    assert metrics["between_distance"] == pytest.approx(1, abs=1e-6)
    assert "within_distance" not in metrics  # one view has no pair


def test_strangers_come_from_the_whole_set_and_the_seed_chooses_them():
    """Of a set sorted by class (ImageNet's is) the first images are all of one."""
    bind()
    sorted_set = grey(0, *[0] * 300, *[255] * 300)
    found = [
        operators.illustration(sorted_set, seed, image=0)[1]["between_distance"] for seed in (0, 0, 1, 2)
    ]
    assert all(0.3 < distance < 0.7 for distance in found)  # half of 64 draws, within three deviations
    assert found[0] == found[1] and len(set(found)) > 1


def test_skipped_views_are_the_next_ones():
    bind(ops=("crop", "flip"))
    four, _ = operators.illustration(noise(), 0, image=1, copies=4)
    two, _ = operators.illustration(noise(), 0, image=1, copies=2, skip=2)
    np.testing.assert_array_equal(four["crops"][2:], two["crops"])
    np.testing.assert_array_equal(two["image"], two["crops"][0])
    assert not np.array_equal(four["crops"][0], four["crops"][1])


def test_the_stage_draws_a_training_image_and_saves_pictures_and_numbers(project):
    data = tiny.prepare_tiny(project)
    for kind in ("images", "labels"):
        (data / f"test.{kind}.npy").unlink()  # it has no business there
    bindings = {
        "dataset.name": "tiny",
        "execution.device": "cpu",
        "ViewPolicy.size": 8,
        "ViewPolicy.ops": [],
        "illustration.image": 7,
    }
    run = Run("figure_04", "smoke", "operators", "operator1-seed0", 0, bindings, {})
    operators.work(Job(run, tiny.RESULTS))
    folder = store.store_folder(tiny.RESULTS, run)
    arrays = files.read_npz(folder / "arrays.npz")
    np.testing.assert_array_equal(arrays["image"], tiny.coloured(48)[0][7])
    assert files.read_json(folder / "metrics.json")["mean_abs_change"] == 0
    assert tiny.listed(folder).keys() == {"arrays.npz", "metrics.json", "operative.gin"}
