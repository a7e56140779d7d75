"""Adds what the prompt of a step was made of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0006_token_ids"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="prompt",
            field=models.JSONField(default=dict, editable=False),
        ),
    ]
