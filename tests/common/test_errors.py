"""A user reads what to do; a developer keeps the traceback."""

import errno
import pickle

import pytest

from common.errors import UserError, command, is_refusal

FULL = UserError(
    "bad file", expected="3 rows", found="2 rows\nand a half", where="a/b.npy", remedy="delete it"
)


def test_message_shows_the_pieces_in_order_and_aligned():
    assert str(FULL).splitlines() == [
        "bad file",
        "  expected:   3 rows",
        "  found:      2 rows",
        "              and a half",
        "  where:      a/b.npy",
        "  what to do: delete it",
    ]


def test_message_leaves_out_what_was_not_given():
    assert str(UserError("bad file", found=0)) == "bad file\n  found:      0"
    assert str(UserError(expected="x")) == "  expected:   x"


def test_message_has_no_piece_that_nobody_reads_to_its_end():
    long = str(UserError("x" * 9000, expected="y" * 9000, found="z" * 9000, remedy="r" * 9000))
    assert all(f"{letter * 2400} ... {letter * 80}\n" in long for letter in "xyz") and len(long) < 17_000
    assert long.endswith("r" * 9000)  # the remedy is ours


def test_message_survives_the_way_from_a_child_process():
    assert str(pickle.loads(pickle.dumps(FULL))) == str(FULL)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (FULL, 2, "what to do: delete it"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/x"), 2, "/etc/x"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a.txt/b"), 2, "move away the file"),
        (FileExistsError(errno.EEXIST, "File exists", "a.txt"), 2, "move away the file"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "out"), 2, "move away the folder"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "aaa"), 2, "choose another path"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_command_prints_what_a_user_can_mend_without_a_traceback(error, status, says, capsys):
    def main() -> None:
        raise error

    assert command(main)() == status
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert says in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "error", [ValueError("ours"), FileNotFoundError(errno.ENOENT, "no file"), AssertionError()]
)
def test_command_lets_our_own_bugs_through(error):
    def main() -> None:
        raise error

    with pytest.raises(type(error)):
        command(main)()


def test_command_returns_the_status_of_main():
    assert command(lambda: None)() == 0
    assert command(lambda status: status)(3) == 3


def test_a_refusal_of_the_operating_system_is_known_behind_the_words_made_of_it():
    def said(cause: Exception) -> UserError:
        try:
            raise UserError("in words") from cause
        except UserError as error:
            return error

    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS):
        assert is_refusal(OSError(number, "no")) and is_refusal(said(OSError(number, "no")))
    for other in (FileNotFoundError(errno.ENOENT, "no"), OSError("a download failed"), ValueError()):
        assert not is_refusal(other) and not is_refusal(said(other))
