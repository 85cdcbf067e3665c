-- Stores to measure the memory of maintenance on, and of pages full of gaps.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

CREATE FUNCTION bench.fill_gaps(store name, sessions int, activities int, step interval) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM bench.create_store(store);
	EXECUTE format($f$
		INSERT INTO %1$I.session
		SELECT i, md5((i %% 100)::text)::uuid, i %% 200, '2024-01-01', '2025-01-01'
		FROM generate_series(1, $1) i$f$, store) USING sessions;
	EXECUTE format($f$
		INSERT INTO %1$I.activity (session_id, activity_date)
		SELECT session_id, '2024-01-01'::timestamptz + n * $2
		FROM %1$I.session, generate_series(1, $1) n$f$, store) USING activities, step;
END
$$;

SELECT bench.fill_gaps('growth_2000', 2000, 6, '5 min') \g /dev/null
SELECT bench.fill_gaps('growth_20000', 20000, 6, '5 min') \g /dev/null
SELECT bench.fill_gaps('gaps_100', 100, 5000, '100 s') \g /dev/null
SELECT bench.fill_gaps('gaps_1000', 1000, 5000, '100 s') \g /dev/null
SET ekran_sessions.store = 'gaps_100';
SELECT ekran_refresh() \g /dev/null
SET ekran_sessions.store = 'gaps_1000';
SELECT ekran_refresh() \g /dev/null
VACUUM (ANALYZE);
