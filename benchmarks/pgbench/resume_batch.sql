-- The same for a hundred runs in one commit, each looked up by its whole key.
\set first :client_id * :share + :next
\set next :next + 100
WITH hit AS (
    SELECT found.id FROM (SELECT 'key-' || i AS key FROM generate_series(:first + 1, :first + 100) AS i ORDER BY 1) AS asked
    CROSS JOIN LATERAL (
        SELECT id FROM limit_run WHERE tenant_id = 1 AND key = asked.key AND state = 1 FOR NO KEY UPDATE
    ) AS found
), moved AS (
    UPDATE limit_run r SET state = 2, revision = r.revision + 1, updated_at = clock_timestamp() FROM hit WHERE r.id = hit.id
    RETURNING r.id, r.revision
)
INSERT INTO limit_transition (run_id, seq, state, at) SELECT id, revision, 2, clock_timestamp() FROM moved;
