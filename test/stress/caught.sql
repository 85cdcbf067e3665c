-- What is refused is caught, and the transaction goes on: told in the server's log
-- with its SQLSTATE.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
DO $$
BEGIN
	INSERT INTO activity (session_id, activity_date) VALUES (:slot, clock()), (:other, clock());
EXCEPTION WHEN foreign_key_violation THEN
	RAISE LOG 'caught: %', SQLERRM USING ERRCODE = SQLSTATE;
	INSERT INTO session (session_id, login_date) VALUES (:slot, clock()) ON CONFLICT DO NOTHING;
END $$;
SELECT count(s) FROM ekran_sessions(clock() - interval '1 hour', NULL, 10) s;
COMMIT;
