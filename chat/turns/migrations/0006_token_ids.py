"""Adds the token ids of settled replies."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0005_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="token_ids",
            field=models.BinaryField(default=bytes),
        ),
    ]
