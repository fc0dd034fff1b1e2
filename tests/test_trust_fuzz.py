"""Whatever bytes stand in a file that somebody hands us, its reader ends in a value or in words that name the file.

No traceback, no hang, little memory, nothing written. The form of 20,000 inputs is TRUST_FUZZ=20000; a short one
always. What stands under params/ and decides plans is fuzzed in stages/planning/test_bad_input.py, by the same number.
"""

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import documents, files, receipts, seals
from common.errors import UserError
from reports.reading import frozen, judged, paper, record, tidy
from stages.data import datasets, splits
from stages.obtaining import declarations, verification
from stages.planning import recipes
from stages.running import store
from tests.stages import official

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 20
MEMORY = 300_000  # kB above what there was before
NAMES = ["n1/a_1.JPEG", "n1/a_2.JPEG", "n2/b 1.JPEG"]


def rows_of(path: Path) -> object:
    return tidy.parse_rows(files.read_text(path), path)


def manifest(path: Path) -> object:
    return datasets.read_manifest(path.parent)


READERS: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "YAML": ("a.yaml", b"a: [1, {b: 2}]\nc: &x 'text'\nd: *x\n", documents.read_yaml),
    "data sets": (
        "datasets.yaml",
        (ROOT / "params/datasets.yaml").read_bytes()[:4000],
        declarations.read_declarations,
    ),
    "recipe": (
        "pretrain_smoke.gin",
        (ROOT / "params/recipes/pretrain_smoke.gin").read_bytes(),
        recipes.read_recipe,
    ),
    "paper": ("table_05.csv", (ROOT / "params/paper/table_05.csv").read_bytes(), paper.load_paper),
    "rows": (
        "rows.csv",
        b"temperature,seed,metric,value,run\n0.1,0,top1,41.5,a-seed0\n0.5,0,top1,42.5,b-seed0\n",
        rows_of,
    ),
    "arrays": ("arrays.npz", files.npz_bytes({"a/x": np.zeros((2, 3), np.float32)}), tidy.load_arrays),
    "manifest": (
        "manifest.json",
        (ROOT / "data/cifar10_subset/manifest.json").read_bytes()
        if (ROOT / "data/cifar10_subset/manifest.json").is_file()
        else b'{"name": "x", "splits": {"train": {"images": 3}}}',
        manifest,
    ),
    "run": (
        "run.json",
        b'{"fingerprint": "ab", "files": {}, "stage": "pretrain", "layout": 2, "seed": 0, "code": "c", "versions": {},'
        b' "bindings": {"nt_xent.temperature": 0.1}}',
        lambda path: store.read_run(path.parent),
    ),
    "receipt": (
        "receipts/runs.json",
        b'{"files": {"a.txt": "00"}}',
        lambda path: receipts.discard_broken(path.parents[1]),
    ),
    "judged": (
        "table_05.json",
        b'{"exhibit": "table_05", "scale": "smoke", "claims": [{"id": "A1"}], "choices": [], "made_from": {}}',
        lambda path: judged.read_judged(path, "table_05", "smoke"),
    ),
    "drawn": (
        "table_05.json",
        b'{"exhibit": "table_05", "scale": "smoke", "raw": [{"metric": "top1", "run": "a", "value": 1}]}',
        lambda path: record.read_record(path, "smoke", "table_05", "draw again"),
    ),
    "subset": (
        "1percent.txt",
        b"a_1.JPEG\nn2/b 1.JPEG 7\n",
        lambda path: splits.read_subset_file(path, NAMES, np.array([0, 0, 1])),
    ),
    "freeze": (
        "params/frozen/smoke.yaml",
        b"date: 2026-01-01\nclaims: {A1: ab}\nplans: {}\n",
        lambda path: frozen.read_frozen(path.parents[1], "smoke"),
    ),
}
# Official lists below the folder of a data set in miniature.
LISTS = {
    "food101": ("meta/classes.txt", "meta/train.txt"),
    "birdsnap": ("images.txt", "test_images.txt"),
    "sun397": ("ClassName.txt", "Partitions/Training_01.txt"),
    "stanford_cars": ("devkit/cars_train_annos.mat",),
    "fgvc_aircraft": ("data/variants.txt", "data/images_variant_train.txt"),
    "voc2007": ("ImageSets/Main/train.txt", "Annotations/000001.xml"),
    "dtd": ("labels/train1.txt",),
    "oxford_pets": ("annotations/test.txt",),
    "flowers102": ("setid.mat",),
}
LISTED = [(name, listed) for name, several in LISTS.items() for listed in several]
JSON = [kind for kind in READERS if READERS[kind][0].endswith(".json")]
TESTS = len(READERS) + len(JSON) + len(LISTED) + 1
EXAMPLES = max(12, int(os.environ.get("TRUST_FUZZ", "0")) // TESTS)
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES == 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "0", "../x", "/etc/passwd", "inf", "\ufeff", "é", "a" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ODD = st.sampled_from(
    [
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xe4",
        b"\x85",
        b"\r",
        b"\n",
        b'"',
        b",",
        b"%",
        b"@x",
        b"-1",
        b"../",
    ]
) | st.sampled_from(
    [
        b"[" * 3000,
        b"{" * 3000,
        b"9" * 5000,
        b"inf",
        b"nan",
        b"1e999",
        b"&a [*a]",
        b"!!python/object:os.system x",
    ]
)


@st.composite
def spoiled(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes of a whole file with up to three places of it cut, replaced or grown."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(whole)))
        end = min(len(whole), at + draw(st.sampled_from([0, 1, 8, len(whole)])))
        whole = whole[:at] + draw(ODD | st.binary(max_size=8)) + whole[end:]
    return whole


@st.composite
def reshaped(draw: st.DrawFn, whole: bytes) -> bytes:
    """JSON with one node, or the name of one, replaced by any value, and sealed again where it is an object."""
    tree = node = json.loads(whole)
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or not node[key] or draw(st.booleans()):
            break
        node = node[key]
    if isinstance(node, dict) and draw(st.booleans()):
        del node[key]
    else:
        node[key] = draw(VALUES)
    try:
        tree = seals.sealed(tree)
    except ValueError:  # NaN: nothing of ours can have sealed it
        tree["seal"] = ""
    return json.dumps(tree).encode()


def outcome(path: Path, read: Callable[[Path], object], data: bytes) -> None:
    """Read once, watched."""
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, there = time.process_time(), everything(path)
    try:
        read(path)
    except UserError as error:
        assert path.name in str(error) or path.parent.name in str(error), f"no file is named: {error}"
        assert len(str(error)) < 8000
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY
    assert everything(path) <= there, "a reader wrote something"


def everything(path: Path) -> set[Path]:
    return set(path.parent.iterdir())


@pytest.fixture
def place(tmp_path, monkeypatch) -> Callable[[str], Path]:
    monkeypatch.chdir(tmp_path)

    def make(name: str) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("spoil", "kind"), [*((spoiled, kind) for kind in READERS), *((reshaped, kind) for kind in JSON)]
)
def test_any_bytes_and_any_shape(place, spoil, kind):
    name, whole, read = READERS[kind]
    path = place(name)

    @FUZZ
    @given(data=spoil(whole))
    def tried(data: bytes) -> None:
        outcome(path, read, data)

    tried()


@pytest.mark.parametrize(("name", "listed"), LISTED)
def test_any_bytes_in_an_official_list(tmp_path, name, listed):
    """The whole survey of a data set: listing, photographs, numbers. A .mat file costs a process, so fewer of them."""
    declared, _ = official.build(name, tmp_path)
    path = tmp_path / declared["folder"] / listed
    whole = path.read_bytes()

    @settings(FUZZ, max_examples=max(2, EXAMPLES // 10) if path.suffix == ".mat" else EXAMPLES)
    @given(data=spoiled(whole))
    def tried(data: bytes) -> None:
        path.write_bytes(data)
        try:
            verification.survey(declared, tmp_path, {})
        except UserError as error:
            assert str(tmp_path) in str(error) and len(str(error)) < 8000

    tried()


@FUZZ
@given(
    name=st.text(min_size=1, max_size=300) | st.sampled_from(["../x", "/tmp/x", ".", "a/b", "\0", "é" * 200])
)
def test_any_name_of_a_scale_an_exhibit_or_a_data_set(name):
    """Names become paths: one that there is not is refused before."""
    from common import scales
    from stages.planning import declaration

    for known, read in (
        (scales.names(), scales.check_scale),
        (declaration.exhibit_ids(), declaration.open_exhibit),
        (("imagenet", "cifar10"), declarations.read_declaration),
    ):
        if name not in known:
            with pytest.raises(UserError):
                read(name)
