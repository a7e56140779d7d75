from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sharing", "0007_shares_with_images")]

    operations = [
        migrations.AddField(
            "takedown",
            "image_digests",
            models.JSONField(blank=True, default=list, verbose_name="image digests"),
        ),
    ]
