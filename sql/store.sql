-- ekran_create_store(): what it makes, completes and refuses.
\set ECHO none
\i test/helpers.sql
\set ECHO all
-- What \d says of a table, but for the generation that its triggers hold.
CREATE FUNCTION testing.described(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$
	(SELECT format('%s %s%s%s', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN ' NOT NULL' END,
		(SELECT ' DEFAULT ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum))
	FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
	UNION ALL (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = relation AND contype NOT IN ('n', 't') ORDER BY conname)
	UNION ALL (SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = relation ORDER BY 1)
	UNION ALL (SELECT regexp_replace(pg_get_triggerdef(oid), '''2-[0-9a-f]{32}''', 'GENERATION')
		|| CASE tgenabled WHEN 'A' THEN ' ALWAYS' WHEN 'R' THEN ' IN REPLICAS' ELSE '' END
	FROM pg_trigger WHERE tgrelid = relation AND NOT tgisinternal ORDER BY tgname)
	UNION ALL (SELECT format('replica identity %s, %s', relreplident, reloptions) FROM pg_class WHERE oid = relation AND relreplident <> 'd')
$$;
SELECT ekran_create_store();
\d ekran.client
\d ekran.app_user
SELECT * FROM testing.described('ekran.session');
SELECT * FROM testing.described('ekran.activity');
SELECT * FROM testing.described('ekran.session_idle');
SELECT * FROM testing.described('ekran.session_count');
SELECT * FROM testing.described('ekran.pending');
-- Every object has a comment.
SELECT c.relname, c.relkind, obj_description(c.oid, 'pg_class') IS NOT NULL AS has_comment,
	(SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
		AND c.relkind = 'r' AND col_description(c.oid, a.attnum) IS NULL) AS columns_without,
	(SELECT count(*) FROM pg_constraint o WHERE o.conrelid = c.oid AND o.contype <> 'n'
		AND obj_description(o.oid, 'pg_constraint') IS NULL) AS constraints_without,
	(SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
		AND obj_description(t.oid, 'pg_trigger') IS NULL) AS triggers_without
FROM pg_class c WHERE c.relnamespace = 'ekran'::regnamespace
AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = c.oid)
ORDER BY c.relname;
SELECT obj_description('ekran'::regnamespace, 'pg_namespace');
-- Nobody but the owner may read; PUBLIC may take numbers for activity_id.
SELECT relname, relacl FROM pg_class
WHERE relnamespace = 'ekran'::regnamespace AND relacl IS NOT NULL;
SELECT nspacl FROM pg_namespace WHERE nspname = 'ekran';

-- A whole store stays as it is: same objects, rows, and the owner's own words.
CREATE VIEW testing.store_objects AS
SELECT classid, objid, objsubid FROM pg_depend
WHERE refobjid = 'ekran'::regnamespace OR refobjid IN
	(SELECT oid FROM pg_class WHERE relnamespace = 'ekran'::regnamespace);
COMMENT ON TABLE ekran.client IS 'Our computers.';
ALTER TABLE ekran.session ADD department text;
ALTER TABLE ekran.session DROP CONSTRAINT session_user_id_fkey,
	ADD CONSTRAINT session_user_id_fkey FOREIGN KEY (user_id)
	REFERENCES ekran.app_user (user_id) ON DELETE SET NULL;
ALTER INDEX ekran.session_login_date_session_id_idx RENAME TO by_login;
INSERT INTO ekran.session (session_id, login_date) VALUES (1, '2024-01-01');
INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2024-01-01');
CREATE TABLE testing.before AS TABLE testing.store_objects;
SELECT ekran_create_store('ekran');
SELECT count(*) FROM ((TABLE testing.before EXCEPT TABLE testing.store_objects)
	UNION ALL (TABLE testing.store_objects EXCEPT TABLE testing.before)) d;
SELECT obj_description('ekran.client'::regclass), (SELECT count(*) FROM ekran.activity) AS activities;

-- What a store lacks is added, with its comment; its data stays.
ALTER TABLE ekran.activity DROP CONSTRAINT activity_pkey,
	DROP CONSTRAINT activity_activity_date_finite, ALTER activity_id DROP DEFAULT;
DROP SEQUENCE ekran.activity_activity_id_seq;
ALTER TABLE ekran.session DROP CONSTRAINT session_client_guid_fkey,
	DROP CONSTRAINT session_logout_not_before_login;
DROP INDEX ekran.by_login, ekran.session_tstzrange_idx;
DROP TRIGGER ekran_insert ON ekran.activity;
DROP TRIGGER ekran_delete ON ekran.session;
DROP TABLE ekran.client CASCADE;
COMMENT ON COLUMN ekran.session.login_date IS NULL;
SELECT ekran_create_store('ekran');
SELECT * FROM testing.described('ekran.activity');
SELECT * FROM testing.described('ekran.session');
SELECT count(*) FROM ekran.client;
SELECT count(*) FROM ekran.activity;
SELECT col_description('ekran.session'::regclass, 4), obj_description('ekran.activity_pkey'::regclass, 'pg_class') IS NULL AS as_constraint;
-- activity_id goes on where it was
INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2024-01-02') RETURNING activity_id;

-- An object in the way with another shape: an error, and nothing changes.
CREATE FUNCTION testing.in_the_way(statement text) RETURNS SETOF record
LANGUAGE plpgsql AS $$
DECLARE
	objects bigint;
	result record;
BEGIN
	CREATE SCHEMA way;
	EXECUTE statement;
	SELECT count(*) INTO objects FROM pg_class;
	SELECT * INTO result FROM testing.failure('SELECT ekran_create_store(''way'')');
	IF objects <> (SELECT count(*) FROM pg_class) THEN
		RAISE EXCEPTION 'something changed';
	END IF;
	RETURN NEXT result;
	DROP SCHEMA way CASCADE;
END
$$;
SELECT code, message, detail, hint FROM testing.in_the_way('CREATE SEQUENCE way.session')
	AS (code text, message text, detail text, hint text) \gx
SELECT statement, code, message FROM unnest(ARRAY[
	'CREATE TABLE way.client (client_guid uuid NOT NULL)',
	'CREATE TABLE way.client (client_guid text NOT NULL, client_name text)',
	'CREATE TABLE way.client (client_guid uuid, client_name text)',
	'CREATE TABLE way.app_user (user_id int NOT NULL, user_name text GENERATED ALWAYS AS (NULL) STORED)',
	'CREATE SEQUENCE way.activity',
	'CREATE MATERIALIZED VIEW way.app_user AS SELECT 1 AS user_id, NULL::text AS user_name',
	'CREATE TYPE way.client AS (client_guid uuid, client_name text)',
	'CREATE TABLE way.activity_activity_id_seq ()',
	'CREATE TABLE way.session_tstzrange_idx ()',
	'CREATE TABLE way.client (client_guid uuid NOT NULL, client_name text, CONSTRAINT client_pkey CHECK (true))',
	'CREATE TABLE way.client (client_guid uuid NOT NULL, client_name text PRIMARY KEY)'
	]) AS statement,
	LATERAL testing.in_the_way(statement) AS (code text, message text, detail text, hint text);
SELECT code, message FROM testing.in_the_way($$SELECT ekran_create_store('way');
	DROP TRIGGER ekran_insert ON way.activity;
	CREATE TRIGGER ekran_insert BEFORE UPDATE ON way.activity
	FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()$$)
	AS (code text, message text, detail text, hint text);
-- Rows that violate what is missing: the server's error, nothing changes.
SELECT code, message FROM testing.in_the_way($$SELECT ekran_create_store('way');
	ALTER TABLE way.session DROP CONSTRAINT session_logout_not_before_login;
	INSERT INTO way.session (session_id, login_date, logout_date) VALUES (1, '2024-01-02', '2024-01-02');
	DROP INDEX way.session_tstzrange_idx;
	UPDATE way.session SET logout_date = '2024-01-01'$$)
	AS (code text, message text, detail text, hint text);
SELECT * FROM testing.failure('SELECT ekran_create_store(NULL)') \gx
SELECT n, code, message FROM unnest(ARRAY['pg_catalog', 'pg_temp', 'pg_toast', 'pg_mine', 'information_schema', '']) n,
	LATERAL testing.failure(format('SELECT ekran_create_store(%L)', n));

-- The user's own partitions: the empty parent first, then the rest of it.
CREATE SCHEMA parts;
CREATE TABLE parts.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL,
	activity_id bigint NOT NULL, application text, url text, title text)
	PARTITION BY RANGE (activity_date);
CREATE TABLE parts.activity_2024 PARTITION OF parts.activity FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parts.activity_rest PARTITION OF parts.activity DEFAULT;
SELECT ekran_create_store('parts');
SELECT ekran_create_store('parts');
SET ekran_sessions.store = 'parts';
INSERT INTO parts.session (session_id, login_date) VALUES (1, '2024-12-31 23:00');
INSERT INTO parts.activity (session_id, activity_date)
SELECT 1, m FROM generate_series('2024-12-31 23:10'::timestamptz, '2025-01-01 01:00', '10 min') m;
SELECT tableoid::regclass, count(*) FROM parts.activity GROUP BY 1 ORDER BY 1;
SELECT login_date, logout_date, idle_time FROM ekran_sessions();
SELECT message FROM testing.failure($$INSERT INTO parts.activity (session_id, activity_date) VALUES (2, '2024-06-01')$$);
DELETE FROM parts.session;
SELECT count(*) FROM parts.activity;
DROP SCHEMA parts CASCADE;

-- Sessions in partitions, by hash of their key; an index of the user's that is
-- not ours, for it holds some sessions only.
CREATE SCHEMA parts;
CREATE TABLE parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL,
	logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE parts.session_0 PARTITION OF parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts.session_1 PARTITION OF parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX of_users ON parts.session (login_date, session_id) WITH (fillfactor = 80) WHERE user_id > 0;
SELECT ekran_create_store('parts');
SELECT ekran_create_store('parts');
SELECT indexdef FROM pg_indexes WHERE schemaname = 'parts' AND tablename = 'session' ORDER BY indexname;
SET ekran_sessions.store = 'parts';
INSERT INTO parts.session (session_id, login_date) SELECT i, '2024-01-01' FROM generate_series(1, 9) i;
INSERT INTO parts.activity (session_id, activity_date) SELECT i, '2024-01-01 00:40' FROM generate_series(1, 9) i;
SELECT array_agg(session_id), min(idle_time) FROM ekran_sessions(count => 5);
DELETE FROM parts.session WHERE session_id < 9;
SELECT session_id FROM parts.activity;
SELECT * FROM ekran_check();
DROP SCHEMA parts CASCADE;

-- Two stores in one database; names that need quoting, or hold quotes.
SELECT ekran_create_store('Store "2" of O''Brien');
SET ekran_sessions.store = 'Store "2" of O''Brien';
INSERT INTO "Store ""2"" of O'Brien".session (session_id, login_date) VALUES (2, '2024-02-02'), (3, '2024-02-02');
INSERT INTO "Store ""2"" of O'Brien".activity (session_id, activity_date) VALUES (2, '2024-02-02 00:10');
SELECT session_id, duration FROM ekran_sessions();
SET ekran_sessions.store = 'ekran';
SELECT session_id FROM ekran_sessions();
-- Triggers go by the table that fired them, not by the setting.
INSERT INTO "Store ""2"" of O'Brien".activity (session_id, activity_date) VALUES (3, '2024-02-02 00:10');
SELECT message FROM testing.failure($$INSERT INTO "Store ""2"" of O'Brien".activity (session_id, activity_date) VALUES (1, '2024-02-02')$$);
DELETE FROM "Store ""2"" of O'Brien".session WHERE session_id = 3;
SELECT session_id FROM "Store ""2"" of O'Brien".activity;
SELECT ekran_sessions_total_count();
-- A name that holds the words in which an index is defined.
SELECT ekran_create_store(' USING y');
CREATE TABLE testing.before_again AS SELECT relname FROM pg_class WHERE relnamespace = '" USING y"'::regnamespace;
SELECT ekran_create_store(' USING y');
SELECT count(*) AS made, (SELECT count(*) FROM testing.before_again) AS before FROM pg_class WHERE relnamespace = '" USING y"'::regnamespace;
DROP TABLE testing.before_again;
DROP SCHEMA " USING y" CASCADE;
-- A store renamed, dropped and made anew under the plans saved for it.
ALTER SCHEMA ekran RENAME TO renamed;
SELECT message FROM testing.failure('SELECT * FROM ekran_sessions()');
ALTER SCHEMA "Store ""2"" of O'Brien" RENAME TO ekran;
SELECT session_id FROM ekran_sessions();
DROP SCHEMA ekran CASCADE;
SELECT ekran_create_store();
SELECT count(*) FROM ekran_sessions();
SET ekran_sessions.store = 'renamed';
SELECT session_id FROM ekran_sessions();
DROP SCHEMA renamed CASCADE;

-- DROP EXTENSION stops at a store; with CASCADE its data stays, and the store
-- is whole again after the extension's return.
INSERT INTO ekran.session (session_id, login_date) VALUES (1, '2024-01-01');
INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2024-01-01');
SELECT * FROM testing.failure('DROP EXTENSION ekran_sessions') \gx
DROP EXTENSION ekran_sessions CASCADE;
SELECT (SELECT count(*) FROM ekran.session) AS sessions, (SELECT count(*) FROM ekran.activity) AS activities,
	(SELECT count(*) FROM pg_trigger WHERE tgrelid = 'ekran.activity'::regclass) AS triggers;
CREATE SCHEMA tools;
CREATE EXTENSION ekran_sessions SCHEMA tools;
SELECT tools.ekran_create_store();
SELECT tgname, tgfoid::regproc FROM pg_trigger WHERE tgrelid IN ('ekran.activity'::regclass, 'ekran.session'::regclass)
AND NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname;
-- relocatable: moved, it still serves the store and makes others
ALTER EXTENSION ekran_sessions SET SCHEMA public;
SELECT message FROM testing.failure($$INSERT INTO ekran.activity (session_id, activity_date) VALUES (2, '2024-01-01')$$);
SELECT ekran_create_store('second');
DROP SCHEMA second CASCADE;
DROP SCHEMA ekran CASCADE;
DROP SCHEMA tools;
DROP TABLE testing.before;
DROP FUNCTION testing.in_the_way, testing.described;

-- A store belongs to who makes it; a member of the schema's owner is told.
CREATE ROLE regress_ekran_schema;
CREATE ROLE regress_ekran_member IN ROLE regress_ekran_schema;
CREATE SCHEMA others AUTHORIZATION regress_ekran_schema;
SET ROLE regress_ekran_member;
SET client_min_messages = notice;
SELECT ekran_create_store('others');
-- not again, for it is known by now
SELECT ekran_create_store('others');
DROP TABLE others.activity, others.session, others.client, others.app_user,
	others.session_idle, others.pending, others.session_count CASCADE;
-- nor of one's own
SET ROLE regress_ekran_schema;
SELECT ekran_create_store('others');
SET client_min_messages = warning;
RESET ROLE;
DROP SCHEMA others CASCADE;
DROP ROLE regress_ekran_member, regress_ekran_schema;

-- A partition that somebody else has made for the owner keeps triggers from being made:
-- what to do is said, and after that it works.
CREATE ROLE regress_ekran_schema;
CREATE ROLE regress_ekran_member IN ROLE regress_ekran_schema;
CREATE SCHEMA parts AUTHORIZATION regress_ekran_schema;
GRANT USAGE ON SCHEMA testing TO regress_ekran_member;
SET ROLE regress_ekran_schema;
CREATE TABLE parts.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL, activity_id bigint NOT NULL,
	application text, url text, title text) PARTITION BY RANGE (activity_date);
SELECT ekran_create_store('parts');
SET ROLE regress_ekran_member;
CREATE TABLE parts.activity_other PARTITION OF parts.activity DEFAULT;
-- nothing is missing
SELECT ekran_create_store('parts');
DROP TRIGGER ekran_delete ON parts.activity;
SELECT * FROM testing.failure($$SELECT ekran_create_store('parts')$$) \gx
ALTER TABLE parts.activity_other OWNER TO regress_ekran_schema;
SELECT ekran_create_store('parts');
RESET ROLE;
DROP SCHEMA parts CASCADE;
REVOKE USAGE ON SCHEMA testing FROM regress_ekran_member;
DROP ROLE regress_ekran_member, regress_ekran_schema;
