"""Points the foreign key at the model's new app, and forgets the model here. The table is already renamed."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0006_model_sampling"),
        ("feedback", "0002_model_cards"),
        ("model_cards", "0001_move_from_conversations"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="conversation",
                    name="model",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="model_cards.modelcard",
                        verbose_name="model",
                    ),
                ),
                migrations.DeleteModel(name="ModelCard"),
            ],
        ),
    ]
