-- session_count: totals, and pages at every position, equal a plain count in every
-- state of it; when it answers; how it is kept, checked and made anew.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_counter;
SELECT ekran_create_store('counted');
SET ekran_sessions.store = 'counted';
SET search_path = counted, public;
SELECT setseed(0.25);
-- 60 days with some 60 sessions each and one with 6 000, ids at random; a tenth runs,
-- some across days; days before 2000 and far ahead
INSERT INTO session
SELECT id, NULL, NULL, login, CASE WHEN random() > 0.1 THEN login + random() * interval '30 hours' END
FROM (SELECT i * 7919 % 10007 AS id,
		CASE WHEN i <= 6000 THEN timestamptz '2024-02-01 00:00+00' + trunc(random() * 86400) * interval '1 s'
			WHEN i % 97 = 0 THEN timestamptz '1970-01-01 00:00+00' + trunc(random() * 3) * interval '1 day'
			WHEN i % 101 = 0 THEN timestamptz '2100-01-01 00:00+00'
			ELSE timestamptz '2024-01-15 00:00+00' + trunc(random() * 60 * 24) * interval '1 hour' END AS login
	FROM generate_series(1, 10000) i) s;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, login_date + random() * interval '50 hours' FROM session WHERE logout_date IS NULL AND session_id % 2 = 0;

-- Compares totals, JSON's total and pages at random positions with plain SQL, where
-- who reads may be told by session_count or not.
CREATE FUNCTION testing.plain(start timestamptz, "end" timestamptz) RETURNS TABLE (place bigint, id bigint)
LANGUAGE sql STABLE AS $$
	SELECT row_number() OVER (ORDER BY login_date, s.session_id) - 1, s.session_id
	FROM session s
	WHERE (start IS NULL OR greatest(s.login_date, coalesce(s.logout_date, (SELECT max(activity_date) FROM activity a WHERE a.session_id = s.session_id))) > start)
	AND ("end" IS NULL OR s.login_date < "end")
$$;
CREATE FUNCTION testing.bound() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN c < 0.1 THEN NULL
		WHEN c < 0.15 THEN CASE WHEN random() < 0.5 THEN 'infinity' ELSE '-infinity' END::timestamptz
		WHEN c < 0.2 THEN timestamptz '1960-01-01 00:00+00' + random() * interval '20 years'
		ELSE timestamptz '2024-01-12 00:00+00' + trunc(random() * 64 * 24) * interval '1 hour'
			+ CASE WHEN c < 0.5 THEN trunc(random() * 3 - 1) * interval '1 us' ELSE random() * interval '1 hour' END END
	FROM (SELECT random() AS c OFFSET 0) r
$$;
CREATE FUNCTION testing.compare(state text, windows int, OUT state_ text, OUT counted_by text, OUT compared int, OUT different int, OUT checked bigint)
LANGUAGE plpgsql AS $$
DECLARE
	bounds timestamptz[];
	total bigint;
	size bigint;
	page bigint;
	expected bigint[];
	actual bigint[];
BEGIN
	state_ := state;
	counted_by := (SELECT s.counted_by FROM ekran_status() s);
	compared := 0;
	different := 0;
	WHILE compared < windows LOOP
		bounds := ARRAY[testing.bound(), testing.bound()];
		IF bounds[1] > bounds[2] THEN
			bounds := ARRAY[bounds[2], bounds[1]];
		END IF;
		size := 1 + trunc(random() * 40);
		total := (SELECT count(*) FROM testing.plain(bounds[1], bounds[2]));
		page := trunc(random() * (total / size + 2));
		expected := ARRAY(SELECT id FROM testing.plain(bounds[1], bounds[2]) WHERE place >= page * size AND place < page * size + size ORDER BY place);
		actual := ARRAY(SELECT session_id FROM ekran_sessions(bounds[1], bounds[2], size, page));
		IF expected <> actual OR total <> ekran_sessions_total_count(bounds[1], bounds[2])
			OR total <> (ekran_sessions_json(bounds[1], bounds[2], 0) ->> 'totalCount')::bigint THEN
			different := different + 1;
			RAISE WARNING '% - %, page % of %: % instead of %, total % instead of %', bounds[1], bounds[2], page, size, actual, expected,
				ekran_sessions_total_count(bounds[1], bounds[2]), total;
		END IF;
		compared := compared + 1;
	END LOOP;
	IF state NOT LIKE '%:%' THEN
		checked := (SELECT count(*) FROM ekran_check());
	END IF;
