"""Adds how many turns of its prompt a reply was made without; older ones do not know it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0011_tool_calls"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="turns_left_out",
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
    ]
