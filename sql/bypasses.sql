-- Ways past the triggers: each is seen, refused, or left to ekran_check() to find and
-- ekran_rebuild() to mend.
\set ECHO none
\i test/helpers.sql
\set ECHO all
-- Two stores with the same in them, of one piece and partitioned.
CREATE PROCEDURE testing.fill(store text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', store);
	EXECUTE format('CREATE SCHEMA %I', store);
	IF store = 'parts' THEN
		CREATE TABLE parts.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL,
			activity_id bigint NOT NULL, application text, url text, title text) PARTITION BY RANGE (activity_date);
		CREATE TABLE parts.activity_1 PARTITION OF parts.activity FOR VALUES FROM ('2024-01-01') TO ('2024-01-02');
		CREATE TABLE parts.activity_2 PARTITION OF parts.activity FOR VALUES FROM ('2024-01-02') TO ('2024-01-03');
		CREATE TABLE parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY RANGE (session_id);
		CREATE TABLE parts.session_1 PARTITION OF parts.session FOR VALUES FROM (MINVALUE) TO (1000);
		CREATE TABLE parts.session_2 PARTITION OF parts.session FOR VALUES FROM (1000) TO (MAXVALUE);
	END IF;
	PERFORM ekran_create_store(store);
	EXECUTE format($i$INSERT INTO %I.session SELECT i, NULL, NULL, '2024-01-01 20:00'::timestamptz + i * interval '1 min', CASE WHEN i %% 2 = 0 THEN '2024-01-02 12:00'::timestamptz END FROM generate_series(1, 20) i$i$, store);
	EXECUTE format($i$INSERT INTO %I.activity (session_id, activity_date) SELECT i, '2024-01-01 20:00'::timestamptz + i * interval '1 min' + j * interval '10 min' FROM generate_series(1, 20) i, generate_series(1, 30) j$i$, store);
	PERFORM set_config('ekran_sessions.store', store, false);
	PERFORM ekran_rebuild();
END
$$;

-- What the store set answers, by the index where it may, and by its activities.
CREATE FUNCTION testing.answers() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN concat_ws(' ', (SELECT string_agg(s::text, ';') FROM ekran_sessions() s),
		(SELECT string_agg(s::text, ';') FROM ekran_sessions('2024-01-02 00:30') s),
		ekran_sessions_total_count('2024-01-02 00:30'), ekran_sessions_total_count());
EXCEPTION WHEN undefined_table THEN
	RETURN SQLERRM;
