-- A round of COPY, into a store and into the same table with its key alone.
-- Variables: the file, its rows, of how many sessions they are, and the number of the
-- round, for each of the two comes first in turn.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

SELECT bench.create_bare_store('bare'), bench.create_store('copied'), bench.fill_sessions('copied', :sessions) \g /dev/null
CHECKPOINT;
SELECT bench.time_round('copy', s <> 'bare',
	format('COPY %I.activity (session_id, activity_date, application, url, title) FROM %L', s, :'file'), :rows)
FROM (SELECT s FROM unnest(ARRAY['bare', 'copied']) s ORDER BY (s = 'bare') = (:round % 2 = 0) OFFSET 0) t \g /dev/null
