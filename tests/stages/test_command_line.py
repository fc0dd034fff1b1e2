"""`python -m stages`: what it lists, and what it says of a command that it does not know."""

import re

import pytest

from stages.__main__ import COMMANDS, STAGES, main


def test_help_says_of_each_command_what_it_does(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name in (*COMMANDS, *STAGES):
        assert re.search(rf"^  (python -m stages )?{name} +\S+ \S+ .*\.$", said, re.M), name


def test_help_of_a_stage_is_what_the_stage_says_of_itself(capsys):
    with pytest.raises(SystemExit):
        main(["linear_eval", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "how well a linear classifier reads the frozen representation" in said and "--sweep" in said


@pytest.mark.parametrize(
    ("words", "said"), [(["pretrian"], "did you mean `pretrain`"), ([], "no command was given")]
)
def test_an_unknown_command_is_refused_with_the_way_to_the_list(words, said, capsys):
    assert main(words) == 2
    told = capsys.readouterr().err
    assert said in told and "python -m stages --help" in told
