-- A session by an id that may be taken.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO session (session_id, login_date) VALUES (:slot, clock());
INSERT INTO activity (session_id, activity_date) VALUES (:slot, clock());
COMMIT;
