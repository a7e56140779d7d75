"""Feedback names its user as other tables do, and its constraint after the table."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("feedback", "0002_model_cards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint("feedback", "one_verdict_a_person_and_message"),
        migrations.RenameField("feedback", "person", "user"),
        migrations.AlterField(
            "feedback",
            "user",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AlterField(
            "feedback",
            "value",
            models.SmallIntegerField(choices=[(1, "good"), (-1, "poor")], verbose_name="rating"),
        ),
        migrations.AddConstraint(
            "feedback",
            models.UniqueConstraint(fields=("user", "message"), name="one_feedback_per_user_and_message"),
        ),
        migrations.AlterModelOptions(
            "feedback",
            {
                "ordering": ["-created_at"],
                "verbose_name": "feedback on an answer",
                "verbose_name_plural": "feedback on answers",
            },
        ),
    ]
