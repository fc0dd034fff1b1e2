"""Shared fixtures: golden vectors that the official code produced, and a clean gin between tests."""

import ipaddress
import json
import multiprocessing
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gin
import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], tuple[dict[str, np.ndarray], list[dict]]]:
    """golden(name) -> (arrays of name.npz, cases of name_cases.json or [])."""

    def load(name: str) -> tuple[dict[str, np.ndarray], list[dict]]:
        with np.load(GOLDEN / f"{name}.npz") as file:
            arrays = dict(file)
        cases = GOLDEN / f"{name}_cases.json"
        return arrays, json.loads(cases.read_text()) if cases.exists() else []

    return load


@pytest.fixture(autouse=True, scope="session")
def closed_sockets() -> Iterator[None]:
    """No test reaches a network: connections go to this machine. Programs that tests start are not watched."""
    opened = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def closed(name: str) -> Callable[[socket.socket, Any], Any]:
        def connect(own: socket.socket, address: Any) -> Any:
            if own.family != socket.AF_UNIX and not is_loopback(address[0]):
                raise PermissionError(f"tests have no network: a connection to {address[0]}")
            return opened[name](own, address)

        return connect

    with pytest.MonkeyPatch.context() as patch:
        for name in opened:
            patch.setattr(socket.socket, name, closed(name))
        yield


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_gin_bindings() -> Iterator[None]:
    """Bindings of one test do not reach the next."""
    yield
    gin.clear_config()


@pytest.fixture
def in_processes(tmp_path: Path) -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """in_processes(world_size, work) -> [work(rank) for each rank], each in a process of one gloo group.

    Processes are forked, so `work` may be a closure and torch is not imported again. A forked child must not
    enter an OpenMP region with more than one thread: the parent's thread pool does not exist in it.
    """

    def run(world_size: int, work: Callable[[int], Any]) -> list[Any]:
        def child(rank: int) -> None:
            torch.set_num_threads(1)
            store = f"file://{tmp_path}/store-{world_size}"
            torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=world_size)
            torch.save(work(rank), tmp_path / f"{world_size}-{rank}.pt")
            # Who leaves first would break the connections of who is still entering.
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()

        children = [
            multiprocessing.get_context("fork").Process(target=child, args=(r,)) for r in range(world_size)
        ]
        for process in children:
            process.start()
        for process in children:
            process.join(timeout=120)
            process.kill()
        codes = [process.exitcode for process in children]
        assert codes == [0] * world_size, f"exit codes {codes}; the children's tracebacks are above"
        return [torch.load(tmp_path / f"{world_size}-{r}.pt") for r in range(world_size)]

    return run
