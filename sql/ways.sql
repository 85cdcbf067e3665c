-- The ways to read, each against the independent reading, folded and not: straight by
-- the index of activities, or by queries, where it has partitions or no such index, or
-- policies hold; by the gaps, or by raw activities.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/independent_statistics.sql
\i test/independent_statistics.sql
\i test/random_store.sql
\i test/random_usage.sql
\set ECHO all
CREATE ROLE regress_ekran_column_reader;
CREATE ROLE regress_ekran_policy_reader;
CREATE ROLE regress_ekran_raw_reader;
CREATE SCHEMA ways_parts;
CREATE TABLE ways_parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE ways_parts.even PARTITION OF ways_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE ways_parts.odd PARTITION OF ways_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE ways_parts.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL, activity_id bigint NOT NULL, application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE ways_parts.first_day PARTITION OF ways_parts.activity FOR VALUES FROM (MINVALUE) TO ('2024-01-02 00:00+00');
CREATE TABLE ways_parts.second_day PARTITION OF ways_parts.activity FOR VALUES FROM ('2024-01-02 00:00+00') TO (MAXVALUE);
-- with an index that finds no session by its id, before the one that does
CREATE SCHEMA ways;
CREATE TABLE ways.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz);
CREATE INDEX ON ways.session (user_id, session_id);
SELECT ekran_create_store('ways'), ekran_create_store('ways_parts');

