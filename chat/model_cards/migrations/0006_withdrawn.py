from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("model_cards", "0005_texts_defaults_and_licence"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelcard",
            name="is_withdrawn",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Its table in models.toml was removed, or nobody ran it for two days: no menu offers it.",
                verbose_name="withdrawn",
            ),
        ),
    ]
