from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("moderation", "0004_fill_rule_options")]

    operations = [migrations.RemoveField(model_name="rule", name="pattern")]
