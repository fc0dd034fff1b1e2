"""The tests of a module in a forked process, in which the module may be another."""

import contextlib
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType
from typing import Any

import pytest
from coverage import Coverage

from tests.mutants.mutate import Mutant, path_of

OURS = ("simclr", "stages", "reports", "common", "tests")
QUICK = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow")
# What an endless loop may take beyond the tests themselves, in seconds of the processor and by the clock.
PATIENCE, STUCK = 20, 600


class Trial:
    """Tests of some modules, those that take at most `longest` seconds of a processor.

    The unbroken modules have to pass them, else they could not tell anything of a mutant. That first run also tells
    which tests reach which line: those go first, the shortest before the others.
    """

    def __init__(self, modules: Sequence[str], tests: Sequence[str], longest: float) -> None:
        self.seconds = STUCK
        with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
            status, said = self._run(lambda: _watched(list(modules), list(tests), file.name))
            if status:
                raise SystemExit(f"error: {' '.join(tests)} fail before anything is broken\n{said}")
            seen = json.load(file)
        took = {test: seconds for test, seconds in seen["took"].items() if seconds <= longest}
        self.tests = sorted(took, key=took.get)
        self.reach = seen["reach"]
        self.seconds = int(3 * sum(took.values())) + PATIENCE
        # Loaded once here, and never again in the processes forked from here.
        for name in seen["loaded"]:
            with contextlib.suppress(Exception):
                importlib.import_module(name)

    def kills(self, module: str, mutant: Mutant) -> bool:
        """Whether a test fails, or does not end, with this mutant of the module."""
        reaching = self.reach[module].get(str(mutant.line), ())
        first = [test for test in self.tests if test in reaching]
        others = [test for test in self.tests if test not in reaching]
        return any(self._fails(module, mutant.source, tests) for tests in (first, others) if tests)

    def _fails(self, module: str, source: str, tests: list[str]) -> bool:
        status, said = self._run(lambda: _tested(module, source, tests))
        # 1: a test failed; 2 to 4: the module cannot be imported by them
        if status not in (0, 1, 2, 3, 4) and not -64 < status < 0:
            raise SystemExit(f"error: pytest ended with {status}\n{said}")
        return status != 0

    def _run(self, work: Callable[[], int]) -> tuple[int, str]:
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            sys.stdout.flush()
            child = os.fork()
            if not child:
                os.setsid()
                for stream in (1, 2):
                    os.dup2(said.fileno(), stream)
                resource.setrlimit(resource.RLIMIT_CPU, (self.seconds, self.seconds))
                os._exit(work())
            status = _ended(child)
            said.seek(0)
            return status, said.read()[-4000:]


def _tested(module: str, source: str, tests: list[str]) -> int:
    sys.meta_path.insert(0, _Instead(module, source))
    return int(pytest.main([*QUICK, *tests]))


def _watched(modules: list[str], tests: list[str], to: str) -> int:
    """Run the tests on unbroken modules; leave what each took, the lines that it reached, and what was loaded."""
    watch = _Watch(Coverage(data_file=None, include=[str(path_of(each)) for each in modules], messages=False))
    status = int(pytest.main([*QUICK, *tests], plugins=[watch]))
    loaded = [name for name in sys.modules if name.partition(".")[0] not in OURS]
    with open(to, "w") as file:
        json.dump({"took": watch.took, "reach": watch.reach(modules), "loaded": loaded}, file)
    return status


class _Watch:
    """A plugin of pytest: seconds of the processor, and lines reached, by test."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage, self.took = coverage, {}
        coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        answer = yield
        self.took[item.nodeid] = time.process_time() - start
        return answer

    def reach(self, modules: list[str]) -> dict[str, dict[int, list[str]]]:
        self.coverage.stop()
        data = self.coverage.get_data()
        return {each: data.contexts_by_lineno(str(path_of(each).absolute())) for each in modules}


def _ended(child: int) -> int:
    """The exit status, negative for a signal."""
    end = time.monotonic() + STUCK
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class _Instead(SourceFileLoader):
    """Finds and loads one module, from a source that is in no file."""

    def __init__(self, module: str, source: str) -> None:
        if module in sys.modules:
            raise ImportError(f"{module} is here before it is broken")
        super().__init__(module, str(path_of(module).absolute()))
        self.mutated = source

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return (
            importlib.util.spec_from_file_location(name, self.path, loader=self)
            if name == self.name
            else None
        )

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.mutated, self.path, "exec", dont_inherit=True)
