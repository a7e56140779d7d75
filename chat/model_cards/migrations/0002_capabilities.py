"""Adds what the workers of a model can do, as they announce it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("model_cards", "0001_move_from_conversations"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelcard",
            name="capabilities",
            field=models.JSONField(blank=True, default=dict, verbose_name="capabilities"),
        ),
    ]
