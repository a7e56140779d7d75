from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="density",
            field=models.CharField(
                choices=[("comfortable", "comfortable"), ("compact", "compact")],
                default="comfortable",
                max_length=12,
                verbose_name="density",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="theme",
            field=models.CharField(
                choices=[("system", "as the system has it"), ("light", "light"), ("dark", "dark")],
                default="system",
                max_length=8,
                verbose_name="colours",
            ),
        ),
    ]
