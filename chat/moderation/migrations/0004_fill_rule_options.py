from typing import Any

from django.db import migrations


def fill(apps: Any, schema_editor: Any) -> None:
    rules = apps.get_model("moderation", "Rule").objects.using(schema_editor.connection.alias)
    for rule in rules.filter(kind="pattern"):
        rule.options = {"pattern": rule.pattern}
        rule.save(update_fields=["options"])


def empty(apps: Any, schema_editor: Any) -> None:
    rules = apps.get_model("moderation", "Rule").objects.using(schema_editor.connection.alias)
    for rule in rules.filter(kind="pattern"):
        rule.pattern = rule.options.get("pattern", "")[:500]
        rule.save(update_fields=["pattern"])


class Migration(migrations.Migration):
    dependencies = [("moderation", "0003_rule_options")]

    operations = [migrations.RunPython(fill, empty)]
