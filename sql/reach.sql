-- Sessions that were left running: a window doesn't look at those that can't reach its
-- start, and finds those that can, whatever has become of them since the last fold.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_reacher;
SELECT ekran_create_store('reach');
SET ekran_sessions.store = 'reach';
SET search_path = reach, public;
-- 3000 silent for years, and ten that run on the day: of which some began the day before
INSERT INTO session SELECT i, NULL, NULL, testing.at('08:00') - interval '2 years' + i * interval '1 minute' FROM generate_series(1, 3000) i;
INSERT INTO activity (session_id, activity_date) SELECT session_id, login_date + n * interval '20 minutes' FROM session, generate_series(1, 3) n;
INSERT INTO session SELECT i, NULL, NULL, testing.at('08:00') - i % 2 * interval '1 day' FROM generate_series(4001, 4010) i;
INSERT INTO activity (session_id, activity_date) SELECT session_id, testing.at('09:00') + n * interval '20 minutes' FROM session, generate_series(1, 3) n WHERE session_id > 4000;
INSERT INTO session VALUES (5001, NULL, NULL, testing.at('07:00'), testing.at('09:30')), (5002, NULL, NULL, testing.at('07:00'), NULL);
SELECT ekran_refresh() > 0 AS folded;
VACUUM (ANALYZE) session, activity, session_idle, pending;
SELECT session_id, reach FROM session_idle WHERE session_id IN (1, 4001, 4002, 5001, 5002) ORDER BY 1;

-- What a page and a total say of the day from a time on, beside plain SQL; and whether
-- less than 500 rows of session were read.
CREATE FUNCTION testing.tuples_read() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT sum(pg_stat_get_xact_tuples_returned(r) + pg_stat_get_xact_tuples_fetched(r))
	FROM (SELECT 'session'::regclass UNION ALL
		SELECT indexrelid FROM pg_index WHERE indrelid = 'session'::regclass) t (r)
$$;
CREATE FUNCTION testing.plain(start timestamptz) RETURNS bigint[] LANGUAGE sql STABLE AS $$
	SELECT array_agg(s.session_id ORDER BY login_date, s.session_id) FROM session s
	WHERE greatest(s.login_date, coalesce(s.logout_date, (SELECT max(activity_date) FROM activity a WHERE a.session_id = s.session_id))) > start
$$;
CREATE FUNCTION testing.reached(start timestamptz DEFAULT testing.at('09:45'), OUT sessions bigint, OUT is_right boolean, OUT is_little boolean) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	found bigint[];
	before bigint := testing.tuples_read();
BEGIN
	found := (SELECT array_agg(session_id) FROM ekran_sessions(start));
	sessions := ekran_sessions_total_count(start);
	is_little := testing.tuples_read() - before < 500;
	is_right := found IS NOT DISTINCT FROM testing.plain(start) AND sessions = coalesce(cardinality(found), 0);
END
$$;
SELECT * FROM testing.reached();
SELECT * FROM testing.reached(testing.at('09:20'));
SELECT * FROM testing.reached(testing.at('10:00') - interval '1 us');
SELECT * FROM testing.reached(testing.at('10:00'));
SELECT * FROM testing.reached(testing.at('08:00') - interval '10 months');

-- What has become of sessions since: seen before it is folded, and after.
CREATE PROCEDURE testing.since(statement text) LANGUAGE plpgsql AS $$
DECLARE
	unfolded record;
	folded record;
BEGIN
	EXECUTE statement;
	unfolded := testing.reached();
	COMMIT;
	PERFORM ekran_refresh();
	COMMIT;
	folded := testing.reached();
	RAISE WARNING '%: % then %, checked: %', statement, unfolded, folded, (SELECT count(*) FROM ekran_check());
END
$$;
CALL testing.since('INSERT INTO activity (session_id, activity_date) VALUES (7, testing.at(''09:50''))');
CALL testing.since('DELETE FROM activity WHERE session_id = 7 AND activity_date > testing.at(''09:00'')');
CALL testing.since('UPDATE session SET logout_date = testing.at(''10:30'') WHERE session_id = 4001');
CALL testing.since('UPDATE session SET logout_date = testing.at(''09:00'') WHERE session_id = 4001');
CALL testing.since('UPDATE session SET logout_date = NULL WHERE session_id = 4001');
CALL testing.since('UPDATE session SET logout_date = NULL WHERE session_id = 5001');
CALL testing.since('UPDATE session SET login_date = testing.at(''09:50'') WHERE session_id = 4002');
CALL testing.since('UPDATE session SET login_date = testing.at(''06:00'') WHERE session_id = 4002');
CALL testing.since('DELETE FROM session WHERE session_id = 4003');
CALL testing.since('INSERT INTO session VALUES (4003, NULL, NULL, testing.at(''08:00''))');
CALL testing.since('INSERT INTO activity (session_id, activity_date) VALUES (5002, testing.at(''12:00''))');
CALL testing.since('UPDATE activity SET session_id = 9 WHERE session_id = 4004');
CALL testing.since('UPDATE session SET user_id = NULL');
-- no row of it is left of those that have finished
SELECT count(*) FROM session_idle i JOIN session s USING (session_id) WHERE (i.reach IS NULL) = (s.logout_date IS NULL);