END
$$;
CREATE ROLE regress_ekran_raw;
GRANT USAGE ON SCHEMA testing TO regress_ekran_raw;
CREATE FUNCTION testing.by_activity() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT testing.answers()';
ALTER FUNCTION testing.by_activity OWNER TO regress_ekran_raw;
CREATE FUNCTION testing.is_exact(store text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO regress_ekran_raw', store);
	FOR t IN SELECT c.oid::regclass AS name FROM pg_class c WHERE relnamespace = store::regnamespace AND relname IN ('client', 'app_user', 'session', 'activity') LOOP
		EXECUTE format('GRANT SELECT ON %s TO regress_ekran_raw', t.name);
	END LOOP;
	RETURN testing.answers() = testing.by_activity();
END
$$;

-- Runs a statement (@ is the store) on a store just made; how the store is then, and
-- when it has been completed and made anew.  Each in a transaction of its own, for one
-- that folds is answered by the activities.
CREATE TABLE testing.outcome (place serial, store text, statement text, error text, state text, answered_by text, is_exact boolean, differences bigint, then_by text, then_exact boolean, then_differ bigint);
CREATE PROCEDURE testing.bypass(store text, statement text, role text DEFAULT 'origin') LANGUAGE plpgsql AS $$
DECLARE
	o testing.outcome;
	one text;
BEGIN
	CALL testing.fill(store);
	COMMIT;
	o.store := store;
	o.statement := statement;
	PERFORM set_config('session_replication_role', role, false);
	FOREACH one IN ARRAY string_to_array(replace(statement, '@', store), '; ') LOOP
		o.error := (testing.failure(one)).message;
		EXIT WHEN o.error <> 'no error';
		COMMIT;
	END LOOP;
	PERFORM set_config('session_replication_role', 'origin', false);
	COMMIT;
	SELECT s.state, s.answered_by INTO o.state, o.answered_by FROM ekran_status() s;
	o.is_exact := testing.is_exact(store);
	IF o.state <> 'broken' THEN
		SELECT count(*) INTO o.differences FROM ekran_check();
	END IF;
	COMMIT;
	PERFORM ekran_create_store(store);
	PERFORM ekran_rebuild();
	COMMIT;
	SELECT s.answered_by INTO o.then_by FROM ekran_status() s;
	o.then_exact := testing.is_exact(store);
	SELECT count(*) INTO o.then_differ FROM ekran_check() WHERE difference NOT LIKE '%no session';
	INSERT INTO testing.outcome (store, statement, error, state, answered_by, is_exact, differences, then_by, then_exact, then_differ)
	SELECT o.store, o.statement, nullif(o.error, 'no error'), o.state, o.answered_by, o.is_exact, o.differences, o.then_by, o.then_exact, o.then_differ;
	COMMIT;
END
$$;
CREATE VIEW testing.outcomes AS SELECT error, state, answered_by, is_exact, differences, then_by, then_exact, then_differ, store, statement FROM testing.outcome ORDER BY place;

-- In the role of a replica, all is noted: statements, rows, lost tables.
SELECT format('CALL testing.bypass(%L, %L, ''replica'')', store, s) FROM unnest(ARRAY['whole', 'parts']) store, unnest(ARRAY[
	'SELECT 1',
	'INSERT INTO @.activity (session_id, activity_date) SELECT i, ''2024-01-02 03:05'' FROM generate_series(1, 20) i',
	'UPDATE @.activity SET activity_date = activity_date + interval ''7 min'' WHERE session_id < 9',
	'UPDATE @.activity SET activity_date = activity_date + interval ''9 hours'' WHERE activity_date < ''2024-01-01 23:00''',
	'UPDATE @.activity SET session_id = session_id + 1 WHERE session_id < 9',
	'DELETE FROM @.activity WHERE session_id < 9',
	'DELETE FROM @.session WHERE session_id < 9',
	'DELETE FROM @.session WHERE session_id < 9; INSERT INTO @.session SELECT i, NULL, NULL, ''2024-01-01'' FROM generate_series(1, 8) i',
	'UPDATE @.session SET session_id = session_id + 100',
	'UPDATE @.session SET login_date = login_date - interval ''3 days'', logout_date = NULL',
	'UPDATE @.session SET logout_date = ''2024-01-03''',
	'INSERT INTO @.activity (session_id, activity_date) VALUES (99, ''2024-01-02 09:00''); INSERT INTO @.session VALUES (99, NULL, NULL, ''2024-01-01'')',
	'TRUNCATE @.session, @.activity', 'TRUNCATE @.session; INSERT INTO @.session SELECT i, NULL, NULL, ''2024-01-01 20:00'' FROM generate_series(1, 20) i',
	'TRUNCATE @.activity; INSERT INTO @.activity (session_id, activity_date) VALUES (3, ''2024-01-02 09:00'')',
	'TRUNCATE @.pending', 'TRUNCATE @.session_idle, @.session_count',
	'DELETE FROM @.pending', 'DELETE FROM @.session_idle', 'UPDATE @.session_count SET sessions = 0', 'INSERT INTO @.session_count SELECT * FROM @.session_count',
	'MERGE INTO @.activity a USING @.session s ON a.session_id = s.session_id AND s.session_id < 5 WHEN MATCHED THEN UPDATE SET activity_date = a.activity_date + interval ''9 hours'' WHEN NOT MATCHED THEN INSERT (session_id, activity_date) VALUES (s.session_id, ''2024-01-02 04:44'')'
	]) s \gexec
TABLE testing.outcomes;
TRUNCATE testing.outcome;
-- the role is changed between a row and its trigger, or within a statement
SELECT format('CALL testing.bypass(%L, %L, ''replica'')', store, s) FROM unnest(ARRAY['whole', 'parts']) store, unnest(ARRAY[
	'INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-02 05:05'') RETURNING set_config(''session_replication_role'', ''origin'', false)',
	'DELETE FROM @.session_idle WHERE session_id < 5 AND set_config(''session_replication_role'', ''origin'', false) IS NOT NULL',
	'DELETE FROM @.session WHERE session_id < 5 AND set_config(''session_replication_role'', ''origin'', false) IS NOT NULL; INSERT INTO @.session SELECT i, NULL, NULL, ''2024-01-01'' FROM generate_series(1, 4) i']) s \gexec
SELECT format('CALL testing.bypass(%L, %L)', store, s) FROM unnest(ARRAY['whole', 'parts']) store, unnest(ARRAY[
	'DELETE FROM @.session WHERE session_id < 5 AND set_config(''session_replication_role'', ''replica'', false) IS NOT NULL; SET session_replication_role = origin; INSERT INTO @.session SELECT i, NULL, NULL, ''2024-01-01'' FROM generate_series(1, 4) i']) s \gexec
SELECT format('CALL testing.bypass(''parts'', %L, ''replica'')', 'INSERT INTO @.activity_2 VALUES (1, ''2024-01-02 05:05'', -1) RETURNING set_config(''session_replication_role'', ''origin'', false)') \gexec
TABLE testing.outcomes;
TRUNCATE testing.outcome;
-- and to a partition
SELECT format('CALL testing.bypass(''parts'', %L, ''replica'')', s) FROM unnest(ARRAY[
	'INSERT INTO parts.activity_2 SELECT i, ''2024-01-02 03:05'', -i FROM generate_series(1, 20) i',
	'UPDATE parts.activity_2 SET activity_date = activity_date + interval ''7 min''',
	'DELETE FROM parts.activity_1',
	'TRUNCATE parts.activity_2']) s \gexec
-- in the midst of a statement on the whole table, before its end or after it
CREATE FUNCTION testing.write_directly(store text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %I.activity_2 (session_id, activity_date, activity_id) SELECT i, ''2024-01-02 09:00'', -i FROM generate_series(1, 20) i', store);
	EXECUTE format('UPDATE %I.activity_1 SET activity_date = activity_date - interval ''3 min'' WHERE session_id < 5', store);
	EXECUTE format('DELETE FROM %I.activity_2 WHERE session_id > 15', store);
	RETURN 1;
END
$$;
SELECT format('CALL testing.bypass(''parts'', %L, %L)', s, role) FROM unnest(ARRAY['origin', 'replica']) role, unnest(ARRAY[
	'WITH x AS (INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-01 23:59'') RETURNING 1) INSERT INTO @.activity_2 SELECT i, ''2024-01-02 09:00'', -i FROM x, generate_series(1, 20) i',
	'WITH x AS (INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-01 23:59'') RETURNING 1) INSERT INTO @.activity_2 SELECT i, ''2024-01-02 09:00'', -i FROM (SELECT count(*) FROM x) c, generate_series(1, 20) i',
	'WITH x AS (INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-01 23:59'') RETURNING 1) UPDATE @.activity_2 SET activity_date = activity_date + interval ''4 min'' FROM (SELECT count(*) FROM x) c',
	'WITH x AS (INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-01 23:59'') RETURNING 1) DELETE FROM @.activity_2 USING x',
	'WITH x AS (INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-01 23:59'') RETURNING 1) DELETE FROM @.activity_2 USING (SELECT count(*) FROM x) c',
	'WITH x AS (INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-01 23:59'') RETURNING 1) INSERT INTO @.activity_2 SELECT 999, ''2024-01-02 09:00'', -1 FROM (SELECT count(*) FROM x) c',
	'WITH x AS (INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-01 23:59'') RETURNING 1) INSERT INTO @.activity_2 SELECT 999, ''2024-01-02 09:00'', -1 FROM x',
	'WITH x AS (UPDATE @.activity SET activity_date = activity_date + interval ''1 min'' WHERE session_id = 1 RETURNING 1) INSERT INTO @.session_2 SELECT 1000 + i, NULL, NULL, ''2024-01-01'' FROM (SELECT count(*) FROM x) c, generate_series(1, 20) i',
	'INSERT INTO @.activity (session_id, activity_date) VALUES (testing.write_directly(''@''), ''2024-01-01 23:59:30'')']) s \gexec
TABLE testing.outcomes;
TRUNCATE testing.outcome;
-- To a partition under a savepoint: what that takes back may be told of, which does no
-- harm, and what came before it must be. Each way is a transaction that has written to
-- sessions 1 to 10: savepoints a and b, A and B back to them, R and S released; c is a
-- check, which wants to know what is pending, f fails; w, m and n write to few and to
-- many more sessions, o to another store.
\set ECHO none
CREATE TABLE testing.step (step text PRIMARY KEY, statement text);
INSERT INTO testing.step VALUES ('a', 'SAVEPOINT a'), ('b', 'SAVEPOINT b'), ('A', 'ROLLBACK TO a'), ('B', 'ROLLBACK TO b'), ('R', 'RELEASE a'), ('S', 'RELEASE b'),
	('c', $$DO 'BEGIN ASSERT NOT EXISTS (SELECT FROM ekran_check() WHERE difference NOT LIKE ''%no session''); END'$$),
	('f', $$DO 'BEGIN SET LOCAL ekran_sessions.store = nowhere; PERFORM ekran_refresh(); ASSERT false; EXCEPTION WHEN undefined_table THEN END'$$),
	('w', $$INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) SELECT i, '2024-01-02 06:05', -100 - i FROM generate_series(6, 15) i$$),
	('m', $$INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) SELECT i, '2024-01-02 06:05', -100 - i FROM generate_series(100, 10100) i$$),
	('n', $$INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) SELECT i, '2024-01-02 06:10', -100 - i FROM generate_series(100, 10100) i$$),
	('o', $$INSERT INTO other.activity_2 (session_id, activity_date, activity_id) SELECT i, '2024-01-02 06:05', -100 - i FROM generate_series(6, 15) i$$);
