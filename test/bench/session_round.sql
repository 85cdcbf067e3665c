-- A round of opening many sessions at once. Variables: how many, and the number of
-- the round, for each of the two comes first in turn.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

SELECT bench.create_bare_store('bare'), bench.create_store('opened') \g /dev/null
CHECKPOINT;
SELECT bench.time_round('sessions', s <> 'bare', format('SELECT bench.fill_sessions(%L, %s)', s, :sessions), :sessions)
FROM (SELECT s FROM unnest(ARRAY['bare', 'opened']) s ORDER BY (s = 'bare') = (:round % 2 = 0) OFFSET 0) t \g /dev/null
