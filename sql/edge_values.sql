-- Calls with arguments from the edges of their types: each returns rows, or an error that is
-- documented; a sample equals the independent reading. script/fuzz runs a million of them.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/random_store.sql
\i test/edge_values.sql
\set ECHO all
CREATE ROLE regress_ekran_edge;
GRANT USAGE ON SCHEMA testing TO regress_ekran_edge;
CALL testing.make_edge_stores();
GRANT USAGE ON SCHEMA usual TO regress_ekran_edge;
GRANT SELECT ON ALL TABLES IN SCHEMA usual TO regress_ekran_edge;
-- every function is called
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'ekran_sessions'
WHERE prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) AND prokind = 'f' AND proname NOT IN (SELECT name FROM testing.function);
SET client_min_messages = error;
CALL testing.call_at_random(4000, 0.42);
RESET client_min_messages;
SELECT * FROM testing.answer WHERE NOT is_documented LIMIT 10;
SELECT count(*) FILTER (WHERE name <> 'compared') AS calls, count(*) FILTER (WHERE code = '00000' AND name <> 'compared') > 1200 AS many_return,
	count(*) FILTER (WHERE name = 'compared' AND code = '00000') >= 20 AS compared, count(*) FILTER (WHERE NOT is_documented) AS wrong FROM testing.answer;
-- the settings may be anything by now
RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA usual, ends, independent CASCADE;
DROP PROCEDURE testing.call_at_random, testing.make_edge_stores;
DROP FUNCTION testing.code_of, testing.random_edge, testing.comparison, testing.maintained;
DROP TABLE testing.function, testing.edge, testing.edge_setting, testing.answer;
REVOKE ALL ON SCHEMA testing FROM regress_ekran_edge;
DROP ROLE regress_ekran_edge;
