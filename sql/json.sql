-- The endpoint's JSON.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('json');
SET ekran_sessions.store = 'json';
SET search_path = json, public;

\pset format unaligned
-- nothing there
SELECT ekran_sessions_json();
INSERT INTO client VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', E'PC "1"\\\n\t');
INSERT INTO client VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c9', NULL);
INSERT INTO app_user VALUES (-1, 'Zoë </script>'), (2147483647, '');
INSERT INTO session VALUES
	(1, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', -1, '2021-09-01 14:00', '2021-09-01 15:30:00.25'),
	(9223372036854775807, '6ba7b810-9dad-11d1-80b4-00c04fd430c9', 2147483647, '2021-09-02 14:00', NULL),
	(-5, NULL, NULL, '2021-09-03 14:00', '2021-09-03 14:00');
-- every key, in its order; escapes; null names, ids and numbers of any size
SELECT ekran_sessions_json(NULL, NULL, 1, 0);
SELECT ekran_sessions_json(NULL, NULL, 1, 1);
SELECT ekran_sessions_json(NULL, NULL, 1, 2);
-- the keys of the request as named arguments; missing and null ones
SELECT ekran_sessions_json("start" => '2021-09-02', "end" => '2021-09-03', "sessionCount" => 10, "pageIndex" => 0);
SELECT ekran_sessions_json(NULL, NULL, NULL, NULL)::text = ekran_sessions_json()::text AS null_is_default;
-- no page changes the total
SELECT ekran_sessions_json("sessionCount" => 0);
SELECT ekran_sessions_json("pageIndex" => 7);
-- no moment inside: null dates, no time
SELECT ekran_sessions_json('2021-09-01 14:10', '2021-09-01 14:20');
-- dates in the caller's time zone, whatever the DateStyle
SET timezone = 'Europe/Moscow';
SET datestyle = 'German';
SELECT ekran_sessions_json(NULL, NULL, 1)::json->'sessions'->0->>'loginDate' AS moscow;
SET timezone = 'Asia/Kolkata';
SELECT ekran_sessions_json(NULL, NULL, 1)::json->'sessions'->0->>'logoutDate' AS kolkata;
SET timezone = 'America/St_Johns';
SELECT ekran_sessions_json(NULL, NULL, 1)::json->'sessions'->0->>'loginDate' AS st_johns;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- one value of type json, for operators and for jsonb
SELECT pg_typeof(ekran_sessions_json()), jsonb_array_length(ekran_sessions_json()::jsonb->'sessions');

\pset format aligned
-- durations: a table of what a duration reads as
TRUNCATE session, activity;
INSERT INTO session (session_id, login_date, logout_date)
SELECT ordinality, '2021-09-01', '2021-09-01'::timestamptz + d
FROM unnest(ARRAY['0', '1 us', '0.1 s', '0.000010 s', '59.999999 s', '1 min',
	'59:59', '23:59:59.999999', '24:00', '24:00:00.000001', '20:20:40.002',
	'99:00:01', '876000:00:00']::interval[]) WITH ORDINALITY AS u (d);
SELECT s.duration, j->>'duration' AS duration_json,
	j->>'idleTime' AS idle_json, j->>'productivityTime' AS productivity_json
FROM json_array_elements(ekran_sessions_json()->'sessions') j
JOIN ekran_sessions() s ON s.session_id = (j->>'sessionId')::bigint
ORDER BY s.duration;
RESET search_path;
DROP SCHEMA json CASCADE;
