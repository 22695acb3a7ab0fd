-- The three database roles. Run once per cluster, as a superuser (or a managed service's admin), before the first migration:
--   psql -v ON_ERROR_STOP=1 -f deploy/roles.sql DATABASE
-- then give each role that signs in a password: ALTER ROLE chimeway_app PASSWORD '…'.
-- owner: runs migrations, owns every table. app: web, workers, beat; sees only the tenants of its scope, owns nothing.
-- operator: reads, for people with psql; under the same row-level security.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['chimeway_owner', 'chimeway_app', 'chimeway_operator'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', role);
        END IF;
    END LOOP;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO chimeway_owner, chimeway_app, chimeway_operator', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO chimeway_owner;
GRANT USAGE ON SCHEMA public TO chimeway_app, chimeway_operator;
ALTER DEFAULT PRIVILEGES FOR ROLE chimeway_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO chimeway_app;
ALTER DEFAULT PRIVILEGES FOR ROLE chimeway_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO chimeway_app;
