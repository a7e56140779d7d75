import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("conversations", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Imported",
            fields=[
                (
                    "conversation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="imported",
                        serialize=False,
                        to="conversations.conversation",
                    ),
                ),
                ("digest", models.CharField(db_index=True, max_length=64)),
            ],
        ),
    ]
