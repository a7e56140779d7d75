"""Adds how long each thought of a reply took."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0007_frozen_prompt"),
    ]

    operations = [
        migrations.AddField(
            model_name="part",
            name="duration_ms",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
