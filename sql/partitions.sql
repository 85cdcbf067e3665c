-- Activity in ranges of time: made, written to by way of the whole and by the partitions'
-- own names, read by as few as it takes, dropped with its sessions.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/random_store.sql
\set ECHO all
-- What partitions a store has, by when they begin: as an offset from now, in periods.
CREATE FUNCTION testing.periods(store text, period interval, OUT place text, OUT name text, OUT is_whole boolean)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT CASE WHEN b.range IS NULL THEN 'default' ELSE (row_number() OVER (ORDER BY b.range[1]::timestamptz) - 1)::text END,
		regexp_replace(c.relname, '\d', '9', 'g'),
		b.range[1]::timestamptz AT TIME ZONE 'UTC' + period = b.range[2]::timestamptz AT TIME ZONE 'UTC'
			AND c.relname LIKE 'activity\_p' || to_char(b.range[1]::timestamptz AT TIME ZONE 'UTC', 'YYYYMMDD') || '%'
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
		LATERAL (SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') AS range) b
	WHERE i.inhparent = (store || '.activity')::regclass
	ORDER BY b.range[1]::timestamptz
$$;
-- The period that now is in, its four next ones, and a default, as far as they are missing.
SELECT ekran_create_store('parts', partition_by => interval '1 month');
SELECT * FROM testing.periods('parts', '1 month');
INSERT INTO parts.session (session_id, login_date) VALUES (1, now());
INSERT INTO parts.activity (session_id, activity_date) VALUES (1, now());
SELECT tableoid::regclass::text = 'parts.activity_p' || to_char(activity_date AT TIME ZONE 'UTC', 'YYYYMM') || '01' AS is_of_this_month FROM parts.activity;
SELECT ekran_create_store('parts', partition_by => interval '1 month');
SELECT count(*) FROM testing.periods('parts', '1 month');
DROP TABLE parts.activity_default;
DO $$ BEGIN EXECUTE 'DROP TABLE parts.activity_p' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months', 'YYYYMMDD'); END $$;
SELECT ekran_create_store('parts', partition_by => interval '1 month');
SELECT count(*), count(*) FILTER (WHERE is_whole) AS whole FROM testing.periods('parts', '1 month');
SELECT obj_description('parts.activity_default'::regclass);
DROP SCHEMA parts CASCADE;
-- in other time zones likewise, for periods are of UTC
SET timezone = 'Asia/Tokyo';
SELECT ekran_create_store('parts', partition_by => interval '7 days');
SELECT * FROM testing.periods('parts', '7 days');
SET timezone = 'UTC';
SELECT extract(isodow FROM substr(min(relname), 12, 8)::date) AS weekday FROM pg_class
WHERE relnamespace = 'parts'::regnamespace AND relkind = 'r' AND relname ~ '^activity_p\d{8}$';
DROP SCHEMA parts CASCADE;
SELECT ekran_create_store('parts', partition_by => interval '90 minutes');
SELECT * FROM testing.periods('parts', '90 minutes');
DROP SCHEMA parts CASCADE;
-- hours may be more than a day; default privileges give nothing away; what has come to the
-- default partition keeps one from being made, and not the others
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
SELECT ekran_create_store('parts', partition_by => interval '48 hours');
SELECT place, regexp_replace(name, '_999999', '') AS name, is_whole FROM testing.periods('parts', '2 days');
SELECT count(*) AS readable FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'parts'::regnamespace AND c.relispartition AND c.relkind = 'r' AND a.grantee = 0;
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;
INSERT INTO parts.session (session_id, login_date) VALUES (1, now());
DO $$ DECLARE t name; BEGIN FOR t IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'parts.activity'::regclass AND inhrelid <> 'parts.activity_default'::regclass LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;
INSERT INTO parts.activity (session_id, activity_date) VALUES (1, now());
SET client_min_messages = error;
SELECT ekran_create_store('parts', partition_by => interval '48 hours');
SELECT count(*) FROM testing.periods('parts', '2 days');
BEGIN;
CREATE TEMPORARY TABLE aside ON COMMIT DROP AS TABLE parts.activity_default;
DELETE FROM parts.activity_default;
SELECT ekran_create_store('parts', partition_by => interval '48 hours');
INSERT INTO parts.activity TABLE aside;
COMMIT;
SET client_min_messages = warning;
SELECT count(*), (SELECT count(*) FROM parts.activity_default) AS by_default FROM testing.periods('parts', '2 days');
DROP SCHEMA parts CASCADE;
-- What can't be a period, or a store of it.
SELECT partition_by, f.* FROM unnest('{1 month 1 day, 1 month 1 hour, 59 minutes, 0, -1 month, -1 day, 1 day -1 hour, 40000 days, 1000000 hours, 178000000 years}'::interval[]) partition_by,
	testing.failure(format('SELECT ekran_create_store(''parts'', partition_by => %L)', partition_by)) f;
SELECT * FROM testing.failure('SELECT ekran_create_store(''parts'', NULL)');
SELECT to_regnamespace('parts');
SELECT ekran_create_store('parts');
SELECT * FROM testing.failure('SELECT ekran_create_store(''parts'', interval ''1 month'')') \gx
SELECT * FROM testing.failure('SELECT ekran_drop_activity_before(NULL)') \gx
SET ekran_sessions.store = 'parts';
SELECT * FROM testing.failure('SELECT ekran_drop_activity_before(''2024-01-01'')') \gx
DROP SCHEMA parts CASCADE;
-- a name that something else has
CREATE SCHEMA parts;
CREATE TABLE parts.activity_default (a int);
SELECT code, message FROM testing.failure('SELECT ekran_create_store(''parts'', interval ''1 month'')');
DROP SCHEMA parts CASCADE;

-- Half days of the two that random stores are of.
SELECT ekran_create_store('parts', partition_by => interval '12 hours');
SET ekran_sessions.store = 'parts';
SET search_path = parts, public;
CREATE TABLE first_morning PARTITION OF activity FOR VALUES FROM ('2024-01-01 00:00') TO ('2024-01-01 12:00');
CREATE TABLE first_evening PARTITION OF activity FOR VALUES FROM ('2024-01-01 12:00') TO ('2024-01-02 00:00');
CREATE TABLE second_evening PARTITION OF activity FOR VALUES FROM ('2024-01-02 12:00') TO ('2024-01-03 00:00');
-- By the partitions' own names, and the same by way of the whole.
CREATE FUNCTION testing.by_partitions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	part regclass;
BEGIN
	CREATE TEMPORARY TABLE aside AS SELECT tableoid AS part, * FROM activity;
	-- as the server would not: what is moved by itself has no statement on the whole
	FOR part IN SELECT DISTINCT a.part FROM aside a LOOP
		EXECUTE format('DELETE FROM %s WHERE activity_id %% 3 = 0', part);
		EXECUTE format('UPDATE %s SET activity_date = activity_date + interval ''1 microsecond'', session_id = session_id WHERE activity_id %% 3 = 1', part);
		EXECUTE format('INSERT INTO %s SELECT session_id, activity_date, activity_id, application, url, title FROM aside WHERE part = %s AND activity_id %% 3 = 0', part, part::oid);
	END LOOP;
	DROP TABLE aside;
END
$$;
CREATE FUNCTION testing.compared() RETURNS TABLE (compared bigint, rows_compared boolean, different bigint, checked bigint) LANGUAGE sql AS $$
	SELECT compared, rows_compared > 0, different, (SELECT count(*) FROM ekran_check()) FROM testing.compare_random_windows(20)
$$;
SELECT testing.fill_random_store(0.31);
CALL ekran_maintain();
SELECT count(DISTINCT tableoid) AS partitions FROM activity;
SELECT * FROM testing.compared();
SELECT ekran_refresh() >= 0 AS folded;
SELECT testing.by_partitions();
SELECT count(DISTINCT session_id) > 10 AS pending FROM pending WHERE session_id IS NOT NULL;
SELECT * FROM testing.compared();
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compared();
-- A few activities at a time, near to others and far from all, so that many ranges are
-- pending of a session, some next to each other: each is mended from what lies around it.
CREATE FUNCTION testing.change_some(changes int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	choice float8;
BEGIN
	FOR i IN 1..changes LOOP
		choice := random();
		SELECT session_id INTO id FROM session ORDER BY session_id OFFSET trunc(random() * 60) LIMIT 1;
		IF choice < 0.4 THEN
			INSERT INTO activity (session_id, activity_date) SELECT id, testing.random_moment() FROM generate_series(1, 1 + trunc(random() * 2)::int);
		ELSIF choice < 0.7 THEN
			DELETE FROM activity WHERE (session_id, activity_id) IN (SELECT session_id, activity_id FROM activity WHERE session_id = id ORDER BY random() LIMIT 2);
		ELSIF choice < 0.9 THEN
			UPDATE activity SET activity_date = testing.random_moment() WHERE (session_id, activity_id) IN (SELECT session_id, activity_id FROM activity WHERE session_id = id ORDER BY random() LIMIT 1);
		ELSE
			DELETE FROM activity WHERE session_id = id;
		END IF;
	END LOOP;
END
$$;
CREATE FUNCTION testing.change_and_compare(rounds int, OUT compared numeric, OUT different numeric, OUT checked numeric, OUT several_ranges boolean) LANGUAGE plpgsql AS $$
DECLARE
	result record;
	ranges bigint := 0;
BEGIN
	compared := 0;
	different := 0;
	checked := 0;
	FOR i IN 1..rounds LOOP
		PERFORM testing.change_some(60);
		ranges := ranges + (SELECT count(*) FROM (SELECT FROM pending WHERE session_id IS NOT NULL GROUP BY session_id HAVING count(*) > 2) p);
		SELECT * INTO result FROM testing.compare_random_windows(6);
		compared := compared + result.compared;
		different := different + result.different;
		checked := checked + (SELECT count(*) FROM ekran_check());
	END LOOP;
	several_ranges := ranges > 0;
END
$$;
SELECT * FROM testing.change_and_compare(5);
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.change_and_compare(5);
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compared();
-- In the transaction itself too, amid a statement, after savepoints that are taken back.
BEGIN;
SELECT testing.by_partitions();
SELECT answered_by, reason FROM ekran_status();
SELECT * FROM testing.compared();
SAVEPOINT s;
DELETE FROM first_morning;
SELECT compared, different FROM testing.compared();
ROLLBACK TO s;
SELECT compared, different FROM testing.compared();
SELECT ekran_refresh() >= 0 AS folded;
SELECT compared, different FROM testing.compared();
COMMIT;
SELECT * FROM testing.compared();
-- a function that reads amid a direct write: after each row, none of which is told by then
TRUNCATE session, activity, client, app_user;
CALL ekran_maintain();
SELECT testing.add_session(1, '08:00', '11:00', '08:30', '09:00', '09:30', '10:00', '10:30');
SELECT ekran_refresh() <= 1 AS folded;
CREATE TABLE seen (idle interval, by_activity interval);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.ekran_refresh() WHERE NEW.activity_id = 103;
	INSERT INTO parts.seen SELECT (SELECT sum(idle_time) FROM public.ekran_sessions()),
		(SELECT coalesce(sum(gap), '0') FROM (SELECT t - lag(t) OVER (ORDER BY t) AS gap FROM (
			SELECT login_date AS t FROM parts.session UNION ALL SELECT logout_date FROM parts.session
			UNION ALL SELECT activity_date FROM parts.activity) m) g WHERE gap > interval '15 min');
	RETURN NULL;
END $$;
CREATE TRIGGER a_look AFTER INSERT OR UPDATE OR DELETE ON first_morning FOR EACH ROW EXECUTE FUNCTION look();
INSERT INTO first_morning (session_id, activity_date, activity_id) SELECT 1, testing.at('08:30') + i * interval '10 min', 100 + i FROM generate_series(1, 5) i;
DELETE FROM first_morning WHERE activity_id > 103;
UPDATE first_morning SET activity_date = activity_date + interval '17 min' WHERE activity_id = 102;
SELECT count(*), count(*) FILTER (WHERE idle <> by_activity) AS wrong FROM seen;
DROP TRIGGER a_look ON first_morning;
SELECT session_id, idle_time FROM ekran_sessions();
SELECT count(*) FROM ekran_check();
-- Sessions must be there, and stay, as by a foreign key.
SELECT code, message, detail FROM testing.failure($$INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (2, testing.at('09:00'), 200)$$) \gx
SELECT code, message FROM testing.failure($$UPDATE first_morning SET session_id = 2 WHERE activity_id = 101$$);
BEGIN;
INSERT INTO session (session_id, login_date) VALUES (2, testing.at('08:00'));
SAVEPOINT s;
INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (2, testing.at('09:00'), 200);
DELETE FROM session WHERE session_id = 2;
SELECT code FROM testing.failure($$INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (2, testing.at('09:00'), 201)$$);
ROLLBACK TO s;
INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (2, testing.at('09:10'), 200);
COMMIT;
SELECT session_id, count(*) FROM activity GROUP BY session_id ORDER BY session_id;
SELECT session_id, idle_time FROM ekran_sessions();
SELECT count(*) FROM ekran_check();
-- Also where it has been there before: what deletes or renames it makes it unknown.
BEGIN;
INSERT INTO session (session_id, login_date) VALUES (3, testing.at('08:00'));
INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (3, testing.at('09:00'), 400);
DELETE FROM session WHERE session_id = 3;
INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (3, testing.at('09:00'), 401);
ROLLBACK;
BEGIN;
INSERT INTO session (session_id, login_date) VALUES (3, testing.at('08:00'));
INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (3, testing.at('09:00'), 400);
DELETE FROM first_morning WHERE session_id = 3;
UPDATE session SET session_id = 4 WHERE session_id = 3;
INSERT INTO first_evening (session_id, activity_date, activity_id) VALUES (3, testing.at('13:00'), 401);
ROLLBACK;
-- A partition that goes to another store, whose sessions are others.
SELECT ekran_create_store('elsewhere', partition_by => interval '12 hours');
INSERT INTO elsewhere.session (session_id, login_date) VALUES (7, testing.at('08:00'));
BEGIN;
DELETE FROM first_evening;
INSERT INTO first_evening (session_id, activity_date, activity_id) VALUES (1, testing.at('13:00'), 500);
DELETE FROM first_evening;
ALTER TABLE activity DETACH PARTITION first_evening;
ALTER TABLE elsewhere.activity ATTACH PARTITION first_evening FOR VALUES FROM ('2024-01-01 12:00') TO ('2024-01-02 00:00');
INSERT INTO first_evening (session_id, activity_date, activity_id) VALUES (7, testing.at('13:00'), 501);
SELECT code, message FROM testing.failure($$INSERT INTO first_evening (session_id, activity_date, activity_id) VALUES (1, testing.at('13:00'), 502)$$);
COMMIT;
SET ekran_sessions.store = 'elsewhere';
SELECT count(*) FROM ekran_check();
SELECT session_id, idle_time FROM ekran_sessions();
ALTER TABLE elsewhere.activity DETACH PARTITION first_evening;
DROP SCHEMA elsewhere CASCADE;
SET ekran_sessions.store = 'parts';
DROP TABLE first_evening;
CREATE TABLE first_evening PARTITION OF activity FOR VALUES FROM ('2024-01-01 12:00') TO ('2024-01-02 00:00');
-- What could not be noted is refused: a partition's own triggers, or those of the store.
ALTER TABLE first_morning DISABLE TRIGGER ekran_moved;
SELECT code, message FROM testing.failure($$INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (1, testing.at('09:00'), 300)$$);
ALTER TABLE first_morning ENABLE ALWAYS TRIGGER ekran_moved;
DROP TABLE session_idle;
SELECT code, message FROM testing.failure($$INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (1, testing.at('09:00'), 300)$$);
SELECT ekran_create_store('parts');
INSERT INTO first_morning (session_id, activity_date, activity_id) VALUES (1, testing.at('09:00'), 300);
SELECT count(*) FROM ekran_check();
-- Activities that were lost without a trace are not believed in when others come.
CALL testing.unseen('TRUNCATE activity', 'activity');
INSERT INTO first_evening (session_id, activity_date, activity_id) VALUES (1, testing.at('12:00'), 1);
SELECT state, reason FROM ekran_status();
SELECT session_id, idle_time FROM ekran_sessions();
CALL ekran_maintain();
SELECT state, count(*) OVER () FROM ekran_status();

-- Who reads a window looks at the partitions that its sessions have moments in, and no
-- others: by the index, what is pending, activity by activity; of running sessions, at
-- later ones too.
SELECT ekran_create_store('months', partition_by => interval '1 month');
SET ekran_sessions.store = 'months';
SET search_path = months, public;
SELECT format('CREATE TABLE month_%s PARTITION OF activity FOR VALUES FROM (%L) TO (%L)', m, make_timestamptz(2024, m, 1, 0, 0, 0), make_timestamptz(2024, m, 1, 0, 0, 0) + interval '1 month')
FROM generate_series(1, 12) m \gexec
INSERT INTO session (session_id, login_date, logout_date) SELECT i, t, t + interval '7 hours'
FROM generate_series(1, 1000) i, LATERAL (SELECT '2024-01-01'::timestamptz + i * interval '8 hours') t (t);
INSERT INTO activity (session_id, activity_date, application) SELECT session_id, login_date + i * interval '20 minutes', 'a' FROM session, generate_series(0, 20) i;
ANALYZE session, activity;
SELECT ekran_refresh() > 900 AS folded;
\setenv PGDATABASE :DBNAME
\setenv PGOPTIONS '-c ekran_sessions.store=months -c TimeZone=UTC -c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_nested_statements=on -c auto_explain.log_analyze=on -c auto_explain.log_timing=off -c auto_explain.log_level=notice'
\setenv PARTITIONS 'grep -v "never executed" | grep -oE "( on month_[0-9]+|ERROR.*)" | sort -u'
\! psql -X -c "SELECT count(*), sum(idle_time) FROM ekran_sessions('2024-11-22 00:05', '2024-11-28 12:05')" 2>&1 | eval "$PARTITIONS"
\! psql -X -c "SELECT count(*) FROM ekran_application_statistics('2024-11-22 00:05', '2024-11-28 12:05')" 2>&1 | eval "$PARTITIONS"
\! psql -X -c "SELECT count(*) FROM ekran_user_productivity('2024-11-22 00:05', '2024-11-28 12:05')" 2>&1 | eval "$PARTITIONS"
\! PGOPTIONS="$PGOPTIONS -c ekran_sessions.idle_threshold=1s" psql -X -c "SELECT count(*) FROM ekran_sessions('2024-11-22 00:05', '2024-11-28 12:05')" 2>&1 | eval "$PARTITIONS"
-- pending: of old sessions, and of new ones
BEGIN;
INSERT INTO activity (session_id, activity_date) SELECT session_id, login_date + interval '11 minutes' FROM session WHERE session_id BETWEEN 970 AND 985;
INSERT INTO session (session_id, login_date, logout_date) VALUES (2000, '2024-11-25 00:00', '2024-11-25 08:00');
INSERT INTO activity (session_id, activity_date) VALUES (2000, '2024-11-25 01:00'), (2000, '2024-11-25 02:00');
COMMIT;
\! psql -X -c "SELECT count(*), sum(idle_time) FROM ekran_sessions('2024-11-22 00:05', '2024-11-28 12:05')" 2>&1 | eval "$PARTITIONS"
\! psql -X -c "SELECT count(*) FROM ekran_session_timeline(2000)" 2>&1 | eval "$PARTITIONS"
UPDATE session SET logout_date = NULL WHERE session_id = 980;
\! PGOPTIONS="$PGOPTIONS -c ekran_sessions.idle_threshold=1s" psql -X -c "SELECT count(*) FROM ekran_sessions('2024-11-22 00:05', '2024-11-28 12:05')" 2>&1 | eval "$PARTITIONS"
\setenv PGOPTIONS
SELECT count(*) FROM ekran_check();
SET ekran_sessions.store = 'parts';
SET search_path = parts, public;
DROP SCHEMA months CASCADE;

-- By hand, nothing tells: checked, and mended.
SELECT testing.fill_random_store(0.32);
CALL ekran_maintain();
SELECT ekran_refresh() >= 0 AS folded;
TRUNCATE first_morning;
SELECT count(*) > 0 AS found FROM ekran_check();
SELECT ekran_rebuild() > 0 AS rebuilt;
SELECT * FROM testing.compared();
DROP TABLE first_evening;
SELECT count(*) > 0 AS found FROM ekran_check();
CALL ekran_maintain();
SELECT ekran_rebuild() > 0 AS rebuilt;
SELECT * FROM testing.compared();
CREATE TABLE first_evening PARTITION OF activity FOR VALUES FROM ('2024-01-01 12:00') TO ('2024-01-02 00:00');

-- Old partitions go with their sessions, and not with those that stay.
CREATE FUNCTION testing.drop_before(moment timestamptz, OUT deleted bigint, OUT is_right boolean, OUT dropped text[], OUT kept text[], OUT compared bigint, OUT different bigint, OUT checked bigint)
LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMPORARY TABLE due AS SELECT session_id FROM session WHERE login_date < moment AND logout_date < moment;
	CREATE TEMPORARY TABLE staying AS SELECT a.* FROM activity a WHERE NOT EXISTS (SELECT FROM due d WHERE d.session_id = a.session_id);
	SELECT d.sessions, d.dropped, d.kept INTO deleted, dropped, kept FROM ekran_drop_activity_before(moment) d;
	is_right := deleted = (SELECT count(*) FROM due)
		AND NOT EXISTS (SELECT FROM session WHERE session_id IN (SELECT session_id FROM due))
		AND NOT EXISTS ((TABLE activity EXCEPT ALL TABLE staying) UNION ALL (TABLE staying EXCEPT ALL TABLE activity));
	SELECT c.compared, c.different, c.checked INTO compared, different, checked FROM testing.compared() c;
	DROP TABLE due, staying;
END
$$;
SELECT testing.fill_random_store(0.33);
CALL ekran_maintain();
-- none that starts in the first morning goes on after it
DELETE FROM session WHERE login_date < testing.at('12:00') AND coalesce(logout_date, 'infinity') >= testing.at('12:00');
DELETE FROM activity a USING session s WHERE s.session_id = a.session_id AND activity_date < testing.at('12:00') AND s.login_date >= testing.at('12:00');
INSERT INTO activity (session_id, activity_date) SELECT session_id, '2030-01-01' FROM session WHERE session_id % 2 = 0;
SELECT ekran_refresh() >= 0 AS folded;
SELECT (d).deleted > 5 AS some, (d).is_right, (d).dropped, (d).kept, (d).compared, (d).different, (d).checked FROM testing.drop_before('2024-01-01 13:00') d;
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.compared();
-- the ids that have gone, used again
INSERT INTO session (session_id, login_date, logout_date) SELECT i, testing.at('13:00'), testing.at('14:00') FROM generate_series(0, 60) i ON CONFLICT DO NOTHING;
SELECT * FROM testing.compared();
-- One that stays keeps a partition, of which the rest goes.
SELECT testing.fill_random_store(0.34);
CALL ekran_maintain();
SELECT count(*) > 0 AS some_run FROM session JOIN activity USING (session_id) WHERE logout_date IS NULL AND activity_date BETWEEN testing.at('12:00') AND '2024-01-02';
SELECT (d).deleted > 5 AS some, (d).is_right, (d).dropped, (d).kept, (d).compared, (d).different, (d).checked FROM testing.drop_before('2024-01-02 12:00') d;
SELECT count(*) > 0 AS closed FROM ekran_close_sessions('1 hour', '2025-01-01');
SELECT (d).deleted > 5 AS some, (d).is_right, (d).dropped, (d).kept, (d).compared, (d).different, (d).checked FROM testing.drop_before('2025-01-01') d;
SELECT (SELECT count(*) FROM session) AS sessions, (SELECT count(*) FROM activity) AS activities;
-- one in the middle that is kept; what lies in the default one between others goes
CREATE TABLE day1 PARTITION OF activity FOR VALUES FROM ('2024-01-01') TO ('2024-01-02');
CREATE TABLE day2 PARTITION OF activity FOR VALUES FROM ('2024-01-02') TO ('2024-01-03');
CREATE TABLE day4 PARTITION OF activity FOR VALUES FROM ('2024-01-04') TO ('2024-01-05');
INSERT INTO session (session_id, login_date, logout_date) VALUES (1, '2024-01-01', '2024-01-04'), (2, '2024-01-02', NULL);
INSERT INTO activity (session_id, activity_date) SELECT 1, d FROM generate_series('2024-01-01'::timestamptz, '2024-01-05', '6 hours') d;
INSERT INTO activity (session_id, activity_date) VALUES (2, '2024-01-02 00:00');
SELECT * FROM testing.drop_before('2024-01-05');
SELECT tableoid::regclass, session_id, activity_date FROM activity;
-- A call that fails changes nothing: something depends on a partition.
CREATE VIEW of_day2 AS SELECT count(*) FROM day2;
UPDATE session SET logout_date = '2024-01-02';
SELECT code, message FROM testing.failure('SELECT ekran_drop_activity_before(''2024-01-05'')');
SELECT session_id FROM session;
SELECT * FROM testing.drop_before('2024-01-02 00:00');
DROP VIEW of_day2;
SELECT * FROM testing.drop_before('2024-01-05');
-- Only in READ COMMITTED, and by itself.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT code, message FROM testing.failure('SELECT ekran_drop_activity_before(''2024-01-05'')');
ROLLBACK;
SET session_replication_role = replica;
SELECT code, message FROM testing.failure('SELECT ekran_drop_activity_before(''2024-01-05'')');
RESET session_replication_role;
-- one without an end is never over
CREATE TABLE rest PARTITION OF activity FOR VALUES FROM ('2100-01-01') TO (MAXVALUE);
SELECT 'parts.rest' = ANY (dropped) AS dropped FROM ekran_drop_activity_before('infinity');
CREATE FUNCTION drop_amid() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM public.ekran_drop_activity_before('2024-01-05'); RETURN now(); END $$;
SELECT code, message FROM testing.failure('INSERT INTO session (session_id, login_date) VALUES (3, parts.drop_amid())');
-- By ranges of something else.
CREATE SCHEMA by_list;
CREATE TABLE by_list.activity (LIKE parts.activity) PARTITION BY LIST (session_id);
SELECT ekran_create_store('by_list');
SET ekran_sessions.store = 'by_list';
SELECT code, message FROM testing.failure('SELECT ekran_drop_activity_before(''2024-01-05'')');
SELECT code, message FROM testing.failure('SELECT ekran_create_store(''by_list'', interval ''1 month'')');

-- A store that is there, converted: its rows, grants and policies stay.
CREATE ROLE ekran_partitions_reader;
CREATE ROLE ekran_partitions_agent;
SELECT ekran_create_store('whole');
SET ekran_sessions.store = 'whole';
SET search_path = whole, public;
SELECT testing.fill_random_store(0.35);
CALL ekran_maintain();
GRANT USAGE ON SCHEMA whole, testing TO ekran_partitions_reader, ekran_partitions_agent;
GRANT SELECT ON session, client, app_user TO ekran_partitions_reader;
GRANT SELECT (session_id, activity_date) ON activity TO ekran_partitions_reader;
GRANT INSERT ON activity TO ekran_partitions_agent WITH GRANT OPTION;
ALTER TABLE activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON activity FOR SELECT TO ekran_partitions_reader USING (session_id % 2 = 0);
CREATE POLICY theirs ON activity AS PERMISSIVE FOR INSERT TO PUBLIC WITH CHECK (session_id % 2 = 0);
CREATE TABLE before AS TABLE activity;
CREATE INDEX mine ON activity (application);
\setenv PGDATABASE :DBNAME
\! psql -X -q -v store=whole -v period='1 month' -v up_to='2024-02-01 00:00+00' -f script/partition.sql 2>&1 | grep -E 'ERROR|HINT' | sed 's/.*ERROR/ERROR/'
\! psql -X -q -v store=whole -v period='1 month' -v up_to='2024-02-02 00:00+00' -f script/partition.sql 2>&1 | grep -E 'ERROR|HINT' | sed 's/.*ERROR/ERROR/'
\! psql -X -q -v store=whole -v period='7 days' -v up_to='2024-02-04 00:00+00' -f script/partition.sql 2>&1 | grep -E 'ERROR|HINT' | sed 's/.*ERROR/ERROR/'
\! psql -X -q -v store=whole -v period='1 month' -v up_to=infinity -f script/partition.sql 2>&1 | grep -E 'ERROR|HINT' | sed 's/.*ERROR/ERROR/'
\! psql -X -q -v store=whole -v period='1 month' -f script/partition.sql 2>&1 | sed 's/.*Usage/Usage/'
DROP INDEX mine;
CREATE POLICY active ON session TO ekran_partitions_reader USING (EXISTS (SELECT FROM activity a WHERE a.session_id = session.session_id));
CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM activity; END;
CREATE TABLE kept (a activity[]);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER ekran_of_mine AFTER INSERT ON activity FOR EACH STATEMENT EXECUTE FUNCTION nothing();
CREATE VIEW seen AS SELECT count(*) FROM activity;
\! psql -X -q -v store=whole -v period='1 month' -v up_to='2024-02-01 00:00+00' -f script/partition.sql 2>&1 | grep -E 'ERROR|HINT' | sed 's/.*ERROR/ERROR/'
DROP POLICY active ON session;
DROP FUNCTION counted();
DROP TABLE kept;
DROP TRIGGER ekran_of_mine ON activity;
DROP VIEW seen;
\! psql -X -q -v store=whole -v period='1 day' -v up_to='2024-01-02 00:00+00' -f script/partition.sql 2>&1 | grep -E 'ERROR|HINT' | sed 's/.*ERROR/ERROR/'
SELECT relkind FROM pg_class WHERE oid = 'activity'::regclass;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ekran_partitions_agent;
\! psql -X -q -v store=whole -v period='1 month' -v up_to='2024-02-01 00:00+00' -f script/partition.sql
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM ekran_partitions_agent;
SELECT has_table_privilege('ekran_partitions_agent', 'activity', 'SELECT') AS by_default;
SELECT relkind, relrowsecurity FROM pg_class WHERE oid = 'activity'::regclass;
SELECT count(*) AS lost FROM ((TABLE before EXCEPT ALL TABLE activity) UNION ALL (TABLE activity EXCEPT ALL TABLE before)) d;
SELECT state, reason, answered_by FROM ekran_status();
SELECT * FROM testing.compared();
SELECT polname, polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid) AS qual, pg_get_expr(polwithcheck, polrelid) AS check FROM pg_policy WHERE polrelid = 'activity'::regclass ORDER BY 1;
SET ROLE ekran_partitions_reader;
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE session_id % 2 <> 0) AS hidden FROM activity;
SELECT code FROM testing.failure('SELECT count(*) FROM activity_before');
SELECT code FROM testing.failure('SELECT application FROM activity');
RESET ROLE;
SET ROLE ekran_partitions_agent;
INSERT INTO activity (session_id, activity_date) SELECT 2, '2024-01-01 10:00' WHERE false;
SELECT code FROM testing.failure('INSERT INTO activity (session_id, activity_date) VALUES (1, now())');
RESET ROLE;
-- ids go on, also when the first partition has gone
SELECT max(activity_id) AS latest FROM activity \gset
DROP TABLE activity_before;
INSERT INTO session (session_id, login_date) VALUES (1000, '2024-03-01');
INSERT INTO activity (session_id, activity_date) VALUES (1000, '2024-03-01 01:00') RETURNING activity_id > :latest AS goes_on;
SELECT ekran_rebuild();
SELECT * FROM testing.compared();
RESET search_path;
DROP SCHEMA parts, by_list, whole CASCADE;
DROP OWNED BY ekran_partitions_reader, ekran_partitions_agent;
DROP ROLE ekran_partitions_reader, ekran_partitions_agent;
