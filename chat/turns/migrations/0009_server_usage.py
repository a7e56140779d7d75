"""Adds the length of a log whose tokens a model's server counts in another way, and the mark of estimates."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0008_thought_durations"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="is_usage_estimated",
            field=models.BooleanField(default=False, verbose_name="tokens are estimates"),
        ),
        migrations.AddField(
            model_name="generation",
            name="logged_tokens",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
    ]
