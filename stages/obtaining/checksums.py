"""Checksums as params/datasets.yaml declares them, of a file or of what is packed in it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import zlib
from pathlib import Path

from common.errors import UserError
from common.names import nearest

DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}  # hexadecimal, by checksum algorithm
FORM = "sha256:<64 hexadecimal digits>, md5:<32>, gunzip-sha256:<64> or sha512-<base64>"
LARGEST_FILE = 1 << 30  # bytes a declared file may unpack to


def verified(data: bytes, check: str, name: str | Path) -> bytes:
    """`data`, if it has the declared checksum; UserError otherwise.

    `check` is "sha256:<hex>", "md5:<hex>", "sha512-<base64>" (npm's integrity), or "gunzip-sha256:<hex>":
    then the content is unpacked first and returned unpacked (packers differ in bytes, contents do not).
    """
    if check.startswith("gunzip-"):
        data, check = _gunzip(data, name), check.removeprefix("gunzip-")
    if check.startswith("sha512-"):
        actual = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    else:
        algorithm = check.partition(":")[0]
        actual = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    if actual != check:
        raise UserError(
            "a file has the wrong checksum",
            expected=check,
            found=f"{actual} ({len(data):,} bytes)",
            where=name,
            remedy="delete it and obtain it again",
        )
    return data


def wrong_form(check: str) -> str:
    """What is wrong with the form of a checksum, if anything."""
    if re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", check):
        return ""
    algorithm, _, digits = check.removeprefix("gunzip-").partition(":")
    if algorithm not in DIGITS:
        return f"`{algorithm}`{nearest(algorithm, DIGITS)}"
    whole = re.fullmatch(f"[0-9a-f]{{{DIGITS[algorithm]}}}", digits)
    return "" if whole else f"{len(digits)} characters after `{algorithm}:`"


def _gunzip(data: bytes, name: str | Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            content = stream.read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            "a file cannot be unpacked",
            expected="gzip",
            found=error,
            where=name,
            remedy="delete it and obtain it again",
        ) from error
    if len(content) > LARGEST_FILE:
        raise UserError(
            "a file unpacks to too much", expected=f"at most {LARGEST_FILE:,} bytes", found="more", where=name
        )
    return content
