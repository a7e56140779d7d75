from django.db import migrations, models

from chat.search import index_postgresql, index_sqlite


def _run(schema_editor, name):
    rooms = {"postgresql": index_postgresql, "sqlite": index_sqlite}
    for statement in getattr(rooms[schema_editor.connection.vendor], name):
        schema_editor.execute(statement, params=None)  # a % in it is a %


def make(apps, schema_editor):
    _run(schema_editor, "TABLES")


def unmake(apps, schema_editor):
    _run(schema_editor, "DROP")
    _run(schema_editor, "DROP_TABLES")


class Migration(migrations.Migration):
    """The tables; the triggers are put on after every migration (chat/search/index.py), which fills them, too."""

    initial = True
    dependencies = [("conversations", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("conversation_id", models.UUIDField(db_index=True)),
                ("message_id", models.UUIDField(null=True, unique=True)),
            ],
            options={
                "indexes": [models.Index(fields=["owner_id", "message_id", "-id"], name="search_newest")],
            },
        ),
        migrations.RunPython(make, unmake),
    ]
