"""Marks usage that is an estimate, because the model's server reported no count."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("quotas", "0002_running_limit"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagecounter",
            name="estimated",
            field=models.PositiveBigIntegerField(default=0, verbose_name="of these estimated"),
        ),
        migrations.AddField(
            model_name="usageentry",
            name="is_estimated",
            field=models.BooleanField(default=False, verbose_name="tokens are estimates"),
        ),
    ]
