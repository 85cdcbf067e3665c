-- Activities of sessions that may not be there at all.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO activity (session_id, activity_date) VALUES (:slot, clock());
COMMIT;
