-- When the idle-gap index is trusted, and by whom: what is returned equals what
-- the activities say, in every state of the derived tables, and ekran_status()
-- says why they are not asked.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('trusted');
SET ekran_sessions.store = 'trusted';
SET search_path = trusted, public;
SELECT testing.add_session(1, '08:00', '12:00', '08:10', '09:00');
SELECT testing.add_session(2, '08:00', NULL, '08:20');
SELECT ekran_refresh() >= 0 AS refreshed;
CREATE ROLE regress_ekran_raw;
GRANT USAGE ON SCHEMA trusted, testing TO regress_ekran_raw;
GRANT SELECT ON client, app_user, session, activity TO regress_ekran_raw;

-- What the caller is answered, and what whoever may read the activities alone is.
CREATE FUNCTION testing.by_activity() RETURNS interval[] LANGUAGE sql STABLE SECURITY DEFINER AS
	'SELECT array_agg(idle_time ORDER BY session_id) FROM public.ekran_sessions()';
ALTER FUNCTION testing.by_activity() OWNER TO regress_ekran_raw;
CREATE VIEW testing.answer AS
SELECT array_agg(idle_time ORDER BY session_id) AS answer, testing.by_activity() AS by_activity FROM ekran_sessions();
CREATE VIEW testing.status AS SELECT state, reason, answered_by FROM ekran_status();
TABLE testing.answer;
SELECT store, state, reason, answered_by, indexed_sessions, pending_rows, pending_sessions, derived_bytes > 0 AS derived, activity_bytes > 0 AS activity FROM ekran_status();
INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('09:30')), (2, testing.at('09:00'));
INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('10:30'));
SELECT pending_rows >= pending_sessions AS pending, indexed_sessions FROM ekran_status();
TABLE testing.answer;

-- A message tells why a call reads activities.
SET client_min_messages = debug1;
SET ekran_sessions.idle_threshold = '59s';
SELECT count(*) FROM ekran_sessions();
RESET ekran_sessions.idle_threshold;
SET client_min_messages = warning;
-- Who may not read the derived tables is told the state, and no counts.
GRANT SELECT ON pending TO regress_ekran_raw;
SET ROLE regress_ekran_raw;
SELECT state, reason, answered_by, indexed_sessions, pending_rows IS NOT NULL AS pending FROM ekran_status();
RESET ROLE;
REVOKE SELECT ON pending FROM regress_ekran_raw;

-- While a statement on activities is in progress: functions that run inside of it
-- see its rows, of which nothing tells yet.
CREATE FUNCTION testing.seen(OUT answer interval[], OUT by_activity interval[], OUT reason text) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	SELECT a.* INTO answer, by_activity FROM testing.answer a;
	SELECT s.reason INTO reason FROM public.ekran_status() s;
END
$$;
BEGIN;
WITH added AS (INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('11:00')) RETURNING session_id)
SELECT seen.* FROM added, testing.seen();
ROLLBACK;
-- in a statement that inserts what a function returns
CREATE FUNCTION testing.moment() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	seen record;
BEGIN
	SELECT * INTO seen FROM testing.seen();
	IF seen.answer IS DISTINCT FROM seen.by_activity THEN
		RAISE '% but %', seen.answer, seen.by_activity;
	END IF;
	RAISE WARNING '%', seen.reason;
	RETURN testing.at('11:10');
END
$$;
BEGIN;
INSERT INTO activity (session_id, activity_date) SELECT 1, testing.at('11:00') UNION ALL SELECT 1, testing.moment();
TABLE testing.answer;
TABLE testing.status;
ROLLBACK;
-- in a trigger of the owner's that is fired before ours
CREATE FUNCTION testing.look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	seen record;
BEGIN
	SELECT * INTO seen FROM testing.seen();
	RAISE WARNING '%: % %', TG_OP, seen.answer = seen.by_activity, seen.reason;
	RETURN NULL;
