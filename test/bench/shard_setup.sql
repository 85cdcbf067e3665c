-- A shard of script/bench cluster: every fourth user's sessions of 1000 days, one each 216
-- seconds over all shards; those of the last days with thirty activities, the others with two.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION ekran_sessions;
SELECT ekran_create_store();
INSERT INTO ekran.client SELECT md5(i::text)::uuid, 'PC ' || i FROM generate_series(0, 99) i;
INSERT INTO ekran.app_user SELECT i, 'user ' || i FROM generate_series(0, 399) i;
INSERT INTO ekran.session
SELECT i, md5((i % 100)::text)::uuid, i % 400, login, login + interval '8 hours'
FROM (SELECT i * 4 + :shard AS i, '2021-01-01'::timestamptz + (i * 4 + :shard) * interval '216 seconds' AS login
	FROM generate_series(0, :sessions - 1) i) s;
INSERT INTO ekran.activity (session_id, activity_date, application)
SELECT session_id, login_date + j * interval '13 minutes', 'application ' || j % 5
FROM ekran.session, generate_series(1, CASE WHEN session_id >= 4 * (:sessions - 3000) THEN 30 ELSE 2 END) j;
CALL ekran_maintain();
VACUUM ANALYZE;
