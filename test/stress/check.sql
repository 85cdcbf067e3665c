-- Whether the store is as it should be, under one snapshot, while others write.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL client_min_messages = warning;
SELECT clock_timestamp() AS begun \gset
INSERT INTO stress.difference SELECT :elapsed, session_id, difference FROM ekran_check();
INSERT INTO stress.status
SELECT :elapsed, state, reason, pending_rows, (SELECT count(*) FROM ekran.session),
	(SELECT count(*) FROM stress.difference WHERE elapsed = :elapsed),
	extract(epoch FROM clock_timestamp() - :'begun')
FROM ekran_status();
COMMIT;
