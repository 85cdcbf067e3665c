-- The idle-gap index in every state: what is returned equals the independent
-- reading, folded or not, and ekran_check() finds nothing.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/independent_statistics.sql
\i test/random_store.sql
\i test/random_usage.sql
\set ECHO all
SELECT ekran_create_store('states');
SET ekran_sessions.store = 'states';
SET search_path = states, public;
ALTER TABLE activity ALTER application SET DEFAULT testing.random_application(), ALTER url SET DEFAULT testing.random_url();

-- Compares 24 windows, and statistics of 8, by thresholds below, at and above what the
-- index leaves out, and says whether anything was pending.
CREATE FUNCTION testing.compare(state text, OUT state_ text, OUT pending text,
	OUT windows numeric, OUT different numeric, OUT statistics numeric, OUT checked bigint)
LANGUAGE plpgsql AS $$
DECLARE
	result record;
	sessions_pending float8;
	threshold text;
	policy text;
BEGIN
	state_ := state;
	SELECT count(DISTINCT p.session_id)::float8 / nullif(count(DISTINCT s.session_id), 0)
	INTO sessions_pending
	FROM session s LEFT JOIN pending p USING (session_id);
	-- the insert trigger folds by chance, so more can't be said
	pending := CASE WHEN sessions_pending = 0 THEN 'none' ELSE 'some' END;
	windows := 0;
	different := 0;
	statistics := 0;
	FOR threshold, policy IN VALUES ('15min', 'whole'), ('61s', 'excess'),
			('60s', 'whole'), ('59s', 'whole') LOOP
		PERFORM set_config('ekran_sessions.idle_threshold', threshold, true);
		PERFORM set_config('ekran_sessions.idle_policy', policy, true);
		SELECT * INTO result FROM testing.compare_random_windows(6);
		windows := windows + result.compared;
		different := different + result.different;
		SELECT * INTO result FROM testing.compare_random_statistics(2);
		statistics := statistics + result.different;
	END LOOP;
	SELECT count(*) INTO checked FROM ekran_check();
END
$$;

-- Folds the sessions with even ids: the others' pending rows are set aside.
CREATE FUNCTION testing.fold_even() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	folded bigint;
BEGIN
	CREATE TEMPORARY TABLE aside AS SELECT * FROM pending WHERE session_id % 2 <> 0;
	CALL testing.forge($f$DELETE FROM pending WHERE session_id % 2 <> 0$f$);
	folded := ekran_refresh();
	CALL testing.forge($f$INSERT INTO pending SELECT * FROM aside$f$);
	DROP TABLE aside;
	RETURN folded;
END
$$;

-- Random changes: activities among and around those that are there.
CREATE FUNCTION testing.insert_some(part float8) RETURNS bigint
LANGUAGE sql AS $$
	WITH inserted AS (
		INSERT INTO activity (session_id, activity_date)
		SELECT session_id, CASE WHEN random() < 0.5 THEN testing.random_moment()
			ELSE login_date + trunc(random() * 300) * interval '1 minute' END
		FROM session, generate_series(1, 5) WHERE random() < part RETURNING 1)
	SELECT count(*) FROM inserted
$$;

SELECT testing.fill_random_store(0.5);
CALL testing.forge($f$DELETE FROM pending WHERE session_id IS NOT NULL$f$);
SELECT ekran_rebuild() > 20 AS rebuilt;
CALL testing.forge($f$INSERT INTO pending SELECT session_id, '-infinity', 'infinity' FROM session$f$);
CALL testing.forge($f$DELETE FROM session_idle WHERE session_id IS NOT NULL$f$);
SELECT * FROM testing.compare('never folded');
SELECT testing.fold_even() > 20 AS folded;
SELECT * FROM testing.compare('folded halfway');
SELECT ekran_refresh() > 20 AS folded;
SELECT * FROM testing.compare('all folded');
SELECT ekran_refresh();

SELECT testing.insert_some(0.1) > 0 AS inserted;
SELECT * FROM testing.compare('after inserts');
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('inserts folded');

-- late rows: before all that is there, amid, and in the minute around moments
INSERT INTO activity (session_id, activity_date)
SELECT session_id, login_date - interval '2 minutes' FROM session WHERE session_id % 3 = 0;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, activity_date + interval '1 us' FROM activity WHERE activity_id % 7 = 0;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, activity_date + interval '60 seconds' FROM activity WHERE activity_id % 11 = 0;
SELECT * FROM testing.compare('after late rows');
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('late rows folded');

-- many statements: many ranges of a session, far from each other, and at its end
DO $$
BEGIN
	FOR i IN 1..150 LOOP
		INSERT INTO activity (session_id, activity_date)
		SELECT session_id, testing.random_moment() FROM session ORDER BY random() LIMIT 2;
	END LOOP;
END $$;
SELECT * FROM testing.compare('after many statements');
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('many statements folded');

