"""Row-level security on the tables of tenants, and the questions that must be asked before a tenant is known."""

from django.db import migrations

from tenants.rls import isolate, lookup, protect


class Migration(migrations.Migration):
    """A key's secret never leaves the database: the lookup returns its digest, for one exact prefix."""

    dependencies = [("tenants", "0001_initial")]
    operations = [
        protect("tenants_tenant", "id"),
        *isolate("tenants_membership"),
        *isolate("tenants_idempotencyrecord"),
        *isolate("tenants_apikey", references={"replaced_by_id": "tenants_apikey"}),
        lookup(
            "api_key_by_prefix(wanted text)",
            "TABLE (key_id bigint, tenant_id bigint, secret_digest bytea, scopes varchar[], expires_at timestamptz,"
            " revoked_at timestamptz, suspended_at timestamptz, asked_at timestamptz)",
            "SELECT k.id, k.tenant_id, k.secret_digest, k.scopes, k.expires_at, k.revoked_at, t.suspended_at,"
            " clock_timestamp()"
            " FROM tenants_apikey k JOIN tenants_tenant t ON t.id = k.tenant_id WHERE k.prefix = wanted",
        ),
        lookup(
            "tenants_of_user(wanted integer)",
            "SETOF bigint",
            "SELECT tenant_id FROM tenants_membership WHERE user_id = wanted ORDER BY tenant_id",
        ),
        lookup(
            "tenant_by_slug(wanted text)",
            "bigint",
            "SELECT id FROM tenants_tenant WHERE slug = wanted",
        ),
    ]
