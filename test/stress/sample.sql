-- How large the store's tables are at a moment.
INSERT INTO stress.size
SELECT :elapsed, relname, pg_table_size(relid), pg_indexes_size(relid),
	CASE relname
		WHEN 'session' THEN (SELECT count(*) FROM ekran.session)
		WHEN 'session_idle' THEN (SELECT count(*) FROM ekran.session_idle)
		WHEN 'pending' THEN (SELECT count(*) FROM ekran.pending)
		WHEN 'session_count' THEN (SELECT count(*) FROM ekran.session_count)
		ELSE n_live_tup END,
	n_dead_tup
FROM pg_stat_user_tables
WHERE schemaname = 'ekran' AND relname IN ('session', 'activity', 'session_idle', 'pending', 'session_count');
