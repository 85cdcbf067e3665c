-- ekran_sessions_all: every session, the same as on the pages and in the same order,
-- whether the server keeps them or they come row by row; and what may happen between
-- two rows.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('all_sessions');
SET ekran_sessions.store = 'all_sessions';
SET search_path = all_sessions, public;
-- 3 000 sessions, several at each login, of which some are across the middle
INSERT INTO client SELECT md5(i::text)::uuid, 'PC ' || i FROM generate_series(1, 20) i;
INSERT INTO app_user SELECT i, 'user ' || i FROM generate_series(1, 40) i;
INSERT INTO session (session_id, client_guid, user_id, login_date, logout_date)
SELECT i * 7919 % 3001, md5((i % 20 + 1)::text)::uuid, nullif(i % 41, 0), testing.at('00:00') + i / 3 * interval '1 minute',
	CASE WHEN i % 4 > 0 THEN testing.at('00:00') + i / 3 * interval '1 minute' + i % 700 * interval '1 minute' END
FROM generate_series(1, 3000) i;
UPDATE client SET client_name = NULL WHERE client_guid = md5('7')::uuid;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, login_date + i * session_id % 37 * interval '1 minute' FROM session, generate_series(1, 10) i;

CREATE FUNCTION testing.pages(start timestamptz, "end" timestamptz, users int[], clients uuid[]) RETURNS SETOF ekran_session_row
LANGUAGE sql AS $$
	SELECT s.* FROM generate_series(0, 3) page, ekran_sessions(start, "end", 1000, page, users, clients) s
$$;
-- All, in FROM and row by row, as text in order.
CREATE FUNCTION testing.compare_all(start timestamptz, "end" timestamptz, users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL,
	OUT sessions bigint, OUT in_from boolean, OUT row_by_row boolean)
LANGUAGE plpgsql AS $$
DECLARE
	expected text;
BEGIN
	SELECT string_agg(s::text, E'\n'), count(*) INTO expected, sessions FROM testing.pages(start, "end", users, clients) s;
	SELECT string_agg(s::text, E'\n') IS NOT DISTINCT FROM expected INTO in_from FROM ekran_sessions_all(start, "end", users, clients) s;
	SELECT string_agg(s::text, E'\n') IS NOT DISTINCT FROM expected INTO row_by_row
	FROM (SELECT ekran_sessions_all(start, "end", users, clients) AS s) r;
END
$$;
SELECT c.* FROM (VALUES (NULL::timestamptz, NULL::timestamptz), (testing.at('08:00'), NULL), (testing.at('08:00'), testing.at('08:00')), (NULL, testing.at('08:00')),
	(testing.at('08:10'), testing.at('12:00')), ('infinity', NULL)) w (start, "end"), testing.compare_all(start, "end") c;
-- of few, of nobody, of so many that others are read too
SELECT c.* FROM (VALUES (ARRAY[3, 7, NULL], NULL::uuid[]), ('{}', NULL), (NULL, ARRAY[md5('3')::uuid]), (ARRAY(SELECT generate_series(1, 30)), NULL)) f (users, clients),
	testing.compare_all(testing.at('08:00'), NULL, users, clients) c;
-- read from activities
SET ekran_sessions.idle_threshold = '30s';
SELECT * FROM testing.compare_all(testing.at('08:10'), testing.at('12:00'));
RESET ekran_sessions.idle_threshold;

-- As many as asked for are read: a query that stops early leaves nothing behind.
SELECT (ekran_sessions_all()).session_id LIMIT 3;
SELECT s.session_id FROM ekran_sessions_all() s LIMIT 3;
SELECT count(*) FROM (SELECT (s).session_id FROM (SELECT ekran_sessions_all() AS s LIMIT 600) r) t;
-- twice in one select list, and for several rows
SELECT count(*), count(a), count(b) FROM (SELECT ekran_sessions_all() AS a, ekran_sessions_all(testing.at('08:00')) AS b) r;
SELECT start, count(*) FROM (SELECT start, ekran_sessions_all(testing.at(start)) FROM unnest(ARRAY['06:00'::time, '12:00', '18:00']) start) r GROUP BY start ORDER BY start;

