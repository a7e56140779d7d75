"""Adds metrics of the queue, the model workers and the replies to Django's own.

They are read from Redis at each scrape: workers have no HTTP port, and another process settles replies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.conf import settings
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from chat.core import storage
from chat.turns import redis_client, reply_metrics, served_models
from grokweb.backup import last, schedule
from grokweb.settings.backups import BackupPlan
from inference.wire import outbound_counts
from inference.wire.metrics import BUCKETS, COUNTERS, GAUGES, Replies
from inference.wire.queue import Worker

BY_MODEL = ["model"]
BY_WORKER = ["model", "worker"]
OF_REPLIES = {
    "queued_seconds": "From the question to the moment a worker began",
    "first_token_seconds": "From the question to the first token",
    "token_seconds": "Mean time of one token after the first",
    "tokens": "Tokens of a reply",
}
RECENT = {
    "tokens_per_second": "Tokens generated a second, over the last minute",
    "rows_per_step": "Replies in one step of the model, mean of the last minute",
}


class EngineCollector(Collector):
    def describe(self) -> Iterable[Metric]:
        """Returns nothing at registration: Redis may not run yet."""
        return []

    def collect(self) -> Iterable[Metric]:
        try:
            served = served_models.served_models()
            sent = outbound_counts.read(redis_client.client())
            counted = {model.slug: reply_metrics.replies(model.slug) for model in served}
        except redis_client.UNAVAILABLE:
            return [_up(0)]
        return [_up(1), *_queues(served), *_workers(served), *_replies(counted), _outbound(sent)]


class DiskCollector(Collector):
    """Reports the disks as /readyz sees them, without Redis and the database."""

    def collect(self) -> Iterable[Metric]:
        free = GaugeMetricFamily(
            "grokweb_disk_free_bytes", "Free space where data, files and logs lie", labels=["disk"]
        )
        writable = GaugeMetricFamily(
            "grokweb_disk_writable", "0: the disk is full or read-only", labels=["disk"]
        )
        for name in storage.DISKS.folders:
            seen = storage.DISKS.status(name)
            free.add_metric([name], seen.free)
            writable.add_metric([name], int(seen.writable))
        return [free, writable]


class BackupCollector(Collector):
    """Reports the backups of this data directory, without Redis and the database."""

    def collect(self) -> Iterable[Metric]:
        if made := last.made_at(settings.DATA_DIR):
            yield GaugeMetricFamily(
                "grokweb_backup_timestamp_seconds", "When the last backup was made", value=made.timestamp()
            )
        plan: BackupPlan = settings.BACKUPS
        if plan.is_on:
            failed = schedule.read(settings.DATA_DIR).failure(settings.DATA_DIR)
            yield GaugeMetricFamily(
                "grokweb_backup_failed", "1: the last scheduled backup failed", value=int(bool(failed))
            )


def register() -> None:
    """Adds the metrics to those of the process, and counts its requests to other machines."""
    outbound_counts.count_outbound(redis_client.client)
    REGISTRY.register(EngineCollector())
    REGISTRY.register(DiskCollector())
    REGISTRY.register(BackupCollector())


def _up(value: int) -> Metric:
    return GaugeMetricFamily("grokweb_redis_up", "Whether Redis answered this scrape", value=value)


def _queues(served: list[served_models.ServedModel]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("grokweb_queue_waiting", "Replies that wait for a worker", labels=BY_MODEL)
    estimate = GaugeMetricFamily(
        "grokweb_queue_estimate_seconds", "When a reply asked for now would be done", labels=BY_MODEL
    )
    workers = GaugeMetricFamily("grokweb_workers", "Living model workers", labels=BY_MODEL)
    for model in served:
        waiting.add_metric([model.slug], model.waiting)
        workers.add_metric([model.slug], len(model.workers))
        if model.estimate is not None:
            estimate.add_metric([model.slug], model.estimate)
    yield from (waiting, estimate, workers)


def _workers(served: list[served_models.ServedModel]) -> Iterator[Metric]:
    living = [(model.slug, worker) for model in served for worker in model.workers]
    info = GaugeMetricFamily(
        "grokweb_worker_info", "1; what the worker runs on", labels=[*BY_WORKER, "back_end", "fingerprint"]
    )
    slots = GaugeMetricFamily(
        "grokweb_worker_slots", "Replies it takes at once; 0: stopping", labels=BY_WORKER
    )
    busy = GaugeMetricFamily("grokweb_worker_busy", "Replies it works on now", labels=BY_WORKER)
    for slug, worker in living:
        info.add_metric([slug, worker.name, worker.back_end, worker.fingerprint], 1)
        slots.add_metric([slug, worker.name], worker.slots)
        busy.add_metric([slug, worker.name], worker.busy)
    yield from (info, slots, busy)
    yield from (_figure(CounterMetricFamily, name, COUNTERS[name], living) for name in COUNTERS)
    gauges = {**GAUGES, **RECENT}
    yield from (_figure(GaugeMetricFamily, name, gauges[name], living) for name in gauges)


def _figure(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    about: str,
    living: list[tuple[str, Worker]],
) -> Metric:
    """Adds a sample, unless the engine does not provide the value."""
    family = kind(f"grokweb_engine_{name}", about, labels=BY_WORKER)
    for slug, worker in living:
        if name in worker.metrics:
            family.add_metric([slug, worker.name], worker.metrics[name])
    return family


def _replies(counted: dict[str, Replies]) -> Iterator[Metric]:
    ended = CounterMetricFamily("grokweb_replies", "Settled replies", labels=[*BY_MODEL, "status"])
    read = CounterMetricFamily(
        "grokweb_reply_prompt_tokens", "Prompt tokens of settled replies", labels=BY_MODEL
    )
    written = CounterMetricFamily("grokweb_reply_completion_tokens", "Their tokens", labels=BY_MODEL)
    estimated = CounterMetricFamily(
        "grokweb_reply_estimated_tokens", "Those of both that are estimates", labels=BY_MODEL
    )
    histograms = {
        name: HistogramMetricFamily(f"grokweb_reply_{name}", OF_REPLIES[name], labels=BY_MODEL)
        for name in BUCKETS
    }
    for slug, replies in counted.items():
        for status, count in sorted(replies.ended.items()):
            ended.add_metric([slug, status], count)
        read.add_metric([slug], replies.prompt_tokens)
        written.add_metric([slug], replies.completion_tokens)
        estimated.add_metric([slug], replies.estimated_tokens)
        for name, histogram in replies.histograms.items():
            histograms[name].add_metric([slug], histogram.buckets, histogram.total)
    yield from (ended, read, written, estimated, *histograms.values())


def _outbound(sent: outbound_counts.Counts) -> Metric:
    requests = CounterMetricFamily(
        "grokweb_outbound_requests", "Requests to other machines that ended", labels=["purpose", "outcome"]
    )
    for labels, number in sent.items():
        requests.add_metric(labels, number)
    return requests
