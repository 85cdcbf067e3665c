-- A session gets another id, which activities of it don't let it.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
UPDATE session SET session_id = :other WHERE session_id = :slot;
COMMIT;
