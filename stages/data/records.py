"""The records of a data set: its declaration in params/datasets.yaml, and the manifest that `prepare` leaves."""

from typing import Any, NotRequired, Required, TypedDict


class Validation(TypedDict, total=False):
    """{fraction, seed}: a class-balanced part of train, chosen by address. {official}: so many, the last of train."""

    fraction: float
    seed: int
    official: int


class DeclaredSplit(TypedDict):
    """How many images the official distribution has, and their checksums; null where nobody has measured them."""

    size: int
    images: NotRequired[str | None]
    labels: NotRequired[str | None]
    files: NotRequired[str]  # SHA-256 of the list of photographs
    usable: NotRequired[int]  # how many are left where `undecodable` or `absent` says `skip`


class Declaration(TypedDict, total=False):
    """One entry of params/datasets.yaml, whose head says what each key means; `name` is its key there."""

    name: Required[str]
    title: Required[str]
    classes: Required[list[str] | int]
    image: Required[list[int] | None]
    metric: Required[str]
    splits: Required[dict[str, DeclaredSplit]]
    validation: Required[Validation]
    by_hand: str
    disk: str
    sources: list[dict[str, Any]]
    subset: dict[str, Any]
    channels: dict[str, list[float]]
    hold_out_test: Validation
    folder: str
    layout: str
    content: str
    difficult: str
    training_images: dict[str, int]
    undecodable: str | list[str]
    absent: str


class AboutArray(TypedDict):
    """dtype is NumPy's name; sha256 is that of `datasets.array_sha256`."""

    dtype: str
    shape: list[int]
    sha256: str


class AboutFiles(TypedDict):
    """What is known of a list of photographs: the sum of their sizes, and the SHA-256 of the list."""

    bytes: int
    sha256: str


class PreparedSplit(TypedDict):
    """What `prepare` found of a split: `images`, or `files` for photographs; `left_out` if any were left out."""

    size: int
    labels: AboutArray
    images: NotRequired[AboutArray]
    files: NotRequired[AboutFiles]
    left_out: NotRequired[list[str]]


class Manifest(TypedDict):
    """manifest.json of a prepared data set."""

    name: str
    title: str
    classes: list[str] | int
    metric: str
    validation: Validation
    splits: dict[str, PreparedSplit]
    sha256: str
    layout: NotRequired[str]
