"""Points the foreign key at the model's new app. The database follows the table by itself."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("feedback", "0001_verdicts"),
        ("model_cards", "0001_move_from_conversations"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="feedback",
                    name="model",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="model_cards.modelcard",
                        verbose_name="model",
                    ),
                ),
            ],
        ),
    ]
