"""A resolved run: its folder, its data, and what its fingerprint is made of."""

from dataclasses import replace
from pathlib import Path

from stages.planning import runs
from stages.planning.code_hashes import code_hash
from tests.stages import tiny


def test_a_run_knows_its_folder_its_data_and_its_code(project):
    tiny.prepare_tiny(project)
    run = tiny.a_run("pretrain")
    assert run.folder(Path("r")) == Path("r", run.scale, "pretrain", run.exhibit, run.id)
    assert run.dataset == "tiny" and replace(run, bindings={}).dataset is None
    assert run.code == code_hash("pretrain", runs.named_modules("pretrain", run.bindings))
    assert run.upstream is None


def test_what_a_run_reads_is_part_of_its_fingerprint(project):
    tiny.prepare_tiny(project)
    run = tiny.a_run("pretrain")
    one, two = (replace(run, seed=seed) for seed in (1, 2))
    reading = [replace(run, upstream=above).fingerprint for above in (None, one, two)]
    assert len({*reading, one.fingerprint}) == 4
    named = replace(run, exhibit="other", id="other", scale="other", labels={"a": "b"})
    assert named.fingerprint == run.fingerprint  # where it stands is no cause
