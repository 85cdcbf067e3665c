-- Activities and sessions stay together, in whatever way they are changed.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('integrity');
SET search_path = integrity, public;
INSERT INTO session (session_id, login_date) SELECT i, '2024-01-01' FROM generate_series(1, 5) i;

-- Unknown sessions are refused with a foreign key's SQLSTATE, all or nothing.
SELECT * FROM testing.failure($$INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01'), (42, '2024-01-01')$$) \gx
SELECT message FROM testing.failure($$INSERT INTO activity (session_id, activity_date)
	SELECT i, '2024-01-01' FROM generate_series(5, 3000) i$$);
SELECT count(*) FROM activity;
\set VERBOSITY terse
COPY activity (session_id, activity_date) FROM STDIN;
1	2024-01-01 00:10
6	2024-01-01 00:10
\.
\set VERBOSITY default
COPY activity (session_id, activity_date) FROM STDIN;
1	2024-01-01 00:10
2	2024-01-01 00:10
1	2024-01-01 00:20
\.
INSERT INTO activity (session_id, activity_date) SELECT 1, '2024-01-01' WHERE false;
SELECT session_id, count(*) FROM activity GROUP BY 1 ORDER BY 1;
-- a session and its activities in one statement
WITH s AS (INSERT INTO session (session_id, login_date) VALUES (6, '2024-01-01') RETURNING *)
INSERT INTO activity (session_id, activity_date) SELECT session_id, login_date FROM s;
-- upsert
INSERT INTO activity (session_id, activity_date, activity_id, title) VALUES (1, '2024-01-01', -1, 'first')
ON CONFLICT (session_id, activity_date, activity_id) DO UPDATE SET title = 'again';
INSERT INTO activity (session_id, activity_date, activity_id, title) VALUES (1, '2024-01-01', -1, 'first')
ON CONFLICT (session_id, activity_date, activity_id) DO UPDATE SET title = 'again' RETURNING title;
SELECT code, message FROM testing.failure($$INSERT INTO activity (session_id, activity_date, activity_id) VALUES (1, '2024-01-01', -1)
ON CONFLICT (session_id, activity_date, activity_id) DO UPDATE SET session_id = 77$$);

-- A moved activity needs a session to move to.
UPDATE activity SET session_id = 3 WHERE activity_id = -1;
SELECT code, message FROM testing.failure('UPDATE activity SET session_id = 43 WHERE session_id = 3');

-- Values that no time is, or that make no session.
SELECT s, f.code, f.message FROM unnest(ARRAY[
	$$INSERT INTO activity (session_id, activity_date) VALUES (1, 'infinity')$$,
	$$INSERT INTO activity (session_id, activity_date) VALUES (1, NULL)$$,
	$$INSERT INTO activity (session_id, activity_date) VALUES (NULL, '2024-01-01')$$,
	$$INSERT INTO session (session_id, login_date) VALUES (10, '-infinity')$$,
	$$INSERT INTO session (session_id, login_date, logout_date) VALUES (10, '2024-01-01', 'infinity')$$,
	$$INSERT INTO session (session_id, login_date, logout_date) VALUES (10, '2024-01-02', '2024-01-01')$$,
	$$INSERT INTO session (session_id, login_date) VALUES (10, NULL)$$,
	$$INSERT INTO session (session_id, login_date) VALUES (1, '2024-01-01')$$,
	$$INSERT INTO session (session_id, login_date, user_id) VALUES (10, '2024-01-01', 9)$$,
	$$INSERT INTO session (session_id, login_date, client_guid) VALUES (10, '2024-01-01', '6ba7b810-9dad-11d1-80b4-00c04fd430c8')$$
	]) s, LATERAL testing.failure(s) f;

-- A session's id stays while activities refer to it; other columns are free.
UPDATE session SET logout_date = '2024-01-02', login_date = '2024-01-01 00:05';
SELECT * FROM testing.failure('UPDATE session SET session_id = 11 WHERE session_id = 1') \gx
SELECT code, message FROM testing.failure('UPDATE session SET session_id = session_id + 100');
UPDATE session SET session_id = 44 WHERE session_id = 4;
-- ids that change places leave no activity without a session
ALTER TABLE session DROP CONSTRAINT session_pkey, ADD CONSTRAINT session_pkey PRIMARY KEY (session_id) DEFERRABLE;
UPDATE session SET session_id = 3 - session_id WHERE session_id IN (1, 2);
SELECT session_id, count(*) FROM activity GROUP BY 1 ORDER BY 1;

-- Deleting sessions deletes their activities, and no others.
DELETE FROM session WHERE session_id IN (1, 5);
SELECT session_id, count(*) FROM activity GROUP BY 1 ORDER BY 1;
DELETE FROM session WHERE false;
BEGIN;
DELETE FROM session;
SELECT count(*) FROM activity;
ROLLBACK;
SELECT count(*) FROM activity;
-- several thousand at a time
INSERT INTO session (session_id, login_date) SELECT i, '2024-01-01' FROM generate_series(1001, 4500) i;
INSERT INTO activity (session_id, activity_date) SELECT i, '2024-01-01' FROM generate_series(1001, 4500) i, generate_series(1, 2);
DELETE FROM session WHERE session_id > 1000 AND session_id < 4500;
SELECT session_id, count(*) FROM activity GROUP BY 1 ORDER BY 1;

-- TRUNCATE
SELECT * FROM testing.failure('TRUNCATE session') \gx
SELECT count(*) > 0 AS still_there FROM session;
TRUNCATE activity;
TRUNCATE session;
INSERT INTO session (session_id, login_date) VALUES (1, '2024-01-01');
INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01');
TRUNCATE session, activity;
SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM activity) AS left_over;

