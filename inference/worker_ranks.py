"""A model worker over several processes of one host, each with its share of the model (on its GPU, if any).

    torchrun --standalone --nproc-per-node 8 -m inference.worker_ranks [--whole-experts] \\
        -Q model.<slug> --concurrency <slots>

Rank 0 is the Celery worker (worker.py; what follows the options is for Celery) and the only one that talks
to Redis; the others follow its steps. `--whole-experts` gives each rank whole experts, not a slice of each.
GROKWEB_MODEL, GROKWEB_SLOTS and GROKWEB_THREADS as for any model worker.

When a rank dies all end: torchrun stops the others and exits with 1. Of a rank itself, 78 says that the model
cannot be used and 70 that a step failed. A stop (SIGTERM) is rank 0's to handle, as worker.py does; the
others wait for it to say when.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from inference import settings, worker
from inference.admission import admit, serving_dtype, vouch
from inference.engines.base import EXIT_ENGINE_FAILED
from inference.engines.ranks import RanksEngine
from inference.grok1.parallel import ParallelStep, Share, load_share
from inference.modelfiles import GROK1, ModelUnusable, describe

log = logging.getLogger("grokweb.ranks")

# While rank 0 holds 300 GB against their manifest. (A step that hangs is worker.py's to end, far sooner.)
PATIENCE = timedelta(hours=2)


def join() -> torch.device:
    """Meet the other ranks; the device of this one."""
    if not torch.cuda.is_available():
        dist.init_process_group("gloo", timeout=PATIENCE)
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    dist.init_process_group("nccl", device_id=device, timeout=PATIENCE)
    return device


def load(path: Path, share: Share, device: torch.device) -> ParallelStep:
    """This rank's part of the step. Rank 0 admits the folder before anyone opens its weights."""
    files = describe(path)
    if files.model_type != GROK1:
        raise ModelUnusable(f"{path} is no Grok-1: only that is served over several ranks")
    if share.rank == 0:
        if device.type == "cpu":  # the memory of all ranks is this machine's
            admit(path, settings.SLOTS)
        else:
            vouch(files)
    dist.barrier()
    dtype = torch.bfloat16 if device.type == "cuda" else getattr(torch, serving_dtype(files))
    return ParallelStep(load_share(path, share, dtype, device), settings.SLOTS, files.context)


def serve(path: Path, share: Share, step: ParallelStep, celery: list[str]) -> None:
    """Rank 0: a model worker like any other, until it is stopped."""
    worker.make_engine = lambda: RanksEngine(path, share, step, threads=settings.THREADS)
    worker.app.worker_main(["worker", "--pool", "threads", *celery])


def main(arguments: list[str]) -> int:
    worker.log_to_stderr()
    options = argparse.ArgumentParser(prog="inference.worker_ranks", allow_abbrev=False)
    options.add_argument("--whole-experts", action="store_true", help="each rank has whole experts")
    chosen, celery = options.parse_known_args(arguments)
    torch.set_num_threads(settings.THREADS)
    device, path = join(), Path(settings.MODEL)
    share = Share(dist.get_rank(), dist.get_world_size(), chosen.whole_experts)
    try:
        step = load(path, share, device)
    except ValueError as error:  # ModelUnusable is one: a person can act on its line
        print(f"model: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return worker.EX_CONFIG
    if share.rank == 0:
        serve(path, share, step, celery)
        return 0
    for number in (signal.SIGTERM, signal.SIGINT):  # rank 0 may have replies to hand over first
        signal.signal(number, signal.SIG_IGN)
    try:
        step.follow()
    except Exception:
        log.exception("rank %d can follow no longer: it ends", share.rank)
        return EXIT_ENGINE_FAILED
    return 0


if __name__ == "__main__":
    # Not sys.exit: after a failure neither threads nor a torn-down process group may hold the process up.
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