CALL testing.fill('parts');
ALTER SCHEMA parts RENAME TO other;
CALL testing.fill('parts');
WITH way AS (
	SELECT way, number FROM unnest(ARRAY['w', 'c', 'a c A', 'a c R', 'a c f A', 'a b c B A', 'a b c S A', 'a b c B R', 'a b c S w R', 'a c w R', 'a w c A', 'a w c A c', 'a w c R a c A', 'a m A', 'a m R', 'f', 'a f R', 'm', 'm a n A', 'o', 'o a c A', 'a o c A', 'a o c R']) WITH ORDINALITY AS w (way, number)
), said AS (
	SELECT number, e.place, e.statement FROM way, LATERAL (VALUES (5, 'BEGIN'), (6, 'SET LOCAL session_replication_role = replica'),
		(7, 'INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) SELECT i, ''2024-01-02 03:05'', -i FROM generate_series(1, 10) i'),
		(100, 'COMMIT'),
		(101, format($$INSERT INTO testing.outcome (store, statement, state, answered_by, is_exact, differences)
			SELECT 'parts', %L, state, answered_by, testing.is_exact('parts'), (SELECT count(*) FROM ekran_check() WHERE difference NOT LIKE '%%no session') FROM ekran_status()$$, way)),
		(102, 'SET ekran_sessions.store = other'),
		(103, format($$INSERT INTO testing.outcome (store, statement, state, answered_by, is_exact, differences)
			SELECT 'other', %L, state, answered_by, testing.is_exact('other'), (SELECT count(*) FROM ekran_check()) FROM ekran_status()$$, way)),
		(104, 'DO ''BEGIN DELETE FROM other.activity WHERE activity_id < 0; PERFORM ekran_rebuild(); END'''),
		(105, 'SET ekran_sessions.store = parts'),
		(106, 'DO ''BEGIN DELETE FROM parts.activity WHERE activity_id < 0; PERFORM ekran_rebuild(); END''')) e (place, statement)
	UNION ALL
	SELECT number, 7 + s.place, step.statement FROM way, string_to_table(way, ' ') WITH ORDINALITY AS s (step, place) JOIN testing.step USING (step)
)
SELECT statement FROM said ORDER BY number, place \gexec
\set ECHO all
SELECT state, answered_by, is_exact, differences, store, statement FROM testing.outcomes;
TRUNCATE testing.outcome;
DROP TABLE testing.step;
-- The store's tables are moved before the end: some of them, which come back, or all.
SET ekran_sessions.store = parts;
SELECT statement FROM unnest(ARRAY['activity', 'session', 'pending']) WITH ORDINALITY AS t (name, number), LATERAL (VALUES (1, 'BEGIN'), (2, 'SET LOCAL session_replication_role = replica'),
	(3, format('INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) VALUES (1, ''2024-01-02 09:05'', -1000 - %s)', number)),
	(4, format('ALTER TABLE parts.%I RENAME TO renamed', name)), (5, 'COMMIT'), (6, format('ALTER TABLE IF EXISTS parts.renamed RENAME TO %I', name)),
	(7, 'SELECT state, answered_by, testing.is_exact(''parts''), (SELECT count(*) FROM ekran_check()) AS differences, (SELECT count(*) FROM parts.pending WHERE first_moment = ''2024-01-02 09:05'') AS told FROM ekran_status()')) e (place, statement)