END
$$;
CREATE TRIGGER a_look AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON activity FOR EACH STATEMENT EXECUTE FUNCTION testing.look();
BEGIN;
INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('11:00'));
UPDATE activity SET activity_date = activity_date + interval '5 min' WHERE session_id = 1;
DELETE FROM activity WHERE session_id = 1;
INSERT INTO activity (session_id, activity_date, activity_id) VALUES (1, testing.at('11:00'), 1), (1, testing.at('11:00'), 2)
ON CONFLICT (session_id, activity_date, activity_id) DO UPDATE SET activity_date = testing.at('11:30');
MERGE INTO activity a USING (VALUES (1), (2), (3)) v (id) ON a.activity_id = v.id
WHEN MATCHED AND v.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET activity_date = testing.at('11:40')
WHEN NOT MATCHED THEN INSERT (session_id, activity_date, activity_id) VALUES (2, testing.at('11:50'), 3);
TABLE testing.answer;
DELETE FROM session WHERE session_id = 2;
TABLE testing.status;
TRUNCATE activity;
TABLE testing.status;
ROLLBACK;
DROP TRIGGER a_look ON activity;
-- a statement that failed has ended, in whatever depth it did
CREATE FUNCTION testing.insert_into(depth int) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	BEGIN
		INSERT INTO activity (session_id, activity_date)
		SELECT 1, CASE WHEN depth = 0 THEN testing.fail() ELSE testing.insert_into(depth - 1) END;
	EXCEPTION WHEN OTHERS THEN
		RAISE WARNING 'depth %: %', depth, (SELECT reason FROM ekran_status());
	END;
	RETURN testing.at('11:00') + depth * interval '10 min';
END
$$;
CREATE FUNCTION testing.fail() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$ BEGIN RAISE 'failed'; END $$;
BEGIN;
SELECT testing.insert_into(2);
TABLE testing.status;
TABLE testing.answer;
SAVEPOINT s;
SELECT code, message FROM testing.failure($$INSERT INTO trusted.activity (session_id, activity_date) SELECT 1, testing.fail()$$);
INSERT INTO activity (session_id, activity_date) SELECT 1, testing.fail();
ROLLBACK TO s;
TABLE testing.status;
ROLLBACK;
-- nothing is folded or checked inside of one
SELECT message FROM testing.failure($$WITH a AS (INSERT INTO trusted.activity (session_id, activity_date) VALUES (1, '2024-01-01 11:00') RETURNING 1)
	SELECT (SELECT count(*) FROM ekran_check()) FROM a$$);
SELECT message FROM testing.failure($$WITH a AS (INSERT INTO trusted.activity (session_id, activity_date) VALUES (1, '2024-01-01 11:00') RETURNING 1)
	SELECT ekran_rebuild() FROM a$$);
BEGIN;
DROP INDEX session_tstzrange_idx;
SELECT message FROM testing.failure($$WITH a AS (INSERT INTO trusted.activity (session_id, activity_date) VALUES (1, '2024-01-01 11:00') RETURNING 1)
	SELECT ekran_create_store('trusted') FROM a$$);
ROLLBACK;
BEGIN;
WITH a AS (INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('11:00')) RETURNING 1) SELECT ekran_refresh() FROM a;
ROLLBACK;

-- A cursor opened between a statement's rows and our trigger, and fetched from when
-- the statement has ended.
CREATE FUNCTION testing.open_cursor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	opened refcursor := 'opened';
BEGIN
	OPEN opened FOR TABLE testing.answer;
	RETURN NULL;
END
$$;
CREATE TRIGGER a_cursor AFTER INSERT ON activity FOR EACH STATEMENT EXECUTE FUNCTION testing.open_cursor();
BEGIN;
INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('11:15'));
FETCH ALL FROM opened;
ROLLBACK;
DROP TRIGGER a_cursor ON activity;

-- A transaction that has folded reads activities until its end.
BEGIN;
SELECT ekran_refresh() >= 0 AS folded;
TABLE testing.status;
TABLE testing.answer;
SELECT * FROM ekran_check();
COMMIT;
TABLE testing.status;

