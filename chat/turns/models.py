"""The rows of replies: one for each step of a reply. They are kept apart from their message, so that their
states never rewrite the transcript."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from chat.conversations.models import Conversation, Message
from chat.turns.frozen_prompt import FrozenPrompt, FrozenPromptField
from chat.turns.parameters import Parameters, ParametersField


class Status(models.TextChoices):
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    CALLING = "calling", _("waiting for tools")  # for the calls of the step before it
    COMPLETE = "complete", _("complete")
    STOPPED = "stopped", _("stopped")
    FAILED = "failed", _("failed")
    REFUSED = "refused", _("refused")


WITH_WORKERS = (Status.QUEUED, Status.RUNNING)
LIVE = (*WITH_WORKERS, Status.CALLING)
MOST_STEPS = 8  # of one reply; the last one is offered no tools


class GenerationQuerySet(models.QuerySet["Generation"]):
    def live(self) -> GenerationQuerySet:
        return self.filter(status__in=LIVE)

    def steps_of(self, message: Message | uuid.UUID) -> GenerationQuerySet:
        """Returns the steps of a reply in order."""
        return self.filter(message=message).order_by("step")


class GenerationManager(models.Manager["Generation"]):
    """Reads rows without their token ids, which only those who need them load."""

    def get_queryset(self) -> GenerationQuerySet:
        return GenerationQuerySet(self.model, using=self._db).defer("token_ids")

    def live(self) -> GenerationQuerySet:
        return self.get_queryset().live()

    def steps_of(self, message: Message | uuid.UUID) -> GenerationQuerySet:
        return self.get_queryset().steps_of(message)


class Generation(models.Model):
    """One step of a reply, and the truth about it (rule 1): attempt, strikes, stop and status live here, not
    in Redis. Most replies have one step; each has its own attempts, its own log and its own settlement."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, models.CASCADE, related_name="steps")
    step = models.PositiveSmallIntegerField(_("step"), default=0)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="generations", verbose_name=_("user")
    )
    model = models.CharField(_("model"), max_length=64)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    # Chosen by the page: makes a send idempotent. On the first step alone.
    client_id = models.CharField(max_length=64, editable=False, blank=True)
    attempt = models.PositiveIntegerField(
        _("attempt"), default=1
    )  # the fence: raised when a worker is given up
    # Raised with `attempt` where the text starts again with other words; never falls within a reply.
    run = models.PositiveIntegerField(_("run"), default=0)
    strikes = models.PositiveSmallIntegerField(_("strikes"), default=0)  # unexplained deaths of its worker
    struck_by = models.CharField(
        max_length=64, blank=True
    )  # the worker that died last; it may come back and clear it
    stop_requested_at = models.DateTimeField(_("stop asked"), null=True, blank=True)
    seed = models.BigIntegerField(_("seed"))
    parameters = ParametersField(_("parameters"), default=Parameters)
    prompt = FrozenPromptField(default=FrozenPrompt, editable=False)
    reserved = models.PositiveIntegerField(_("tokens reserved"), default=0)
    created_at = models.DateTimeField(_("asked"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), default=0)
    # Where a model's server counts other tokens than the log has numbers; null: the same.
    logged_tokens = models.PositiveIntegerField(null=True, editable=False)
    # The model's server reported no usage, or an impossible one.
    is_usage_estimated = models.BooleanField(_("tokens are estimates"), default=False)
    # The oldest turns of its prompt that its worker left out, because they did not fit into the context.
    turns_left_out = models.PositiveSmallIntegerField(default=0, editable=False)
    prefill_ms = models.PositiveIntegerField(_("time to read the prompt, ms"), default=0)
    decode_ms = models.PositiveIntegerField(_("time to write the answer, ms"), default=0)
    # As the reader saw it, whatever attempts it took, by Redis' clock; empty where it did not come so far.
    queued_ms = models.PositiveIntegerField(_("time it waited, ms"), null=True, blank=True)
    first_token_ms = models.PositiveIntegerField(_("time to the first token, ms"), null=True, blank=True)
    total_ms = models.PositiveIntegerField(_("time in all, ms"), null=True, blank=True)
    reason = models.CharField(_("why it ended"), max_length=16, blank=True)
    error = models.CharField(_("error"), max_length=64, blank=True)
    fingerprint = models.CharField(_("engine"), max_length=120, blank=True)
    token_ids = models.BinaryField(default=bytes, editable=False)  # chat/turns/token_ids.py
    has_parts = models.BooleanField(default=False, editable=False)  # else `parts` need not be read

    objects = GenerationManager()

    class Meta:
        verbose_name = _("generation")
        verbose_name_plural = _("generations")
        ordering = ["-created_at"]
        constraints = [
            # A send repeated after a lost ack finds its first copy.
            models.UniqueConstraint(
                fields=["user", "client_id"], condition=models.Q(step=0), name="generation_asked_once"
            ),
            models.UniqueConstraint(fields=["message", "step"], name="generation_step_once"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(status__in=LIVE), name="generation_live"),
            models.Index(fields=["user", "-created_at"], name="generation_of_user"),
            models.Index(fields=["finished_at"], name="generation_finished"),  # the last hour's times
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def seq(self) -> int:
        """Returns the number of the last token in the log of a settled step."""
        return self.completion_tokens if self.logged_tokens is None else self.logged_tokens


class Part(models.Model):
    """A part of a step that is not text of the answer: a thought, or calls of tools. Stored at settlement.

    Text of the answer is stored in its message alone; `offset` says where in it the part stands. A part
    whose `seq` is 0 is no part of the log: it is the thought of an earlier reply, which this one continues.
    """

    generation = models.ForeignKey(Generation, models.CASCADE, related_name="parts")
    order = models.PositiveIntegerField()
    kind = models.CharField(max_length=16)  # inference.contract.Kind
    text = models.TextField()
    offset = models.PositiveIntegerField()  # characters of the step's text before it
    after = models.PositiveIntegerField()  # tokens of the step before it
    seq = models.PositiveIntegerField()  # number of its last token
    duration_ms = models.PositiveIntegerField(default=0)  # of a thought; 0: not known

    class Meta:
        verbose_name = _("part of a reply")
        verbose_name_plural = _("parts of replies")
        ordering = ["order"]
        constraints = [models.UniqueConstraint(fields=["generation", "order"], name="part_order_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.generation_id}"

    @property
    def is_continued(self) -> bool:
        """Returns whether it was written by an earlier reply, which this one continues."""
        return self.seq == 0


class SummaryStatus(models.TextChoices):
    WAITING = "waiting", _("being written")  # by the model: it waits in the queue, or runs
    READY = "ready", _("ready")
    UNDONE = "undone", _("not used")
    STOPPED = "stopped", _("stopped")
    FAILED = "failed", _("failed")


# Its reservation is not charged yet: a summary that was stopped may still be written for a moment.
UNSETTLED = models.Q(status__in=[SummaryStatus.WAITING, SummaryStatus.STOPPED], finished_at=None)


class Summary(models.Model):
    """A version of the summary of a branch, from its first message to `last`, and the truth about its making.

    Of the versions for one message the highest counts. It belongs to the person whose conversation it is in,
    and is deleted with any message that it covers (docs/long-conversations.md).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="summaries")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    last = models.ForeignKey(Message, models.CASCADE, related_name="summaries")
    version = models.PositiveIntegerField(default=1)
    status = models.CharField(_("status"), max_length=10, choices=SummaryStatus.choices)
    text = models.TextField(_("text"), blank=True)
    is_edited = models.BooleanField(default=False)  # its text is the person's, not the model's
    model = models.CharField(_("model"), max_length=64)
    attempt = models.PositiveIntegerField(default=1)  # the fence, as that of a generation
    seed = models.BigIntegerField(default=0)
    max_tokens = models.PositiveIntegerField(default=0)
    reserved = models.PositiveIntegerField(default=0)  # tokens
    created_at = models.DateTimeField(_("asked"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("summary")
        verbose_name_plural = _("summaries")
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["last", "version"], name="summary_version_once"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=UNSETTLED, name="summary_unsettled"),
        ]

    def __str__(self) -> str:
        return f"version {self.version} up to {self.last_id}"

    @property
    def is_settled(self) -> bool:
        """Returns whether nothing of its reservation is left to charge: the opposite of UNSETTLED."""
        pending = (SummaryStatus.WAITING, SummaryStatus.STOPPED)
        return self.finished_at is not None or self.status not in pending


class CallStatus(models.TextChoices):
    WAITING = "waiting", _("waiting for approval")
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    REFUSED = "refused", _("not carried out")
    UNKNOWN = "unknown", _("unknown whether carried out")


NOT_BEGUN = (CallStatus.WAITING, CallStatus.QUEUED)
OPEN_CALLS = (*NOT_BEGUN, CallStatus.RUNNING)


class ToolCall(models.Model):
    """A call of a tool by a step of a reply, and the truth about it: its attempt, lease and result live here.

    It belongs to the person whose reply it is part of, and is deleted with its message.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    step = models.ForeignKey(Generation, models.CASCADE, related_name="calls")
    position = models.PositiveSmallIntegerField()  # in the step
    call_id = models.CharField(max_length=64)  # by which the prompt of the next step names it
    name = models.CharField(_("tool"), max_length=64)
    arguments = models.TextField()  # JSON, as the model wrote it
    status = models.CharField(_("status"), max_length=10, choices=CallStatus.choices)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)  # the fence, as that of a generation
    lease_until = models.DateTimeField(null=True, blank=True)  # by the database's clock
    created_at = models.DateTimeField(_("asked"), db_default=Now())
    queued_at = models.DateTimeField(null=True, blank=True)  # when the last ticket was sent
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    result = models.TextField(blank=True)
    error = models.CharField(_("error"), max_length=32, blank=True)  # chat/turns/call_errors.py
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("call of a tool")
        verbose_name_plural = _("calls of tools")
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["step", "position"], name="call_position_once")]
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(status__in=OPEN_CALLS), name="call_open"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.step_id}"
