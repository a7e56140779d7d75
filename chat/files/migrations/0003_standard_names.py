from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("files", "0002_how_a_file_was_read")]

    operations = [
        migrations.AlterModelOptions("attachment", {}),
        migrations.RenameField("file", "trouble", "failure_reason"),
        migrations.RenameField("attachment", "place", "position"),
        migrations.AlterModelOptions("attachment", {"ordering": ["position"]}),
    ]
