-- A round of making the idle-gap index, of all that is pending and anew.
-- Variable: the sessions.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET ekran_sessions.store = 'loaded';

CALL bench.load_store('loaded', :sessions);
TRUNCATE bench.gaps;
VACUUM (ANALYZE);
CHECKPOINT;
SELECT bench.time_round('index', false, bench.ordered_pass('loaded')) \g /dev/null
CHECKPOINT;
SELECT bench.time_round('refresh', true, 'SELECT ekran_refresh()') \g /dev/null
SELECT bench.check_gaps('loaded') \g /dev/null
-- nothing is there that it could leave as it is
TRUNCATE loaded.session_idle;
VACUUM (ANALYZE);
CHECKPOINT;
SELECT bench.time_round('rebuild', true, 'SELECT ekran_rebuild()') \g /dev/null
SELECT bench.check_gaps('loaded') \g /dev/null
