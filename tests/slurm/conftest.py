"""A Slurm cluster of two nodes, both this machine, for the time of the tests. Opt-in: `make test-slurm`, as root."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = Path("/etc/slurm/slurm.conf")  # the only place where the steps of a job look without being told
MARK = "# Made by tests/slurm: a cluster for a test.\n"
TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue")
SECOND = (
    "localhost"  # a name that leads here, as the first one does: the ranks of a run meet at the first node's
)
SETTINGS = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=3600
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 Port=16818 CPUs={cores} RealMemory=6000 State=UNKNOWN
NodeName={second} NodeHostname={host} NodeAddr=127.0.0.1 Port=16819 CPUs={cores} RealMemory=6000 State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=test Nodes=ALL Default=YES MaxTime=1:00:00 State=UP OverSubscribe=NO PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=1:00:00 State=UP OverSubscribe=NO PriorityTier=2 PreemptMode=OFF
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slurm", action="store_true", help="start Slurm on this machine and run tests/slurm")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --slurm none of these runs: they start daemons and write under /etc."""
    if config.getoption("--slurm", default=False):
        return
    skip = pytest.mark.skip(reason="starts Slurm's daemons as root: make test-slurm")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running cluster; its daemons end with the tests."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    assert not missing, f"not installed: {', '.join(missing)} (Debian: apt-get install slurm-wlm munge)"
    assert os.geteuid() == 0, "Slurm's daemons need root to start jobs"
    foreign = CONFIG.exists() and not CONFIG.read_text().startswith(MARK)
    assert not foreign, f"{CONFIG} is somebody else's cluster: it stays as it is, and nothing was started"
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "state").mkdir()
    host, cores = socket.gethostname(), len(os.sched_getaffinity(0))
    CONFIG.write_text(MARK + SETTINGS.format(host=host, second=SECOND, folder=folder, cores=cores))
    started_munge = _start_munge()
    try:
        for daemon in (["slurmctld"], ["slurmd", "-N", host], ["slurmd", "-N", SECOND]):
            subprocess.run(daemon, check=True, timeout=30)
        idle = ["sinfo", "--noheader", "--partition=test", "--states=idle", "-o", "%D"]
        _until(lambda: _said(*idle).strip() == "2", 60, "the nodes are not idle")
        yield folder
    finally:
        subprocess.run(["scancel", "--partition=test", "--signal=KILL"], timeout=30)
        for daemon in (f"slurmd-{host}", f"slurmd-{SECOND}", "slurmctld"):
            _end(folder / f"{daemon}.pid")
        if started_munge:
            _end(Path("/run/munge/munged.pid"))
        CONFIG.unlink()


def _start_munge() -> bool:
    """Start munged unless it runs; returns whether it was started here."""
    if Path("/run/munge/munge.socket.2").exists() and _said("munge", "-n").startswith("MUNGE:"):
        return False
    Path("/run/munge").mkdir(exist_ok=True)
    shutil.chown("/run/munge", "munge", "munge")
    subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "munged --force"], check=True, timeout=30)
    return True


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, timeout=30).stdout


def _until(holds, seconds: float, why: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, why
        time.sleep(0.5)


def _end(pid_file: Path) -> None:
    """SIGTERM to the daemon that wrote the file, and wait until it is gone."""
    if pid_file.exists():
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        _until(lambda: not Path(f"/proc/{pid}").exists(), 30, f"{pid_file}: still there")
