-- Statistics and timelines: the worked example, and random stores against the
-- independent reading, in time zones over changes of their clocks.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/independent_statistics.sql
\i test/random_store.sql
\i test/random_usage.sql
\set ECHO all
SELECT ekran_create_store('statistics');
SET ekran_sessions.store = 'statistics';
SET search_path = statistics, public;

-- The worked example.
INSERT INTO app_user VALUES (7, 'Ada');
INSERT INTO session (session_id, user_id, login_date, logout_date)
VALUES (1, 7, testing.at('08:00'), testing.at('09:30'));
INSERT INTO activity (session_id, activity_date, application, url) VALUES
	(1, testing.at('08:01'), 'excel', NULL), (1, testing.at('08:10'), 'excel', 'https://Example.com/'),
	(1, testing.at('08:40'), 'chrome', 'localhost:80'), (1, testing.at('09:05'), 'chrome', 'about:blank');
SELECT * FROM ekran_application_statistics();
SELECT * FROM ekran_url_statistics();
SELECT * FROM ekran_user_productivity();
SELECT * FROM ekran_session_list();
SELECT * FROM ekran_session_timeline(1);
SET ekran_sessions.idle_policy = 'excess';
SELECT * FROM ekran_application_statistics();
SELECT * FROM ekran_url_statistics();
SELECT * FROM ekran_user_productivity();
SELECT * FROM ekran_session_timeline(1);
SELECT ekran_application_statistics_json();
SELECT ekran_url_statistics_json();
SELECT ekran_user_productivity_json();
SELECT ekran_session_list_json();
SET timezone = 'Asia/Kolkata';
SELECT * FROM ekran_application_statistics();
SELECT * FROM ekran_user_productivity();
SELECT ekran_user_productivity_json();
SET timezone = 'UTC';
-- in windows: those of the worked example of pages
SELECT start, "end", t.* FROM (VALUES ('08:05'::time, '09:00'::time), ('08:00', NULL), ('08:15', '08:35'), ('08:10', '08:40'),
	('09:10', '10:00'), ('09:30', NULL), (NULL, '08:00'), ('08:20', '09:25')) w (start, "end"),
	ekran_session_timeline(1, testing.at(start), testing.at("end")) t;
SELECT * FROM ekran_application_statistics(testing.at('08:20'), testing.at('09:25'));
RESET ekran_sessions.idle_policy;
-- nothing in the window, nobody in the filter: an empty answer, and empty arrays
SELECT count(*) FROM ekran_user_productivity(testing.at('09:30'));
SELECT ekran_application_statistics_json(testing.at('09:30')), ekran_url_statistics_json("userIds" => '{}'),
	ekran_user_productivity_json("clientGuids" => '{}'), ekran_session_list_json("userIds" => '{8}');
-- two at once count once
INSERT INTO session (session_id, user_id, login_date, logout_date)
VALUES (2, 7, testing.at('08:05'), testing.at('08:12'));
SELECT * FROM ekran_user_productivity();
DELETE FROM session;