-- An activity and the deletion of its session in one statement: a foreign key takes
-- it where the deletion comes first.
BEGIN;
WITH d AS (DELETE FROM session WHERE session_id = 2 RETURNING session_id)
INSERT INTO activity (session_id, activity_date) SELECT session_id, testing.at('10:00') FROM d;
SELECT count(*) FROM activity WHERE session_id = 2;
TABLE testing.answer;
ROLLBACK;

-- Columns that the index is made from keep their type.
SELECT code, message FROM testing.failure('ALTER TABLE trusted.activity ALTER activity_date TYPE date USING activity_date::date');
SELECT code, message FROM testing.failure('ALTER TABLE trusted.activity ALTER session_id TYPE int');
-- Nor does it become a part of another table, by whose name it could be written to.
SELECT code, message FROM testing.failure('CREATE TABLE trusted.log (); ALTER TABLE trusted.activity INHERIT trusted.log');
SELECT code, message FROM testing.failure('CREATE TABLE trusted.log (LIKE trusted.activity) PARTITION BY LIST (session_id); ALTER TABLE trusted.log ATTACH PARTITION trusted.activity DEFAULT');

-- Raw: what empties, rewrites or restores the derived tables, in whole or in part.
-- It is written to, and made anew by whoever maintains it.
CREATE FUNCTION testing.state_after(statement text, OUT state text, OUT reason text, OUT is_right boolean, OUT written text)
LANGUAGE plpgsql AS $$
BEGIN
	CALL testing.forge(statement);
	SELECT s.state, s.reason INTO state, reason FROM ekran_status() s;
	SELECT answer = by_activity INTO is_right FROM testing.answer;
	SELECT message INTO written FROM testing.failure($i$INSERT INTO trusted.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:40')$i$);
	SELECT is_right AND answer = by_activity INTO is_right FROM testing.answer;
END
$$;
SELECT format('SELECT %1$L AS statement, s.* FROM testing.state_after(%1$L) s', s), 'CALL ekran_maintain()', 'TABLE testing.status', 'TABLE testing.answer', 'SELECT * FROM ekran_check()'
FROM unnest(ARRAY['TRUNCATE trusted.session_idle', 'TRUNCATE trusted.pending', 'DELETE FROM trusted.session_idle WHERE session_id IS NULL',
	'INSERT INTO trusted.session_idle SELECT * FROM trusted.session_idle WHERE session_id IS NULL',
	$$UPDATE trusted.pending SET generation = '1-0' WHERE session_id IS NULL$$, 'TRUNCATE trusted.activity']) s \gexec
INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('09:00'));