END
$$;
-- Rows of session_count, and days that have several.
CREATE FUNCTION testing.log(OUT rows bigint, OUT days bigint, OUT several bigint, OUT sessions bigint) LANGUAGE sql AS $$
	SELECT sum(n), count(*), count(*) FILTER (WHERE n > 1), sum(s) FROM (SELECT count(*) AS n, sum(c.sessions) AS s FROM session_count c WHERE day IS NOT NULL GROUP BY day) d
$$;

SELECT * FROM testing.compare('one statement', 40);
SELECT * FROM testing.log();
-- a log of many statements, in a transaction, where nothing is put together by chance
BEGIN;
DELETE FROM session WHERE session_id % 31 = 0;
UPDATE session SET login_date = login_date + interval '3 hours', logout_date = logout_date + interval '3 hours' WHERE session_id % 29 = 0;
UPDATE session SET user_id = NULL, logout_date = NULL WHERE session_id % 37 = 0;
INSERT INTO session SELECT 20000 + i, NULL, NULL, timestamptz '2024-02-10 00:00+00' + i * interval '1 hour' FROM generate_series(0, 30) i;
INSERT INTO session VALUES (20001, NULL, NULL, '2024-02-11 05:00+00') ON CONFLICT (session_id) DO UPDATE SET login_date = EXCLUDED.login_date;
MERGE INTO session s USING (VALUES (20002), (20003), (30000)) v (id) ON s.session_id = v.id
WHEN MATCHED AND v.id = 20002 THEN DELETE WHEN MATCHED THEN UPDATE SET login_date = '2024-02-12' WHEN NOT MATCHED THEN INSERT (session_id, login_date) VALUES (id, '2024-02-13');
COMMIT;
SELECT several > 30 AS several, sessions = (SELECT count(*) FROM session) AS is_right FROM testing.log();
SELECT * FROM testing.compare('a log', 40);
-- put together
SELECT ekran_refresh() > 0 AS folded;
SELECT rows = days AS is_compact, sessions = (SELECT count(*) FROM session) AS is_right FROM testing.log();
SELECT * FROM testing.compare('put together', 40);
-- a day that is empty again leaves no row
INSERT INTO session VALUES (40000, NULL, NULL, '2050-01-01');
DELETE FROM session WHERE session_id = 40000;
SELECT count(*) FROM session_count WHERE day = '2050-01-01';
SELECT ekran_refresh() > 0 AS folded;
SELECT count(*) FROM session_count WHERE day = '2050-01-01';
-- an UPDATE that moves no session to another day appends nothing
SELECT rows AS before FROM testing.log() \gset
UPDATE session SET logout_date = logout_date + interval '1 minute';
UPDATE session SET login_date = login_date + interval '1 us' WHERE login_date < '2024-02-01 12:00+00' AND login_date >= '2024-02-01';
SELECT rows = :before AS is_same FROM testing.log();
SELECT * FROM testing.compare('moved a little', 20);

-- Who may not be told by it counts the sessions: equal answers both ways.
GRANT USAGE ON SCHEMA counted, testing TO regress_ekran_counter;
GRANT SELECT ON ALL TABLES IN SCHEMA counted TO regress_ekran_counter;
REVOKE SELECT ON session_count FROM regress_ekran_counter;
SET ROLE regress_ekran_counter;
SELECT * FROM testing.compare('no privilege:', 20);
SELECT counted_by, reason FROM ekran_status();
RESET ROLE;
GRANT SELECT ON session_count TO regress_ekran_counter;
SET ROLE regress_ekran_counter;
SELECT * FROM testing.compare('privilege:', 20);
RESET ROLE;
-- by row-level security
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON session USING (session_id % 2 = 1);
SET ROLE regress_ekran_counter;
SELECT * FROM testing.compare('row-level security:', 20);
SELECT ekran_sessions_total_count() < 6000 AS only_odd, counted_by, reason FROM ekran_status();
RESET ROLE;
ALTER TABLE session DISABLE ROW LEVEL SECURITY;
DROP POLICY odd ON session;
-- who may read the counts and not the sessions may not count these
REVOKE SELECT ON session FROM regress_ekran_counter;
SET ROLE regress_ekran_counter;
SELECT code, message FROM testing.failure('SELECT ekran_sessions_total_count()');
RESET ROLE;
GRANT SELECT ON session TO regress_ekran_counter;
-- in a serializable transaction, with a filter
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM testing.compare('serializable:', 20);
SELECT counted_by, reason FROM ekran_status();
COMMIT;
SELECT ekran_sessions_total_count(users => '{NULL}') = (SELECT count(*) FROM session) AS is_right;
-- in a transaction that has put counts together
BEGIN;
SELECT ekran_refresh() >= 0 AS folded;
SELECT * FROM testing.compare('folded here:', 5);
COMMIT;

