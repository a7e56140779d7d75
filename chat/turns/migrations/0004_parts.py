"""Adds the parts of replies that are no text of the answer."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0003_steps"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="has_parts",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.CreateModel(
            name="Part",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("order", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=16)),
                ("text", models.TextField()),
                ("offset", models.PositiveIntegerField()),
                ("after", models.PositiveIntegerField()),
                ("seq", models.PositiveIntegerField()),
                (
                    "generation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="turns.generation",
                    ),
                ),
            ],
            options={
                "verbose_name": "part of a reply",
                "verbose_name_plural": "parts of replies",
                "ordering": ["order"],
                "constraints": [
                    models.UniqueConstraint(fields=("generation", "order"), name="part_order_once")
                ],
            },
        ),
    ]
