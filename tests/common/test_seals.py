"""A sealed record tells of every changed byte."""

import json

import pytest

from common.errors import UserError
from common.seals import is_whole, read_sealed, sealed

RECORD = {"fingerprint": "ab12", "seed": 3, "bindings": {"nt_xent.temperature": 0.1}, "title": "é"}


def test_the_seal_does_not_depend_on_the_order_of_keys():
    assert sealed(RECORD)["seal"] == sealed(dict(reversed(RECORD.items())))["seal"]
    assert is_whole(json.loads(json.dumps(sealed(RECORD))))


def test_every_changed_digit_is_found(tmp_path):
    path = tmp_path / "run.json"
    text = json.dumps(sealed(RECORD))
    for place, character in enumerate(text):
        if character.isdigit():
            path.write_text(text[:place] + str((int(character) + 1) % 10) + text[place + 1 :])
            with pytest.raises(UserError, match="changed after it was written"):
                read_sealed(path, "make it again")
    path.write_text(text)
    assert read_sealed(path, "make it again")["seed"] == 3


@pytest.mark.parametrize("text", ["[]", "3", '"seal"', "{}"])
def test_what_is_no_record_is_refused(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(UserError):
        read_sealed(path, "make it again")
