"""Instructions, Prompt and Manner become CustomInstructions, SavedPrompt and ConversationSettings."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from chat.core.migration_operations import rename_permissions


class Migration(migrations.Migration):
    dependencies = [
        ("personas", "0003_prompts"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameModel("Instructions", "CustomInstructions"),
        migrations.RenameField("CustomInstructions", "manner", "style"),
        migrations.AlterField(
            "CustomInstructions",
            "user",
            models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="custom_instructions",
                serialize=False,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterModelOptions(
            "CustomInstructions",
            {"verbose_name": "custom instructions", "verbose_name_plural": "custom instructions"},
        ),
        rename_permissions(
            "personas",
            "instructions",
            "custominstructions",
            was="instructions",
            now="custom instructions",
        ),
        migrations.RenameModel("Prompt", "SavedPrompt"),
        migrations.AlterField(
            "SavedPrompt",
            "owner",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="saved_prompts",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterModelOptions(
            "SavedPrompt",
            {
                "ordering": ["name", "created_at"],
                "verbose_name": "saved prompt",
                "verbose_name_plural": "saved prompts",
            },
        ),
        rename_permissions("personas", "prompt", "savedprompt", was="prompt", now="saved prompt"),
        migrations.RenameModel("Manner", "ConversationSettings"),
        migrations.AlterField(
            "ConversationSettings",
            "conversation",
            models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="conversation_settings",
                serialize=False,
                to="conversations.conversation",
            ),
        ),
        migrations.AlterModelOptions(
            "ConversationSettings",
            {
                "verbose_name": "settings of a conversation",
                "verbose_name_plural": "settings of conversations",
            },
        ),
        rename_permissions(
            "personas",
            "manner",
            "conversationsettings",
            was="manner of answering",
            now="settings of a conversation",
        ),
    ]
