"""A claim of the paper as an exhibit declares it.

It stands under `claims:` of params/exhibits/<id>.yaml: what it says, its type, and one condition or (`all:`) several.
A condition names a metric or some, the cells (`where`), what is compared (`contrast`, see reports.judging.contrast, or
`correlate`), over how much of it (`of`: mean, every, or a share such as 5/12), and a bound. Where an exhibit tries
several settings of a cell, `tuned_over` names their knobs: validation chooses, the test split counts. A number that
depends on the scale is written {smoke: 4.9, reduced: 5.5, cifar10: 6.2, paper: 8.3}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common import scales
from common.errors import UserError
from reports.judging.inference import Bound

OWN_WORDS = ("metric", "tuned_over", "where", "contrast", "correlate", "of", "above", "below", "within")


@dataclass(frozen=True)
class Condition:
    """One comparison; correlate is (method, one side, other side) or None."""

    metrics: tuple[str, ...]
    tuned_over: Sequence[str]
    where: Mapping[str, Any]
    contrast: Sequence[Mapping[str, Any]]
    correlate: tuple[str, Any, Any] | None
    of: str
    bound: Bound


@dataclass(frozen=True)
class Claim:
    """What the paper says (in our words), and the conditions under which it holds here.

    paper_text: what the paper gives in words or elsewhere. paper_differs: why its own numbers do not support it.
    """

    id: str
    says: str
    type: str
    conditions: tuple[Condition, ...]
    min_scale: str
    paper_text: str | None
    paper_differs: str | None

    @property
    def metrics(self) -> list[str]:
        """Every metric that a condition reads."""
        return list(dict.fromkeys(metric for condition in self.conditions for metric in condition.metrics))

    def sensible_at(self, scale: str) -> bool:
        """Whether the scale is large enough for the claim to mean something."""
        return scales.reaches(scale, self.min_scale)


def parse(declared: Mapping[str, Any], scale: str = "paper") -> list[Claim]:
    """The `claims` of a declaration, as they read at a scale. UserError for one that lacks something."""
    return [_claim(str(name), _at(scale, body)) for name, body in declared.items()]


def in_order(ids: Sequence[str]) -> list[str]:
    """A2 before A10."""
    return sorted(ids, key=lambda name: (name.rstrip("0123456789"), len(name), name))


def _at(scale: str, body: Any) -> Any:
    """The same tree with every {scale: number} replaced by the number."""
    if isinstance(body, Mapping):
        by_scale = bool(body) and set(body) <= set(scales.names())
        return (
            scales.value_at(scale, body)
            if by_scale
            else {key: _at(scale, each) for key, each in body.items()}
        )
    return [_at(scale, each) for each in body] if isinstance(body, list) else body


def _claim(name: str, body: Mapping[str, Any]) -> Claim:
    try:
        shared = {key: value for key, value in body.items() if key in OWN_WORDS}
        return Claim(
            id=name,
            says=str(body["says"]).strip(),
            type=body["type"],
            conditions=tuple(_condition({**shared, **own}) for own in body.get("all", [{}])),
            min_scale=body.get("min_scale", scales.names()[0]),
            paper_text=body.get("paper_text"),
            paper_differs=body.get("paper_differs"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"not a claim: {name}",
            expected="what params/schema/exhibit.json describes",
            found=repr(error),
            where="claims of an exhibit",
            remedy="correct the file",
        ) from error


def _condition(body: Mapping[str, Any]) -> Condition:
    metrics, bounds = body["metric"], {key: body[key] for key in ("above", "below", "within") if key in body}
    ((kind, value),) = (bounds or {"above": 0}).items()
    method, sides = next(iter((body.get("correlate") or {}).items()), (None, (None, None)))
    return Condition(
        metrics=tuple([metrics] if isinstance(metrics, str) else metrics),
        tuned_over=body.get("tuned_over", []),
        where=body.get("where", {}),
        contrast=body.get("contrast", []),
        correlate=(method, *sides) if method else None,
        of=str(body.get("of", "mean")),
        bound=Bound(kind, float(value)),
    )
