"""Lets a reply have several steps, each a generation of its own.

Migrating back keeps the first step of each reply; the text of its message stays whole.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def delete_later_steps(apps, schema_editor):
    apps.get_model("turns", "Generation").objects.filter(step__gt=0).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0007_model_cards"),
        ("turns", "0002_reply_times"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="generation", name="generation_asked_once"),
        migrations.AddField(
            model_name="generation",
            name="step",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="step"),
        ),
        migrations.AlterField(
            model_name="generation",
            name="client_id",
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AlterField(
            model_name="generation",
            name="message",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="steps",
                to="conversations.message",
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("step", 0)), fields=("user", "client_id"), name="generation_asked_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.UniqueConstraint(fields=("message", "step"), name="generation_step_once"),
        ),
        migrations.RunPython(migrations.RunPython.noop, delete_later_steps),
    ]