-- Between two rows of a cursor, what the call depends on changes: settings, the store that
-- they name, its rows, a savepoint that is taken back, folds. It goes on as it began.
CREATE TABLE testing.expected AS SELECT row_number() OVER () AS place, s.* FROM ekran_sessions_all(testing.at('08:00')) s;
CREATE TABLE testing.fetched (place serial, session ekran_session_row);
-- all that the cursor still has
CREATE FUNCTION testing.fetch_all(cursor_name refcursor, OUT fetched bigint)
LANGUAGE plpgsql AS $$
DECLARE
	session ekran_session_row;
BEGIN
	fetched := 0;
	LOOP
		FETCH cursor_name INTO session;
		EXIT WHEN NOT FOUND;
		INSERT INTO testing.fetched (session) VALUES (session);
		fetched := fetched + 1;
	END LOOP;
END
$$;
CREATE FUNCTION testing.is_as_expected() RETURNS boolean
LANGUAGE sql AS $$
	SELECT array_agg((f.session).session_id || ' ' || (f.session).idle_time ORDER BY f.place)
		= (SELECT array_agg(session_id || ' ' || idle_time ORDER BY place) FROM testing.expected)
	FROM testing.fetched f
$$;
BEGIN;
DECLARE sessions NO SCROLL CURSOR FOR SELECT (s).* FROM (SELECT ekran_sessions_all(testing.at('08:00')) AS s OFFSET 0) r;
DO $$
DECLARE session ekran_session_row; c refcursor := 'sessions';
BEGIN
	FOR i IN 1..10 LOOP
		FETCH c INTO session;
		INSERT INTO testing.fetched (session) VALUES (session);
	END LOOP;
END $$;
SET ekran_sessions.idle_threshold = '1h';
SET ekran_sessions.idle_policy = 'excess';
SAVEPOINT kept;
DO $$
DECLARE session ekran_session_row; c refcursor := 'sessions';
BEGIN
	FOR i IN 1..400 LOOP
		FETCH c INTO session;
		INSERT INTO testing.fetched (session) VALUES (session);
	END LOOP;
