"""The question which tenants there are, for commands that go through all of them."""

from django.db import migrations

from tenants.rls import lookup


class Migration(migrations.Migration):
    """Ids and slugs only."""

    dependencies = [("tenants", "0006_sealed_answers")]
    operations = [
        lookup(
            "tenant_list()", "TABLE (id bigint, slug text)", "SELECT id, slug::text FROM tenants_tenant ORDER BY slug"
        ),
    ]
