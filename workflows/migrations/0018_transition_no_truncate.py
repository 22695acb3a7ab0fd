"""A row trigger does not see TRUNCATE, and the owner and superusers have the right to it."""

from django.db import migrations

GUARD = [
    """
    CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $refuse$
    BEGIN
        RAISE EXCEPTION 'Cannot truncate %: it is append-only', TG_TABLE_NAME;
    END
    $refuse$
    """,
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON workflows_transition"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate()",
    "ALTER TABLE workflows_transition ENABLE ALWAYS TRIGGER no_truncate",
]


class Migration(migrations.Migration):
    """Always enabled, so that `session_replication_role` does not walk past it."""

    dependencies = [("workflows", "0017_run_replayed_from_index")]
    operations = [
        migrations.RunSQL(
            GUARD, ["DROP TRIGGER no_truncate ON workflows_transition", "DROP FUNCTION refuse_truncate()"]
        )
    ]
