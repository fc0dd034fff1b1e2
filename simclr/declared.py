"""Which values a parameter may have, declared beside it: `temperature: Annotated[float, Above(0)]`.

The planner reads these marks from the source, and refuses a wrong binding before anything runs. `enforce` checks a
call by keyword arguments against the same marks. In a list or tuple every item must be in the range. None passes,
because the type of a parameter says whether it may be None.
"""

import functools
import math
import numbers
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Mark:
    """A condition that every allowed value meets."""

    def check(self, value: Any) -> str | None:
        """What was expected, if `value` does not meet the condition; None if it does."""
        items = value if isinstance(value, list | tuple) else [value]
        return None if all(item is None or self._holds(item) for item in items) else self.expected()

    def expected(self) -> str:
        """The allowed values, in words that follow "must be"."""
        raise NotImplementedError

    def _holds(self, value: Any) -> bool:
        raise NotImplementedError


@dataclass(frozen=True)
class AtLeast(Mark):
    """A finite number, `low` or more."""

    low: float

    def expected(self) -> str:
        return f"a finite number of at least {self.low}"

    def _holds(self, value: Any) -> bool:
        return _is_finite(value) and value >= self.low


@dataclass(frozen=True)
class Above(Mark):
    """A finite number, more than `low`."""

    low: float

    def expected(self) -> str:
        return f"a finite number above {self.low}"

    def _holds(self, value: Any) -> bool:
        return _is_finite(value) and value > self.low


@dataclass(frozen=True)
class Between(Mark):
    """A number from `low` to `high`, both included."""

    low: float
    high: float

    def expected(self) -> str:
        return f"a number from {self.low} to {self.high}"

    def _holds(self, value: Any) -> bool:
        return _is_finite(value) and self.low <= value <= self.high


@dataclass(frozen=True)
class Rising(Mark):
    """A list or tuple whose items do not fall, such as the two ends of a range."""

    def check(self, value: Any) -> str | None:
        """What was expected, if `value` is not it; None if it is."""
        if value is None:
            return None
        numbers = isinstance(value, list | tuple) and all(map(_is_finite, value))
        return None if numbers and list(value) == sorted(value) else self.expected()

    def expected(self) -> str:
        return "numbers in rising order"


@dataclass(frozen=True, init=False)
class OneOf(Mark):
    """One of the values listed."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, "values", values)

    def expected(self) -> str:
        return "one of " + ", ".join(map(repr, self.values))

    def _holds(self, value: Any) -> bool:
        # True == 1, so without a look at types a switch would pass for a number.
        return any(type(value) is type(each) and value == each for each in self.values)


@dataclass(frozen=True)
class ModuleIn(Mark):
    """The name of a module in `package` that holds a function of that name.

    The name decides which code runs, though no import statement says so: the planner takes the module's
    configurables for bindings and its source for the code hash of the runs that name it.
    """

    package: str

    def expected(self) -> str:
        return f"a module of {self.package}"

    def _holds(self, value: Any) -> bool:
        return isinstance(value, str) and value.isidentifier()


def marks_of(function: Callable[..., Any]) -> dict[str, tuple[Mark, ...]]:
    """The marks of the parameters of a function, or of a class's __init__, as far as they have any."""
    hints = typing.get_type_hints(
        function.__init__ if isinstance(function, type) else function, include_extras=True
    )
    marks = {
        name: tuple(mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Mark))
        for name, hint in hints.items()
    }
    return {name: found for name, found in marks.items() if found}


def enforce(function: Callable[..., Any], **arguments: Any) -> None:
    """Raise ValueError for the first of `arguments` that the marks of `function` do not allow."""
    marks = _remembered(function)
    for name, value in arguments.items():
        for mark in marks.get(name, ()):
            if expected := mark.check(value):
                raise ValueError(f"{function.__name__}.{name} must be {expected}, found {value!r}")


_remembered = functools.cache(marks_of)


def _is_finite(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
