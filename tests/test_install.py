"""`pip install .` gives `import simclr` and no more; the lock holds what pyproject.toml asks for."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED_EXTRAS = ("suite", "test", "cluster")

TWENTY_STEPS = """
import sys
from functools import partial
import torch
import simclr
from simclr import Lars, Pretraining, ViewPolicy, nt_xent, projection_head, resnet
images = torch.randint(0, 256, (20, 3, 12, 12), generator=torch.Generator().manual_seed(0)).byte()
training = Pretraining(
    images, seed=0, views=ViewPolicy(size=8), encoder=resnet(depth=8, stem="cifar", base_channels=4),
    head=projection_head(16, out_dim=8), loss=partial(nt_xent, temperature=0.5),
    optimizer=partial(Lars, weight_decay=1e-6), batch_size=10, epochs=10, base_lr=1.0,
)
losses = [float(training.step()["loss"]) for _ in range(20)]
print(simclr.__file__, all(0 < loss < 10 for loss in losses))
print(sorted({"stages", "reports", "common", "dvc", "snakemake", "pandas"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the checkout with all that stands beside the library."""
    pytest.importorskip("setuptools")
    source, out = tmp_path_factory.mktemp("checkout") / "simclr-exhibits", tmp_path_factory.mktemp("wheel")
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("simclr", "stages", "reports", "common", "params", "tests"):
        (source / name).mkdir(exist_ok=True)
        (source / name / "__init__.py").touch()
    shutil.copytree(ROOT / "simclr", source / "simclr", dirs_exist_ok=True)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, out], cwd=source, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_it_holds_the_library_alone_with_its_types(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    places = {name.split("/")[0] for name in names}
    assert {place for place in places if not place.endswith(".dist-info")} == {"simclr"}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "simclr").rglob("*.py")}
    assert modules <= set(names) and {"simclr/py.typed", "simclr/__init__.pyi"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_what_is_installed_makes_twenty_steps_outside_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})" + TWENTY_STEPS
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    where, loaded = done.stdout.splitlines()
    assert where == f"{tmp_path / 'site' / 'simclr' / '__init__.py'} True"
    assert loaded == "[]"


def test_the_library_needs_neither_an_engine_nor_one_version_of_torch():
    needed = {r.name: r.specifier for r in map(Requirement, PROJECT["dependencies"])}
    assert set(needed) == {"torch", "torchvision", "numpy", "gin-config", "safetensors"}
    assert {spec.operator for spec in needed["torch"]} == {">=", "<"}
    assert needed["torch"].contains("2.4.0") and not needed["torch"].contains("3.0")


def test_the_lock_holds_what_the_suite_asks_for():
    asked = [
        *PROJECT["dependencies"],
        *(r for e in LOCKED_EXTRAS for r in PROJECT["optional-dependencies"][e]),
    ]
    lock, package, locked = (ROOT / "requirements" / "lock.txt").read_text(), "", {}
    for line in lock.splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)(?:\[.*\])?==([^ ;]+)", line):
            package = canonicalize_name(pinned[1])
            version = pinned[2]
        elif "simclr-exhibits (pyproject.toml)" in line:
            locked[package] = version
    requirements = {canonicalize_name(r.name): r.specifier for r in map(Requirement, asked)}
    assert set(locked) == set(requirements)
    assert [name for name, version in locked.items() if not requirements[name].contains(version)] == []
