from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("files", "0001_attached_files")]

    operations = [migrations.AddField("file", "report", models.JSONField(blank=True, default=dict))]
