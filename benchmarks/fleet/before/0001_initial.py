from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Vessel",
            fields=[("id", models.UUIDField(primary_key=True)), ("name", models.CharField(max_length=100))],
        )
    ]