-- 16 zones and days, of which most change the clock, by thresholds and policies.
CREATE FUNCTION testing.compare_zones(windows int) RETURNS TABLE
	(zone text, base date, idle_threshold text, idle_policy text, compared bigint, has_sessions boolean, different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	seed float8 := 0;
BEGIN
	FOR zone, base, idle_threshold, idle_policy IN VALUES
		('UTC', '2024-02-29'::date, '15min', 'whole'), ('UTC', '2024-01-01', '15min', 'excess'),
		('Asia/Kolkata', '2024-06-01', '15min', 'whole'), ('Asia/Kolkata', '2024-06-01', '61s', 'excess'),
		('America/New_York', '2024-03-10', '15min', 'whole'), ('America/New_York', '2024-03-10', '20min', 'excess'),
		('America/New_York', '2024-11-03', '15min', 'excess'), ('America/New_York', '2024-11-03', '2h', 'whole'),
		('Australia/Lord_Howe', '2024-04-07', '3h', 'whole'), ('Australia/Lord_Howe', '2024-10-06', '15min', 'excess'),
		-- no midnight; a change that is none of summer time; a day that never was; back to the day before
		('Africa/Cairo', '2024-04-26', '1h', 'excess'), ('Asia/Pyongyang', '2018-05-05', '15min', 'whole'),
		('Pacific/Apia', '2011-12-30', '5h', 'excess'), ('America/St_Johns', '2010-11-07', '2h', 'excess'),
		('Asia/Kathmandu', '2024-01-01', '59s', 'excess'), ('Europe/Berlin', '2024-10-27', '0', 'excess')
	LOOP
		PERFORM set_config('timezone', zone, true);
		PERFORM set_config('ekran_sessions.idle_threshold', idle_threshold, true);
		PERFORM set_config('ekran_sessions.idle_policy', idle_policy, true);
		seed := seed + 0.01;
		PERFORM testing.fill_random_usage(seed, base + interval '2 hours');
		SELECT s.compared, s.selected > 3 * windows, s.different INTO compared, has_sessions, different
		FROM testing.compare_random_statistics(windows) s;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM testing.compare_zones(12);

-- The comparison does find differences: an activity in another application, one moved by
-- a microsecond, and a name changed between the two readings.
SET timezone = 'UTC';
SELECT testing.fill_random_usage(0.5, '2024-01-01');
BEGIN;
CREATE SCHEMA altered;
CREATE TABLE altered.activity AS TABLE statistics.activity;
CREATE VIEW altered.counted AS
SELECT a.ctid, a.* FROM altered.activity a JOIN session s USING (session_id)
WHERE a.activity_date > s.login_date AND a.activity_date < s.logout_date;
UPDATE altered.activity SET application = 'another', url = 'another.example' WHERE ctid IN (SELECT ctid FROM altered.counted);
SET search_path = altered, statistics, public;
SELECT in_applications > 0 AS applications, in_urls > 0 AS urls, in_productivity, in_list, in_all, in_timeline > 0 AS timeline, in_hours, in_json > 0 AS json
FROM independent.statistics_differences(NULL, NULL);
UPDATE altered.activity a SET activity_date = activity_date + interval '1 us' WHERE ctid IN (SELECT ctid FROM altered.counted);
SELECT in_applications > 0 AS applications, in_productivity > 0 AS productivity, in_timeline > 0 AS timeline
FROM independent.statistics_differences(NULL, NULL);
ROLLBACK;

-- By queries, where nothing is read straight: under row-level security that hides
-- nothing, and where it hides half of it.
CREATE FUNCTION testing.compare_as_reader(windows int) RETURNS SETOF record
LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE regress_statistics_reader;
	RETURN QUERY SELECT s.compared, s.different FROM testing.compare_random_statistics(windows) s;
	RESET ROLE;
END
$$;
CREATE ROLE regress_statistics_reader;
GRANT USAGE ON SCHEMA statistics, testing, independent TO regress_statistics_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA statistics TO regress_statistics_reader;
SELECT * FROM testing.compare_as_reader(6) s (compared bigint, different bigint);
ALTER TABLE activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_of_it ON activity USING (true);
SELECT * FROM testing.compare_as_reader(6) s (compared bigint, different bigint);
DROP POLICY all_of_it ON activity;
CREATE POLICY half_of_it ON activity USING (activity_id % 2 = 0);
SELECT * FROM testing.compare_as_reader(6) s (compared bigint, different bigint);
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_of_them ON session USING (session_id % 3 <> 0);
SELECT * FROM testing.compare_as_reader(6) s (compared bigint, different bigint);

-- In partitions.
CREATE SCHEMA parts;
CREATE TABLE parts.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL, activity_id bigint NOT NULL,
	application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE parts.activity_morning PARTITION OF parts.activity FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-01-01 12:00+00');
CREATE TABLE parts.activity_other PARTITION OF parts.activity DEFAULT;
CREATE TABLE parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int,
	login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE parts.session_0 PARTITION OF parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts.session_1 PARTITION OF parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT ekran_create_store('parts');
SET ekran_sessions.store = 'parts';
SET search_path = parts, public;
SELECT testing.fill_random_usage(0.6, '2024-01-01');
SELECT compared, selected > 30 AS has_sessions, different FROM testing.compare_random_statistics(8);
SET ekran_sessions.store = 'statistics';
SET search_path = statistics, public;
DROP SCHEMA parts CASCADE;

-- What each takes: grants on columns, and which are missing.
REVOKE SELECT ON ALL TABLES IN SCHEMA statistics FROM regress_statistics_reader;
ALTER TABLE activity DISABLE ROW LEVEL SECURITY;
ALTER TABLE session DISABLE ROW LEVEL SECURITY;
GRANT SELECT ON session, client, app_user TO regress_statistics_reader;
GRANT SELECT (session_id, activity_date) ON activity TO regress_statistics_reader;
SET ROLE regress_statistics_reader;
SELECT (SELECT count(*) FROM ekran_user_productivity()) > 20 AS productivity, (SELECT count(*) FROM ekran_session_list()) AS list,
	(SELECT count(*) FROM ekran_sessions_all()) AS sessions;
SELECT s, f.* FROM unnest(ARRAY['SELECT ekran_application_statistics()', 'SELECT ekran_url_statistics_json()',
	'SELECT ekran_session_timeline((SELECT min(session_id) FROM session))']) s, LATERAL testing.failure(s) f;
RESET ROLE;
GRANT SELECT (activity_id, application) ON activity TO regress_statistics_reader;
SET ROLE regress_statistics_reader;
SELECT count(*) > 100 AS enough FROM ekran_application_statistics();
SELECT code, message FROM testing.failure('SELECT ekran_url_statistics()');
RESET ROLE;
DROP OWNED BY regress_statistics_reader;
DROP ROLE regress_statistics_reader;

-- Errors: arguments before the store; sessions that are not there.
SET ekran_sessions.store = 'nowhere';
SELECT f.* FROM unnest(ARRAY['ekran_sessions_all', 'ekran_session_list', 'ekran_application_statistics', 'ekran_url_statistics', 'ekran_user_productivity',
	'ekran_session_list_json', 'ekran_application_statistics_json', 'ekran_url_statistics_json', 'ekran_user_productivity_json']) s,
	LATERAL testing.failure(format($$SELECT %I('2024-01-02', '2024-01-01')$$, s)) f;
SELECT f.* FROM unnest(ARRAY[$$1, '2024-01-02', '2024-01-01'$$, 'NULL', '1']) s, LATERAL testing.failure(format('SELECT ekran_session_timeline(%s)', s)) f;
SET ekran_sessions.store = 'statistics';
SELECT * FROM testing.failure('SELECT ekran_session_timeline(-77)');
-- a column that is gone, or of another type
BEGIN;
ALTER TABLE activity DROP COLUMN url;
SELECT code, message FROM testing.failure('SELECT ekran_url_statistics()');
SELECT count(*) > 100 AS enough FROM ekran_application_statistics();
ALTER TABLE activity ALTER application TYPE varchar;
SELECT code, message FROM testing.failure('SELECT ekran_application_statistics()');
ROLLBACK;
-- an application that the server stores apart
DELETE FROM session;
INSERT INTO session (session_id, login_date, logout_date) VALUES (1, testing.at('08:00'), testing.at('08:02'));
INSERT INTO activity (session_id, activity_date, application)
SELECT 1, testing.at('08:00') + i * interval '30 seconds', string_agg(md5((j * (i / 2))::text), '') FROM generate_series(0, 3) i, generate_series(1, 1000) j GROUP BY i;
SELECT length(application), duration FROM ekran_application_statistics();
SELECT to_time - from_time AS span, state, length(application) FROM ekran_session_timeline(1);
-- more of them than are kept from one session to the next
BEGIN;
DELETE FROM session;
INSERT INTO session (session_id, login_date, logout_date) SELECT i, testing.at('08:00'), testing.at('08:20') FROM generate_series(1, 3) i;
INSERT INTO activity (session_id, activity_date, application)
SELECT i, testing.at('08:00') + j * interval '30 seconds', repeat(md5(j::text), 1000) FROM generate_series(1, 3) i, generate_series(0, 39) j;
SELECT session_id, count(*), count(DISTINCT application) AS applications, sum(duration) AS duration, sum(duration) FILTER (WHERE application = repeat(md5('39'), 1000)) AS last
FROM ekran_application_statistics() GROUP BY session_id ORDER BY session_id;
ROLLBACK;
-- the first and the last of all timestamps; infinite windows
INSERT INTO session (session_id, login_date, logout_date) VALUES (2, '294276-12-31 23:00+00', '294276-12-31 23:59:59.999999+00'), (3, '4714-11-24 00:00+00 BC', '4714-11-24 00:05+00 BC');
INSERT INTO activity (session_id, activity_date) VALUES (2, '294276-12-31 23:50+00');
SELECT session_id, time_of_day, duration FROM ekran_application_statistics() WHERE session_id > 1;
SELECT date, time_of_day, total_minutes FROM ekran_user_productivity() ORDER BY 1, 2;
SET timezone = 'Europe/Berlin';
SELECT session_id, time_of_day, duration FROM ekran_application_statistics('294276-01-01');
SET timezone = '-00:30';
SELECT f.* FROM testing.failure('SELECT ekran_application_statistics()') f;
SET timezone = 'UTC';
SELECT count(*) FROM ekran_session_timeline(2, 'infinity', 'infinity');
SELECT count(*) FROM ekran_session_timeline(2, '-infinity', '-infinity');
SELECT * FROM ekran_session_timeline(2, '-infinity', 'infinity');

DROP SCHEMA statistics CASCADE;
DROP FUNCTION testing.compare_zones, testing.compare_as_reader;
