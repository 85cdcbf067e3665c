-- Constraints that an owner has dropped: what they kept out must not crash the
-- server or give a wrong figure, for readers, folds and maintenance.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('loose');
SET ekran_sessions.store = 'loose';
SET search_path = loose, public;
SELECT testing.add_session(1, '08:00', '10:00', '08:10', '09:00');
SELECT testing.add_session(2, '08:00', NULL, '08:30');
SELECT ekran_rebuild();
SELECT session_id, idle_time FROM ekran_sessions();

-- Whatever the rows of the index hold that gaps can't be, the figures are those
-- above, ekran_check() tells, and the next fold sets it right.
ALTER TABLE session_idle ALTER gap_start DROP NOT NULL, ALTER gap_end DROP NOT NULL;
CREATE FUNCTION testing.damage(gap_start text, gap_end text,
	OUT read interval[], OUT told text[], OUT folded bigint, OUT left_over bigint)
LANGUAGE plpgsql AS $$
BEGIN
	CALL testing.forge(format('UPDATE session_idle SET gap_start = %L, gap_end = %L', gap_start, gap_end));
	read := ARRAY(SELECT idle_time FROM ekran_sessions());
	told := ARRAY(SELECT DISTINCT difference FROM ekran_check());
	CALL testing.forge($f$INSERT INTO pending SELECT session_id, '2024-01-01 08:10', '2024-01-01 08:10' FROM session$f$);
	folded := ekran_refresh();
	SELECT count(*) INTO left_over FROM ekran_check();
END
$$;
SELECT a AS gap_start, b AS gap_end, d.* FROM (VALUES (NULL, '{infinity}'), ('{-infinity}', NULL), (NULL, NULL),
	('{}', '{}'), ('{NULL}', '{NULL}'), ('{-infinity,NULL}', '{2024-01-01 08:10+00,infinity}'),
	('{{-infinity}}', '{{infinity}}'), ('{-infinity,2024-01-01+00}', '{infinity}'),
	('{infinity}', '{-infinity}'), ('{2024-01-01+00}', '{2024-01-02+00}'),
	('{-infinity,2024-01-02+00,2024-01-01+00}', '{2024-01-02+00,2024-01-01+00,infinity}')
	) v (a, b), LATERAL testing.damage(a, b) d;

-- An agent that may only insert folds by chance: thousands of statements, of
-- which one in 1024 does, as long as that takes no more than 5 000 activities.
CREATE ROLE regress_ekran_agent;
GRANT USAGE ON SCHEMA loose TO regress_ekran_agent;
GRANT INSERT ON activity TO regress_ekran_agent;
CALL testing.forge($f$UPDATE session_idle SET gap_start = NULL WHERE session_id IS NOT NULL$f$);
SET ROLE regress_ekran_agent;
-- each by itself: a DO would keep what it folds locked until its end, so it folds none
DO $$
BEGIN
	FOR i IN 1..4000 LOOP
		INSERT INTO loose.activity (session_id, activity_date) VALUES (1, '2024-01-01 09:00');
	END LOOP;
END $$;
RESET ROLE;
SELECT count(*) FROM pending WHERE session_id = 1 AND first_moment = '2024-01-01 09:00';
\set ECHO none
SELECT s FROM generate_series(1, 4) block, LATERAL (
	-- the index counts what is deleted as well, until it is vacuumed
	VALUES (1, 'DELETE FROM activity WHERE session_id = 1 AND activity_date = ''2024-01-01 09:00'' AND activity_id % 1000 <> 0'),
		(2, 'VACUUM activity'), (3, 'SET ROLE regress_ekran_agent')
	UNION ALL SELECT 4, $$INSERT INTO loose.activity (session_id, activity_date) VALUES (1, '2024-01-01 09:00')$$ FROM generate_series(1, 4000)
	UNION ALL VALUES (5, 'RESET ROLE')) v (place, s)
ORDER BY block, place \gexec
\set ECHO all
SELECT session_id, gap_start FROM session_idle WHERE session_id IS NOT NULL ORDER BY 1;
SELECT session_id, idle_time FROM ekran_sessions();

