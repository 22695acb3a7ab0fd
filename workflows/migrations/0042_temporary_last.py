"""Functions of the owner look for tables among a caller's temporary ones last, and not first."""

from django.db import migrations

# A path that does not name pg_temp has it in front: a caller's view of the same name would run as the owner.
# See https://www.postgresql.org/docs/current/sql-createfunction.html, "Writing SECURITY DEFINER Functions Safely".
SAFE = """
DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT oid FROM pg_proc
                WHERE prosecdef AND pronamespace = 'public'::regnamespace AND pg_has_role(proowner, 'MEMBER') LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, public, pg_temp', one);
    END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    """Those that are made later by `tenants.rls.lookup` have it from the start; `tenants.checks` refuses others."""

    dependencies = [
        ("workflows", "0041_withheld_from_index"),
        ("signals_app", "0006_collection"),
        ("tenants", "0013_audit"),
    ]
    operations = [migrations.RunSQL(SAFE, migrations.RunSQL.noop)]