CREATE ACCESS METHOD regress_ekran_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE FUNCTION testing.never() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'runs as %', current_user; END $$;
-- Broken: what makes the store another than ekran_create_store() made. It takes no
-- activities until that is undone, or it is completed.
SELECT format('SELECT %1$L AS statement, s.* FROM testing.state_after(%1$L) s', s), undo, 'TABLE testing.status', 'SELECT * FROM ekran_check()'
FROM (VALUES ('ALTER TABLE trusted.pending RENAME TO away', 'ALTER TABLE trusted.away RENAME TO pending'),
	('ALTER TABLE trusted.session_idle SET UNLOGGED', 'SELECT ekran_create_store(''trusted'')'),
	('ALTER TABLE trusted.pending OWNER TO regress_ekran_raw', 'ALTER TABLE trusted.pending OWNER TO current_user'),
	('ALTER TABLE trusted.pending ADD note text', 'DROP TABLE trusted.pending; SELECT ekran_create_store(''trusted'')'),
	('CREATE UNIQUE INDEX in_the_way ON trusted.pending (session_id, first_moment)', 'DROP INDEX trusted.in_the_way'),
	('CREATE INDEX in_the_way ON trusted.pending (session_id) WHERE session_id > 0', 'DROP INDEX trusted.in_the_way'),
	('CREATE INDEX in_the_way ON trusted.pending ((session_id + 1))', 'DROP INDEX trusted.in_the_way'),
	('ALTER TABLE trusted.pending ADD CONSTRAINT in_the_way EXCLUDE USING gist (tstzrange(first_moment, last_moment) WITH =)', 'ALTER TABLE trusted.pending DROP CONSTRAINT in_the_way'),
	('CREATE INDEX in_the_way ON trusted.session_idle (gap_start)', 'DROP INDEX trusted.in_the_way'),
	('DROP INDEX trusted.pending_session_id_first_moment_idx', 'SELECT ekran_create_store(''trusted'')'),
	('ALTER TABLE trusted.session_idle RENAME TO away; CREATE VIEW trusted.session_idle AS SELECT testing.never() AS session_id', 'DROP VIEW trusted.session_idle; ALTER TABLE trusted.away RENAME TO session_idle'),
	('ALTER TABLE trusted.activity SET UNLOGGED', 'ALTER TABLE trusted.activity SET LOGGED'),
	('ALTER TABLE trusted.activity ADD received timestamptz; ALTER TABLE trusted.activity RENAME activity_date TO agent_date; ALTER TABLE trusted.activity RENAME received TO activity_date', 'ALTER TABLE trusted.activity DROP activity_date; ALTER TABLE trusted.activity RENAME agent_date TO activity_date'),
	('CREATE TABLE trusted.child () INHERITS (trusted.activity)', 'DROP TABLE trusted.child'),
	('ALTER TABLE trusted.pending SET ACCESS METHOD regress_ekran_heap', 'ALTER TABLE trusted.pending SET ACCESS METHOD heap'),
	('ALTER TABLE trusted.pending ADD note text; ALTER TABLE trusted.pending DROP note', 'SELECT message, hint FROM testing.failure(''SELECT ekran_create_store(''''trusted'''')''); DROP TABLE trusted.pending; SELECT ekran_create_store(''trusted'')'),
	('CREATE TRIGGER more AFTER DELETE ON trusted.activity FOR EACH STATEMENT EXECUTE FUNCTION ekran_activity_changed()', 'DROP TRIGGER more ON trusted.activity'),
	('ALTER TABLE trusted.activity DISABLE TRIGGER ekran_delete', 'SELECT ekran_create_store(''trusted'')'),
	('DROP TRIGGER ekran_begin ON trusted.activity', 'SELECT ekran_create_store(''trusted'')'),
	('CREATE OR REPLACE TRIGGER ekran_truncate AFTER TRUNCATE ON trusted.activity FOR EACH STATEMENT EXECUTE FUNCTION ekran_activity_changed(''1-0'')', 'SELECT ekran_create_store(''trusted'')')
	) v (s, undo) \gexec
DROP ACCESS METHOD regress_ekran_heap;
-- who writes past triggers for statements folds nothing
SET session_replication_role = replica;
SELECT ekran_refresh();
RESET session_replication_role;
-- a plain index of the owner's is kept up
CREATE INDEX by_end ON pending (last_moment, session_id);
CREATE INDEX by_reach ON session_idle USING gist (reach);
INSERT INTO activity (session_id, activity_date) SELECT 1 + i % 2, testing.at('09:40') + i * interval '1 min' FROM generate_series(1, 10) i;
SET enable_seqscan = off;
SELECT session_id, first_moment, last_moment FROM pending WHERE last_moment > testing.at('09:00') AND session_id IS NOT NULL ORDER BY last_moment, session_id;
RESET enable_seqscan;
DROP INDEX by_end, by_reach;

