"""What a measurement found, and reports/bench.json, where all findings lie: one section for each command, by row.

The file is written after every row, so a command that is cut short leaves what it has; a later call replaces the rows
that it measures. On another machine, or with another torch, its section starts anew: a table never mixes machines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common import files

PLACE = Path("reports/bench.json")
DIGITS = 4  # significant ones of every number in the file


@dataclass(frozen=True)
class Finding:
    """One row: a value beside the least, or the most, that it is to be. Without a bound it only informs.

    measured: what the value was made from, by name with its unit. because: what keeps it from its bound, if it is.
    """

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    because: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value keeps its bounds; None without any."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


class Report:
    """One section of the file, as it grows."""

    def __init__(self, section: str, machine: dict[str, Any], path: Path = PLACE) -> None:
        self.section, self.path = section, path
        found = self._whole().get(section, {})
        same = found.get("machine") == machine
        self.content: dict[str, Any] = found if same else {"machine": machine, "rows": {}}

    def add(self, name: str, found: list[Finding], load: float) -> None:
        """Replace what a row had found. `load`: that of the minute before it began, as `uptime` has it."""
        entries = [{**asdict(each), "met": each.met} for each in found]
        self._put(name, {"load_before": load, "findings": entries})

    def fail(self, name: str, why: str, load: float) -> None:
        """A row that could not be measured says why."""
        self._put(name, {"load_before": load, "findings": [], "failed": why})

    def _put(self, name: str, entry: dict[str, Any]) -> None:
        self.content["rows"][name] = rounded(entry)
        whole = self._whole() | {self.section: self.content}
        files.write_text(self.path, json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

    def _whole(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}


def rounded(value: Any) -> Any:
    """The same with every float at DIGITS significant digits."""
    if isinstance(value, dict):
        return {str(key): rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def bound(finding: dict[str, Any]) -> str:
    """The bound in words: "at least 6 x"."""
    for name in ("at_least", "at_most"):
        if finding[name] is not None:
            return f"{name.replace('_', ' ')} {number(finding[name])} {finding['unit']}"
    return ""


def standing(finding: dict[str, Any]) -> str:
    """Whether it is met: "met", "not met: 1.3 of 1.5", or nothing without a bound."""
    if finding["met"] is None:
        return ""
    least = finding["at_least"] if finding["at_least"] is not None else finding["at_most"]
    return "met" if finding["met"] else f"not met: {number(finding['value'])} of {number(least)}"


def number(value: float) -> str:
    """Three significant digits, without an exponent where it can be."""
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 or not value else f"{value:.2e}"


def line(finding: dict[str, Any]) -> str:
    """One line for a terminal."""
    said = f"{finding['what']:<78} {number(finding['value']):>8} {finding['unit']:<14}"
    return f"{said} {bound(finding):<22} {standing(finding)}".rstrip()
