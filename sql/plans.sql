-- What the planner is told, and which indexes a page reads by.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('plans');
SET ekran_sessions.store = 'plans';
CREATE FUNCTION testing.estimate(statement text, OUT rows bigint, OUT cost float8)
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
	rows := plan->0->'Plan'->>'Plan Rows';
	cost := plan->0->'Plan'->>'Total Cost';
END
$$;
-- rows from a constant count
SELECT s, (testing.estimate('SELECT * FROM ' || s)).rows FROM unnest(ARRAY[
	'ekran_sessions()', 'ekran_sessions(count => 10)', 'ekran_sessions(count => NULL)',
	'ekran_sessions(count => 0)', 'ekran_sessions(count => 5 + 2)', 'ekran_sessions(count => 1001)',
	'ekran_sessions(count => -1)', 'ekran_sessions(NULL, NULL, (SELECT 10))',
	'ekran_sessions_after()', 'ekran_sessions_after(count => 25)']) s;
PREPARE page (bigint) AS SELECT * FROM ekran_sessions(count => $1);
SELECT (testing.estimate('EXECUTE page (33)')).rows;
DEALLOCATE page;
-- more sessions cost more, and none of them is for nothing
SELECT e.cost > d.cost AND d.cost > c.cost AND c.cost > 1 AS grows
FROM testing.estimate('SELECT * FROM ekran_sessions(count => 1)') c,
	testing.estimate('SELECT * FROM ekran_sessions(count => 10)') d,
	testing.estimate('SELECT * FROM ekran_sessions()') e;
-- rows from the counts of days: a day that has 70 sessions, half of it, ten such days, a
-- page of them, none; of what is not known yet, or asked of another store, a whole page
INSERT INTO plans.session SELECT i, NULL, NULL, '2024-01-01 00:00+00'::timestamptz + i * interval '1 day' / 70 FROM generate_series(0, 6999) i;
INSERT INTO plans.app_user SELECT i, NULL FROM generate_series(1, 10) i;
ANALYZE plans.app_user;
SELECT s, (testing.estimate('SELECT * FROM ' || s)).rows FROM unnest(ARRAY[
	$$ekran_sessions('2024-01-05 00:00+00', '2024-01-06 00:00+00')$$, $$ekran_sessions('2024-01-05 00:00+00', '2024-01-05 12:00+00')$$,
	$$ekran_sessions('2024-01-05 00:00+00', '2024-01-15 00:00+00')$$, $$ekran_sessions('2024-01-05 00:00+00', '2024-01-15 00:00+00', 500, 1)$$,
	$$ekran_sessions('2024-01-05 00:00+00', '2024-01-15 00:00+00', 500, 2)$$, $$ekran_sessions_after('2024-01-05 00:00+00', '2024-01-15 00:00+00', 500, 2)$$,
	$$ekran_sessions('2024-01-05 00:00+00', '2024-01-15 00:00+00', users => '{1,2}')$$,
	$$ekran_sessions('2024-01-05 00:00+00'::timestamptz + interval '1 day', '2024-01-07 00:00+00')$$,
	$$ekran_sessions('2020-01-01', '2021-01-01')$$, $$ekran_sessions('infinity', '-infinity')$$, $$ekran_sessions('2024-01-02', '2024-01-01')$$,
	$$ekran_sessions(page => 6)$$, $$ekran_sessions('2024-01-05', (SELECT now()))$$]) s;
PREPARE day (timestamptz) AS SELECT * FROM ekran_sessions($1, $1 + interval '1 day');
SELECT (testing.estimate('EXECUTE day (''2024-01-05 00:00+00'')')).rows;
DEALLOCATE day;
-- what has no pages: as many as there are, some rows for each of its hours; of nobody none;
-- of what is not known, or is of another kind, what the declaration says
SELECT s, (testing.estimate('SELECT * FROM ' || s)).rows FROM unnest(ARRAY['ekran_sessions_all()', 'ekran_session_list()', 'ekran_application_statistics()', 'ekran_user_productivity()',
	$$ekran_sessions_all('2024-01-05 00:00+00', '2024-01-15 00:00+00')$$, $$ekran_url_statistics('2024-01-05 00:00+00', '2024-01-06 00:00+00')$$,
	$$ekran_sessions_all(users => '{1,2}')$$, $$ekran_sessions_all(users => '{}')$$, $$ekran_sessions_all((SELECT now()))$$, $$ekran_user_productivity((SELECT now()))$$,
	'ekran_session_timeline(1)']) s;
SELECT e.cost > d.cost AND d.cost > c.cost AND c.cost > 1 AS grows
FROM testing.estimate($$SELECT * FROM ekran_sessions_all('2024-01-05', '2024-01-06')$$) c,
	testing.estimate($$SELECT * FROM ekran_sessions_all()$$) d,
	testing.estimate($$SELECT * FROM ekran_application_statistics()$$) e;
-- whoever may not be told the counts is told nothing by an estimate either
CREATE ROLE regress_ekran_planner;
GRANT USAGE ON SCHEMA plans, testing TO regress_ekran_planner;
GRANT SELECT ON plans.session, plans.activity, plans.client, plans.app_user TO regress_ekran_planner;
SET ROLE regress_ekran_planner;
SELECT (testing.estimate($$SELECT * FROM ekran_sessions('2024-01-05', '2024-01-06')$$)).rows, (testing.estimate($$SELECT * FROM ekran_sessions_all('2024-01-05', '2024-01-06')$$)).rows;
RESET ROLE;
GRANT SELECT ON plans.session_count TO regress_ekran_planner;
ALTER TABLE plans.session ENABLE ROW LEVEL SECURITY;
SET ROLE regress_ekran_planner;
SELECT (testing.estimate($$SELECT * FROM ekran_sessions('2024-01-05', '2024-01-06')$$)).rows;
RESET ROLE;
ALTER TABLE plans.session DISABLE ROW LEVEL SECURITY;
SET ROLE regress_ekran_planner;
SELECT (testing.estimate($$SELECT * FROM ekran_sessions('2024-01-05', '2024-01-06')$$)).rows;
RESET ROLE;
-- of no store, and of one that is no store, nothing is known; the call raises the error
SET ekran_sessions.store = 'nowhere';
SELECT (testing.estimate($$SELECT * FROM ekran_sessions('2024-01-05', '2024-01-06')$$)).rows;
SET ekran_sessions.store = 'testing';
SELECT (testing.estimate($$SELECT * FROM ekran_sessions('2024-01-05', '2024-01-06')$$)).rows;
SET ekran_sessions.store = 'plans';
-- a call is planned as a function scan, and shows its estimates
EXPLAIN SELECT session_id FROM ekran_sessions(count => 10);
DROP FUNCTION testing.estimate;
DROP SCHEMA plans CASCADE;
DROP OWNED BY regress_ekran_planner;
DROP ROLE regress_ekran_planner;
