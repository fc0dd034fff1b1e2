"""The house rules: who may import whom, one hop from an exhibit to its files, no pickle, nothing unfinished."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from common.files import read_csv, read_yaml
from stages.planning import code_hashes
from stages.planning.searches import stages_with_runs

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("simclr", "stages", "reports", "common")
# Rooms of stages/: what its commands may import.
ROOMS = ("planning", "data", "obtaining", "running", "steps", "collecting")
SOURCES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "out" not in path.parts
)


def imports(path: Path, typed: bool = True) -> set[str]:
    """The modules that a file imports, anywhere in it; those for its types alone only if `typed`."""
    found, tree = set(), ast.parse(path.read_text())
    if not typed:
        tree.body = [node for node in tree.body if not _is_for_types(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def top(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_who_may_import_whom(path):
    package = path.relative_to(ROOT).parts[0]
    names = imports(path)
    if package == "simclr":
        others = {"stages", "reports", "common", "pandas", "seaborn"}
        # One module opens a finished run for who has nothing but its folder; no stage imports it.
        others |= set() if path.name == "finished_run.py" else {"safetensors", "json"}
        assert not {top(name) for name in names} & others
    if package == "stages":
        others = {
            name
            for name in names
            if top(name) == "stages" and name != "stages" and name.split(".")[1] not in ROOMS
        }
        assert not others and "reports" not in {top(name) for name in names}
    if package == "common":
        names = imports(path, typed=False)
        assert not {top(name) for name in names} & {"torch", "pandas", "stages", "reports", "simclr", "gin"}
    if package == "reports":
        assert not {top(name) for name in names} & {"torch", "torchvision", "stages", "simclr"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_pickled_and_no_shell_is_built(path):
    text = path.read_text()
    assert "torch.load(" not in text and "torch.save(" not in text and "shell=True" not in text
    assert "allow_pickle=True" not in text
    if "pickle" in imports(path):
        assert path.name == "formats.py", "only the restricted reader of the official CIFAR files may"


def test_no_stage_depends_on_what_the_library_offers_beside_the_method():
    """So that an edit of it retrains nothing."""
    modules = {module for stage in stages_with_runs() for module in code_hashes.modules_of(stage)}
    assert not {"simclr.finished_run", "simclr.torchvision_state", "simclr.objectives"} & modules


def test_every_exhibit_stands_under_one_name_in_every_tree():
    names = {path.stem for path in (ROOT / "params" / "exhibits").glob("*.yaml")}
    drawn = {path.stem for path in (ROOT / "reports" / "exhibits").glob("*.py")} - {"__init__"}
    assert names == drawn
    papers = {row[0] for row in read_csv(ROOT / "params" / "paper" / "contents.csv", "")[1]}
    assert papers <= names & {path.stem for path in (ROOT / "params" / "paper").glob("*.csv")}


def test_dvc_plans_again_when_any_source_changes():
    """What else it runs depends on the hashes that the plan then writes."""
    deps = {Path(name) for name in read_yaml(ROOT / "dvc.yaml")["stages"]["plan"]["deps"]}
    exhibits = [f"reports.exhibits.{path.stem}" for path in (ROOT / "reports" / "exhibits").glob("*.py")]
    modules = code_hashes.reached("reports.draw", "reports.index", *exhibits)
    modules += tuple(module for stage in stages_with_runs() for module in code_hashes.modules_of(stage))
    paths = {code_hashes.module_path(module).relative_to(ROOT) for module in modules}
    assert len(paths) > 60 and not [path for path in paths if not {path, *path.parents} & deps]


def test_no_code_knows_an_exhibit_by_name():
    """Adding an exhibit edits no code: outside the drawing functions no string is an exhibit's id."""
    pattern = re.compile(r"(figure|table)_(\d\d|b\d|c1)")
    for path in SOURCES:
        strings = [
            node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
        ]
        known = [text for text in strings if isinstance(text, str) and pattern.fullmatch(text)]
        assert path.parent.name == "exhibits" or not known, (path, known)


def test_the_lock_has_hashes_and_no_addresses():
    for name in ("lock.txt", "installer.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert "://" not in text and "--index" not in text and "--find-links" not in text
        pinned = re.findall(r"^[a-z0-9].*==", text, flags=re.M | re.I)
        assert pinned and text.count("--hash=sha256:") >= len(pinned)


def test_the_working_tree_holds_no_large_file():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split(
        "\0"
    )
    sizes = {name: (ROOT / name).stat().st_size for name in listed if name and (ROOT / name).is_file()}
    embedded = sum(size for name, size in sizes.items() if name.startswith("data/"))
    assert embedded <= 12_000_000
    assert all(size <= 2_000_000 for name, size in sizes.items() if not name.startswith("data/"))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "params" / "exhibits").glob("*.yaml")), ids=lambda path: path.stem
)
def test_a_declaration_has_the_form_in_which_dvc_writes_it(path, tmp_path):
    """`dvc exp run -S` then changes one line: it writes lists anew, in blocks and without anchors."""
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    apply_overrides(copy, [f"kind={path.stem.split('_')[0]}"])
    assert copy.read_text() == path.read_text()


def test_no_command_of_a_loop_over_exhibits_reads_the_name_of_the_loop():
    """Snakemake puts a command together when it runs: the name is then that of the last exhibit. Its params are not."""
    text = (ROOT / "workflows" / "reports.smk").read_text()
    commands = re.findall(r"^ +shell:\n((?: {8,}.*\n)+)", text[text.index("for exhibit in EXHIBITS") :], re.M)
    assert len(commands) == 2 and not [each for each in commands if "{exhibit}" in each]


def test_no_two_modules_import_each_other():
    """Directly or through others: what is needed for its types alone does not count."""
    graph = {_module(path): _known_imports(path) for path in SOURCES}
    below = {module: _reached(module, graph) for module in graph}
    assert not [module for module, others in below.items() if module in others]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _known_imports(path: Path) -> set[str]:
    """Modules of this project that a file imports; `from a import b` is a.b where that is a module, else a."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if not _is_for_types(node)]
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            pairs = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {pair if code_hashes.module_path(pair).is_file() else node.module for pair in pairs}
    return {name for name in names if top(name) in PACKAGES} - {_module(path)}


def _reached(module: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[module])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(graph.get(name, ()))
    return seen


def test_two_rooms_do_not_answer_to_one_word():
    """A stage may have the name of its method or drawing. The other names that are shared are those of today."""
    of_a_stage = set(stages_with_runs())
    names = Counter(path.stem for path in SOURCES if not path.stem.startswith("__"))
    shared = {name for name, count in names.items() if count > 1} - of_a_stage
    assert shared <= {"declarations", "labels", "summary", "verdicts"}


def test_ink_imports_no_statistics():
    """What draws is told the verdicts: it reaches no test, by whatever way."""
    rooms = ("drawing", "exhibits", "page")
    ink = [_module(path) for room in rooms for path in (ROOT / "reports" / room).rglob("*.py")]
    reached = code_hashes.reached(*ink)
    assert not [module for module in reached if module.startswith("reports.judging")]
    assert not [module for module in reached if "scipy" in map(top, imports(code_hashes.module_path(module)))]


def test_no_stage_is_named_by_hand():
    """The rooms of stages/ and the ground below them learn of a stage from its file and its recipe."""
    names = set(stages_with_runs())
    for path in SOURCES:
        parts = path.relative_to(ROOT).parts
        if parts[0] == "common" or (parts[0] == "stages" and parts[1] in ROOMS):
            constants = [
                node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
            ]
            assert not [node.value for node in constants if node.value in names], path
