from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0002_sidebar_places"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="temporary",
            field=models.BooleanField(default=False, verbose_name="temporary"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("temporary", True)), fields=["updated_at"], name="conversation_temporary"
            ),
        ),
    ]
