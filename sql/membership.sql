-- What is a part of the extension that isn't ours, and what is ours that has been given
-- away: who may create, alter and add to it has put it there, or a restore.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_owner;
CREATE ROLE regress_ekran_tenant;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_owner', current_database()) \gexec
GRANT USAGE ON SCHEMA testing TO regress_ekran_owner, regress_ekran_tenant;

-- Tables and schemas that are a part of it would be missing from dumps, and go with it.
SET ROLE regress_ekran_owner;
CREATE SCHEMA members;
CREATE TABLE members.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL, activity_id bigint NOT NULL, application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE members.before PARTITION OF members.activity FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE members.since PARTITION OF members.activity FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
SELECT ekran_create_store('members');
SET ekran_sessions.store = 'members';
INSERT INTO members.session (session_id, login_date, logout_date) VALUES (1, '2024-01-01 08:00', '2024-01-01 09:00');
INSERT INTO members.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:10');
SELECT ekran_refresh();
SELECT * FROM ekran_check();
RESET ROLE;
CREATE TABLE testing.other (a int);
ALTER EXTENSION ekran_sessions ADD TABLE testing.other;
ALTER EXTENSION ekran_sessions ADD TABLE members.since;
ALTER EXTENSION ekran_sessions ADD TABLE members.session;
ALTER EXTENSION ekran_sessions ADD SCHEMA members;
SET ROLE regress_ekran_owner;
SELECT * FROM ekran_check();
SELECT session_id, idle_time FROM ekran_sessions();
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('members')$$);
RESET ROLE;
SELECT code, message FROM testing.failure('DROP EXTENSION ekran_sessions');
ALTER EXTENSION ekran_sessions DROP TABLE testing.other;
ALTER EXTENSION ekran_sessions DROP TABLE members.since;
ALTER EXTENSION ekran_sessions DROP TABLE members.session;
ALTER EXTENSION ekran_sessions DROP SCHEMA members;
SELECT * FROM ekran_check();

-- A function of ours that belongs to somebody else, who could put another in its place: a
-- restore that goes on after errors gives them what they have had by its name.
ALTER FUNCTION ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz) OWNER TO regress_ekran_tenant;
ALTER FUNCTION ekran_derived_written() OWNER TO regress_ekran_tenant;
SET ROLE regress_ekran_owner;
SELECT ekran_create_store('others');
SELECT relname FROM pg_class WHERE relnamespace = 'others'::regnamespace AND relkind = 'v';
SELECT count(*) AS theirs FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proowner = 'regress_ekran_tenant'::regrole
AND t.tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'others'::regnamespace);
RESET ROLE;
ALTER FUNCTION ekran_activity_changed() OWNER TO regress_ekran_tenant;
SET ROLE regress_ekran_owner;
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('more')$$);
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('members')$$);
RESET ROLE;
-- superusers among themselves
CREATE ROLE regress_ekran_superuser SUPERUSER;
ALTER FUNCTION ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz) OWNER TO regress_ekran_superuser;
ALTER FUNCTION ekran_derived_written() OWNER TO regress_ekran_superuser;
ALTER FUNCTION ekran_activity_changed() OWNER TO regress_ekran_superuser;
SET ROLE regress_ekran_owner;
SELECT ekran_create_store('others');
SET ekran_sessions.store = 'others';
SELECT state FROM ekran_status();
SELECT relname FROM pg_class WHERE relnamespace = 'others'::regnamespace AND relkind = 'v' ORDER BY 1;
RESET ROLE;
-- or whose extension it is altogether, as REASSIGN OWNED does it
CREATE PROCEDURE testing.give_away(owner text) LANGUAGE plpgsql AS $$
DECLARE
	routine regprocedure;
BEGIN
	FOR routine IN SELECT d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'ekran_sessions'
		WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' LOOP
		EXECUTE format('ALTER ROUTINE %s OWNER TO %s', routine, owner);
	END LOOP;
