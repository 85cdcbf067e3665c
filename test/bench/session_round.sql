-- A round of opening many sessions at once. Variable: how many.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

SELECT bench.create_bare_store('bare'), bench.create_store('opened') \g /dev/null
CHECKPOINT;
SELECT bench.time_round('sessions', s <> 'bare', format('SELECT bench.fill_sessions(%L, %s)', s, :sessions), :sessions)
FROM unnest(ARRAY['bare', 'opened']) s \g /dev/null
