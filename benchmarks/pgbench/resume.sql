-- Resume one run and commit: lock it by the key of its signal, move it, write the line of its trace.
\set next :next + 1
\set number :client_id * :share + :next
WITH hit AS (
    SELECT id, revision FROM limit_run WHERE tenant_id = 1 AND key = 'key-' || :number AND state = 1 FOR NO KEY UPDATE
), moved AS (
    UPDATE limit_run r SET state = 2, revision = r.revision + 1, updated_at = clock_timestamp() FROM hit WHERE r.id = hit.id
    RETURNING r.id, r.revision
)
INSERT INTO limit_transition (run_id, seq, state, at) SELECT id, revision, 2, clock_timestamp() FROM moved;
