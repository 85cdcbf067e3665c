-- A database as one in use, of an extension of :version: a store with policies and
-- objects of its owner's, one of partitions, and one of views. The rest of what was
-- written to the first two is not folded.
SELECT :'version' <> '1.0' AS has_statistics, :'version' NOT IN ('1.0', '1.1') AS has_views \gset
CREATE EXTENSION ekran_sessions VERSION :'version';
\ir ../helpers.sql
\ir ../random_store.sql
\ir ../random_usage.sql
GRANT USAGE ON SCHEMA testing TO PUBLIC;
CREATE SCHEMA ekran AUTHORIZATION ekran_owner;
CREATE SCHEMA ekran_parts AUTHORIZATION ekran_owner;
CREATE SCHEMA ekran_views AUTHORIZATION ekran_owner;
CREATE SCHEMA hr;
CREATE TABLE hr.team (lead name, user_id int);
INSERT INTO hr.team VALUES ('team_lead', 3), ('team_lead', 5);
GRANT USAGE ON SCHEMA hr TO team_lead, ekran_owner;
GRANT SELECT ON hr.team TO team_lead;
SELECT format('ALTER DATABASE %I SET ekran_sessions.idle_threshold = ''10min''', current_database()) \gexec

SET ROLE ekran_owner;
SELECT ekran_create_store() \g /dev/null
SET search_path = ekran, public;
SELECT testing.fill_random_usage(0.5, '2024-01-01') \g /dev/null

-- The owner's own, which a store may have.
CREATE INDEX by_application ON activity (application, activity_date);
CREATE INDEX ON session (client_guid) INCLUDE (user_id);
CREATE TABLE remark (session_id bigint REFERENCES session ON DELETE CASCADE, remark text);
INSERT INTO remark SELECT session_id, 'seen' FROM session WHERE session_id % 2 = 0;
CREATE VIEW newest WITH (security_invoker) AS
	SELECT * FROM ekran_sessions(count => 5) ORDER BY login_date DESC;
CREATE TABLE report AS SELECT s AS session FROM ekran_sessions() s;
CREATE MATERIALIZED VIEW by_user AS
	SELECT user_id, count(*), sum(duration) AS duration FROM ekran_sessions() GROUP BY user_id;
CREATE FUNCTION sessions_of(whom int) RETURNS SETOF ekran_session_row
	BEGIN ATOMIC SELECT * FROM ekran_sessions(users => ARRAY[whom]); END;

-- A partitioned one, with more in it.
CREATE TABLE ekran_parts.activity (session_id bigint NOT NULL,
	activity_date timestamptz NOT NULL, activity_id bigint NOT NULL,
	application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE ekran_parts.activity_2023 PARTITION OF ekran_parts.activity
	FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE ekran_parts.activity_2024 PARTITION OF ekran_parts.activity
	FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE ekran_parts.activity_other PARTITION OF ekran_parts.activity DEFAULT;
CREATE TABLE ekran_parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int,
	login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE ekran_parts.session_0 PARTITION OF ekran_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE ekran_parts.session_1 PARTITION OF ekran_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT ekran_create_store('ekran_parts') \g /dev/null
INSERT INTO ekran_parts.client SELECT * FROM client;
INSERT INTO ekran_parts.app_user SELECT * FROM app_user;
INSERT INTO ekran_parts.session
SELECT s, (SELECT client_guid FROM client ORDER BY client_guid OFFSET s % 5 LIMIT 1), 1 + s % 7,
	login, CASE WHEN s % 20 > 0 THEN login + (s % 50) * interval '13 minutes' END
FROM generate_series(1, 500) s, LATERAL (SELECT timestamptz '2023-12-29' + s * interval '13 minutes' AS login) l;
INSERT INTO ekran_parts.activity (session_id, activity_date, application)
SELECT session_id, login_date + a * a * interval '53 seconds', CASE WHEN a % 4 > 0 THEN 'program ' || a % 3 END
FROM ekran_parts.session, generate_series(0, 20) a WHERE session_id % 11 > 0;

-- Views over that one's tables, as over any.
CREATE VIEW ekran_views.session WITH (security_invoker) AS
	SELECT session_id, client_guid, user_id, login_date, logout_date FROM ekran_parts.session WHERE session_id % 3 = 0;
CREATE VIEW ekran_views.activity WITH (security_invoker) AS
	SELECT session_id, activity_date, activity_id, application, url FROM ekran_parts.activity;
CREATE VIEW ekran_views.app_user WITH (security_invoker) AS TABLE ekran_parts.app_user;

-- Folded and analyzed, and then written to.
ANALYZE session, activity, ekran_parts.session, ekran_parts.activity;
CALL ekran_maintain();
SET ekran_sessions.store = 'ekran_parts';
CALL ekran_maintain();
SET ekran_sessions.store = 'ekran_views';
SELECT count(*) FROM ekran_sessions() \g /dev/null
RESET ekran_sessions.store;
INSERT INTO activity (session_id, activity_date, application, url)
SELECT session_id, login_date + a * interval '11 minutes', 'late.exe', 'https://late.example/'
FROM session, generate_series(1, 3) a WHERE session_id % 4 = 1;
INSERT INTO session (session_id, user_id, login_date) SELECT 800 + n, n, '2024-01-01 12:00' FROM generate_series(1, 5) n;
INSERT INTO activity (session_id, activity_date, application)
SELECT 800 + n, '2024-01-01 12:00'::timestamptz + n * a * interval '6 minutes', 'new.exe'
FROM generate_series(1, 5) n, generate_series(1, 9) a;
UPDATE session SET logout_date = login_date + interval '5 hours' WHERE logout_date IS NULL AND session_id % 7 = 2;
DELETE FROM session WHERE session_id % 13 = 5;
DELETE FROM activity WHERE activity_id % 17 = 0;
INSERT INTO ekran_parts.activity (session_id, activity_date, application)
SELECT session_id, login_date + interval '1 day', 'late.exe' FROM ekran_parts.session WHERE session_id % 9 = 0;
DELETE FROM ekran_parts.session WHERE session_id % 31 = 0;

GRANT USAGE ON SCHEMA ekran TO ekran_reader, ekran_agent, team_lead;
GRANT USAGE ON SCHEMA ekran_parts, ekran_views TO ekran_reader;
GRANT SELECT ON session, client, app_user TO ekran_reader, team_lead;
GRANT SELECT ON ekran_parts.session, ekran_parts.client, ekran_parts.app_user TO ekran_reader;
GRANT SELECT ON ekran_views.session, ekran_views.activity, ekran_views.app_user TO ekran_reader;
GRANT SELECT (session_id, activity_date) ON activity TO ekran_reader, team_lead;
GRANT SELECT (session_id, activity_date) ON ekran_parts.activity TO ekran_reader;
GRANT SELECT (activity_id, application, url) ON activity, ekran_parts.activity TO ekran_analyst;
GRANT SELECT ON session_idle, pending, session_count TO ekran_reader;
GRANT SELECT ON newest TO ekran_reader, team_lead;
GRANT INSERT ON client, app_user, session, activity TO ekran_agent;
GRANT SELECT (session_id), UPDATE (logout_date) ON session TO ekran_agent;
\if :has_views
GRANT SELECT ON session_overview, user_day TO ekran_reader, team_lead;
\endif
BEGIN;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_team ON session TO team_lead
	USING (user_id IN (SELECT t.user_id FROM hr.team t WHERE t.lead = current_user));
CREATE POLICY everything ON session TO ekran_reader, ekran_agent USING (true);
COMMIT;
RESET ROLE;
\ir answers.sql
