from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forget_announced_default(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until now `is_default` was set by announcements alone: the admin's page of a model was read-only, so no row
    of it is a choice of staff."""
    apps.get_model("conversations", "ModelCard").objects.filter(is_default=True).update(is_default=False)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0004_message_origin")]

    operations = [
        migrations.AddField(
            model_name="modelcard",
            name="is_hidden",
            field=models.BooleanField(
                default=False,
                help_text="Only staff can choose it. Chats that have it go on with it.",
                verbose_name="hidden",
            ),
        ),
        migrations.AddField(
            model_name="modelcard",
            name="is_retired",
            field=models.BooleanField(
                default=False,
                help_text="Nobody can ask it any more. Its chats say which model can continue.",
                verbose_name="retired",
            ),
        ),
        migrations.AddField(
            model_name="modelcard",
            name="successor",
            field=models.ForeignKey(
                blank=True,
                help_text="Which model can continue the chats of a retired one. Empty: the model of new chats.",
                null=True,
                on_delete=models.deletion.SET_NULL,
                related_name="+",
                to="conversations.modelcard",
                verbose_name="successor",
            ),
        ),
        migrations.AddField(
            model_name="modelcard",
            name="last_seen_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="last seen"),
        ),
        migrations.AddField(
            model_name="modelcard",
            name="seen_since",
            field=models.DateTimeField(blank=True, null=True, verbose_name="seen since"),
        ),
        migrations.AlterField(
            model_name="modelcard",
            name="is_default",
            field=models.BooleanField(
                default=False,
                help_text="New chats get this model, whatever workers announce. Without a default they get the "
                "configured model, or one that runs.",
                verbose_name="default",
            ),
        ),
        # Going back needs nothing: the older code makes the first model that is announced the default.
        migrations.RunPython(forget_announced_default, migrations.RunPython.noop),
    ]
