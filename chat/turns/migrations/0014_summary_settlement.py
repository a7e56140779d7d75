"""Finds the summaries whose reservation is not charged: those that were stopped, too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0013_summaries"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="summary", name="summary_waiting"),
        migrations.AddIndex(
            model_name="summary",
            index=models.Index(
                condition=models.Q(("finished_at", None), ("status__in", ["waiting", "stopped"])),
                fields=["created_at"],
                name="summary_unsettled",
            ),
        ),
    ]
