"""Data passes with the checksum that is declared, and in no other case."""

import base64
import gzip
import hashlib

import pytest

from common.errors import UserError
from stages.obtaining import checksums

DATA = b"some pixels"


def sha256(data=DATA):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (DATA, sha256()),
        (DATA, "md5:" + hashlib.md5(DATA).hexdigest()),
        (DATA, integrity(DATA)),
        (gzip.compress(DATA, mtime=0), "gunzip-" + sha256()),
    ],
)
def test_data_with_its_checksum_passes_and_without_it_does_not(data, check):
    assert checksums.verified(data, check, "x") == DATA
    with pytest.raises(UserError, match=r"wrong checksum|cannot be unpacked") as caught:
        checksums.verified(data + b"!", check, "x")
    assert caught.value.where == "x"


def test_what_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(checksums, "LARGEST_FILE", 1000)
    with pytest.raises(UserError, match="too much"):
        checksums.verified(gzip.compress(bytes(1001), mtime=0), "gunzip-" + sha256(bytes(1001)), "bomb.gz")


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (sha256(), ""),
        ("gunzip-" + sha256(), ""),
        ("md5:" + "0" * 32, ""),
        (integrity(DATA), ""),
        ("sha265:" + "0" * 64, "(did you mean `sha256`?)"),
        ("sha256:" + "0" * 63, "63 characters"),
        ("sha256:" + "g" * 64, "64 characters"),
        ("", "``"),
        ("sha512-short", "`sha512-short`"),
    ],
)
def test_the_form_of_a_checksum_is_checked_before_anything_is_read(check, says):
    problem = checksums.wrong_form(check)
    assert says in problem and bool(says) == bool(problem)
