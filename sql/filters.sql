-- Of users and clients: which sessions, how they combine, in what order.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('filtered');
SET ekran_sessions.store = 'filtered';
SET search_path = filtered, public;
INSERT INTO app_user SELECT i, 'user ' || i FROM generate_series(1, 40) i;
INSERT INTO client SELECT md5(i::text)::uuid, 'PC ' || i FROM generate_series(1, 3) i;
-- sessions 1 to 12, an hour each from 08:00 on; users 1, 2, none in turn; clients 1 to
-- 3, and none, each for three in a row
INSERT INTO session
SELECT i, CASE WHEN i <= 9 THEN md5(((i + 2) / 3)::text)::uuid END, nullif(i % 3, 0),
	testing.at('08:00') + i * interval '10 minutes', testing.at('09:00') + i * interval '10 minutes'
FROM generate_series(1, 12) i;

CREATE FUNCTION testing.of(users int[] DEFAULT NULL, clients text[] DEFAULT NULL,
	start time DEFAULT NULL, "end" time DEFAULT NULL,
	OUT page text, OUT second_page_of_2 text, OUT after_3 text, OUT total int, OUT in_json text)
LANGUAGE plpgsql AS $$
DECLARE
	guids uuid[] := (SELECT array_agg(md5(c)::uuid) FROM unnest(clients) c);
BEGIN
	IF clients = '{}' THEN
		guids := '{}';
	END IF;
	page := (SELECT string_agg(session_id::text, ' ') FROM ekran_sessions(testing.at(start), testing.at("end"), users => users, clients => guids));
	second_page_of_2 := (SELECT string_agg(session_id::text, ' ') FROM ekran_sessions(testing.at(start), testing.at("end"), 2, 1, users, guids));
	after_3 := (SELECT string_agg(session_id::text, ' ') FROM ekran_sessions_after(testing.at(start), testing.at("end"), 1000, 3, users, guids));
	total := ekran_sessions_total_count(testing.at(start), testing.at("end"), users, guids);
	in_json := (SELECT string_agg(s ->> 'sessionId', ' ') || ' of ' || (j ->> 'totalCount')
		FROM CAST(ekran_sessions_json(testing.at(start), testing.at("end"), 2, 1, users, guids) AS jsonb) j,
			jsonb_array_elements(j -> 'sessions') s GROUP BY j);
END
$$;

-- None; users; nobody; those without a user; a user who is not there.
SELECT * FROM testing.of();
SELECT * FROM testing.of('{1}');
SELECT * FROM testing.of('{2,1}');
SELECT * FROM testing.of('{}');
SELECT * FROM testing.of('{NULL}');
SELECT * FROM testing.of('{NULL,2}');
SELECT * FROM testing.of('{9}');
-- Each once, however often and in what dimensions they are given.
SELECT * FROM testing.of('{1,1,NULL,1,NULL}');
SELECT * FROM testing.of('{{1,2},{2,1}}');
-- Clients likewise.
SELECT * FROM testing.of(NULL, '{1}');
SELECT * FROM testing.of(NULL, '{3,1}');
SELECT * FROM testing.of(NULL, '{}');
SELECT count(*), ekran_sessions_total_count(clients => ARRAY[NULL]::uuid[]) FROM ekran_sessions(clients => ARRAY[NULL]::uuid[]);
-- Both hold together.
SELECT * FROM testing.of('{1}', '{1,2}');
SELECT * FROM testing.of('{1,NULL}', '{4}');
SELECT session_id FROM ekran_sessions(users => '{NULL}', clients => ARRAY[NULL, md5('3')]::uuid[]);
-- Of many users and clients.
SELECT * FROM testing.of((SELECT array_agg(i) FROM generate_series(2, 40) i));
SELECT * FROM testing.of((SELECT array_agg(i) || NULL FROM generate_series(2, 40) i), '{2,3}');
SELECT * FROM testing.of((SELECT array_agg(i) || NULL FROM generate_series(2, 40) i), (SELECT array_agg(i::text) FROM generate_series(2, 40) i));
-- In a window, across whose start some are.
SELECT * FROM testing.of('{1}', NULL, '09:25', '10:05');
SELECT * FROM testing.of('{1,NULL}', NULL, '09:25', '10:05');
SELECT * FROM testing.of((SELECT array_agg(i) FROM generate_series(1, 40) i), NULL, '09:25', '10:05');
SELECT * FROM testing.of(NULL, '{1,3}', '09:25', '10:05');
-- A position outside the filter; one that is not there; pages beyond the last.
SELECT session_id FROM ekran_sessions_after(after_session_id => 5, users => '{1}');
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions_after(after_session_id => 99, users => ''{1}'')');
SELECT count(*) FROM ekran_sessions(count => 2, page => 2, users => '{1}');
SELECT count(*) FROM ekran_sessions(page => 9223372036854775, users => '{1}');
SELECT count(*) FROM ekran_sessions(count => 1000, page => 9223372036854774, users => '{1}');
SELECT count(*) FROM ekran_sessions(count => 0, users => '{1}');

-- One of many users doesn't read the others' sessions, neither across the window's
-- start nor within: each user has 30 of 30 000.
INSERT INTO app_user SELECT i, NULL FROM generate_series(1001, 2000) i;
INSERT INTO session SELECT i, NULL, i % 1000 + 1001, testing.at('08:00') - (30000 - i) * interval '1 minute', testing.at('08:00') - (30000 - i - 45) * interval '1 minute'
FROM generate_series(10001, 40000) i;
ANALYZE session;
CREATE FUNCTION testing.tuples_read() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT sum(pg_stat_get_xact_tuples_returned(r) + pg_stat_get_xact_tuples_fetched(r))
	FROM (SELECT 'session'::regclass UNION ALL
		SELECT indexrelid FROM pg_index WHERE indrelid = 'session'::regclass) t (r)
$$;
CREATE FUNCTION testing.reads(call text, OUT rows bigint, OUT is_little boolean) LANGUAGE plpgsql AS $$
DECLARE
	before bigint := testing.tuples_read();
BEGIN
	EXECUTE 'SELECT count(*) FROM ' || call INTO rows;
	is_little := testing.tuples_read() - before < 500;
END
$$;
SELECT c, r.* FROM unnest(ARRAY[
	'ekran_sessions(users => ''{1501}'')',
	'ekran_sessions(testing.at(''08:00'') - interval ''5 days'', NULL, users => ''{1501,1502}'')',
	'ekran_sessions_total_count(testing.at(''08:00'') - interval ''5 days'', NULL, ''{1501}'')',
	-- for comparison
	'ekran_sessions_after(after_session_id => 12000)']) c, LATERAL testing.reads(c) r;

RESET search_path;
DROP SCHEMA filtered CASCADE;
DROP FUNCTION testing.of, testing.tuples_read, testing.reads;
