import math
from typing import Annotated

import pytest

from simclr.declared import Above, AtLeast, Between, ModuleIn, OneOf, Rising, enforce, marks_of


@pytest.mark.parametrize(
    ("mark", "right", "wrong"),
    [
        (AtLeast(0), [0, 0.0, 5, (0, 3), [1], None], [-1e-9, math.nan, math.inf, "1", True, (0, -1)]),
        (Above(0), [1e-9, 3, (1, 2)], [0, -1, math.nan, math.inf, (1, 0)]),
        (Between(0, 1), [0, 1, 0.5, (0.08, 1.0)], [-0.1, 1.1, math.nan, "half", (0, 2)]),
        (Rising(), [(0.08, 1.0), [1, 1], None], [(1.0, 0.08), 3, "ab", (0, math.nan)]),
        (OneOf("both", 1), ["both", 1, ("both", 1)], ["Both", True, 1.0, ""]),
        (ModuleIn("simclr.losses"), ["nt_xent", "mine"], ["a.b", "../x", 3, ""]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_mark_says_what_is_expected_of_values_that_do_not_fit(mark, right, wrong):
    assert [value for value in right if mark.check(value) is not None] == []
    assert [value for value in wrong if mark.check(value) != mark.expected()] == []


def test_marks_are_equal_by_what_they_say():
    assert AtLeast(1) == AtLeast(1) != Above(1) and hash(OneOf("a", "b")) == hash(OneOf("a", "b"))
    assert OneOf("a", "b").expected() == "one of 'a', 'b'" and "-1" in repr(AtLeast(-1))


def crop(size: int, area: Annotated[tuple[float, float], Between(0, 1), Rising()] = (0.08, 1)) -> None: ...


class Schedule:
    def __init__(self, epochs: Annotated[int, AtLeast(1)]) -> None: ...


def test_marks_are_read_from_functions_and_classes():
    assert marks_of(crop) == {"area": (Between(0, 1), Rising())}
    assert marks_of(Schedule) == {"epochs": (AtLeast(1),)}


def test_a_call_is_held_to_the_marks():
    enforce(crop, size=-3, area=(0.1, 0.2))
    with pytest.raises(ValueError, match=r"crop.area must be numbers in rising order, found \(1, 0.5\)"):
        enforce(crop, area=(1, 0.5))
    with pytest.raises(ValueError, match=r"Schedule.epochs must be a finite number of at least 1, found 0"):
        enforce(Schedule, epochs=0)
