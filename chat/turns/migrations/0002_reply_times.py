"""Adds a reply's times (waiting, first token, whole) and an index for the last hour's."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0001_initial"),
        ("turns", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="first_token_ms",
            field=models.PositiveIntegerField(
                blank=True, null=True, verbose_name="time to the first token, ms"
            ),
        ),
        migrations.AddField(
            model_name="generation",
            name="queued_ms",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="time it waited, ms"),
        ),
        migrations.AddField(
            model_name="generation",
            name="whole_ms",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="time in all, ms"),
        ),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(fields=["finished_at"], name="generation_finished"),
        ),
    ]
