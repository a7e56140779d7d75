import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("files", "0004_images")]

    operations = [
        migrations.AddField(
            "file", "uploaded_sha256", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddField("file", "is_hidden", models.BooleanField(db_default=False, default=False)),
        migrations.CreateModel(
            "HiddenImage",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hidden_with", models.UUIDField(db_index=True)),
                ("digest", models.CharField(max_length=64)),
                (
                    "conversation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hidden_images",
                        to="conversations.conversation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("conversation", "digest", "hidden_with"),
                        name="image_hidden_once_with_a_message",
                    )
                ],
            },
        ),
    ]