UPDATE activity SET activity_date = activity_date - interval '7 minutes' WHERE activity_id % 5 = 0;
UPDATE activity SET session_id = (SELECT max(session_id) FROM session) WHERE activity_id % 13 = 0;
UPDATE activity SET title = 'a new title';
SELECT * FROM testing.compare('after updates');
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('updates folded');
-- what moves no activity leaves nothing pending
UPDATE activity SET title = 'another', activity_date = activity_date;
SELECT count(session_id) FROM pending;

DELETE FROM activity WHERE activity_id % 4 = 0;
SELECT * FROM testing.compare('after deletes');
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('deletes folded');
DELETE FROM activity WHERE session_id IN (SELECT session_id FROM session ORDER BY session_id LIMIT 20);
SELECT * FROM testing.compare('some emptied');
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('empty ones folded');

-- logins and logouts change no gap, but the reach of those that run; so nothing of the
-- activities is pending
UPDATE session SET logout_date = login_date + interval '3 hours' WHERE logout_date IS NULL;
UPDATE session SET logout_date = NULL WHERE session_id % 3 = 0;
UPDATE session SET login_date = login_date - interval '30 minutes' WHERE session_id % 2 = 0;
UPDATE session SET login_date = login_date + interval '10 minutes' WHERE logout_date IS NULL;
SELECT count(session_id) > 0 AS pending, count(session_id) FILTER (WHERE last_moment > '-infinity') AS activities FROM pending;
SELECT * FROM testing.compare('logins and logouts');
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('logins and logouts folded');

-- inserts in a transaction of another isolation level, partly rolled back
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT testing.insert_some(0.2) > 0 AS inserted;
SAVEPOINT s;
SELECT testing.insert_some(0.2) > 0 AS inserted;
DELETE FROM activity WHERE activity_id % 3 = 0;
ROLLBACK TO s;
SELECT * FROM testing.compare('in a serializable transaction');
SELECT ekran_refresh();
SELECT message FROM testing.failure('SELECT ekran_rebuild()');
COMMIT;
SELECT * FROM testing.compare('after it');
-- folded and rolled back
BEGIN;
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('folded in a transaction');
SELECT testing.insert_some(0.2) > 0 AS inserted;
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compare('and again');
ROLLBACK;
SELECT * FROM testing.compare('rolled back');

-- upserts
INSERT INTO activity (session_id, activity_date, activity_id)
SELECT session_id, activity_date, activity_id FROM activity
ON CONFLICT (session_id, activity_date, activity_id) DO UPDATE SET activity_date = excluded.activity_date + interval '90 seconds';
SELECT * FROM testing.compare('after upserts');

DELETE FROM session WHERE session_id % 4 = 1;
SELECT * FROM testing.compare('after session deletes');
SELECT ekran_refresh() > 0 AS folded;
SELECT count(i.session_id) FROM session_idle i WHERE NOT EXISTS (SELECT FROM session s WHERE s.session_id = i.session_id);
SELECT * FROM testing.compare('session deletes folded');
-- ids that come again, and ids that change
INSERT INTO session (session_id, login_date) SELECT 1000 + i, testing.random_moment() FROM generate_series(1, 5) i;
DELETE FROM session WHERE session_id = 1001;
INSERT INTO session (session_id, login_date) VALUES (1001, testing.at('08:00'));
UPDATE session SET session_id = 1999 WHERE session_id = 1002;
SELECT testing.insert_some(0.2) > 0 AS inserted;
SELECT * FROM testing.compare('ids come again');

SELECT ekran_rebuild() = (SELECT count(DISTINCT session_id) FROM activity) AS rebuilt;
SELECT count(session_id) FROM pending;
SELECT * FROM testing.compare('rebuilt');

TRUNCATE activity;
SELECT * FROM testing.compare('activity truncated');
SELECT testing.insert_some(0.5) > 0 AS inserted;
SELECT * FROM testing.compare('and filled again');
SELECT ekran_refresh();
CALL ekran_maintain();
SELECT state, reason FROM ekran_status();
SELECT * FROM testing.compare('and made anew');
TRUNCATE session, activity;
SELECT * FROM testing.compare('all truncated');
SELECT testing.fill_random_store(0.25);
SELECT * FROM testing.compare('and all filled again');
SELECT ekran_rebuild() > 0 AS rebuilt;
SELECT * FROM testing.compare('and made anew');
SELECT count(session_id) = (SELECT count(DISTINCT session_id) FROM activity) AS one_row_a_session_with_activity FROM session_idle;

-- The index is what is read: wrong gaps show in the figures, ekran_check() finds
-- them, and a threshold that the index can't answer for doesn't read them.
DELETE FROM session;
SELECT ekran_refresh() > 0 AS folded;
SELECT testing.add_session(1, '08:00', '09:30', '08:01', '08:10', '08:40', '09:05');
SELECT testing.add_session(2, '08:00', '09:30');
SELECT ekran_refresh() <= 1 AS folded;
SELECT session_id, gap_start, gap_end FROM session_idle WHERE session_id IS NOT NULL ORDER BY 1;
SELECT session_id, idle_time FROM ekran_sessions();
CALL testing.forge($f$UPDATE session_idle SET gap_start = array_remove(gap_start, testing.at('08:40')),
	gap_end = array_remove(gap_end, testing.at('09:05')) WHERE session_id = 1$f$);
