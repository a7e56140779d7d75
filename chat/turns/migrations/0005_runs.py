"""Adds the run of a step, raised where its text starts again with other words."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0004_parts"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="run",
            field=models.PositiveIntegerField(default=0, verbose_name="run"),
        ),
    ]
