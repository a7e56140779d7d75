from django.db import migrations, models

from chat.search import index_postgresql, index_sqlite
from chat.search.migrations import _first_index as first


def _run(schema_editor, statements):
    for statement in statements:
        schema_editor.execute(statement, params=None)  # a % in it is a %


def make(apps, schema_editor):
    _run(schema_editor, first.POSTGRESQL if schema_editor.connection.vendor == "postgresql" else first.SQLITE)


def unmake(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        _run(schema_editor, index_postgresql.DROP + first.POSTGRESQL_DROP)
    else:
        _run(schema_editor, index_sqlite.DROP + first.SQLITE_DROP)


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
