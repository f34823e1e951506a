from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fleet", "0001_initial")]
    operations = [migrations.AddField("vessel", "port", models.CharField(max_length=60, null=True))]
