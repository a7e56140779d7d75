"""Adds calls of tools, and the status of a step that waits for them.

Migrating back deletes the calls, and ends the replies that wait for some: an older release does not know
their status.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.conf import settings
from django.db import migrations, models


def end_waiting_replies(apps, schema_editor):
    waiting = apps.get_model("turns", "Generation").objects.filter(status="calling")
    messages = list(waiting.values_list("message_id", flat=True))
    apps.get_model("conversations", "Message").objects.filter(pk__in=messages).update(status="failed")
    now = django.db.models.functions.datetime.Now()
    waiting.update(status="failed", reason="failed", finished_at=now)


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0007_model_cards"),
        ("turns", "0010_total_ms"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ToolCall",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("call_id", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=64, verbose_name="tool")),
                ("arguments", models.TextField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting for approval"),
                            ("queued", "waiting"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("refused", "not carried out"),
                            ("unknown", "unknown whether carried out"),
                        ],
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=1, verbose_name="attempt")),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="asked"
                    ),
                ),
                ("queued_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
                ("result", models.TextField(blank=True)),
                ("error", models.CharField(blank=True, max_length=32, verbose_name="error")),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "call of a tool",
                "verbose_name_plural": "calls of tools",
                "ordering": ["position"],
            },
        ),
        migrations.RemoveIndex(
            model_name="generation",
            name="generation_live",
        ),
        migrations.AlterField(
            model_name="generation",
            name="status",
            field=models.CharField(
                choices=[
                    ("queued", "waiting"),
                    ("running", "running"),
                    ("calling", "waiting for tools"),
                    ("complete", "complete"),
                    ("stopped", "stopped"),
                    ("failed", "failed"),
                    ("refused", "refused"),
                ],
                default="queued",
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                condition=models.Q(("status__in", ("queued", "running", "calling"))),
                fields=["created_at"],
                name="generation_live",
            ),
        ),
        migrations.AddField(
            model_name="toolcall",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="toolcall",
            name="step",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="calls", to="turns.generation"
            ),
        ),
        migrations.AddIndex(
            model_name="toolcall",
            index=models.Index(
                condition=models.Q(("status__in", ("waiting", "queued", "running"))),
                fields=["created_at"],
                name="call_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="toolcall",
            constraint=models.UniqueConstraint(fields=("step", "position"), name="call_position_once"),
        ),
        migrations.RunPython(migrations.RunPython.noop, end_waiting_replies),
    ]
