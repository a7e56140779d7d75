"""A model worker over several processes of one host, each with its share of the model (on its GPU, if any).

    torchrun --standalone --nproc-per-node 8 -m inference.worker.ranks [--whole-experts] \\
        -Q model.<slug> --concurrency <slots>

Rank 0 is the Celery worker (worker.py; what follows the options is for Celery) and the only one that talks
to Redis; the others follow its steps. `--whole-experts` gives each rank whole experts, not a slice of each.
GROKWEB_MODEL, GROKWEB_SLOTS and GROKWEB_THREADS as for any model worker. GROKWEB_CONTEXT bounds the context;
without it it is the model's longest, whatever the memory, because all ranks must agree.

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

from inference import settings
from inference.base import exit_status
from inference.engines.ranks import RanksEngine
from inference.grok1.parallel import ParallelStep, Share, load_share
from inference.model_dir.admission import admit, bound_context, serving_dtype, vouch
from inference.model_dir.describe import GROK1, ModelFiles, ModelUnusable, describe
from inference.worker import celery_app
from inference.worker.fetching import await_configured_model, fetch_configured_model, folder_of_settings

log = logging.getLogger("grokweb.ranks")

# While rank 0 holds 300 GB against their manifest. (A step that hangs is worker.py's to end, far sooner.)
PATIENCE = timedelta(hours=2)


def join() -> torch.device:
    """Joins the process group of all ranks; returns the device of this one."""
    if not torch.cuda.is_available():
        dist.init_process_group("gloo", timeout=PATIENCE)
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    dist.init_process_group("nccl", device_id=device, timeout=PATIENCE)
    return device


def check_divisible(files: ModelFiles) -> None:
    """Raises ModelUnusable for a model that is not computed over several ranks."""
    if files.model_type != GROK1:
        raise ModelUnusable(f"{files.path} is no Grok-1: only that is served over several ranks")


def bring(share: Share, device: torch.device) -> Path:
    """Returns the folder of GROKWEB_MODEL. Rank 0 fetches a model by name, the others wait for it."""
    if share.rank == 0:
        fetch_configured_model(check=check_divisible, is_divided=device.type == "cuda")
    else:
        await_configured_model()
    return folder_of_settings()


def load(path: Path, share: Share, device: torch.device) -> ParallelStep:
    """Loads this rank's part of the step. Rank 0 admits the folder before any rank opens its weights."""
    files = describe(path)
    check_divisible(files)
    if share.rank == 0:
        if device.type == "cpu":  # the memory of all ranks is this machine's
            admit(path, settings.SLOTS, context=settings.CONTEXT)
        else:
            vouch(files)
    dist.barrier()
    dtype = torch.bfloat16 if device.type == "cuda" else getattr(torch, serving_dtype(files))
    context = bound_context(files, settings.CONTEXT).context
    return ParallelStep(load_share(path, share, dtype, device), settings.SLOTS, context)


def serve(path: Path, share: Share, step: ParallelStep, celery: list[str]) -> None:
    """Runs rank 0 as a model worker like any other, until it is stopped."""
    celery_app.make_engine = lambda: RanksEngine(path, share, step, threads=settings.THREADS)
    celery_app.app.worker_main(["worker", "--pool", "threads", *celery])


def main(arguments: list[str]) -> int:
    celery_app.log_to_stderr()
    options = argparse.ArgumentParser(prog="inference.worker.ranks", allow_abbrev=False)
    options.add_argument("--whole-experts", action="store_true", help="each rank has whole experts")
    chosen, celery = options.parse_known_args(arguments)
    torch.set_num_threads(settings.THREADS)
    device = join()
    share = Share(dist.get_rank(), dist.get_world_size(), chosen.whole_experts)
    try:
        path = bring(share, device)
        step = load(path, share, device)
    except ValueError as error:  # ModelUnusable is one: a person can act on its line
        celery_app.tell_refusal(error)
        return exit_status.MODEL_UNUSABLE
    if share.rank == 0:
        serve(path, share, step, celery)
        return 0
    for number in (signal.SIGTERM, signal.SIGINT):  # rank 0 may have replies to hand over first
        signal.signal(number, signal.SIG_IGN)
    try:
        step.follow()
    except Exception:
        log.exception("rank %d can follow no longer: it ends", share.rank)
        return exit_status.ENGINE_FAILED
    return 0


if __name__ == "__main__":
    # Not sys.exit: after a failure neither threads nor a torn-down process group may hold the process up.
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
