"""A published version never changes, whoever asks."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0002_isolation"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="definition",
            trigger=pgtrigger.compiler.Trigger(
                name="published_is_frozen",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.status <> 'draft')",
                    func="\nIF TG_OP = 'DELETE' OR NEW.status = 'draft'\n   OR (NEW.tenant_id, NEW.key, NEW.version, NEW.checksum, NEW.document)\n      IS DISTINCT FROM (OLD.tenant_id, OLD.key, OLD.version, OLD.checksum, OLD.document) THEN\n    RAISE EXCEPTION 'a published version of a definition never changes';\nEND IF;\nRETURN NEW;\n",
                    hash="6d0a3a0c558fec3030a3d91dad5d0dc18c21696f",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_published_is_frozen_13376",
                    table="workflows_definition",
                    when="BEFORE",
                ),
            ),
        ),
    ]
