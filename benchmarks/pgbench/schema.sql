-- The least that a run which parks and resumes can be: its row, found by the key of a signal, and the lines of its trace.
DROP TABLE IF EXISTS limit_run, limit_transition;
CREATE TABLE limit_run (
    id bigint PRIMARY KEY, tenant_id integer NOT NULL, key text NOT NULL, state smallint NOT NULL, revision integer NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE limit_transition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id bigint NOT NULL, seq integer NOT NULL, state smallint NOT NULL,
    at timestamptz NOT NULL
);
INSERT INTO limit_run SELECT i, 1, 'key-' || i, 1, 1, clock_timestamp() FROM generate_series(1, :rows) AS i;
CREATE INDEX ON limit_run (tenant_id, key);
ANALYZE limit_run;
CHECKPOINT;
