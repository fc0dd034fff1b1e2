"""Whatever stands in params/datasets.yaml is understood or refused: the file, the line, the key, the nearest name."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import files
from common.errors import UserError
from stages import prepare
from stages.obtaining import declarations
from stages.planning import code_hashes, fingerprint

DECLARED = files.read_yaml(declarations.DECLARATIONS)
TINY = """\
# mine
tiny:
  title: Tiny
  classes: [cat, dog]
  image: [4, 4, 3]
  metric: top1
  splits:
    train: {size: 20, images: null, labels: null}
    test: {size: 10}
  validation: {fraction: 0.2, seed: 0}
  sources:
    - kind: folder
      path: tiny
      format: cifar_binary
      files: {a.bin: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'}
      splits: {train: [a.bin], test: [a.bin]}
photos:
  title: Photos
  classes: 2
  image: null
  metric: top1
  folder: photos
  layout: food101
  splits: {train: {size: 2}, test: {size: 2}}
  validation: {official: 1}
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "datasets.yaml"


def refused(path, content) -> UserError:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        declarations.read_declaration("tiny", path)
    return caught.value


def test_the_committed_file_is_read():
    assert declarations.read_declarations().keys() == DECLARED.keys() and len(DECLARED) > 14


def test_a_small_file_is_read(path):
    path.write_text(TINY)
    assert declarations.read_declaration("photos", path)["layout"] == "food101"


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ("kind: folder", "kind: foldr", 12, "sources.0.kind", "`foldr` (did you mean `folder`?)"),
        ("cifar_binary", "cifar_binari", 14, "sources.0.format", "(did you mean `cifar_binary`?)"),
        ("layout: food101", "layout: fod101", 23, "layout", "`fod101` (did you mean `food101`?)"),
        ("layout: food101", "layout: ../../x", 23, "layout", "`../../x`"),
        ("layout: food101", "layout: official_lists", 23, "layout", "`official_lists`"),
        ("'sha256:", "'sha265:", 15, "files.a.bin", "`sha265` (did you mean `sha256`?)"),
        ("0000'", "'", 15, "files.a.bin", "60 characters after `sha256:`"),
        ("title: Tiny", "titel: Tiny", 3, "tiny.titel", "(did you mean `title`?)"),
        ("{size: 10}", "{size: ten}", 9, "splits.test.size", "'ten'"),
        ("{size: 10}", "{size: -1}", 9, "splits.test.size", "'-1'"),
        ("{size: 10}", "{siz: 10}", 9, "splits.test.siz", "(did you mean `size`?)"),
        ("metric: top1\n  splits:", "metric: top5\n  splits:", 6, "tiny.metric", "'top5'"),
        ("classes: [cat, dog]", "classes: []", 4, "tiny.classes", "'[]'"),
        ("classes: [cat, dog]", "classes: [cat, cat]", 4, "tiny.classes", "cat"),
        ("image: [4, 4, 3]", "image: [4, 4]", 5, "tiny.image", "[4, 4]"),
        ("fraction: 0.2", "fraction: 1.2", 10, "validation", "1.2"),
        ("  folder: photos\n", "", 17, "photos", "layout"),
        ("images: null", "images: 12ab", 8, "splits.train.images", "12ab"),
        ("      path: tiny\n", "", 12, "sources.0", "kind"),
        (
            "splits: {train: [a.bin], test: [a.bin]}",
            "splits: {train: [a.bin]}",
            16,
            "sources.0.splits",
            "train",
        ),
        ("tiny:", "tiny: 7\nother:", 2, "tiny", "'7'"),
    ],
)
def test_what_cannot_be_is_named_with_its_line_and_the_nearest_name(path, old, new, line, key, says):
    assert TINY.count(old) == 1
    error = refused(path, TINY.replace(old, new))
    assert f"{path}, line {line} (" in error.where and key in error.where, error
    assert says in error.found and error.expected and "mend the line" in error.remedy, error


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing yet\n",
        b"[]\n",
        b"7\n",
        b"tiny: [\n",
        b"tiny: caf\xe9\n",
        b"tiny: \0\n",
        b"\xff\xfe\0\0",
        b"[" * 3000,
        b"{" * 3000,
        b"tiny: {<<: *none}\n",
        b"tiny: !!python/object/apply:os.system ['true']\n",
    ],
)
def test_what_is_no_declaration_is_refused(path, content):
    error = refused(path, content)
    assert str(path) in error.where and error.expected and error.found


def test_a_missing_file_and_a_folder_are_refused(path):
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            declarations.read_declaration("tiny", path)
        assert caught.value.where == str(path)
        path.mkdir(exist_ok=True)


def test_prepare_says_so_without_a_traceback(path, tmp_path, capsys):
    path.write_text(TINY.replace("kind: folder", "kind: floder"))
    words = ["--dataset", "tiny", "--out", str(tmp_path / "out"), "--declarations", str(path)]
    assert prepare.main(words) == 2
    printed = capsys.readouterr().err
    assert "did you mean `folder`?" in printed and "Traceback" not in printed
    assert not (tmp_path / "out").exists()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_at_any_place_is_read_or_refused(tmp_path, data):
    """Any node of any declaration replaced by anything."""
    declared = copy.deepcopy(DECLARED[data.draw(st.sampled_from(sorted(DECLARED)))])
    node = declared
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
        else:
            break
    node[key] = data.draw(json_like)
    files.write_yaml(tmp_path / "d.yaml", {"one": declared})
    try:
        assert declarations.read_declaration("one", tmp_path / "d.yaml")["name"] == "one"
    except UserError as error:
        assert "d.yaml" in error.where


def test_a_layout_is_hashed_with_what_it_reaches_and_no_other():
    found = fingerprint.listing_code("imagenet")
    assert found == tuple(
        f"stages.obtaining.{name}" for name in ("layouts.imagenet", "matlab", "official_lists")
    )
    files = {code_hashes.module_path(name).name for name in found}
    assert files == {"imagenet.py", "matlab.py", "official_lists.py"}
