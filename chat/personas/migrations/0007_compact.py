"""Adds whether a person wants summaries of long conversations."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("personas", "0006_default_of"),
    ]

    operations = [
        migrations.AddField(
            model_name="custominstructions",
            name="compact",
            field=models.BooleanField(default=True, verbose_name="summarise long conversations"),
        ),
    ]
