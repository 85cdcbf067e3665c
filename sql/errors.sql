-- Every error: its SQLSTATE, the facts in the primary message, detail and hint.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('errors');
SET ekran_sessions.store = 'errors';
SET search_path = errors, public;
\x on

-- count
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions(count => 1001)');
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions(count => -1)');
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions(count => 9223372036854775807)');
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions_after(count => 1001)');
SELECT * FROM testing.failure('SELECT ekran_sessions_json("sessionCount" => 1001)');
-- page
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions(page => -1)');
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions(page => -9223372036854775808)');
SELECT * FROM testing.failure('SELECT ekran_sessions_json("pageIndex" => -1)');
-- an empty page is refused all the same
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions(count => 0, page => -1)');
-- window
SELECT * FROM testing.failure($$SELECT * FROM ekran_sessions('2024-01-02', '2024-01-01')$$);
SELECT * FROM testing.failure($$SELECT * FROM ekran_sessions_after('2024-01-02', '2024-01-01')$$);
SELECT * FROM testing.failure($$SELECT ekran_sessions_total_count('2024-01-01 00:00:00.000001', '2024-01-01')$$);
SELECT * FROM testing.failure($$SELECT ekran_sessions_json('infinity', '2024-01-01')$$);
SELECT * FROM testing.failure($$SELECT * FROM ekran_sessions('infinity', '-infinity')$$);
-- the session to follow
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions_after(after_session_id => 42)');
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions_after(count => 0, after_session_id => -1)');
-- a session longer than an interval holds
INSERT INTO session (session_id, login_date, logout_date)
VALUES (1, '4000-01-01 BC', '294000-01-01');
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions()');
TRUNCATE session, activity;
INSERT INTO client VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'PC');
INSERT INTO app_user VALUES (1, 'Ada');
INSERT INTO session (session_id, client_guid, user_id, login_date)
VALUES (1, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 1, '2024-01-01');
-- the store
SET ekran_sessions.store = 'nowhere';
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions()');
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions_after()');
SELECT * FROM testing.failure('SELECT ekran_sessions_total_count()');
SELECT * FROM testing.failure('SELECT ekran_sessions_json()');
-- arguments are checked before the store is looked at
SELECT s, f.code, f.message FROM unnest(ARRAY['SELECT * FROM ekran_sessions(count => 1001)', 'SELECT * FROM ekran_sessions_after(count => -1)',
	$$SELECT ekran_sessions_total_count('infinity', '-infinity')$$, 'SELECT ekran_sessions_json("pageIndex" => -1)']) s, LATERAL testing.failure(s) f;
SET ekran_sessions.store = 'public';
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions()');
SET ekran_sessions.store = 'errors';
ALTER TABLE activity RENAME TO event;
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions()');
ALTER TABLE event RENAME TO activity;
DROP VIEW session_overview, user_day;
ALTER TABLE app_user ALTER user_name TYPE varchar;
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions()');
-- arguments of another type
SELECT * FROM testing.failure($$SELECT * FROM ekran_sessions('yesterdayish')$$);
-- the rest is worded by the server, by each in its way
SELECT code, message FROM testing.failure($$SELECT * FROM ekran_sessions(count => 1.5)$$);

\x off
RESET search_path;
DROP SCHEMA errors CASCADE;