END
$$;
CALL testing.give_away('regress_ekran_tenant');
SET ROLE regress_ekran_owner;
SELECT ekran_create_store('more');
SET ekran_sessions.store = 'more';
SELECT state FROM ekran_status();
SELECT count(*) AS views FROM pg_class WHERE relnamespace = 'more'::regnamespace AND relkind = 'v';
RESET ROLE;
CALL testing.give_away('CURRENT_USER');

DROP SCHEMA members, others, more CASCADE;

-- What is of a type of its goes with it, too, with all rows: no store is made of such tables,
-- and ekran_check() tells of those that have been made so, and of columns.
SET ROLE regress_ekran_owner;
CREATE SCHEMA typed;
CREATE TABLE typed.session OF ekran_session_row (session_id WITH OPTIONS NOT NULL, login_date WITH OPTIONS NOT NULL);
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('typed')$$);
ALTER TABLE typed.session NOT OF;
SELECT ekran_create_store('typed');
SET ekran_sessions.store = 'typed';
INSERT INTO typed.session (session_id, login_date, logout_date) VALUES (1, '2024-01-01 08:00', '2024-01-01 09:00'), (2, '2024-01-01 08:00', NULL);
INSERT INTO typed.activity (session_id, activity_date, application) VALUES (1, '2024-01-01 08:10', 'a'), (2, '2024-01-01 08:20', 'b');
SELECT * FROM ekran_check();
ALTER TABLE typed.session OF ekran_session_row;
ALTER TABLE typed.activity ADD snapshot ekran_session_row;
CREATE DOMAIN typed.snapshot AS ekran_session_row;
ALTER TABLE typed.client ADD snapshots typed.snapshot[];
CREATE TABLE typed.archive OF ekran_session_row;
SELECT * FROM ekran_check();
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('typed')$$);
ALTER TABLE typed.session NOT OF;
SELECT ekran_create_store('typed');

-- Without triggers, deleting sessions would leave their activities, and nothing would tell
-- of what is closed: refused until they are there again.
RESET ROLE;
SET client_min_messages = warning;
DROP EXTENSION ekran_sessions CASCADE;
CREATE EXTENSION ekran_sessions;
RESET client_min_messages;
SET ROLE regress_ekran_owner;
SELECT count(*) AS sessions FROM typed.session;
SELECT session_id, idle_time FROM ekran_sessions();
SELECT code, message FROM testing.failure($$SELECT ekran_purge('2025-01-01')$$);
SELECT code, message FROM testing.failure($$SELECT * FROM ekran_close_sessions('1 h', '2024-01-02')$$);
-- who deletes by SQL leaves them, and is told once the store is completed
DELETE FROM typed.session WHERE session_id = 1;
SELECT ekran_create_store('typed');
SELECT * FROM ekran_check();
SELECT state FROM ekran_status();
SELECT ekran_rebuild();
TRUNCATE typed.session_idle;
CALL ekran_maintain();
DELETE FROM typed.activity WHERE session_id = 1;
SELECT ekran_rebuild();
SELECT * FROM ekran_close_sessions('1 h', '2024-01-02');
SELECT ekran_purge('2025-01-01');
SELECT count(*) AS activities FROM typed.activity;
-- so too with one of them disabled
ALTER TABLE typed.activity DISABLE TRIGGER ekran_delete;
SELECT code, message FROM testing.failure($$SELECT ekran_purge('2025-01-01')$$);
SELECT ekran_create_store('typed');
ALTER TABLE typed.session DISABLE TRIGGER ekran_delete;
SELECT code, message FROM testing.failure($$SELECT * FROM ekran_close_sessions('1 h', '2024-01-02')$$);
SELECT ekran_create_store('typed');
SELECT ekran_purge('2025-01-01');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA typed CASCADE;
DROP TABLE testing.other;
DROP PROCEDURE testing.give_away;
DROP OWNED BY regress_ekran_owner, regress_ekran_tenant, regress_ekran_superuser;
DROP ROLE regress_ekran_owner, regress_ekran_tenant, regress_ekran_superuser;
