"""The kill switch of a definition."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate, lookup

CAUSES = [
    ("trigger", "Trigger"),
    ("step", "Step"),
    ("signal", "Signal"),
    ("timer", "Timer"),
    ("operator", "Operator"),
    ("api", "Api"),
    ("sweep", "Sweep"),
]
LEVELS = [("on", "On"), ("starts_off", "Starts Off"), ("all_off", "All Off")]

# Volatile, so that what is read is what was committed before the lock was granted, not before the statement began.
SWITCHED_OFF = """
CREATE FUNCTION switched_off(tenant bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $off$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1393, (tenant % 2147483647)::int);
    RETURN coalesce((
        SELECT jsonb_object_agg(s.key, jsonb_build_object(
                   'level', s.level, 'why', s.why, 'cause', s.cause, 'ref', s.cause_ref))
          FROM workflows_definitionswitch s WHERE s.tenant_id = tenant AND s.level <> 'on'), '{}');
END
$off$
"""
RELEASING = "SELECT DISTINCT s.tenant_id FROM workflows_definitionswitch s WHERE s.releasing"
COUNTED = """
SELECT s.level::text, count(*)::float8 FROM workflows_definitionswitch s WHERE s.level <> 'on' GROUP BY s.level
"""


class Migration(migrations.Migration):
    """What is off is read in one function, under the lock that whoever switches waits for."""

    dependencies = [
        ("tenants", "0008_subject_scopes"),
        ("workflows", "0019_external_work"),
    ]

    operations = [
        migrations.CreateModel(
            name="DefinitionSwitch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                ("level", models.CharField(choices=LEVELS, max_length=16)),
                ("why", models.CharField(max_length=64)),
                ("cause", models.CharField(choices=CAUSES, max_length=16)),
                ("cause_ref", models.CharField(blank=True, default="", max_length=200)),
                ("changed_at", models.DateTimeField()),
                ("releasing", models.BooleanField(default=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "key"), name="switch_key")],
            },
        ),
        migrations.CreateModel(
            name="SwitchChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                ("level", models.CharField(choices=LEVELS, max_length=16)),
                ("why", models.CharField(max_length=64)),
                ("cause", models.CharField(choices=CAUSES, max_length=16)),
                ("cause_ref", models.CharField(blank=True, default="", max_length=200)),
                ("changed_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "key", "id"], name="switch_change_key")],
            },
        ),
        *isolate("workflows_definitionswitch"),
        *isolate("workflows_switchchange", append_only=True),
        migrations.RunSQL(SWITCHED_OFF, "DROP FUNCTION switched_off(bigint)"),
        lookup("tenants_releasing_runs()", "TABLE (tenant_id bigint)", RELEASING),
        lookup("switched_definitions()", "TABLE (level text, definitions double precision)", COUNTED),
    ]
