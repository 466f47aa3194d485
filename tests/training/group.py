"""Several workers of one training, as processes of this machine, connected by gloo."""

import json
import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

SECONDS = 240


@cache
def forkserver():
    """Processes are forked from a server that has imported torch once and computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["assay.generation.task", "assay.runner", "tests.training.toy"])
    return context


def together(count: int, target: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return what `target(workers, *arguments)` returns, plain values, on each of the workers.

    What a worker raises is returned as `[name of the class, message]`. The server keeps the
    environment of whatever test first asked for it, so the present one is sent along.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pipes, processes = [], []
    for rank in range(count):
        mine, theirs = forkserver().Pipe(duplex=False)
        arguments_of = (theirs, dict(os.environ), rank, count, port, target, arguments)
        process = forkserver().Process(target=_work, args=arguments_of)
        process.start()
        theirs.close()
        pipes.append(mine)
        processes.append(process)
    try:
        return [_receive(pipe) for pipe in pipes]
    finally:
        for process in processes:
            process.join(30)
            process.kill()


def _receive(pipe) -> Any:
    if not pipe.poll(SECONDS):
        raise TimeoutError("a worker does not answer")
    return json.loads(pipe.recv_bytes())


def _work(
    pipe,
    environment: dict[str, str],
    rank: int,
    count: int,
    port: int,
    target,
    arguments: Sequence[Any],
) -> None:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    os.environ.clear()
    os.environ.update(
        environment,
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        RANK=str(rank),
        WORLD_SIZE=str(count),
    )
    if count > 1:
        dist.init_process_group("gloo")
    try:
        value = target(*arguments)
    except Exception as error:  # noqa: BLE001  it is handed on
        traceback.print_exc()
        value = [type(error).__name__, str(error)]
    pipe.send_bytes(json.dumps(value).encode())
    if count > 1:
        dist.barrier()
        dist.destroy_process_group()


def losses(storage: Path) -> list[float]:
    """Return the training losses of the only cell of a run store."""
    (path,) = storage.glob("cells/*/metrics.jsonl")
    return [json.loads(line)["train/loss"] for line in path.read_text().splitlines()]