-- Rows of pending that tell no range.
ALTER TABLE pending ALTER first_moment DROP NOT NULL, ALTER last_moment DROP NOT NULL;
CREATE FUNCTION testing.pend(session bigint, first_moment text, last_moment text,
	OUT read interval[], OUT told text[], OUT folded bigint, OUT left_over bigint)
LANGUAGE plpgsql AS $$
BEGIN
	CALL testing.forge($f$DELETE FROM pending WHERE session_id IS NOT NULL$f$);
	CALL testing.forge($f$UPDATE session_idle SET gap_start = '{-infinity}', gap_end = '{infinity}' WHERE session_id IS NOT NULL$f$);
	CALL testing.forge($f$INSERT INTO pending VALUES (1, '2024-01-01', '2024-01-01'), (2, '-infinity', 'infinity'), (1, '2024-01-01 08:30', '2024-01-01 08:40')$f$);
	CALL testing.forge(format('INSERT INTO pending VALUES (%L, %L, %L)', session, first_moment, last_moment));
	read := ARRAY(SELECT idle_time FROM ekran_sessions());
	told := ARRAY(SELECT DISTINCT difference FROM ekran_check());
	folded := ekran_refresh();
	SELECT count(*) INTO left_over FROM ekran_check();
END
$$;
-- what a transaction that has folded reads, it reads from activity: hence two of them
SELECT format('SELECT p.* FROM testing.pend(1, %L, %L) p', a, b), 'SELECT array_agg(idle_time) AS read_after FROM ekran_sessions()'
FROM (VALUES (NULL, NULL), (NULL, 'infinity'), ('-infinity', NULL),
	('infinity', '-infinity'), ('2024-01-01 09:00+00', '2024-01-01 08:00+00')) v (a, b) \gexec
-- a second row without a session: the index is not believed until it is made anew
CALL testing.forge($f$INSERT INTO pending VALUES (NULL, '-infinity', 'infinity')$f$);
SELECT session_id, idle_time FROM ekran_sessions();
SELECT state, reason FROM ekran_status();
SELECT * FROM ekran_check();
SELECT ekran_refresh();
SELECT ekran_rebuild();
SELECT state, reason FROM ekran_status();

-- Activities without a date or a session are nobody's.
ALTER TABLE activity DROP CONSTRAINT activity_pkey;
ALTER TABLE activity ALTER session_id DROP NOT NULL, ALTER activity_date DROP NOT NULL;
CREATE INDEX ON activity (session_id, activity_date);
INSERT INTO activity (session_id, activity_date) VALUES (NULL, '2024-01-01 08:20'), (NULL, NULL);
SELECT session_id, idle_time FROM ekran_sessions();
SELECT * FROM ekran_check();
DELETE FROM activity WHERE session_id IS NULL;
INSERT INTO activity (session_id, activity_date) VALUES (1, NULL);
SELECT session_id, idle_time FROM ekran_sessions() WHERE session_id = 1;
SELECT code, message FROM testing.failure($$INSERT INTO loose.activity (session_id, activity_date) VALUES (3, NULL)$$);
UPDATE activity SET activity_date = '2024-01-01 08:20' WHERE activity_date IS NULL;
SELECT session_id, idle_time FROM ekran_sessions() WHERE session_id = 1;
UPDATE activity SET activity_date = NULL WHERE activity_date = '2024-01-01 08:20';
SELECT session_id, idle_time FROM ekran_sessions() WHERE session_id = 1;
DELETE FROM activity WHERE activity_date IS NULL;
SELECT * FROM ekran_check();
-- a date without a moment, where the latest one is asked for
INSERT INTO activity (session_id, activity_date) VALUES (2, NULL);
SET ekran_sessions.idle_threshold = '30s';
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions()');
SELECT session_id, logout_date FROM ekran_close_sessions('1 hour', '2024-01-02') ORDER BY 1;
RESET ekran_sessions.idle_threshold;

