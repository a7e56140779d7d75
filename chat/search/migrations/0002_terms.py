from django.db import migrations

from chat.search import index_postgresql, index_sqlite
from chat.search.migrations import _first_index as first

EMPTY = ["DELETE FROM search_entry"]


def _run(schema_editor, statements):
    for statement in statements:
        schema_editor.execute(statement, params=None)  # a % in it is a %


def index_terms(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        _run(schema_editor, EMPTY + index_postgresql.FUNCTIONS)
    else:
        _run(schema_editor, EMPTY + first.SQLITE_DROP + index_sqlite.TABLES)


def index_words(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        _run(schema_editor, EMPTY + first.POSTGRESQL_WORDS + index_postgresql.DROP_FUNCTIONS)
    else:
        _run(schema_editor, EMPTY + index_sqlite.DROP_TABLES + first.SQLITE)


class Migration(migrations.Migration):
    """Empties the index: chat/search/index.py fills it, some rows at a time, when the migrations are done."""

    dependencies = [("search", "0001_initial")]

    operations = [migrations.RunPython(index_terms, index_words)]
