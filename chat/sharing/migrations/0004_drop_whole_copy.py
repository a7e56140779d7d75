"""Drops the copy in one value, after 0003 has cut it into pages."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sharing", "0003_fill_pages_and_take_downs")]
    operations = [migrations.RemoveField(model_name="share", name="snapshot")]