ORDER BY number, place \gexec
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -1000);
ALTER SCHEMA other RENAME TO another;
CREATE SCHEMA other;
SELECT format('ALTER TABLE %s SET SCHEMA other', c.oid::regclass) FROM pg_class c WHERE relnamespace = 'parts'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname \gexec
COMMIT;
SET ekran_sessions.store = other;
SELECT state, answered_by, testing.is_exact('other'), (SELECT count(*) FROM ekran_check()) AS differences, (SELECT count(*) FROM other.pending WHERE first_moment = '2024-01-02 09:10') AS told FROM ekran_status();
-- or it goes, as a whole or in parts
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO other.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -2000);
INSERT INTO another.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -2000);
DROP TABLE other.session CASCADE;
DROP SCHEMA another CASCADE;
COMMIT;
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO other.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -3000);
ROLLBACK;
-- or it lacks what it is told in, until the end or not
SET ekran_sessions.store = other;
SELECT ekran_create_store('other') \g /dev/null
CALL ekran_maintain();
BEGIN;
SET LOCAL session_replication_role = replica;
SAVEPOINT a;
DROP TABLE other.pending;
INSERT INTO other.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -4000);
ROLLBACK TO a;
COMMIT;
SELECT state, answered_by, (SELECT count(*) FROM ekran_check() WHERE difference NOT LIKE '%no session') AS differences FROM ekran_status();
BEGIN;
DROP TABLE other.pending;
SET LOCAL session_replication_role = replica;
INSERT INTO other.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -5000);
COMMIT;
BEGIN;
DROP TABLE other.pending;
SET LOCAL session_replication_role = replica;
INSERT INTO other.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -5000);
SET LOCAL session_replication_role = origin;
SELECT ekran_create_store('other') \g /dev/null
COMMIT;
SELECT state, answered_by, (SELECT count(*) FROM ekran_check() WHERE difference NOT LIKE '%no session') AS differences FROM ekran_status();
BEGIN;
DROP TABLE other.pending;
SET LOCAL session_replication_role = replica;
INSERT INTO other.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -6000);
DROP SCHEMA other CASCADE;
COMMIT;
-- or what it is told in isn't there for a while, and the store is none at the end, or
-- elsewhere
CALL testing.fill('parts');
BEGIN;
ALTER TABLE parts.pending RENAME TO renamed;
SET LOCAL session_replication_role = replica;
INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -7000);
ALTER TABLE parts.session RENAME TO other_session;
COMMIT;
SELECT state, answered_by, testing.is_exact('parts'), (SELECT count(*) FROM ekran_check()) AS differences FROM ekran_status();
CREATE SCHEMA other;
BEGIN;
ALTER TABLE parts.pending RENAME TO renamed;
SET LOCAL session_replication_role = replica;
INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:10', -8000);
ALTER TABLE parts.renamed RENAME TO pending;
SELECT format('ALTER TABLE %s SET SCHEMA other', c.oid::regclass) FROM pg_class c WHERE relnamespace = 'parts'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname \gexec
COMMIT;
SET ekran_sessions.store = other;
SELECT state, answered_by, testing.is_exact('other'), (SELECT count(*) FROM ekran_check()) AS differences, (SELECT count(*) FROM other.pending WHERE first_moment = '2024-01-02 09:10') AS told FROM ekran_status();
DROP SCHEMA other CASCADE;
-- What is gathered is kept once for a savepoint, however many are within it.
CALL testing.fill('parts');
BEGIN;
SET LOCAL session_replication_role = replica;
DO $$ BEGIN
	FOR i IN 1..50 LOOP
		BEGIN
			INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) VALUES (1 + i % 20, '2024-01-02 09:10', -i);
			PERFORM ekran_close_sessions('100 years', '2024-01-02');
		EXCEPTION WHEN division_by_zero THEN
		END;
	END LOOP;
	RAISE WARNING 'kept: %', (SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'ekran_sessions gathered rows');
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
END $$;
INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) VALUES (1, '2024-01-02 09:20', -51);
COMMIT;
SELECT state, answered_by, testing.is_exact('parts'), (SELECT count(*) FROM ekran_check()) AS differences FROM ekran_status();
-- Who folds may have locked the derived rows, in SQL, and taken a fold back.
CALL testing.fill('whole');
INSERT INTO whole.activity (session_id, activity_date) VALUES (1, '2024-01-02 07:00'), (2, '2024-01-02 07:00');
BEGIN;
SELECT count(*) FROM (SELECT FROM whole.pending FOR UPDATE) p;
SELECT count(*) FROM (SELECT FROM whole.session_idle FOR KEY SHARE) i;
SAVEPOINT a;
SELECT ekran_refresh();
ROLLBACK TO a;
SELECT count(*) FROM (SELECT FROM whole.session_idle FOR UPDATE) i;
SELECT ekran_refresh();
COMMIT;
SELECT state, answered_by, testing.is_exact('whole'), (SELECT count(*) FROM ekran_check()) AS differences FROM ekran_status();
-- what is read amid all that is read from the activities
CREATE FUNCTION testing.amid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE WARNING '%', testing.is_exact('whole');
	RETURN NULL;
END $$;
CALL testing.fill('whole');
CREATE TRIGGER a_first AFTER INSERT ON whole.activity FOR EACH ROW EXECUTE FUNCTION testing.amid();
ALTER TABLE whole.activity ENABLE ALWAYS TRIGGER a_first;
SET session_replication_role = replica;
INSERT INTO whole.activity (session_id, activity_date) VALUES (1, '2024-01-02 07:00'), (2, '2024-01-02 07:00');
RESET session_replication_role;
DROP TRIGGER a_first ON whole.activity;
SELECT testing.is_exact('whole') AS is_exact;

