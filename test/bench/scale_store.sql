-- A store, and what its derived data costs: folding all that has been loaded, and its
-- size. Variables: the store, and its sessions.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET ekran_sessions.store = :'store';

CALL bench.load_days(:'store', :sessions);
CHECKPOINT;
SELECT clock_timestamp() AS begun \gset
CALL ekran_maintain();
INSERT INTO bench.round
VALUES ('maintain', :'store' = 'ours', extract(epoch FROM clock_timestamp() - :'begun'));
VACUUM (ANALYZE);

-- Figures of a wrong index would be worth nothing.
DO $$
BEGIN
	IF EXISTS (SELECT FROM ekran_check()) THEN
		RAISE 'the derived data is not what the activities say';
	END IF;
END
$$;

INSERT INTO bench.round
SELECT m, :'store' = 'ours', value
FROM (SELECT pg_total_relation_size(:'store' || '.activity') / 1e6 AS activity,
		(pg_total_relation_size(:'store' || '.session_idle') + pg_total_relation_size(:'store' || '.pending')
			+ pg_total_relation_size(:'store' || '.session_count')) / 1e6 AS derived) s,
	LATERAL (VALUES ('activity', activity), ('derived', derived / activity * 100)) v (m, value);
