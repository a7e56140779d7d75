"""Takes the table of models over from the app `conversations`: it is renamed, its rows and keys stay."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TABLES = {"conversations": "conversations_modelcard", "model_cards": "model_cards_modelcard"}


def take_over(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _move(apps, schema_editor, old="conversations", new="model_cards")


def give_back(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _move(apps, schema_editor, old="model_cards", new="conversations")


def _move(apps: Apps, schema_editor: BaseDatabaseSchemaEditor, *, old: str, new: str) -> None:
    """Renames the table and its content type, which takes the permissions and the groups' rights along.
    Foreign keys of other tables follow the rename on both databases."""
    model = apps.get_model("conversations", "ModelCard")
    schema_editor.alter_db_table(model, TABLES[old], TABLES[new])
    types = apps.get_model("contenttypes", "ContentType").objects.using(schema_editor.connection.alias)
    if not types.filter(app_label=new, model="modelcard").exists():
        types.filter(app_label=old, model="modelcard").update(app_label=new)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("conversations", "0006_model_sampling"),
        ("feedback", "0001_verdicts"),  # whose foreign key is made to the table of the old name
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(take_over, give_back)],
            state_operations=[
                migrations.CreateModel(
                    name="ModelCard",
                    fields=[
                        (
                            "slug",
                            models.SlugField(
                                max_length=64, primary_key=True, serialize=False, verbose_name="slug"
                            ),
                        ),
                        ("name", models.CharField(max_length=120, verbose_name="name")),
                        ("about", models.TextField(blank=True, verbose_name="about")),
                        (
                            "context_tokens",
                            models.PositiveIntegerField(default=1024, verbose_name="context in tokens"),
                        ),
                        (
                            "sampling",
                            models.JSONField(
                                blank=True, default=dict, verbose_name="its own settings of answers"
                            ),
                        ),
                        ("is_demo", models.BooleanField(default=False, verbose_name="demo model")),
                        (
                            "is_default",
                            models.BooleanField(
                                default=False,
                                help_text="New chats get this model, whatever workers announce. "
                                "Without a default they get the configured model, or one that runs.",
                                verbose_name="default",
                            ),
                        ),
                        (
                            "is_hidden",
                            models.BooleanField(
                                default=False,
                                help_text="Only staff can choose it. Chats that use it keep it.",
                                verbose_name="hidden",
                            ),
                        ),
                        (
                            "is_retired",
                            models.BooleanField(
                                default=False,
                                help_text="It answers no new questions. Its chats say which model can continue.",
                                verbose_name="retired",
                            ),
                        ),
                        (
                            "last_seen_at",
                            models.DateTimeField(blank=True, null=True, verbose_name="last seen"),
                        ),
                        (
                            "seen_since",
                            models.DateTimeField(blank=True, null=True, verbose_name="seen since"),
                        ),
                        (
                            "successor",
                            models.ForeignKey(
                                blank=True,
                                help_text="The model that can continue the chats of a retired one. "
                                "Empty: the model of new chats.",
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="model_cards.modelcard",
                                verbose_name="successor",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "model",
                        "verbose_name_plural": "models",
                        "ordering": ["name"],
                    },
                ),
            ],
        ),
    ]
