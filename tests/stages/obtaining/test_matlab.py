"""Lists in .mat files: read in a process of their own, because damaged ones can end it."""

import numpy as np
import pytest
from scipy.io import savemat

from common.errors import UserError
from stages.obtaining import matlab, official_lists
from tests.stages import official

CARS = (("00001.jpg", 2), ("00002.jpg", 1))


@pytest.fixture
def cars(tmp_path):
    savemat(tmp_path / "cars.mat", official.annotations(*CARS))
    return tmp_path / "cars.mat"


def refused(path, *what) -> UserError:
    with pytest.raises(UserError) as caught:
        matlab.values(path, *what)
    assert caught.value.where == str(path) and caught.value.remedy
    return caught.value


def test_structs_and_numbers(tmp_path, cars):
    assert [tuple(one) for one in official_lists.records(cars, "annotations", "fname", "class")] == list(CARS)
    savemat(tmp_path / "n.mat", {"floats": np.array([[3.0, 1.0]]), "one": 7, "none": np.zeros((0, 0))})
    numbers = [official_lists.numbers(tmp_path / "n.mat", name) for name in ("floats", "one", "none")]
    assert numbers == [[3, 1], [7], []]


def test_bytes_that_end_the_reader_are_told_as_words(cars):
    whole = cars.read_bytes()
    # each was a segmentation fault or a bus error of SciPy 1.17
    for start, end, odd in ((824, 825, b"\0"), (757, 765, b"\0"), (544, 544, b"\xff" * 4), (304, 312, b"-1")):
        cars.write_bytes(whole[:start] + odd + whole[end:])
        assert refused(cars, "annotations", "fname").found
    cars.write_bytes(whole[:300])
    assert refused(cars, "annotations", "fname").found


def test_what_is_not_in_the_file_is_named(tmp_path, cars):
    assert refused(cars, "other").found == "none called other"
    assert refused(cars, "annotations", "fname", "label").found == "annotations without label"
    assert refused(tmp_path / "none.mat", "x").found == "No such file or directory"
    assert refused(tmp_path, "x").found == "no file"


@pytest.mark.parametrize("odd", [-1, 1.5, "x", np.nan, 1e300])
def test_an_odd_number_is_refused_by_the_name_of_the_list(tmp_path, odd):
    savemat(tmp_path / "n.mat", {"labels": odd})
    with pytest.raises(UserError, match="not a number") as caught:
        official_lists.numbers(tmp_path / "n.mat", "labels")
    assert caught.value.where.endswith("n.mat")


def test_a_file_that_is_never_read_to_its_end_is_given_up(cars, monkeypatch):
    monkeypatch.setattr(matlab, "SECONDS", 0.01)
    assert refused(cars, "annotations").found == "not read after 0.01 s"