-- Triggers disabled, and enabled as one does after a restore of data: that shows.
SELECT format('CALL testing.bypass(%L, %L)', store, format('ALTER TABLE @.%1$I DISABLE TRIGGER ALL; DELETE FROM @.%1$I WHERE session_id < 9; ALTER TABLE @.%1$I ENABLE TRIGGER ALL', s))
FROM unnest(ARRAY['whole', 'parts']) store, unnest(ARRAY['activity', 'session']) s \gexec
SELECT format('CALL testing.bypass(''whole'', %L)', format('ALTER TABLE @.%1$I DISABLE TRIGGER ALL; DELETE FROM @.%1$I WHERE generation IS NULL; ALTER TABLE @.%1$I ENABLE TRIGGER ALL', s))
FROM unnest(ARRAY['pending', 'session_idle', 'session_count']) s \gexec
SELECT format('CALL testing.bypass(''parts'', %L)', format('ALTER TABLE parts.activity_1 DISABLE TRIGGER %1$s; DELETE FROM parts.activity_1; ALTER TABLE parts.activity_1 ENABLE TRIGGER %1$s', s))
FROM unnest(ARRAY['USER', 'ALL']) s \gexec
-- each by its name, and as it was: that doesn't
CALL testing.bypass('whole', $s$CALL testing.unseen('DELETE FROM @.activity WHERE session_id < 9', 'activity')$s$);
CALL testing.bypass('whole', $s$CALL testing.unseen('DELETE FROM @.session WHERE session_id < 9', 'session')$s$);
CALL testing.bypass('whole', $s$CALL testing.forge('DELETE FROM @.session_idle WHERE session_id < 9')$s$);
TABLE testing.outcomes;
TRUNCATE testing.outcome;

-- What others write to the derived tables, and what a data-only restore brings.
SELECT format('CALL testing.bypass(''whole'', %L)', s) FROM unnest(ARRAY['DELETE FROM @.pending', 'DELETE FROM @.session_idle', 'UPDATE @.session_count SET sessions = 0', 'UPDATE @.session_idle SET generation = generation',
	'COPY @.session_count FROM PROGRAM ''echo 2024-01-01,20,'' WITH (FORMAT csv)', 'INSERT INTO @.pending SELECT * FROM @.pending',
	'MERGE INTO @.session_idle i USING @.session s ON s.session_id = i.session_id WHEN MATCHED THEN DELETE',
	'WITH d AS (DELETE FROM @.session_idle RETURNING *) INSERT INTO @.session_idle SELECT * FROM d WHERE session_id IS NULL']) s \gexec
TABLE testing.outcomes;
TRUNCATE testing.outcome;

-- the reason is told wherever in the table its mark is
CALL testing.fill('whole');
UPDATE whole.session_idle SET generation = generation WHERE session_id IS NULL;
UPDATE whole.pending SET generation = generation WHERE session_id IS NULL;
CALL ekran_maintain();
VACUUM whole.session_idle, whole.pending;
DELETE FROM whole.session_idle WHERE session_id = 1;
SELECT state, reason FROM ekran_status();
CALL ekran_maintain();
VACUUM whole.session_idle, whole.pending;
TRUNCATE whole.activity;
SELECT state, reason FROM ekran_status();

-- Nor is a derived table trusted that is put back after another has been in its place,
-- nor those that the other tables come back to, after others have been theirs.
SELECT format('CALL testing.bypass(''whole'', %L)', format('ALTER TABLE @.%1$I SET SCHEMA testing; SELECT ekran_create_store(''@''); INSERT INTO @.activity (session_id, activity_date) VALUES (1, ''2024-01-02 09:10''); INSERT INTO @.session VALUES (21, NULL, NULL, ''2024-01-02''); SELECT ekran_refresh(); DROP TABLE @.%1$I; ALTER TABLE testing.%1$I SET SCHEMA @', s))
FROM unnest(ARRAY['pending', 'session_idle', 'session_count']) s \gexec
CREATE PROCEDURE testing.move(a name, b name) LANGUAGE plpgsql AS $$
DECLARE
	t name;
BEGIN
	FOREACH t IN ARRAY ARRAY['client', 'app_user', 'session', 'activity'] LOOP
		EXECUTE format('ALTER TABLE %I.%I SET SCHEMA %I', a, t, b);
	END LOOP;
END
$$;
CREATE SCHEMA aside;
SELECT format('CALL testing.bypass(%L, %L)', s, 'CALL testing.move(''@'', ''aside''); SELECT ekran_create_store(''aside''); INSERT INTO aside.activity (session_id, activity_date) VALUES (1, ''2024-01-02 09:10''); INSERT INTO aside.session VALUES (21, NULL, NULL, ''2024-01-02''); CALL testing.move(''aside'', ''@''); DROP SCHEMA aside CASCADE; CREATE SCHEMA aside')
FROM unnest(ARRAY['whole', 'parts']) s \gexec
TABLE testing.outcomes;
TRUNCATE testing.outcome;
DROP PROCEDURE testing.move;
-- Nor is anything told to those of another store, or of another time, meanwhile.
CREATE PROCEDURE testing.exchange(tables text) LANGUAGE plpgsql AS $$
DECLARE
	t name;
BEGIN
	FOREACH t IN ARRAY string_to_array(tables, ' ') LOOP
		EXECUTE format('ALTER TABLE whole.%1$I SET SCHEMA aside; ALTER TABLE twin.%1$I SET SCHEMA whole; ALTER TABLE aside.%1$I SET SCHEMA twin', t);
	END LOOP;
END
$$;
CALL testing.fill('twin');
CALL testing.fill('whole');
CREATE TABLE testing.told AS
SELECT number, tables, role, statement, NULL::text AS code, NULL::text AS message FROM unnest(ARRAY['pending', 'session_idle', 'session_count', 'activity', 'session', 'client app_user session activity']) WITH ORDINALITY AS t (tables, number),
	unnest(ARRAY['origin', 'replica']) role, unnest(ARRAY['INSERT INTO whole.activity (session_id, activity_date) VALUES (1, ''2024-01-02 09:10'')', 'DELETE FROM whole.activity WHERE session_id = 2',
		'INSERT INTO whole.session VALUES (30, NULL, NULL, ''2024-01-02'')', 'UPDATE whole.session SET logout_date = NULL', 'DELETE FROM whole.session WHERE session_id = 3', 'TRUNCATE whole.session, whole.activity']) statement;