-- In mid-statement, and in a cursor from before one or from between its rows and its
-- counts, what is told fits the sessions seen.
CREATE FUNCTION testing.total(OUT total int, OUT seen bigint, OUT reason text) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	SELECT ekran_sessions_total_count(), count(*) INTO total, seen FROM session;
	reason := (SELECT s.reason FROM ekran_status() s);
END
$$;
BEGIN;
WITH added AS (INSERT INTO session VALUES (50000, NULL, NULL, '2024-02-05') RETURNING 1) SELECT total = seen AS is_right, reason FROM added, testing.total();
CREATE FUNCTION testing.look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	SELECT * INTO t FROM testing.total();
	RAISE WARNING '% % %: %', TG_WHEN, TG_OP, t.total = t.seen, t.reason;
	RETURN NULL;
END
$$;
CREATE TRIGGER a_look AFTER INSERT OR UPDATE OR DELETE ON session FOR EACH STATEMENT EXECUTE FUNCTION testing.look();
CREATE TRIGGER a_look_each AFTER INSERT OR UPDATE OR DELETE ON session FOR EACH ROW EXECUTE FUNCTION testing.look();
CREATE TRIGGER z_look AFTER INSERT OR UPDATE OR DELETE ON session FOR EACH STATEMENT EXECUTE FUNCTION testing.look();
DECLARE before CURSOR FOR SELECT total = seen AS is_right, reason FROM (SELECT ekran_sessions_total_count() AS total, (SELECT count(*) FROM session) AS seen) t, (SELECT reason FROM ekran_status()) s;
INSERT INTO session VALUES (50001, NULL, NULL, '2024-02-05');
FETCH before;
UPDATE session SET login_date = '2024-02-06' WHERE session_id = 50001;
DELETE FROM session WHERE session_id = 50001;
SELECT total = seen AS is_right, reason FROM testing.total();
-- what has failed is forgotten
SAVEPOINT failing;
INSERT INTO session VALUES (50002, NULL, NULL, '2024-02-05'), (50002, NULL, NULL, '2024-02-05');
ROLLBACK TO failing;
SELECT total = seen AS is_right, reason FROM testing.total();
ROLLBACK;
BEGIN;
CREATE FUNCTION testing.open_cursor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	between CONSTANT refcursor := 'between';
BEGIN
	OPEN between FOR SELECT ekran_sessions_total_count() AS total, (SELECT count(*) FROM session) AS seen;
	RETURN NULL;
END
$$;
CREATE TRIGGER a_open AFTER INSERT ON session FOR EACH STATEMENT EXECUTE FUNCTION testing.open_cursor();
INSERT INTO session VALUES (50001, NULL, NULL, '2024-02-05');
WITH f AS (SELECT 1) SELECT total = seen AS is_right FROM f, testing.total();
FETCH between \gset
SELECT :total = :seen AS is_right;
ROLLBACK;

-- What goes wrong with it: read session by session, told by ekran_check(), mended.
CREATE FUNCTION testing.after(statement text, OUT state text, OUT reason text, OUT total text, OUT written text, OUT then_state text)
LANGUAGE plpgsql AS $$
BEGIN
	CALL testing.forge(statement);
	SELECT s.state, s.reason INTO after.state, after.reason FROM ekran_status() s;
	total := (ekran_sessions_total_count() = (SELECT count(*) FROM session))::text;
	written := (testing.failure('INSERT INTO session VALUES (60000, NULL, NULL, ''2024-02-05'')')).message;
	PERFORM ekran_create_store('counted');
	PERFORM ekran_rebuild();
	then_state := (SELECT s.state FROM ekran_status() s);
	RAISE SQLSTATE 'Y0001';
EXCEPTION WHEN SQLSTATE 'Y0001' THEN
	NULL;
