from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("files", "0004_images")]

    operations = [
        migrations.AddField(
            "file", "uploaded_sha256", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddField("file", "hidden_with", models.UUIDField(blank=True, null=True)),
        migrations.AddIndex(
            "file",
            models.Index(
                condition=models.Q(("hidden_with__isnull", False)),
                fields=["hidden_with"],
                name="file_hidden_with",
            ),
        ),
    ]
