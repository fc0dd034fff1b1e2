"""Records of runs are kept with the evidence, and those of other machines stay."""

from common import files
from stages import keep_records, pretrain  # noqa: F401 (gin then knows its names)
from stages.planning import plans
from stages.running.job import Job
from tests.stages import tiny

PATH = "reports/evidence/smoke/records.csv"


def test_records_of_finished_runs_are_kept_and_those_of_other_machines_stay(project, capsys):
    tiny.declare_only(project, {"table_05": tiny.TWO_PRETRAININGS})
    first, second = plans.resolve("table_05", "smoke").runs("pretrain")
    header = ",".join(keep_records.COLUMNS)
    files.write_text(PATH, f"{header}\nelsewhere,pretrain,2026-01-01,7.5,10,1,cpu,another,abc\n")
    Job(first, tiny.RESULTS).finish({"loss": 1.0})
    assert keep_records.main(["--scale", "smoke"]) == 0
    _, rows = files.read_csv(PATH)
    found = {row[0]: row[1] for row in rows}
    assert found == {"elsewhere": "pretrain", first.fingerprint: "pretrain"}
    assert second.fingerprint not in found and "2 runs" in capsys.readouterr().out
