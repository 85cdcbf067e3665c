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
-- a call is planned as a function scan, and shows its estimates
EXPLAIN SELECT session_id FROM ekran_sessions(count => 10);
DROP FUNCTION testing.estimate;
DROP SCHEMA plans CASCADE;
