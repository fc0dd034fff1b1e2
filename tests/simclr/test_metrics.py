"""The measures of transfer: cases by hand, and slow words of the definitions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simclr.labels import UNJUDGED
from simclr.metrics import accuracy, average_precision11, map11, mean_per_class, predicted


def slow_average_precision11(scores: list[float], positive: list[int]) -> float:
    """The definition, threshold by threshold."""
    points = []
    for threshold in set(scores):
        taken = [p for s, p in zip(scores, positive, strict=True) if s >= threshold]
        points.append((sum(taken), sum(taken) / len(taken)))
    best = [max(p for hits, p in points if 10 * hits >= tenth * sum(positive)) for tenth in range(11)]
    return sum(best) / 11


def test_accuracy_counts_examples_or_labels():
    assert float(accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, 1]))) == 75
    assert float(accuracy(torch.tensor([[0, 1], [1, 1]]), torch.tensor([[0, 1], [0, 0]]))) == 50


def test_what_is_not_judged_is_neither_predicted_nor_counted():
    labels = torch.tensor([[0, UNJUDGED], [1, 1], [UNJUDGED, 0]])
    found = predicted(torch.tensor([[1.0, 9.0], [1.0, -1.0], [-9.0, -1.0]]), labels)
    assert found.dtype == torch.uint8 and found.tolist() == [[1, UNJUDGED], [1, 0], [UNJUDGED, 0]]
    assert float(accuracy(found, labels)) == 50
    assert (
        float(accuracy(torch.tensor([2, 2]), torch.tensor([2, 0]))) == 50
    )  # the third of several classes counts


@given(
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from([0, 1, UNJUDGED])), min_size=1, max_size=40).filter(
        lambda rows: any(p == 1 for _, p in rows)
    )
)
def test_average_precision_is_that_of_the_judged(rows):
    scores, labels = (torch.tensor(side) for side in zip(*rows, strict=True))
    kept = labels != UNJUDGED
    assert average_precision11(scores, labels) == average_precision11(scores[kept], labels[kept])


def test_mean_per_class_weighs_classes_and_not_examples():
    labels = torch.tensor([0, 0, 0, 0, 1])
    assert float(mean_per_class(torch.tensor([0, 0, 0, 0, 0]), labels, 2)) == 50
    assert float(mean_per_class(torch.tensor([0, 0, 1, 1, 1]), labels, 2)) == 75
    with pytest.raises(ValueError, match="class 2"):
        mean_per_class(labels, labels, 3)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_mean_per_class_is_the_mean_of_recalls(pairs):
    pairs = [*pairs, *((c, c) for c in range(4))]
    predictions, labels = (torch.tensor(side) for side in zip(*pairs, strict=True))
    shares = [sum(p == c for p, t in pairs if t == c) / sum(t == c for _, t in pairs) for c in range(4)]
    assert float(mean_per_class(predictions, labels, 4)) == pytest.approx(25 * sum(shares), rel=1e-12)


@pytest.mark.parametrize(
    "positive, expected",
    [
        ([1, 1, 0, 0], 1.0),
        ([0, 0, 1, 1], 0.5),  # precision 1/3 at recall 1/2, 2/4 at 1: the later is better everywhere
        ([1, 0, 0, 1], (6 * 1 + 5 * 0.5) / 11),  # recalls 0 to 0.5 from the first, the rest from the last
        ([0, 1, 0], 0.5),
        ([1], 1.0),
    ],
)
def test_average_precision_by_hand(positive, expected):
    scores = torch.arange(len(positive), 0, -1).float()
    assert float(average_precision11(scores, torch.tensor(positive))) == pytest.approx(expected, rel=1e-12)


def test_three_of_ten_is_a_recall_of_three_tenths():
    """In floating point 0.1 * 3 is more, and a point would be lost."""
    positive = torch.tensor([1, 1, 1] + [0] * 90 + [1] * 7)
    scores = torch.arange(100, 0, -1)
    expected = (4 * 1 + sum(0.1 for _ in range(7))) / 11  # 10 of 100 is the best of all later points
    assert float(average_precision11(scores, positive)) == pytest.approx(expected, rel=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=1, max_size=40).filter(
        lambda rows: any(p for _, p in rows)
    ),
    st.randoms(use_true_random=False),
)
def test_average_precision_is_the_definition_in_any_order_also_with_equal_scores(rows, random):
    expected = slow_average_precision11([float(s) for s, _ in rows], [p for _, p in rows])
    random.shuffle(rows)
    scores, positive = (torch.tensor(side) for side in zip(*rows, strict=True))
    assert float(average_precision11(scores.double(), positive)) == pytest.approx(expected, rel=1e-12)


def test_map_is_the_mean_over_classes_in_percent():
    scores = torch.tensor([[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]])
    labels = torch.tensor([[1, 0], [0, 1], [0, 0]])
    assert float(map11(scores, labels)) == pytest.approx(75)
    with pytest.raises(ValueError, match="positive"):
        map11(scores, torch.zeros(3, 2))