-- Sessions without an id or a login: an error that names the column.
ALTER TABLE session DROP CONSTRAINT session_pkey;
ALTER TABLE session ALTER session_id DROP NOT NULL, ALTER login_date DROP NOT NULL;
SELECT testing.add_session(NULL, '08:00', '09:00');
SELECT s, f.* FROM unnest(ARRAY['SELECT * FROM ekran_sessions()', 'SELECT ekran_sessions_json()', 'SELECT * FROM ekran_check()', 'SELECT ekran_rebuild()']) s, LATERAL testing.failure(s) f \gx
DELETE FROM session WHERE session_id IS NULL;
INSERT INTO session (session_id, logout_date) VALUES (3, '2024-01-01 09:00');
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions_after(after_session_id => 3)');
SELECT session_id FROM ekran_sessions() ORDER BY 1;
DELETE FROM session WHERE session_id = 3;
-- the same id twice
SELECT testing.add_session(1, '08:00', '10:00');
SELECT session_id, idle_time FROM ekran_sessions();
SELECT count(*) FROM ekran_check();
INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01 09:30');
INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01 09:40'), (2, '2024-01-01 09:40');
-- rows of the index without a key: none of several is trusted, be they a flood
ALTER TABLE session_idle DROP CONSTRAINT session_idle_session_id_key;
CREATE INDEX ON session_idle (session_id);
CALL testing.forge($f$INSERT INTO session_idle SELECT * FROM session_idle WHERE session_id IS NOT NULL$f$);
SELECT session_id, idle_time FROM ekran_sessions();
SELECT ekran_refresh() >= 0 AS refreshed;
CALL testing.forge($f$INSERT INTO session_idle SELECT 2, '{-infinity}', '{infinity}' FROM generate_series(1, 2000)$f$);
SELECT session_id, idle_time FROM ekran_sessions();
SELECT ekran_refresh() >= 0 AS refreshed;
CALL testing.forge($f$DELETE FROM session_idle WHERE session_id = 2$f$);
DELETE FROM session WHERE session_id = 1;

-- Moments that are no times.
ALTER TABLE session DROP CONSTRAINT session_login_date_finite, DROP CONSTRAINT session_logout_date_finite, DROP CONSTRAINT session_logout_not_before_login;
ALTER TABLE activity DROP CONSTRAINT activity_activity_date_finite;
INSERT INTO session VALUES (4, NULL, NULL, '-infinity', '2024-01-01'), (5, NULL, NULL, '2024-01-01', 'infinity'), (6, NULL, NULL, '2024-01-01 00:00', NULL);
INSERT INTO activity (session_id, activity_date) VALUES (6, 'infinity'), (6, '-infinity'), (6, '2024-01-01 01:00');
SELECT s, f.code, f.message FROM unnest(ARRAY[$$SELECT * FROM ekran_sessions(NULL, '2023-01-01')$$, $$SELECT * FROM ekran_sessions('2023-01-01', '2023-06-01')$$,
	'SELECT ekran_sessions_json()', 'SELECT * FROM ekran_check()', 'SELECT ekran_rebuild()']) s, LATERAL testing.failure(s) f;
DELETE FROM session WHERE session_id <> 6;
DELETE FROM activity WHERE activity_date IN ('infinity', '-infinity');
INSERT INTO session SELECT i, NULL, NULL, '2024-01-01'::timestamptz + i * interval '1 h' FROM generate_series(10, 300) i;
INSERT INTO session VALUES (7, NULL, NULL, 'infinity');
SELECT ekran_rebuild() > 0 AS rebuilt;
SELECT state, answered_by FROM ekran_status();
SELECT w.start, w."end", ekran_sessions_total_count(w.start, w."end") AS total, (SELECT count(*) FROM session WHERE login_date < coalesce(w."end", 'infinity') AND (login_date > w.start OR w.start IS NULL)) AS begin_within
FROM (VALUES (NULL::timestamptz, NULL::timestamptz), (NULL, '2024-01-05'), ('2024-01-13 10:30', NULL), ('-infinity', 'infinity')) w (start, "end");
SELECT page, p.session_id, p.login_date FROM unnest(ARRAY[145, 146, 147]) page, LATERAL ekran_sessions(NULL, NULL, 2, page) p;
SELECT page, p.session_id, p.login_date FROM unnest(ARRAY[1, 2, 3]) page, LATERAL ekran_sessions('2024-01-13 10:30', NULL, 1, page) p;
RESET search_path;
DROP SCHEMA loose CASCADE;
DROP FUNCTION testing.damage, testing.pend;
DROP ROLE regress_ekran_agent;