-- Where it can't be used, all that run are looked at: equal answers both ways.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM testing.reached();
COMMIT;
BEGIN;
SELECT ekran_refresh() >= 0 AS folded;
SELECT * FROM testing.reached();
COMMIT;
GRANT USAGE ON SCHEMA reach, testing TO regress_ekran_reacher;
GRANT SELECT ON session, activity, client, app_user TO regress_ekran_reacher;
SET ROLE regress_ekran_reacher;
SELECT * FROM testing.reached();
RESET ROLE;
-- with the right to read the index, policies on session and activity don't matter
GRANT SELECT ON session_idle, pending TO regress_ekran_reacher;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON session USING (session_id % 2 = 0);
CREATE POLICY early ON activity USING (activity_date < testing.at('09:55'));
SET ROLE regress_ekran_reacher;
SELECT * FROM testing.reached(testing.at('09:30'));
RESET ROLE;
ALTER TABLE session DISABLE ROW LEVEL SECURITY;
ALTER TABLE activity DISABLE ROW LEVEL SECURITY;
-- for a filter by many, too; by few, each session of theirs is looked at
SELECT count(*) FROM ekran_sessions(testing.at('09:45'), users => ARRAY[NULL::int] || ARRAY(SELECT generate_series(1, 40)));
SELECT count(*) FROM ekran_sessions(testing.at('09:45'), users => '{NULL}');
-- a session is deleted whose activities a trigger of the owner's keeps, and another one
-- that runs takes its id
INSERT INTO session VALUES (9000, NULL, NULL, testing.at('08:00'), testing.at('20:00'));
BEGIN; -- where nothing is folded by chance
INSERT INTO activity (session_id, activity_date) VALUES (9000, testing.at('10:30'));
COMMIT;
SELECT ekran_refresh() > 0 AS folded;
CREATE FUNCTION testing.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON activity FOR EACH ROW EXECUTE FUNCTION testing.keep();
DELETE FROM session WHERE session_id = 9000;
SELECT * FROM ekran_check();
INSERT INTO session VALUES (9000, NULL, NULL, testing.at('08:00'));
SELECT * FROM ekran_check();
SELECT session_id FROM ekran_sessions(testing.at('09:00'), testing.at('23:00')) WHERE session_id = 9000;
SELECT * FROM testing.reached(testing.at('09:00'));
DROP TRIGGER keep ON activity;
DROP FUNCTION testing.keep;
DELETE FROM session WHERE session_id = 9000;
-- while more than 5 000 sessions are pending
INSERT INTO session SELECT i, NULL, NULL, testing.at('08:00') - interval '3 years' FROM generate_series(10001, 16000) i;
INSERT INTO activity (session_id, activity_date) SELECT i, testing.at('08:00') - interval '3 years' FROM generate_series(10001, 16000) i;
SELECT * FROM testing.reached();
SELECT ekran_refresh() > 0 AS folded;
SELECT * FROM testing.reached();
-- with an index that says other than it should
BEGIN;
CALL testing.forge($f$UPDATE session_idle SET reach = NULL WHERE session_id = 4005$f$);
SELECT * FROM ekran_check();
SELECT ekran_rebuild() > 0 AS rebuilt;
SELECT * FROM ekran_check();
ROLLBACK;
-- without its index, or with one of another kind there, the store is broken
BEGIN;
DROP INDEX session_idle_reach_idx;
SELECT state, reason FROM ekran_status();
SELECT * FROM testing.reached();
CREATE INDEX ON session_idle USING gist (reach) WHERE reach IS NOT NULL AND session_id > 0;
SELECT state, reason FROM ekran_status();
ROLLBACK;

-- a fold that changes neither gaps nor reach leaves the row where it is, of one that runs
-- and of one that doesn't
INSERT INTO session VALUES (9501, NULL, NULL, testing.at('07:00'), testing.at('09:30')), (9502, NULL, NULL, testing.at('07:00'), NULL);
INSERT INTO activity (session_id, activity_date) SELECT s, testing.at('08:00') FROM unnest(ARRAY[9501, 9502]) s;
SELECT ekran_refresh() > 0 AS folded;
CREATE TEMPORARY TABLE places AS SELECT session_id, ctid AS place, reach IS NULL AS is_finished FROM session_idle WHERE session_id IN (9501, 9502);
INSERT INTO activity (session_id, activity_date) SELECT s, testing.at('08:00') FROM unnest(ARRAY[9501, 9502]) s;
SELECT ekran_refresh() > 0 AS folded;
SELECT i.session_id, p.is_finished, i.ctid = p.place AS stays FROM session_idle i JOIN places p USING (session_id) ORDER BY 1;
INSERT INTO activity (session_id, activity_date) SELECT s, testing.at('08:30') FROM unnest(ARRAY[9501, 9502]) s;
SELECT ekran_refresh() > 0 AS folded;
SELECT i.session_id, p.is_finished, i.ctid = p.place AS stays FROM session_idle i JOIN places p USING (session_id) ORDER BY 1;
DROP TABLE places;

RESET search_path;
DROP SCHEMA reach CASCADE;
DROP FUNCTION testing.tuples_read, testing.plain, testing.reached;
DROP PROCEDURE testing.since;
DROP OWNED BY regress_ekran_reacher;
DROP ROLE regress_ekran_reacher;
