-- Random stores against the independent reading: rows, order, totals and JSON
-- are equal in every window.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/random_store.sql
\set ECHO all
SELECT ekran_create_store('independent_store');
SET ekran_sessions.store = 'independent_store';
SET search_path = independent_store, public;

-- 12 stores, 25 windows each, in turn with thresholds below, at and above the
-- minute that times are multiples of, by both policies.
CREATE FUNCTION testing.compare_stores(seeds int) RETURNS TABLE
	(idle_threshold text, idle_policy text, stores bigint, windows numeric,
	has_rows boolean, different numeric)
LANGUAGE plpgsql AS $$
DECLARE
	thresholds text[] := ARRAY['15min', '59s', '60s', '61s', '0', '3h'];
BEGIN
	CREATE TEMPORARY TABLE outcome (threshold text, policy text,
		compared bigint, rows_compared bigint, different bigint);
	FOR seed IN 1..seeds LOOP
		PERFORM set_config('ekran_sessions.idle_threshold',
			thresholds[1 + seed % 6], true);
		PERFORM set_config('ekran_sessions.idle_policy',
			CASE WHEN seed <= seeds / 2 THEN 'whole' ELSE 'excess' END, true);
		PERFORM testing.fill_random_store(seed / 100.0);
		INSERT INTO outcome
		SELECT thresholds[1 + seed % 6],
			CASE WHEN seed <= seeds / 2 THEN 'whole' ELSE 'excess' END, w.*
		FROM testing.compare_random_windows(25) w;
	END LOOP;
	RETURN QUERY SELECT threshold, policy, count(*), sum(compared),
		bool_and(rows_compared > 100), sum(outcome.different)
	FROM outcome GROUP BY threshold, policy ORDER BY policy DESC, threshold;
END
$$;
SELECT * FROM testing.compare_stores(12);

-- The comparison does find differences: one activity moved by a microsecond
-- between the two readings, one session hidden from one of them.
BEGIN;
CREATE SCHEMA altered;
CREATE TABLE altered.activity AS TABLE independent_store.activity;
UPDATE altered.activity SET activity_date = activity_date + interval '1 us'
WHERE activity_id = (SELECT a.activity_id FROM activity a JOIN session s
	ON s.session_id = a.session_id AND s.logout_date IS NULL
	AND a.activity_date > s.login_date ORDER BY a.activity_date DESC LIMIT 1);
SET search_path = altered, independent_store, public;
SELECT by_page > 0 AS by_page, by_session > 0 AS by_session, in_total, in_json
FROM independent.differences(NULL, NULL, 1000);
CREATE TABLE altered.session AS TABLE independent_store.session;
DELETE FROM altered.session
WHERE session_id = (SELECT min(session_id) FROM altered.session);
-- the plan at hand has the other table inlined
DISCARD PLANS;
SELECT by_page > 0 AS by_page, by_session > 0 AS by_session, in_total, in_json
FROM independent.differences(NULL, NULL, 1000);
ROLLBACK;

RESET search_path;
DROP SCHEMA independent_store CASCADE;
DROP FUNCTION testing.compare_stores;
