from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sharing", "0005_options_of_policies"),
    ]

    operations = [
        migrations.AddField(
            model_name="share",
            name="with_thoughts",
            field=models.BooleanField(db_default=False, default=False, verbose_name="with thoughts"),
        ),
    ]
