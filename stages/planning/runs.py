"""One run, resolved."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.planning.code_hashes import code_hash
from stages.planning.configurables import named_modules
from stages.planning.fingerprint import accepted_code, fingerprint

Bindings = dict[str, Any]  # {"configurable.parameter": value}


@dataclass(frozen=True)
class Run:
    """One training or evaluation, resolved: all that a stage needs to know, and nothing of how the driver runs it."""

    exhibit: str
    scale: str
    stage: str
    id: str
    seed: int
    bindings: Bindings
    labels: dict[str, Any]
    # The run that it evaluates, and the runs among which it chooses, one for each point of a grid.
    upstream: Run | None = None
    search: tuple[Run, ...] = ()

    @property
    def reads(self) -> tuple[Run, ...]:
        """The runs whose results it needs, the one that it evaluates first."""
        return (*([self.upstream] if self.upstream else []), *self.search)

    @property
    def dataset(self) -> str | None:
        """The data set it reads, if any."""
        return self.bindings.get("dataset.name")

    @property
    def code(self) -> str:
        """A hash of the code that decides this run's numbers: that of its stage, and of the modules that it names."""
        return code_hash(self.stage, named_modules(self.stage, self.bindings))

    @functools.cached_property
    def fingerprint(self) -> str:
        """One hash of what decides this run's numbers. Equal settings in two exhibits have equal fingerprints."""
        upstream, code = (
            self.upstream.fingerprint if self.upstream else None,
            accepted_code(self.stage, self.code),
        )
        search = [run.fingerprint for run in self.search]
        return fingerprint(self.stage, self.seed, self.bindings, self.dataset, upstream, code, search)

    def folder(self, results: Path) -> Path:
        """results/<scale>/<stage>/<exhibit>/<run>."""
        return results / self.scale / self.stage / self.exhibit / self.id
