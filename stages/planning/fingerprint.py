"""One hash of everything that decides a run's numbers: stage, seed, bindings, data, upstream run, search and code.

On purpose it leaves out the exhibit that asked, the number of workers, the machine, and library versions. The versions
are in the provenance; nobody wants to retrain a cluster-month for a patch release of numpy.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import files, schemas
from common.documents import line_of
from common.errors import UserError
from stages.data.records import Declaration
from stages.planning.code_hashes import module_hash, reached
from stages.planning.declaration import PARAMS

# These bindings say where and how fast a run computes, and not what.
NOT_PART = tuple(
    f"execution.{name}"
    for name in ("device", "checkpoint_minutes", "processes", "nodes", "workers", "keep_gb")
)
# These name a file. Its content decides, and not where it lies. params/label_subsets/ is for such lists.
NAMES_A_FILE = ("label_subset.file",)
# No checksum of pixels is declared for photographs: these keys decide which they are, and in which order.
LISTING = ("layout", "difficult", "training_images", "hold_out_test", "undecodable", "absent")
LAYOUTS = "stages.obtaining.layouts"


def fingerprint(
    stage: str,
    seed: int,
    bindings: dict[str, Any],
    dataset: str | None,
    upstream: str | None,
    code: str,
    search: Sequence[str] = (),
) -> str:
    """24 hexadecimal digits of SHA-256 over everything that decides a run's numbers; `code` is the accepted one.

    upstream: the fingerprint of the run that it reads. search: those of the runs of its search, in order of the grid.
    """
    cause = {
        "stage": stage,
        "seed": seed,
        "bindings": {key: _decisive(key, value) for key, value in bindings.items() if key not in NOT_PART},
        "data": data_hash(dataset) if dataset else None,
        "upstream": upstream,
        "code": code,
    } | ({"search": list(search)} if search else {})
    return hashlib.sha256(json.dumps(cause, sort_keys=True).encode()).hexdigest()[:24]


def _decisive(key: str, value: Any) -> Any:
    """The value of a binding, or the SHA-256 of the file that it names."""
    return content_of(key, value) if key in NAMES_A_FILE and value else value


def files_named(bindings: dict[str, Any]) -> dict[str, str]:
    """{file: SHA-256} of the files that bindings name: no plan shows their content, and it decides the numbers."""
    return {bindings[key]: content_of(key, bindings[key]) for key in NAMES_A_FILE if bindings.get(key)}


@functools.cache
def content_of(key: str, value: str) -> str:
    """The SHA-256 of the file that a binding names; remembered, so that all of one plan is made from one content."""
    try:
        return files.sha256_file(value)
    except OSError as error:
        raise UserError(
            "a list to which a run is bound cannot be read",
            expected=f"the file that {key} names, relative to the root of the repository",
            found=error.strerror,
            where=value,
            remedy="params/label_subsets/README.md says where the official lists are",
        ) from error


@functools.cache
def declaration_of(dataset: str, where: str = "") -> Declaration:
    """What params/datasets.yaml says of a data set; remembered, because a plan asks thousands of times.

    where: the place at which it is called so, for a UserError if there is none of this name.
    """
    # Not above: it brings the readers of archives and images along.
    from stages.obtaining.declarations import read_declaration

    return read_declaration(dataset, PARAMS / "datasets.yaml", where)


def data_hash(dataset: str) -> str:
    """SHA-256 over what params/datasets.yaml declares of a data set's images; `prepare` checks the images against it.

    For photographs it is taken over the layout and the code that reads it, the sizes of the splits and their rules.
    """
    declared = declaration_of(dataset)
    decides = {name: declared.get(name) for name in ("splits", "validation", "image")}
    if "layout" in declared:
        decides |= {name: declared[name] for name in LISTING if name in declared}
        decides["listed_by"] = [module_hash(module) for module in listing_code(declared["layout"])]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def listing_code(layout: str) -> tuple[str, ...]:
    """The modules that list the photographs of a layout: its own, and those that it reaches in the same folder."""
    room = LAYOUTS.rpartition(".")[0]
    return tuple(module for module in reached(f"{LAYOUTS}.{layout}") if module.startswith(f"{room}."))


def accepted_code(stage: str, code: str) -> str:
    """The hash that results of `stage` carry: of today's `code`, or of older code that a user declared equal."""
    adoption = adoption_of(stage, code)
    return adoption["same_as"] if adoption else code


def adoption_of(stage: str, code: str) -> dict[str, str] | None:
    """The declaration under which results of older code stay valid for `code`, for the provenance; None without one."""
    fitting = [entry for entry in adoptions() if (entry["stage"], entry["code"]) == (stage, code)]
    return fitting[-1] if fitting else None


@functools.cache
def adoptions() -> tuple[dict[str, str], ...]:
    """params/adopted.yaml: code of which a user says that it gives the same numbers as older code."""
    path = Path(PARAMS / "adopted.yaml")
    entries, document = schemas.read_checked(path, "adopted") if path.exists() else (None, None)
    for number, entry in enumerate(entries or ()):
        if not entry["reason"].strip():
            raise UserError(
                "an adoption needs a reason", where=f"{path}, line {line_of(document, [number, 'reason'])}"
            )
    return tuple(entries or ())
