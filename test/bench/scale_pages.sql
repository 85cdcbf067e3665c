-- Pages and counts of a store. Variable: the store.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET ekran_sessions.store = :'store';

-- How many pages come before nine tenths of the sessions, and the last session there.
SELECT count(*) * 9 / 10 / 1000 AS deep_page, -count(*) / 10 AS deep_session
FROM :store.session \gset

INSERT INTO bench.round
SELECT m, :'store' = 'ours', bench.median_ms(query, 50)
FROM (VALUES
	('page_day', $$SELECT * FROM ekran_sessions('2023-12-31', '2024-01-01')$$),
	('page_first', 'SELECT * FROM ekran_sessions()'),
	('page_deep', 'SELECT * FROM ekran_sessions(page => ' || :deep_page || ')'),
	('after_deep', 'SELECT * FROM ekran_sessions_after(after_session_id => ' || :deep_session || ')'),
	('total', 'SELECT ekran_sessions_total_count()')) q (m, query);
