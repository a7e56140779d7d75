from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("moderation", "0002_report_origin")]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="options",
            field=models.JSONField(blank=True, default=dict, verbose_name="options"),
        ),
        migrations.AlterField(
            model_name="rule",
            name="kind",
            field=models.CharField(default="pattern", max_length=64, verbose_name="kind"),
        ),
        # Optional, so that going back can add the column to rules of other kinds.
        migrations.AlterField(
            model_name="rule",
            name="pattern",
            field=models.CharField(blank=True, default="", max_length=500, verbose_name="pattern"),
        ),
        migrations.AlterModelOptions(
            name="rule",
            options={
                "ordering": ["name"],
                "verbose_name": "blocking rule",
                "verbose_name_plural": "blocking rules",
            },
        ),
    ]
