"""A receipt is true as long as every file that it lists is as it was."""

from pathlib import Path

import pytest

from common import receipts


@pytest.fixture
def left(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("reports/out/smoke/figure_05.png")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a drawing, 1")
    receipts.write(Path("results/smoke"), "drawn", [path])
    return path


def test_a_true_receipt_stays(left):
    assert receipts.discard_broken("results/smoke") == []
    assert Path("results/smoke/receipts/drawn.json").is_file()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"a drawing, 2")])
def test_one_whose_files_are_gone_or_changed_is_discarded(left, damage):
    damage(left)
    assert receipts.discard_broken("results/smoke") == ["drawn"]
    assert receipts.discard_broken("results/smoke") == []


def test_the_steps_of_the_scale_are_named_before_those_of_one_exhibit(left):
    for step in ("drawn/figure_05", "page"):
        receipts.write(Path("results/smoke"), step, [left])
    left.unlink()
    assert receipts.discard_broken("results/smoke") == ["drawn", "page", "drawn/figure_05"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {}}', '{"files": {}, "seal": "00"}'])
def test_one_that_is_no_receipt_is_discarded(left, text):
    Path("results/smoke/receipts/drawn.json").write_text(text)
    assert receipts.discard_broken("results/smoke") == ["drawn"]


def test_with_one_all_go_because_engines_look_at_the_last_alone(left):
    receipts.write(Path("results/smoke"), "page", [left.with_name("figure_05.png")])
    receipts.write(Path("results/smoke"), "runs", [])
    Path("results/smoke/receipts/drawn.json").write_text("{}")
    assert receipts.discard_broken("results/smoke") == ["drawn"]
    assert list(Path("results/smoke/receipts").iterdir()) == []
