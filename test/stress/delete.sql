-- Sessions are deleted, whoever writes activities of theirs, in any order.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
DELETE FROM session WHERE session_id = :slot;
DELETE FROM session WHERE session_id BETWEEN :other AND :other + 2;
COMMIT;