-- Activities lost by ways that leave no trace, such as a restore without them: of an
-- empty table nobody is answered by the index, nor is it trusted when others come.
SELECT ekran_refresh() > 0 AS folded;
CALL testing.unseen('DELETE FROM activity', 'activity');
VACUUM activity;
SELECT state, reason, answered_by, indexed_sessions FROM ekran_status();
TABLE testing.answer;
-- one that fails leaves nothing but room
SELECT code FROM testing.failure($$INSERT INTO trusted.activity (session_id, activity_date) VALUES (999, '2024-01-01 09:00')$$);
SELECT pg_relation_size('activity') > 0 AS has_room;
SELECT state, reason, answered_by FROM ekran_status();
TABLE testing.answer;
INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at('09:00'));
TABLE testing.status;
TABLE testing.answer;
CALL ekran_maintain();
TABLE testing.status;
BEGIN; -- where nothing is folded by chance
INSERT INTO activity (session_id, activity_date) VALUES (2, testing.at('08:20'));
COMMIT;
SELECT ekran_refresh() > 0 AS folded;
-- Those that were deleted are pending: the index goes on to be right.
BEGIN;
DELETE FROM activity WHERE session_id = 1;
DELETE FROM activity;
SELECT state, reason, answered_by, indexed_sessions, pending_sessions FROM ekran_status();
INSERT INTO activity (session_id, activity_date) VALUES (2, testing.at('09:30'));
TABLE testing.status;
TABLE testing.answer;
ROLLBACK;
-- Nothing is written in a transaction that is read only.
BEGIN READ ONLY;
SELECT s, f.code, f.message FROM unnest(ARRAY['SELECT ekran_refresh()', 'SELECT ekran_rebuild()', $$SELECT ekran_purge('infinity')$$,
	$$SELECT ekran_close_sessions('0', '2025-01-01')$$]) s, LATERAL testing.failure(s) f;
TABLE testing.status;
ROLLBACK;
SET default_transaction_read_only = on;
CALL ekran_maintain();
RESET default_transaction_read_only;

-- Published tables: nothing that ingests, folds or deletes fails for want of a key.
SET client_min_messages = error;
CREATE PUBLICATION regress_ekran_all FOR ALL TABLES;
SET client_min_messages = warning;
BEGIN;
INSERT INTO activity (session_id, activity_date) VALUES (2, testing.at('10:00'));
COMMIT;
SELECT ekran_refresh() > 0 AS folded;
DELETE FROM session WHERE session_id = 2;
SELECT ekran_purge(testing.at('13:00'));
SELECT ekran_refresh() > 0 AS folded;
DROP PUBLICATION regress_ekran_all;
SELECT * FROM ekran_check();

-- Maintenance in transactions of its own.
SELECT count(testing.add_session(i, '08:00', NULL, '08:20', '09:00')) FROM generate_series(10, 40) i;
CALL ekran_maintain();
SELECT indexed_sessions, pending_rows FROM ekran_status();
BEGIN;
CALL ekran_maintain();
ROLLBACK;
DO $$ BEGIN CALL ekran_maintain(); END $$;
CREATE FUNCTION testing.maintain() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL ekran_maintain(); END $$;
SELECT code, message FROM testing.failure('SELECT testing.maintain()');
-- an error between two of its transactions leaves the caller oneself
CREATE ROLE regress_ekran_keeper;
SELECT format('ALTER TABLE %s OWNER TO regress_ekran_keeper', oid::regclass) FROM pg_class WHERE relnamespace = 'trusted'::regnamespace AND relkind = 'r' ORDER BY 1 \gexec
GRANT ALL ON SCHEMA trusted TO regress_ekran_keeper;
SET default_transaction_isolation = 'repeatable read';
CALL ekran_maintain();
RESET default_transaction_isolation;
SELECT current_user = session_user AS is_oneself, current_setting('search_path');
CALL ekran_maintain();
SELECT current_user = session_user AS is_oneself, current_setting('search_path');
SET ROLE regress_ekran_raw;
CALL ekran_maintain();
RESET ROLE;
SET ekran_sessions.store = 'nowhere';
CALL ekran_maintain();
SELECT message FROM testing.failure('SELECT * FROM ekran_status()');
SET ekran_sessions.store = 'trusted';

RESET search_path;
DROP VIEW testing.answer, testing.status;
DROP FUNCTION testing.by_activity, testing.seen, testing.moment, testing.look, testing.insert_into, testing.fail, testing.open_cursor, testing.state_after, testing.maintain, testing.never;
DROP SCHEMA trusted CASCADE;
DROP OWNED BY regress_ekran_raw;
DROP ROLE regress_ekran_raw, regress_ekran_keeper;