SELECT e.statement FROM (SELECT DISTINCT number, tables FROM testing.told) t, LATERAL (VALUES (1, format('CALL testing.exchange(%L)', tables)),
	(2, format('UPDATE testing.told SET (code, message) = (SELECT code, message FROM testing.failure(format(''SET LOCAL session_replication_role = %%s; %%s; SET LOCAL session_replication_role = origin'', role, statement))) WHERE tables = %L', tables)),
	(3, format('CALL testing.exchange(%L)', tables)),
	(4, 'SET ekran_sessions.store = twin'), (5, 'SELECT state, answered_by, testing.is_exact(''twin''), (SELECT count(*) FROM ekran_check()) AS differences FROM ekran_status()'),
	(6, 'SET ekran_sessions.store = whole'), (7, 'SELECT state, answered_by, testing.is_exact(''whole''), (SELECT count(*) FROM ekran_check() WHERE difference NOT LIKE ''%no session'') AS differences FROM ekran_status()'),
	(8, 'CALL testing.fill(''whole'')')) e (place, statement)
ORDER BY number, place \gexec
SELECT tables, role, statement, code, message FROM testing.told ORDER BY number, role, statement;
DROP TABLE testing.told;
DROP SCHEMA aside, twin CASCADE;
DROP PROCEDURE testing.exchange;
-- Triggers of the owner's on the same tables are theirs, whatever their argument, and stay.
CREATE FUNCTION testing.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CALL testing.fill('parts');
CREATE TRIGGER audit AFTER INSERT ON parts.pending FOR EACH STATEMENT EXECUTE FUNCTION testing.nothing('1-hour');
CREATE TRIGGER audit AFTER INSERT ON parts.activity_2 FOR EACH STATEMENT EXECUTE FUNCTION testing.nothing('2-hours');
INSERT INTO parts.activity (session_id, activity_date) VALUES (1, '2024-01-02 09:10');
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO parts.activity_2 (session_id, activity_date, activity_id) VALUES (2, '2024-01-02 09:10', -1);
COMMIT;
SELECT state, answered_by, testing.is_exact('parts'), (SELECT count(*) FROM ekran_check()) AS differences FROM ekran_status();
ALTER TRIGGER ekran_row ON parts.session RENAME TO other_row;
CREATE TRIGGER ekran_row AFTER INSERT ON parts.session_1 FOR EACH ROW EXECUTE FUNCTION testing.nothing();
DROP TABLE parts.session_count;
SELECT * FROM testing.failure('SELECT ekran_create_store(''parts'')') \gx
DROP TRIGGER ekran_row ON parts.session_1;
SELECT ekran_create_store('parts') \g /dev/null
SELECT tgrelid::regclass, tgname, tgenabled, tgparentid <> 0 AS is_of_whole FROM pg_trigger WHERE tgrelid IN ('parts.session'::regclass, 'parts.session_1'::regclass) AND tgname ~ 'row|audit' ORDER BY 1, 2;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgrelid IN ('parts.activity_2'::regclass) ORDER BY 1, 2;
SELECT state, answered_by, testing.is_exact('parts'), (SELECT count(*) FROM ekran_check()) AS differences FROM ekran_status();
-- a constraint trigger can't be replaced, nor dropped by who didn't make it
DROP TRIGGER ekran_row ON parts.session;
CREATE CONSTRAINT TRIGGER ekran_row AFTER INSERT ON parts.session_1 FOR EACH ROW EXECUTE FUNCTION ekran_session_changed('2-00');
SELECT * FROM testing.failure('SELECT ekran_create_store(''parts'')') \gx
-- nor can the store's owner drop another one of somebody else's
DROP TRIGGER ekran_row ON parts.session_1;
CREATE TRIGGER aaa AFTER INSERT ON parts.session_1 FOR EACH ROW EXECUTE FUNCTION ekran_session_changed('2-00');
ALTER TABLE parts.session_1 OWNER TO regress_ekran_raw;
CREATE ROLE regress_ekran_owner;
GRANT ALL ON parts.session_1 TO regress_ekran_owner;
SELECT format('ALTER TABLE %s OWNER TO regress_ekran_owner', oid::regclass) FROM pg_class
WHERE relnamespace = 'parts'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'session_1' ORDER BY relname \gexec
ALTER SCHEMA parts OWNER TO regress_ekran_owner;
SELECT * FROM testing.failure('SELECT ekran_create_store(''parts'')') \gx
DROP FUNCTION testing.nothing CASCADE;
DROP SCHEMA parts CASCADE;
DROP ROLE regress_ekran_owner;