SELECT session_id, idle_time FROM ekran_sessions();
SET ekran_sessions.idle_threshold = '59s';
SELECT session_id, idle_time FROM ekran_sessions();
RESET ekran_sessions.idle_threshold;
SELECT * FROM ekran_check();
-- what can't be gaps is not believed
CALL testing.forge($f$UPDATE session_idle SET gap_start = '{}' WHERE session_id = 1$f$);
SELECT * FROM ekran_check();
SELECT session_id, idle_time FROM ekran_sessions();
-- nor folded with what is pending; nor is a range that is none
CALL testing.forge($f$INSERT INTO pending VALUES (1, testing.at('08:25'), testing.at('08:25'))$f$);
SELECT ekran_refresh();
SELECT * FROM ekran_check();
CALL testing.forge($f$UPDATE session_idle SET gap_start = array_remove(gap_start, testing.at('08:40')),
	gap_end = array_remove(gap_end, testing.at('09:05')) WHERE session_id = 1$f$);
CALL testing.forge($f$INSERT INTO pending VALUES (1, testing.at('09:00'), testing.at('08:00'))$f$);
SELECT session_id, idle_time FROM ekran_sessions();
SELECT ekran_refresh();
SELECT * FROM ekran_check();
CALL testing.forge($f$UPDATE session_idle SET gap_start = gap_end, gap_end = gap_start WHERE session_id = 1$f$);
SELECT session_id, idle_time FROM ekran_sessions();
CALL testing.forge($f$UPDATE session_idle SET gap_start = gap_end, gap_end = gap_start WHERE session_id = 1$f$);
CALL testing.forge($f$UPDATE session_idle SET gap_start[4] = gap_end[3] - interval '35 minutes' WHERE session_id = 1$f$);
SELECT session_id, idle_time FROM ekran_sessions();
CALL testing.forge($f$UPDATE session_idle SET gap_start[4] = gap_end[3], gap_start[2] = gap_end[1] - interval '1 microsecond' WHERE session_id = 1$f$);
SELECT * FROM ekran_check();
-- without a row, there is no activity but what is pending
CALL testing.forge($f$DELETE FROM session_idle WHERE session_id = 1$f$);
SELECT session_id, idle_time FROM ekran_sessions();
SELECT * FROM ekran_check();
-- what triggers did not see
CALL testing.unseen($u$INSERT INTO session (session_id, login_date) VALUES (3, testing.at('08:00'))$u$, 'session');
CALL testing.unseen($u$INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('08:25')), (3, testing.at('09:00')), (99, testing.at('09:00'))$u$, 'activity');
SELECT * FROM ekran_check();
SELECT ekran_rebuild();
SELECT * FROM ekran_check();
SELECT session_id, idle_time FROM ekran_sessions();
DELETE FROM activity WHERE session_id = 99;
SELECT * FROM ekran_check();

-- Two ranges pending at the end of a running session, of which the first ends at
-- an activity of the second.
INSERT INTO session (session_id, login_date) VALUES (5, testing.at('08:00'));
CALL testing.forge($f$INSERT INTO pending VALUES (5, testing.at('10:30'), testing.at('10:30')), (5, testing.at('12:00'), testing.at('12:00'))$f$);
INSERT INTO activity (session_id, activity_date) VALUES (5, testing.at('10:30'));
INSERT INTO activity (session_id, activity_date) VALUES (5, testing.at('12:00'));
SELECT session_id, logout_date, idle_time FROM ekran_sessions() WHERE session_id = 5;
SELECT * FROM ekran_check();
DELETE FROM session WHERE session_id = 5;

-- A store whose owner has dropped the index is broken: it is read from activity, and
-- takes no more activities until it has the index back.
DROP TABLE session_idle, pending;
SELECT session_id, idle_time FROM ekran_sessions();
SELECT state, reason, answered_by, indexed_sessions, pending_rows FROM ekran_status();
INSERT INTO session (session_id, login_date) VALUES (4, testing.at('08:00'));
SELECT s, f.* FROM unnest(ARRAY[$$INSERT INTO activity (session_id, activity_date) VALUES (4, '2024-01-01 08:20')$$,
	'UPDATE activity SET session_id = 77', 'DELETE FROM activity', 'DELETE FROM session WHERE session_id = 1', 'TRUNCATE activity',
	'SELECT ekran_refresh()', 'SELECT ekran_rebuild()', 'SELECT * FROM ekran_check()']) s, LATERAL testing.failure(s) f;
CALL ekran_maintain();
SELECT ekran_create_store('states');
SELECT state, reason, answered_by FROM ekran_status();
SELECT * FROM ekran_check();
SELECT session_id, idle_time FROM ekran_sessions();
INSERT INTO activity (session_id, activity_date) VALUES (4, testing.at('08:15'));
DELETE FROM activity WHERE session_id = 1 AND activity_date = testing.at('08:40');
SELECT session_id, idle_time FROM ekran_sessions();
SELECT * FROM ekran_check();

DROP FUNCTION testing.compare, testing.fold_even, testing.insert_some;
RESET search_path;
DROP SCHEMA states CASCADE;