-- Under a snapshot that never changes, too.
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO session (session_id, login_date) VALUES (1, '2024-01-01');
INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01');
DELETE FROM session;
SELECT count(*) FROM activity;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO session (session_id, login_date) VALUES (1, '2024-01-01');
INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01');
COMMIT;
SELECT count(*) FROM activity;

-- The trigger functions are for the triggers of a store, after statements.
SELECT * FROM testing.failure('SELECT ekran_activity_changed()') \gx
CREATE TABLE foreign_table (session_id bigint);
CREATE TRIGGER t AFTER INSERT ON foreign_table REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION ekran_activity_changed();
SELECT * FROM testing.failure('INSERT INTO foreign_table VALUES (1)') \gx
CREATE TRIGGER t AFTER INSERT ON session FOR EACH ROW EXECUTE FUNCTION ekran_session_changed();
SELECT code, message FROM testing.failure($$INSERT INTO session (session_id, login_date) VALUES (2, '2024-01-01')$$);
DROP TRIGGER t ON session;
CREATE TRIGGER t AFTER INSERT ON session FOR EACH STATEMENT EXECUTE FUNCTION ekran_session_changed();
SELECT code, message FROM testing.failure($$INSERT INTO session (session_id, login_date) VALUES (2, '2024-01-01')$$);
DROP TRIGGER t ON session;
CREATE TRIGGER t BEFORE DELETE ON activity FOR EACH STATEMENT EXECUTE FUNCTION ekran_activity_changed();
SELECT code, message FROM testing.failure('DELETE FROM activity');
DROP TRIGGER t ON activity;
-- nor for a table that has them all, and another name
ALTER TABLE activity RENAME TO activities;
SELECT code, message, detail FROM testing.failure($$INSERT INTO activities (session_id, activity_date) VALUES (1, '2024-01-01')$$) \gx
ALTER TABLE activities RENAME TO activity;
ALTER TABLE session RENAME TO sessions;
SELECT code, message, detail FROM testing.failure($$INSERT INTO sessions (session_id, login_date) VALUES (2, '2024-01-01')$$) \gx
ALTER TABLE sessions RENAME TO session;
CREATE SCHEMA lone;
CREATE TABLE lone.activity (session_id text);
CREATE TRIGGER t AFTER INSERT ON lone.activity REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION ekran_activity_changed();
SELECT * FROM testing.failure('INSERT INTO lone.activity VALUES (1)') \gx
CREATE VIEW lone.session AS SELECT 1 AS session_id;
SELECT code, message FROM testing.failure('INSERT INTO lone.activity VALUES (1)');
DROP VIEW lone.session;
CREATE TABLE lone.session (session_id bigint);
SELECT code, message FROM testing.failure('INSERT INTO lone.activity VALUES (1)');
DROP SCHEMA lone CASCADE;