-- Triggers that call ours beside the store's, with another argument, tell nothing, and go
-- when the store's are made anew: in a derived table, in a partition, of a former table by
-- itself, and those that partitions have kept of one for rows where that is none.
CREATE PROCEDURE testing.write(store text, piece text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %I.activity (session_id, activity_date) VALUES (1, ''2024-01-02 09:10'')', store);
	SET LOCAL session_replication_role = replica;
	EXECUTE format('INSERT INTO %1$I.%2$I (session_id, activity_date, activity_id) SELECT 2, ''2024-01-02 09:20'', min(activity_id) - 100 FROM %1$I.activity', store, piece);
	SET LOCAL session_replication_role = origin;
	COMMIT;
END
$$;
CREATE FUNCTION testing.how(store text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', state, reason, answered_by, CASE WHEN testing.is_exact(store) THEN 'exact' ELSE 'wrong' END,
		CASE WHEN state <> 'broken' THEN (SELECT count(*) FROM ekran_check()) END,
		(SELECT count(DISTINCT tgargs) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = store::regnamespace AND tgname NOT LIKE 'RI_%')) FROM ekran_status()
$$;
CALL testing.fill('whole');
CREATE TRIGGER aaa AFTER INSERT ON whole.pending FOR EACH ROW WHEN (false) EXECUTE FUNCTION ekran_derived_written('2-00000000000000000000000000000000');
CALL testing.write('whole', 'activity');
SELECT testing.how('whole');
CALL testing.fill('parts');
CREATE TRIGGER aaa AFTER INSERT ON parts.activity_2 FOR EACH ROW WHEN (false) EXECUTE FUNCTION ekran_activity_changed('2-00000000000000000000000000000000');
CALL testing.write('parts', 'activity_2');
SELECT testing.how('parts');
DROP TABLE parts.session_count;
SELECT ekran_create_store('parts') \g /dev/null
CALL testing.write('parts', 'activity_2');
SELECT testing.how('parts');
CREATE OR REPLACE TRIGGER ekran_insert AFTER INSERT ON parts.activity FOR EACH ROW EXECUTE FUNCTION ekran_activity_changed('2-00000000000000000000000000000000');
SELECT testing.how('parts');
SELECT ekran_create_store('parts') \g /dev/null
SELECT tgrelid::regclass, tgtype FROM pg_trigger WHERE tgname = 'ekran_insert' AND tgrelid IN (SELECT relid FROM pg_partition_tree('parts.activity'));
CALL testing.write('parts', 'activity_2');
SELECT testing.how('parts');
CALL testing.fill('whole');
CREATE TABLE whole.activity_all (LIKE whole.activity INCLUDING ALL) PARTITION BY RANGE (activity_date);
ALTER TABLE whole.activity RENAME TO activity_old;
ALTER TABLE whole.activity_all RENAME TO activity;
-- as far as the server asks for it
DROP TRIGGER ekran_alone ON whole.activity_old;
ALTER TABLE whole.activity ATTACH PARTITION whole.activity_old FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
SELECT ekran_create_store('whole') \g /dev/null
SELECT tgname, tgparentid <> 0 AS is_of_whole FROM pg_trigger WHERE tgrelid = 'whole.activity_old'::regclass ORDER BY 1;
CALL testing.write('whole', 'activity_old');
SELECT testing.how('whole');

-- An older version's library, to which one that goes on with it has the store completed,
-- leaves the guards, whose argument then tells nothing.
CALL testing.fill('whole');
ALTER EXTENSION ekran_sessions DROP FUNCTION ekran_derived_written();
DROP TRIGGER ekran_insert ON whole.activity;
SELECT ekran_create_store('whole') \g /dev/null
ALTER EXTENSION ekran_sessions ADD FUNCTION ekran_derived_written();
INSERT INTO whole.activity (session_id, activity_date) VALUES (1, '2024-01-02 09:10');
INSERT INTO whole.session VALUES (30, NULL, NULL, '2024-01-02');
UPDATE whole.session SET logout_date = NULL WHERE session_id = 2;
SELECT testing.how('whole');
SELECT ekran_create_store('whole') \g /dev/null
CALL testing.write('whole', 'activity');
SELECT testing.how('whole');

-- What has been written to partitions in the role of a replica is told to no derived table
-- of another time, be it that the first one written to is gone.
CREATE SCHEMA aside;
SELECT e.* FROM unnest(ARRAY['SELECT 1', 'DROP TABLE parts.activity_3', 'ALTER TABLE parts.activity DETACH PARTITION parts.activity_3']) s,
	LATERAL (VALUES ('CALL testing.fill(''parts'')'), ('ALTER TABLE parts.pending SET SCHEMA aside'), ('ALTER INDEX aside.pending_session_id_first_moment_idx RENAME TO other_idx'),
	('CREATE TABLE parts.activity_3 PARTITION OF parts.activity FOR VALUES FROM (''2024-02-01'') TO (''2024-02-02'')'), ('SELECT FROM ekran_create_store(''parts'')'),
	('BEGIN'), ('SET LOCAL session_replication_role = replica'), ('INSERT INTO parts.activity_3 VALUES (3, ''2024-02-01 09:06'', -8)'), ('INSERT INTO parts.activity_2 VALUES (2, ''2024-01-02 09:06'', -7)'),
	('SET LOCAL session_replication_role = origin'), (s), ('ALTER TABLE parts.pending RENAME TO pending_own'), ('ALTER TABLE aside.pending SET SCHEMA parts'), ('COMMIT'),
	('SELECT testing.how(''parts'')'), ('DROP SCHEMA aside CASCADE'), ('CREATE SCHEMA aside')) e \gexec
DROP SCHEMA aside CASCADE;
DROP PROCEDURE testing.write;
DROP FUNCTION testing.how;

-- Partitions written to, given another content, or exchanged.
SELECT format('CALL testing.bypass(''parts'', %L)', s) FROM unnest(ARRAY['INSERT INTO @.activity_2 VALUES (1, ''2024-01-02 03:05'', -1)', 'UPDATE @.activity_2 SET session_id = 3', 'DELETE FROM @.activity_1',
	'TRUNCATE @.activity_1', 'DROP TABLE @.activity_1', 'ALTER TABLE @.activity DETACH PARTITION @.activity_1',
	'CREATE TABLE @.other (LIKE @.activity INCLUDING CONSTRAINTS INCLUDING DEFAULTS); INSERT INTO @.other (session_id, activity_date) SELECT i, ''2024-01-05 01:00'' FROM generate_series(1, 20) i; ALTER TABLE @.activity ATTACH PARTITION @.other FOR VALUES FROM (''2024-01-05'') TO (''2024-01-06'')',
	'ALTER TABLE @.activity_1 SET UNLOGGED; ALTER TABLE @.activity_1 SET LOGGED', 'CREATE TABLE @.activity_3 PARTITION OF @.activity FOR VALUES FROM (''2024-01-03'') TO (''2024-01-04'')']) s \gexec
TABLE testing.outcomes;
TRUNCATE testing.outcome;

CALL testing.fill('parts');
ALTER TABLE parts.activity_2 SET UNLOGGED;
SELECT state, reason FROM ekran_status();
SELECT * FROM testing.failure('SELECT ekran_create_store(''parts'')') \gx

-- Tables dropped, emptied, made otherwise.
SELECT format('CALL testing.bypass(''whole'', %L)', s) FROM unnest(ARRAY['DROP TABLE @.pending', 'DROP TABLE @.session_idle', 'DROP TABLE @.session_count', 'DROP TABLE @.activity', 'TRUNCATE @.activity', 'TRUNCATE @.session, @.activity',
	'CREATE TABLE @.parent (session_id bigint, gap_start timestamptz[] NOT NULL, gap_end timestamptz[] NOT NULL, reach tstzrange, generation text); ALTER TABLE @.session_idle INHERIT @.parent',
	'CREATE TABLE @.parent (session_id bigint, gap_start timestamptz[] NOT NULL, gap_end timestamptz[] NOT NULL, reach tstzrange, generation text) PARTITION BY LIST (session_id); ALTER TABLE @.parent ATTACH PARTITION @.session_idle DEFAULT',
	'DROP TRIGGER ekran_written ON @.session_idle; CREATE TRIGGER ekran_written BEFORE INSERT OR DELETE OR UPDATE OF generation ON @.session_idle FOR EACH STATEMENT EXECUTE FUNCTION ekran_derived_written()',
	'DROP TRIGGER ekran_replicated ON @.activity; CREATE CONSTRAINT TRIGGER ekran_replicated AFTER INSERT OR UPDATE OR DELETE ON @.activity DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ekran_activity_replicated(); ALTER TABLE @.activity ENABLE ALWAYS TRIGGER ekran_replicated',
	'TRUNCATE @.session', 'ALTER TABLE @.activity ALTER activity_date TYPE timestamptz USING activity_date + interval ''1 hour''', 'ALTER TABLE @.session ALTER login_date TYPE timestamptz USING login_date + interval ''1 hour''',
	'ALTER TABLE @.activity ALTER title TYPE text USING upper(title)', 'ALTER TABLE @.pending ALTER first_moment TYPE timestamptz USING ''infinity''', 'ALTER TABLE @.session_idle ALTER gap_start TYPE timestamptz[] USING ''{-infinity}'', ALTER gap_end TYPE timestamptz[] USING ''{infinity}''', 'ALTER TABLE @.session_count ALTER sessions TYPE bigint USING 0', 'ALTER TABLE @.session_idle SET UNLOGGED',
	'DROP TRIGGER ekran_replicated ON @.activity', 'DROP TRIGGER ekran_written ON @.pending', 'ALTER TABLE @.activity ENABLE TRIGGER ekran_replicated', 'ALTER TABLE @.activity ENABLE ALWAYS TRIGGER ekran_replicated',
	'ALTER TABLE @.session ENABLE TRIGGER ekran_row', 'ALTER TABLE @.session_count DISABLE TRIGGER ekran_replicated']) s \gexec
TABLE testing.outcomes;
TRUNCATE testing.outcome;

-- By another name, or in another place, a derived table can't be written to.
CALL testing.fill('whole');
SELECT s, role, f.code, f.message FROM unnest(ARRAY['origin', 'replica']) role, unnest(ARRAY['ALTER TABLE whole.session_idle RENAME TO z; DELETE FROM whole.z',
	'ALTER TABLE whole.session RENAME TO z; DELETE FROM whole.session_idle', 'ALTER TABLE whole.session_count SET SCHEMA testing; UPDATE testing.session_count SET sessions = 0']) s,
	LATERAL testing.failure(format('SET LOCAL session_replication_role = %s; %s', role, s)) f;

-- nor is another one made beside it, but for one without an index of its own
SELECT s, f.* FROM unnest(ARRAY['session_idle', 'pending', 'session_count']) s, LATERAL testing.failure(format('ALTER TABLE whole.%I RENAME TO z; SELECT ekran_create_store(''whole'')', s)) f;

-- The functions of these triggers, called otherwise.
SELECT code, message FROM testing.failure('SELECT ekran_derived_written()');
CREATE TABLE testing.strange (session_id bigint, activity_date timestamptz);
SELECT s, f.code, f.message FROM unnest(ARRAY['BEFORE INSERT ON testing.strange FOR EACH ROW EXECUTE FUNCTION ekran_activity_replicated()', 'AFTER INSERT ON testing.strange FOR EACH STATEMENT EXECUTE FUNCTION ekran_activity_replicated()',
	'AFTER INSERT ON testing.strange FOR EACH ROW EXECUTE FUNCTION ekran_derived_written()', 'AFTER INSERT ON testing.strange FOR EACH ROW EXECUTE FUNCTION ekran_activity_replicated()',
	'BEFORE INSERT ON testing.strange FOR EACH ROW EXECUTE FUNCTION ekran_derived_written()', 'BEFORE INSERT ON testing.strange FOR EACH STATEMENT EXECUTE FUNCTION ekran_derived_written()']) s,
	LATERAL testing.failure('CREATE OR REPLACE TRIGGER strange ' || s || '; INSERT INTO testing.strange VALUES (1, now()); SET LOCAL session_replication_role = replica; ALTER TABLE testing.strange ENABLE ALWAYS TRIGGER strange; INSERT INTO testing.strange VALUES (1, now()); SET LOCAL session_replication_role = origin; DROP TRIGGER strange ON testing.strange') f;
SELECT count(*) FROM testing.strange;

DROP SCHEMA parts, whole CASCADE;
DROP VIEW testing.outcomes;
DROP TABLE testing.strange, testing.outcome;
DROP FUNCTION testing.answers, testing.by_activity, testing.is_exact, testing.amid, testing.write_directly;
DROP PROCEDURE testing.fill, testing.bypass;
DROP OWNED BY regress_ekran_raw;
DROP ROLE regress_ekran_raw;
