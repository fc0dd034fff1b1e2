"""Choices are balanced, nested, disjoint, and the same for ever."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from stages.data import splits

labels_of_classes = st.lists(st.integers(2, 40), min_size=1, max_size=5).map(
    lambda sizes: np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
)


def test_the_order_is_pinned():
    # every stored split depends on it: if this fails, all results on validation and label subsets are void
    assert splits.addressed_order(0, "validation", 10).tolist() == [5, 8, 4, 7, 1, 3, 6, 0, 9, 2]
    assert splits.addressed_order(1, "validation", 10).tolist() == [0, 8, 1, 7, 6, 3, 5, 4, 2, 9]


def test_the_order_is_that_of_the_words_and_n_only_cuts_them():
    long, short = splits.addressed_order(3, "x", 1000), splits.addressed_order(3, "x", 100)
    assert sorted(long) == list(range(1000))
    assert long[long < 100].tolist() == short.tolist()


def test_orders_of_other_purposes_and_seeds_are_unrelated():
    base = splits.addressed_order(0, "a", 20000)
    for other in (splits.addressed_order(0, "b", 20000), splits.addressed_order(1, "a", 20000)):
        # Spearman's rho of independent orders has sd 1/sqrt(n) = 0.007; five of them
        assert abs(np.corrcoef(np.argsort(base), np.argsort(other))[0, 1]) < 0.035


@given(labels_of_classes, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 9))
def test_label_subsets_are_balanced_and_nest(labels, one, other, seed):
    small, large = (splits.label_subset(labels, fraction, seed) for fraction in sorted((one, other)))
    assert set(small) <= set(large)
    assert np.all(np.diff(large) > 0)
    sizes, kept = np.bincount(labels), np.bincount(labels[large])
    assert np.all(kept >= 1)
    assert len(large) == max(math.floor(max(one, other) * len(labels) + 1e-9), len(sizes))
    assert np.all((kept >= kept.max() - 1) | (kept == sizes))  # only a class that has no more has fewer


def test_all_labels_are_all_images():
    labels = np.repeat([0, 1, 3], [5, 1, 40])
    assert splits.label_subset(labels, 1.0, 0).tolist() == list(range(46))


def test_classes_that_run_out_leave_their_share_to_others():
    labels = np.repeat([0, 1, 2], [2, 10, 50])
    assert np.bincount(labels[splits.label_subset(labels, 0.5, 0)]).tolist() == [2, 10, 19]


def test_a_fraction_that_is_a_whole_number_of_images_loses_none():
    for fraction, size, expected in ((0.29, 100, 29), (0.1, 50, 5), (0.07, 100, 7), (0.57, 100, 57)):
        assert len(splits.label_subset(np.arange(size) % 2, fraction, 0)) == expected


def test_of_imagenet_the_numbers_are_those_of_the_official_lists():
    """Counted in the repository's lists: 12,811 and 128,116 names (Appendix B.5). Classes have 732 to 1300 images."""
    sizes = np.full(1000, 1300)
    sizes[:66] = np.linspace(732, 1299, 66).astype(int)
    sizes[66 : 66 + sizes.sum() - 1_281_167] -= 1
    assert sizes.sum() == 1_281_167
    labels = np.repeat(np.arange(1000), sizes)
    for fraction, total, expected in (
        (0.01, 12_811, {12: 189, 13: 811}),
        (0.1, 128_116, {128: 884, 129: 116}),
    ):
        kept = np.bincount(labels[splits.label_subset(labels, fraction, 0)])
        assert (
            kept.sum() == total and dict(zip(*np.unique(kept, return_counts=True), strict=True)) == expected
        )
    assert (
        38 < (kept[:500] == 129).sum() < 78
    )  # which classes have one more is drawn: 58 of 116, four deviations of 5


def test_one_percent_of_the_full_set_is_exact():
    labels = np.tile(np.arange(10), 5000)
    for fraction, each in ((0.01, 50), (0.1, 500), (1.0, 5000)):
        assert np.bincount(labels[splits.label_subset(labels, fraction, 0)]).tolist() == [each] * 10