CREATE FUNCTION testing.grant_all(store name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA %1$I, testing, independent TO regress_ekran_column_reader, regress_ekran_policy_reader, regress_ekran_raw_reader;
		GRANT SELECT ON %1$I.session, %1$I.client, %1$I.app_user TO regress_ekran_column_reader, regress_ekran_policy_reader, regress_ekran_raw_reader;
		GRANT SELECT ON %1$I.session_idle, %1$I.pending, %1$I.session_count TO regress_ekran_column_reader, regress_ekran_policy_reader;
		GRANT SELECT ON %1$I.activity TO regress_ekran_policy_reader, regress_ekran_raw_reader;
		GRANT SELECT (session_id, activity_date, activity_id) ON %1$I.activity TO regress_ekran_column_reader;
		ALTER TABLE %1$I.activity ENABLE ROW LEVEL SECURITY;
		CREATE POLICY a_part ON %1$I.activity TO regress_ekran_policy_reader USING (activity_id %% 3 > 0);
		CREATE POLICY all_of_it ON %1$I.activity TO regress_ekran_raw_reader USING (true)', store);
END
$$;
SELECT testing.grant_all(s) FROM unnest(ARRAY['ways', 'ways_parts']::name[]) s;

-- By whom, with what pending, compares so many windows.
CREATE FUNCTION testing.by(reader name, windows int, OUT answered_by text, OUT compared bigint, OUT different bigint)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', reader);
	answered_by := (SELECT s.answered_by FROM ekran_status() s);
	SELECT c.compared, c.different INTO compared, different FROM testing.compare_random_windows(windows) c;
	RESET ROLE;
END
$$;
CREATE PROCEDURE testing.all_ways(store name) LANGUAGE plpgsql AS $$
DECLARE
	way record;
	reader text;
BEGIN
	PERFORM set_config('ekran_sessions.store', store, false);
	PERFORM set_config('search_path', store || ', public', false);
	PERFORM testing.fill_random_store(0.75);
	PERFORM ekran_rebuild();
	COMMIT;
	FOR state IN 1..3 LOOP
		FOREACH reader IN ARRAY ARRAY[current_user::text, 'regress_ekran_column_reader', 'regress_ekran_policy_reader', 'regress_ekran_raw_reader'] LOOP
			SELECT * INTO way FROM testing.by(reader, 15);
			RAISE WARNING '% %: by % of %, % compared, % different', store, (ARRAY['folded', 'with some pending', 'with all pending'])[state],
				way.answered_by, CASE WHEN reader = current_user THEN 'the owner' ELSE reader END, way.compared, way.different;
			-- a function that is not inlined keeps its plan, with a role's policies, as long
			COMMIT;
		END LOOP;
		IF state = 1 THEN
			INSERT INTO activity (session_id, activity_date)
			SELECT session_id, testing.random_moment() FROM session WHERE session_id % 3 = 0;
		ELSE
			DELETE FROM activity WHERE activity_id % 7 = 0;
			UPDATE activity SET activity_date = activity_date + interval '7 minutes' WHERE activity_id % 2 = 0;
		END IF;
		COMMIT;
	END LOOP;
END
$$;
SELECT setseed(0.125);
ALTER TABLE ways.activity DISABLE ROW LEVEL SECURITY;
ALTER TABLE ways_parts.activity DISABLE ROW LEVEL SECURITY;
CALL testing.all_ways('ways');
CALL testing.all_ways('ways_parts');
ALTER TABLE ways.activity ENABLE ROW LEVEL SECURITY;
ALTER TABLE ways_parts.activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_columns ON ways.activity TO regress_ekran_column_reader USING (true);
CREATE POLICY all_columns ON ways_parts.activity TO regress_ekran_column_reader USING (true);
CALL testing.all_ways('ways');
CALL testing.all_ways('ways_parts');
-- without an index that finds activities by session and time
ALTER TABLE ways.activity DISABLE ROW LEVEL SECURITY;
ALTER TABLE ways.activity DROP CONSTRAINT activity_pkey;
CREATE INDEX ON ways.activity (session_id, activity_date DESC);
CREATE INDEX ON ways.activity (session_id, activity_date) WHERE activity_id > 100;
CREATE INDEX ON ways.activity (activity_date, session_id);
CALL testing.all_ways('ways');
-- nor with one that only seems to, of whatever kind; statistics by activities of their own too
SET ekran_sessions.store = 'ways';
SET search_path = ways, public;
CREATE FUNCTION testing.by_index(definition text, OUT windows bigint, OUT statistics bigint) LANGUAGE plpgsql AS $$
DECLARE
	index regclass;
BEGIN
	FOR index IN SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = 'ways.activity'::regclass LOOP
		EXECUTE format('DROP INDEX %s', index);
	END LOOP;
	EXECUTE format('CREATE INDEX shape ON ways.activity %s', definition);
	windows := (SELECT c.different FROM testing.compare_random_windows(4) c WHERE c.compared > 0);
	statistics := (SELECT c.different FROM testing.compare_random_statistics(2) c WHERE c.compared > 0);
END
$$;
SELECT d, b.* FROM unnest(ARRAY['USING hash (session_id)', 'USING brin (session_id, activity_date)', '(session_id)', '(session_id DESC, activity_date)',
	'(session_id, activity_date NULLS FIRST)', '(session_id, title)', '(session_id) INCLUDE (activity_date)', '((session_id + 0), activity_date)',
	'(session_id, (activity_date AT TIME ZONE ''UTC''))', '(session_id, activity_date)', '(session_id, activity_date) INCLUDE (activity_id)',
	'(session_id, activity_date, activity_id DESC)', '(session_id, activity_date, title)', '(session_id, activity_date, (- activity_id))',
	'(session_id, activity_date, activity_id) WHERE activity_id > 0', '(session_id, activity_date, activity_id, title)', '(activity_id, activity_date, session_id)']) d,
	LATERAL testing.by_index(d) b;
-- one that is being made, or was given up
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ways.shape'::regclass;
SELECT different FROM testing.compare_random_windows(4);
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'ways.shape'::regclass;

RESET search_path;
RESET ekran_sessions.store;
DROP SCHEMA ways, ways_parts CASCADE;
DROP FUNCTION testing.by, testing.by_index, testing.grant_all;
DROP PROCEDURE testing.all_ways;
DROP OWNED BY regress_ekran_column_reader, regress_ekran_policy_reader, regress_ekran_raw_reader;
DROP ROLE regress_ekran_column_reader, regress_ekran_policy_reader, regress_ekran_raw_reader;
