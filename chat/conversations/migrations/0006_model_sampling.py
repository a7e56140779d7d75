from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0005_model_choice")]

    operations = [
        migrations.AddField(
            model_name="modelcard",
            name="sampling",
            field=models.JSONField(blank=True, default=dict, verbose_name="its own settings of answers"),
        ),
    ]
