"""The names of the package: all there, imported one by one, and the same for a type checker."""

import subprocess
import sys

import pytest

import simclr


def test_every_name_of_the_stub_is_there():
    assert len(simclr.__all__) > 30 and set(simclr.__all__) <= set(dir(simclr))
    for name in simclr.__all__:
        assert getattr(simclr, name).__name__ == name
    namespace: dict[str, object] = {}
    exec("from simclr import *", namespace)
    assert set(simclr.__all__) <= set(namespace)


def test_another_name_is_the_usual_error():
    with pytest.raises(AttributeError, match="module 'simclr' has no attribute 'Pretrainign'"):
        _ = simclr.Pretrainign


def test_a_name_loads_what_it_needs_and_no_more():
    code = (
        "import sys, simclr; first = 'torch' in sys.modules; simclr.Lars; "
        "print(first, 'simclr.training' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
