"""The memory of a training in a child as the driver starts it: `python -m tests.stages.planning.training_child ...`.

Prints the most that the child held beyond its libraries after each step, in bytes.
"""

from __future__ import annotations

import argparse
from multiprocessing.connection import Connection

from stages.running import driver


def train(
    messages: Connection, depth: int, stem: str, size: int, batch: int, channels: int, steps: int
) -> None:
    """Some updates of a pretraining; what they took at most, after each."""
    import torch

    from tests.bench.on_gpu.setting import Setting, a_pretraining
    from tests.peak import peak_bytes

    torch.set_num_threads(1)
    setting = Setting("cpu", True)
    tiny = {"size": size, "stem": stem, "precision": "float32"}
    # Kernels and libraries are loaded at their first use.
    a_pretraining(setting.images(4, size), "cpu", depth, batch_size=4, base_channels=4, **tiny).step()
    before, peaks = peak_bytes(), []
    images = setting.images(batch, size)
    training = a_pretraining(images, "cpu", depth, batch_size=batch, base_channels=channels, **tiny)
    for _ in range(steps):
        training.step()
        peaks.append(peak_bytes() - before)
    messages.send(peaks)


def main() -> None:
    """Train in a child and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("depth", "size", "batch", "channels", "steps"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--stem", required=True)
    options = vars(parser.parse_args())
    context = driver.fork_server(["pretrain"])
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=train, args=(theirs,), kwargs=options)
    child.start()
    theirs.close()
    print(*ours.recv())
    child.join()


if __name__ == "__main__":
    main()
