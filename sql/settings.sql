-- The settings: defaults, units, what is refused, and when.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('settings');
SELECT name, setting, unit, vartype, context, min_val, max_val, enumvals,
	short_desc, extra_desc
FROM pg_settings WHERE name LIKE 'ekran_sessions.%' ORDER BY name \gx

-- units
SELECT set_config('ekran_sessions.idle_threshold', t, false)
FROM unnest(ARRAY['900s', '15min', '900', '1h', '2d', '61s', '120000ms', '0', '1500ms']) t;
\x on
SELECT code, left(message, 31) AS message FROM testing.failure($$SET ekran_sessions.idle_threshold = '-1s'$$);
SELECT * FROM testing.failure($$SET ekran_sessions.idle_threshold = '15 minutes'$$);
SELECT * FROM testing.failure($$SET ekran_sessions.idle_threshold = '100000d'$$);
SELECT * FROM testing.failure($$SET ekran_sessions.idle_policy = 'part'$$);
SELECT * FROM testing.failure($$SET ekran_sessions.store = ''$$);
SELECT * FROM testing.failure(format('SET ekran_sessions.store = %L', repeat('x', 64)));
\x off
-- what was refused has changed nothing
SHOW ekran_sessions.idle_threshold;
SHOW ekran_sessions.idle_policy;
SHOW ekran_sessions.store;
SET ekran_sessions.idle_policy = WHOLE;
SHOW ekran_sessions.idle_policy;

-- a role's, a database's, a function's and a transaction's
RESET ekran_sessions.idle_threshold;
BEGIN;
SET LOCAL ekran_sessions.idle_threshold = '1h';
SAVEPOINT s;
SET LOCAL ekran_sessions.idle_threshold = '2h';
ROLLBACK TO s;
SHOW ekran_sessions.idle_threshold;
COMMIT;
SHOW ekran_sessions.idle_threshold;
CREATE FUNCTION testing.hour() RETURNS text LANGUAGE sql
SET ekran_sessions.idle_threshold = '1h'
AS $$ SELECT current_setting('ekran_sessions.idle_threshold') $$;
SELECT testing.hour(), current_setting('ekran_sessions.idle_threshold');

-- a prepared statement goes by the settings of the moment
SET ekran_sessions.store = 'settings';
INSERT INTO settings.session (session_id, login_date, logout_date)
VALUES (1, '2024-01-01 08:00', '2024-01-01 08:20');
PREPARE idle AS SELECT idle_time FROM ekran_sessions();
EXECUTE idle;
SET ekran_sessions.idle_policy = 'excess';
EXECUTE idle;
SET ekran_sessions.idle_threshold = '1h';
EXECUTE idle;
DEALLOCATE idle;
DROP FUNCTION testing.hour;
DROP SCHEMA settings CASCADE;

-- Who is no superuser can store them for a role or a function once the library is
-- loaded, which any call does, be it refused.
CREATE ROLE regress_ekran_setter;
GRANT USAGE, CREATE ON SCHEMA testing TO regress_ekran_setter;
\c -
SET SESSION AUTHORIZATION regress_ekran_setter;
SELECT code, message FROM testing.failure($$ALTER ROLE regress_ekran_setter SET ekran_sessions.idle_threshold = '10min'$$);
SELECT code FROM testing.failure('SELECT ekran_sessions_total_count()');
ALTER ROLE regress_ekran_setter SET ekran_sessions.idle_threshold = '10min';
SELECT code, message FROM testing.failure($$ALTER ROLE regress_ekran_setter SET ekran_sessions.idle_policy = 'part'$$);
CREATE FUNCTION testing.hour() RETURNS text LANGUAGE sql
SET ekran_sessions.idle_threshold = '1h'
AS $$ SELECT current_setting('ekran_sessions.idle_threshold') $$;
\c -
SET SESSION AUTHORIZATION regress_ekran_setter;
SELECT testing.hour();
SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'regress_ekran_setter'::regrole;
RESET SESSION AUTHORIZATION;
DROP OWNED BY regress_ekran_setter;
DROP ROLE regress_ekran_setter;