END $$;
RELEASE kept;
SELECT ekran_refresh() >= 0 AS folded;
UPDATE activity SET activity_date = activity_date + interval '7 minutes';
DELETE FROM session WHERE session_id % 3 = 0;
UPDATE session SET login_date = login_date - interval '1 day' WHERE session_id % 3 = 1;
SELECT ekran_refresh() > 0 AS folded;
SET ekran_sessions.store = 'nowhere';
SELECT testing.fetch_all('sessions') + 410 = (SELECT count(*) FROM testing.expected) AS as_many, testing.is_as_expected();
ROLLBACK;
-- fetched within a savepoint that is taken back: the cursor stays where it was moved to
TRUNCATE testing.fetched;
BEGIN;
DECLARE sessions NO SCROLL CURSOR FOR SELECT (s).* FROM (SELECT ekran_sessions_all(testing.at('08:00')) AS s OFFSET 0) r;
SAVEPOINT taken_back;
MOVE 300 FROM sessions;
ROLLBACK TO taken_back;
SELECT testing.fetch_all('sessions') + 300 = (SELECT count(*) FROM testing.expected) AS as_many;
SELECT array_agg((f.session).session_id ORDER BY f.place) = (SELECT array_agg(session_id ORDER BY place) FROM testing.expected WHERE place > 300) AS is_equal FROM testing.fetched f;
ROLLBACK;
-- what it reads can't be taken away or emptied amid it, and can when the cursor is closed
BEGIN;
DECLARE sessions NO SCROLL CURSOR FOR SELECT (s).* FROM (SELECT ekran_sessions_all() AS s OFFSET 0) r;
SAVEPOINT taken_back;
MOVE 10 FROM sessions;
ROLLBACK TO taken_back;
SELECT s, f.code, f.message FROM unnest(ARRAY['TRUNCATE session, activity', 'DROP TABLE activity', 'DROP SCHEMA all_sessions CASCADE', 'ALTER TABLE session ADD extra int']) s, LATERAL testing.failure(s) f;
MOVE 1000 FROM sessions;
CLOSE sessions;
DROP TABLE activity;
ROLLBACK;
-- nor can a partition
BEGIN;
CREATE SCHEMA parts;
CREATE TABLE parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE parts.session_0 PARTITION OF parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts.session_1 PARTITION OF parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT ekran_create_store('parts');
INSERT INTO parts.session SELECT i, NULL, NULL, testing.at('08:00'), testing.at('09:00') FROM generate_series(1, 3000) i;
SET LOCAL ekran_sessions.store = 'parts';
DECLARE sessions NO SCROLL CURSOR FOR SELECT ekran_sessions_all();
MOVE 10 FROM sessions;
SELECT s, f.code, f.message FROM unnest(ARRAY['TRUNCATE parts.session_1', 'DROP TABLE parts.session_0', 'TRUNCATE parts.app_user CASCADE']) s, LATERAL testing.failure(s) f;
MOVE ALL FROM sessions;
ROLLBACK;
-- a schema that is renamed amid it, with another in its place
BEGIN;
DECLARE sessions NO SCROLL CURSOR FOR SELECT (s).* FROM (SELECT ekran_sessions_all() AS s OFFSET 0) r;
MOVE 10 FROM sessions;
ALTER SCHEMA all_sessions RENAME TO all_sessions_before;
SELECT ekran_create_store('all_sessions');
MOVE 1000 FROM sessions;
ROLLBACK;
-- a role that may not read amid it
CREATE ROLE regress_all_sessions;
BEGIN;
DECLARE sessions NO SCROLL CURSOR FOR SELECT (s).* FROM (SELECT ekran_sessions_all() AS s OFFSET 0) r;
MOVE 10 FROM sessions;
SET ROLE regress_all_sessions;
MOVE 1000 FROM sessions;
ROLLBACK;
DROP ROLE regress_all_sessions;
-- a transaction that ends amid it: the server runs the query to its end
DO $$
DECLARE
	n int := 0;
	r record;
BEGIN
	FOR r IN SELECT ekran_sessions_all() LOOP
		n := n + 1;
		IF n = 100 THEN COMMIT; END IF;
	END LOOP;
	RAISE INFO '% sessions', n;
END $$;
-- held beyond the transaction
BEGIN;
DECLARE sessions CURSOR WITH HOLD FOR SELECT ekran_sessions_all();
FETCH 1 FROM sessions;
COMMIT;
MOVE ALL FROM sessions;
CLOSE sessions;

-- more computers than names are kept of
INSERT INTO client SELECT md5(i::text)::uuid, 'PC ' || i FROM generate_series(100, 12099) i;
INSERT INTO session (session_id, client_guid, login_date, logout_date)
SELECT 10000 + i, md5(i::text)::uuid, testing.at('00:00') + i % 1000 * interval '1 minute', testing.at('23:00') FROM generate_series(100, 12099) i;
SELECT count(*), count(s.client_name), count(*) FILTER (WHERE s.client_name IS DISTINCT FROM c.client_name) AS misnamed
FROM ekran_sessions_all(testing.at('08:00')) s LEFT JOIN client c USING (client_guid);
SELECT count(*), count((s).client_name), count(*) FILTER (WHERE (s).client_name IS DISTINCT FROM c.client_name) AS misnamed
FROM (SELECT ekran_sessions_all(testing.at('08:00')) AS s OFFSET 0) r LEFT JOIN client c ON c.client_guid = (s).client_guid;

DROP SCHEMA all_sessions CASCADE;
DROP TABLE testing.expected, testing.fetched;
DROP FUNCTION testing.pages, testing.compare_all, testing.fetch_all, testing.is_as_expected;
