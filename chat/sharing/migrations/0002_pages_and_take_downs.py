"""Adds the pages of a copy, and the take-downs that bind a conversation. 0003 fills both."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0003_temporary"),
        ("sharing", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="share",
            name="page_count",
            field=models.PositiveIntegerField(default=0, verbose_name="pages"),
        ),
        migrations.CreateModel(
            name="SharePage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("messages", models.JSONField(verbose_name="messages")),
                ("message_ids", models.JSONField(verbose_name="message ids")),
                (
                    "share",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pages",
                        to="sharing.share",
                    ),
                ),
            ],
            options={
                "verbose_name": "page of a shared link",
                "verbose_name_plural": "pages of shared links",
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(fields=("share", "number"), name="one_share_page_a_number")
                ],
            },
        ),
        migrations.CreateModel(
            name="TakeDown",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                ("message_digests", models.JSONField(default=dict, verbose_name="message digests")),
                (
                    "taken_down_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="taken down"
                    ),
                ),
                ("lifted_at", models.DateTimeField(blank=True, null=True, verbose_name="lifted")),
                (
                    "conversation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="conversations.conversation",
                        verbose_name="conversation",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "share",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="sharing.share",
                        verbose_name="shared link",
                    ),
                ),
            ],
            options={
                "verbose_name": "take-down",
                "verbose_name_plural": "take-downs",
                "ordering": ["-taken_down_at"],
            },
        ),
    ]
