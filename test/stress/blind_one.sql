-- One activity of a session that may be gone, in a statement of its own.
\set slot random(1, 4000)
INSERT INTO activity (session_id, activity_date) SELECT :slot, clock() WHERE EXISTS (SELECT FROM session WHERE session_id = :slot);
