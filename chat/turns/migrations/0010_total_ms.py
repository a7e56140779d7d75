"""Renames the total time of a reply."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("turns", "0009_server_usage"),
    ]

    operations = [
        migrations.RenameField(model_name="generation", old_name="whole_ms", new_name="total_ms"),
    ]