@given(labels_of_classes, st.floats(0.01, 0.5), st.integers(0, 9))
def test_hold_out_divides_every_class(labels, fraction, seed):
    kept, held = splits.hold_out(labels, fraction, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert np.all(np.bincount(labels[held]) >= 1)
    assert np.all(np.bincount(labels[kept]) >= 1)
    again = splits.hold_out(labels, fraction, seed)
    assert np.array_equal(kept, again[0])
    assert np.array_equal(held, again[1])


def test_limited_keeps_the_mixture():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    assert np.bincount(labels[splits.limited(labels, 100)]).tolist() == [60, 30, 10]


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
def test_a_label_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(UserError, match="fraction"):
        splits.label_subset(np.zeros(4, int), fraction, 0)


@pytest.mark.parametrize(
    ("labels", "fraction"), [([0, 1, 1], 0.1), ([0, 0, 1, 1], 0.9), ([0, 0], 1.0), ([0, 0], 0.0)]
)
def test_hold_out_never_empties_a_class(labels, fraction):
    with pytest.raises(UserError, match="no image left"):
        splits.hold_out(np.array(labels), fraction, 0)


def test_images_with_several_labels_cannot_be_balanced():
    with pytest.raises(UserError, match="several labels"):
        splits.label_subset(np.eye(3, dtype=int), 0.5, 0)


NAMES = [f"n{label:02d}_{k}.JPEG" for label in range(3) for k in range(4)]
LABELS = np.repeat(np.arange(3), 4)


def write_list(tmp_path, *names):
    path = tmp_path / "1percent.txt"
    path.write_text("\n".join(names) + "\n")
    return path


def test_an_official_list_becomes_ascending_indices(tmp_path):
    path = write_list(tmp_path, "n02_1.JPEG", "n00_3.JPEG", "", "n01_0.JPEG")
    assert splits.read_subset_file(path, NAMES).tolist() == [3, 4, 9]
    found = splits.read_subset_file(path, NAMES, LABELS)
    assert found.dtype == np.int64 and found.tolist() == [3, 4, 9]


@pytest.mark.parametrize(
    ("names", "says", "found"),
    [
        (["n00_0.JPEG", "n09_0.JPEG", "n09_1.JPEG"], "does not have", "n09_0.JPEG and 1 more"),
        (["n00_0.JPEG", "n01_0.JPEG", "n00_0.JPEG"], "twice", "n00_0.JPEG"),
        ([], "empty", "no name"),
        (["n00_0.JPEG", "n01_0.JPEG"], "class without an image", "none of label 2"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_by_name(tmp_path, names, says, found):
    path = write_list(tmp_path, *names)
    with pytest.raises(UserError, match=says) as caught:
        splits.read_subset_file(path, NAMES, LABELS)
    assert caught.value.found == found and caught.value.where == str(path)


def test_a_missing_list_and_names_that_repeat_are_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read") as caught:
        splits.read_subset_file(tmp_path / "none.txt", NAMES)
    assert caught.value.where == str(tmp_path / "none.txt")
    with pytest.raises(UserError, match="do not tell"):
        splits.read_subset_file(write_list(tmp_path, "n00_0.JPEG"), [*NAMES, NAMES[0]])


def test_lists_come_with_marks_folders_and_labels(tmp_path):
    """A byte-order mark, Windows line ends, folders of another machine, labels behind names, names with blanks."""
    path = tmp_path / "list.txt"
    for text in (
        "\ufeffn02_1.JPEG\r\nn00_3.JPEG\r\nn01_0.JPEG\r\n",
        "/home/me/train/n02/n02_1.JPEG\nn00/n00_3.JPEG\n./n01_0.JPEG\n",
        "train\\n02\\n02_1.JPEG\ntrain\\n00\\n00_3.JPEG\ntrain\\n01\\n01_0.JPEG\n",
        "n02_1.JPEG 7\nn00_3.JPEG\t5\nn01_0.JPEG, 6\n",
        "train/n02/n02_1.JPEG n02\ntrain/n00/n00_3.JPEG n00\ntrain/n01/n01_0.JPEG n01\n",
    ):
        path.write_text(text, newline="")
        for names in (NAMES, [f"train/{name[:3]}/{name}" for name in NAMES]):
            assert splits.read_subset_file(path, names, LABELS).tolist() == [3, 4, 9]
    path.write_text("my cat.jpg 1\nmy dog.jpg\n")
    assert splits.read_subset_file(path, ["a/my cat.jpg", "a/my", "b/my dog.jpg"]).tolist() == [0, 2]


def test_folders_tell_equal_file_names_apart(tmp_path):
    names = ["train/cat/1.jpg", "train/dog/1.jpg", "train/dog/old/1.jpg", "train/dog/2.jpg"]
    path = write_list(tmp_path, "dog/1.jpg", "old/1.jpg 0", "2.jpg")
    assert splits.read_subset_file(path, names).tolist() == [1, 2, 3]
    with pytest.raises(UserError, match="do not tell") as caught:
        splits.read_subset_file(write_list(tmp_path, "1.jpg 4"), names)
    assert caught.value.found == "1.jpg 4"
    with pytest.raises(UserError, match="twice"):
        splits.read_subset_file(write_list(tmp_path, "2.jpg", "dog/2.jpg"), names)


def test_labels_of_another_data_set_are_refused(tmp_path):
    wrong = ["n02_1.JPEG 1", "n00_3.JPEG 0", "n01_0.JPEG 0"]
    with pytest.raises(UserError, match="labels that are not those") as caught:
        splits.read_subset_file(write_list(tmp_path, *wrong), NAMES, LABELS)
    assert "0 for class 0, 0 for class 1" in caught.value.found
    two = ["n02_1.JPEG c", "n02_2.JPEG d", "n00_3.JPEG a", "n01_0.JPEG b"]
    with pytest.raises(UserError, match="labels that are not those"):
        splits.read_subset_file(write_list(tmp_path, *two), NAMES, LABELS)


def test_a_stored_subset_says_index_and_label(tmp_path):
    chosen = splits.label_subset(LABELS, 0.5, 0)
    splits.write_subset(tmp_path / "subset.csv", chosen, LABELS)
    table = np.loadtxt(tmp_path / "subset.csv", delimiter=",", skiprows=1, dtype=int)
    assert (tmp_path / "subset.csv").read_text().startswith("index,label\n")
    assert table.tolist() == [[index, LABELS[index]] for index in chosen]
