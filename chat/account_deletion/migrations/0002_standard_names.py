"""Departure becomes DeletionJob."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from chat.core.migration_operations import rename_permissions


class Migration(migrations.Migration):
    dependencies = [
        ("account_deletion", "0001_departures"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameModel("Departure", "DeletionJob"),
        migrations.RenameField("DeletionJob", "asked_at", "requested_at"),
        migrations.AlterField(
            "DeletionJob",
            "requested_at",
            models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(), verbose_name="requested"
            ),
        ),
        migrations.AlterField(
            "DeletionJob",
            "user",
            models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deletion_job",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterModelOptions(
            "DeletionJob",
            {"verbose_name": "account deletion", "verbose_name_plural": "account deletions"},
        ),
        rename_permissions(
            "account_deletion", "departure", "deletionjob", was="departure", now="account deletion"
        ),
    ]