END
$$;
CREATE FUNCTION testing.write_after(statement text, OUT written text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	written := (testing.failure('INSERT INTO session VALUES (60000, NULL, NULL, ''2024-02-05'')')).message
		|| '; ' || (testing.failure('SELECT ekran_create_store(''counted'')')).message;
	RAISE SQLSTATE 'Y0001';
EXCEPTION WHEN SQLSTATE 'Y0001' THEN
	NULL;
END
$$;
SELECT * FROM testing.after('DELETE FROM session_count') \gx
SELECT * FROM testing.after('DELETE FROM session_count WHERE day IS NULL') \gx
SELECT * FROM testing.after('INSERT INTO session_count SELECT * FROM session_count') \gx
SELECT * FROM testing.after('INSERT INTO session_count VALUES (''2024-02-01'', -1000000)') \gx
SELECT * FROM testing.after('TRUNCATE session_count') \gx
SELECT * FROM testing.after('DROP TABLE session_count') \gx
SELECT * FROM testing.after('ALTER TABLE session_count SET UNLOGGED') \gx
SELECT * FROM testing.after('DROP TRIGGER ekran_row ON session') \gx
SELECT * FROM testing.after('ALTER TABLE session DISABLE TRIGGER ekran_update') \gx
SELECT * FROM testing.after('TRUNCATE session, activity') \gx
SELECT code, message FROM testing.failure('ALTER TABLE session ALTER login_date TYPE date');
SELECT code, message FROM testing.failure('CREATE TABLE whole (LIKE session); ALTER TABLE session INHERIT whole');
-- what ekran_create_store() can't mend
SELECT s, testing.write_after(s) FROM unnest(ARRAY['ALTER TABLE session_count ADD more int', 'CREATE UNIQUE INDEX ON session_count (generation)',
	'CREATE INDEX ON session_count ((sessions + 1))', 'CREATE TABLE child () INHERITS (session_count)']) s;
-- a wrong count is nothing that shows by itself
BEGIN;
CALL testing.forge($f$INSERT INTO session_count VALUES ('2024-02-01', 5), ('2030-01-01', 1)$f$);
SELECT * FROM ekran_check();
SELECT ekran_rebuild() > 0 AS rebuilt;
SELECT * FROM ekran_check();
ROLLBACK;
-- sessions that were lost: nobody is told of them, and nobody goes by what is told when
-- others have come
BEGIN;
CALL testing.unseen('TRUNCATE session, activity, pending, session_idle', 'session', 'activity');
SELECT count(*) > 50 AS told FROM session_count;
SELECT counted_by, ekran_sessions_total_count() AS total FROM ekran_status();
INSERT INTO session VALUES (1, NULL, NULL, '2024-02-05');
SELECT generation FROM session_count WHERE day IS NULL AND generation NOT LIKE '2-%';
SELECT counted_by, ekran_sessions_total_count() AS total FROM ekran_status();
SELECT ekran_rebuild();
COMMIT;
SELECT state, reason, counted_by, ekran_sessions_total_count() AS total FROM ekran_status();
SELECT day, sessions FROM session_count WHERE day IS NOT NULL;

-- Sessions in partitions: statements on the whole are noted, others refused.
CREATE SCHEMA counted_parts;
CREATE TABLE counted_parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE counted_parts.even PARTITION OF counted_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE counted_parts.odd PARTITION OF counted_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT ekran_create_store('counted_parts');
SET ekran_sessions.store = 'counted_parts';
SET search_path = counted_parts, public;
INSERT INTO session SELECT i, NULL, NULL, '2024-01-01 00:00+00'::timestamptz + i * interval '1 hour' FROM generate_series(1, 6000) i;
UPDATE session SET session_id = session_id + 10000, login_date = login_date + interval '1 day' WHERE session_id % 10 = 0;
DELETE FROM session WHERE session_id % 10 = 1;
SELECT ekran_refresh() >= 0 AS folded;
SELECT * FROM testing.compare('in partitions', 20);
SELECT p, f.code, f.message FROM unnest(ARRAY['INSERT INTO even SELECT 7, NULL, NULL, now()', 'UPDATE odd SET login_date = now()', 'DELETE FROM even']) p, LATERAL testing.failure(p) f;

-- The total is an integer of 32 bits: the most that it holds, and one more. Of the store in
-- partitions, whose sessions run.
CALL ekran_maintain();
SELECT format('UPDATE counted_parts.session_count SET sessions = sessions + 2147483647 - %s WHERE day = %L', ekran_sessions_total_count(), '2024-01-05') AS statement \gset
CALL testing.forge(:'statement');
SELECT ekran_sessions_total_count(), counted_by FROM ekran_status();
SELECT ekran_sessions_json(NULL, NULL, 1, 0)->>'totalCount' AS in_json;
CALL testing.forge($f$UPDATE counted_parts.session_count SET sessions = sessions + 1 WHERE day = '2024-01-05'$f$);
SELECT * FROM testing.failure('SELECT ekran_sessions_total_count()') \gx
SELECT ekran_sessions_total_count(NULL, '2024-01-05') AS narrower;

RESET search_path;
DROP SCHEMA counted, counted_parts CASCADE;
DROP FUNCTION testing.plain, testing.bound, testing.compare, testing.log, testing.total, testing.after, testing.write_after;
DROP OWNED BY regress_ekran_counter;
DROP ROLE regress_ekran_counter;
