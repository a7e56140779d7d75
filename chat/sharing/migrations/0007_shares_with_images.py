from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sharing", "0006_shares_with_thoughts"),
    ]

    operations = [
        migrations.AddField(
            model_name="share",
            name="with_images",
            field=models.BooleanField(db_default=False, default=False, verbose_name="with images"),
        ),
    ]