-- A row that a BEFORE trigger drops on its way to another partition is gone from
-- where it was, as the server has it; the others of the statement are right.
CREATE SCHEMA moved;
CREATE TABLE moved.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL,
	activity_id bigint NOT NULL, application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE moved.early PARTITION OF moved.activity FOR VALUES FROM ('2024-01-01') TO ('2024-01-02');
CREATE TABLE moved.late PARTITION OF moved.activity FOR VALUES FROM ('2024-01-02') TO ('2024-01-03');
SELECT ekran_create_store('moved');
SET ekran_sessions.store = 'moved';
SET ekran_sessions.idle_threshold = '6h';
INSERT INTO moved.session VALUES (1, NULL, NULL, '2024-01-01', '2024-01-03'), (2, NULL, NULL, '2024-01-01', '2024-01-03');
INSERT INTO moved.activity (session_id, activity_date) SELECT s, '2024-01-01'::timestamptz + i * interval '5 h' FROM generate_series(1, 2) s, generate_series(1, 4) i;
SELECT ekran_refresh() >= 0 AS refreshed;
CREATE FUNCTION moved.drop_even() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.session_id = 2 THEN NULL ELSE NEW END; END $$;
CREATE TRIGGER drop_even BEFORE INSERT ON moved.late FOR EACH ROW EXECUTE FUNCTION moved.drop_even();
UPDATE moved.activity SET activity_date = activity_date + interval '9 h';
SELECT session_id, array_agg(to_char(activity_date, 'DD HH24:MI') ORDER BY activity_date) FROM moved.activity GROUP BY 1 ORDER BY 1;
SELECT session_id, idle_time, productivity_time FROM ekran_sessions();
SELECT * FROM ekran_check();
SELECT ekran_refresh() >= 0 AS refreshed;
SELECT session_id, idle_time, productivity_time FROM ekran_sessions();
SELECT * FROM ekran_check();
RESET ekran_sessions.idle_threshold;
DROP SCHEMA moved CASCADE;
-- likewise a session, whose activities would stay behind
CREATE SCHEMA moved;
CREATE TABLE moved.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL,
	logout_date timestamptz) PARTITION BY LIST (session_id);
CREATE TABLE moved.first PARTITION OF moved.session FOR VALUES IN (1);
CREATE TABLE moved.others PARTITION OF moved.session DEFAULT;
SELECT ekran_create_store('moved');
INSERT INTO moved.session (session_id, login_date) VALUES (1, '2024-01-01');
CREATE FUNCTION moved.drop_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER drop_all BEFORE INSERT ON moved.others FOR EACH ROW EXECUTE FUNCTION moved.drop_all();
INSERT INTO moved.activity (session_id, activity_date) VALUES (1, '2024-01-01');
SELECT code, message FROM testing.failure('UPDATE moved.session SET session_id = 2');
DELETE FROM moved.activity;
UPDATE moved.session SET session_id = 2;
-- one insert in a thousand has folded
SELECT ekran_refresh() >= 0 AS refreshed;
SELECT (SELECT count(*) FROM moved.session) AS sessions, (SELECT count(session_id) FROM moved.session_idle) AS rows_of_the_index;
SELECT * FROM ekran_check();
RESET search_path;
DROP SCHEMA moved, integrity CASCADE;
