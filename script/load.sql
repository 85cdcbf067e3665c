-- Loads sessions and activities from CSV files into a store.
--
-- Usage: psql -X -v store=ekran -v session_csv=FILE -v activity_csv=FILE -f script/load.sql
--
-- Both files begin with a header line. Either may be compressed with gzip.
--   session_csv   session_id,user_id,login_time,logout_time
--                 An empty logout_time means that the session runs, an empty
--                 user_id that the user is unknown.
--   activity_csv  session_id,activity_time
-- A time without an offset is UTC. On error nothing changes.

\set ON_ERROR_STOP on

-- \copy takes no psql variables, but the shell that it starts sees these.
\setenv SESSION_CSV :session_csv
\setenv ACTIVITY_CSV :activity_csv

BEGIN;

SET LOCAL TimeZone = 'UTC';

-- For \copy as well. The cast refuses a schema that is not there.
SELECT set_config('search_path', quote_ident(:'store')::regnamespace::text, true) AS search_path \gset

-- Sessions refer to users, so the users have to be there first.
CREATE TEMPORARY TABLE session_csv (
	session_id bigint,
	user_id integer,
	login_time timestamp with time zone,
	logout_time timestamp with time zone
) ON COMMIT DROP;

\copy session_csv FROM PROGRAM 'gzip -dcf -- "$SESSION_CSV"' WITH (FORMAT csv, HEADER)

INSERT INTO app_user (user_id, user_name)
SELECT DISTINCT user_id, 'user ' || user_id
FROM session_csv
WHERE user_id IS NOT NULL
ORDER BY user_id
ON CONFLICT (user_id) DO NOTHING;

INSERT INTO session (session_id, user_id, login_date, logout_date)
SELECT session_id, user_id, login_time, logout_time
FROM session_csv
ORDER BY login_time, session_id;

\copy activity (session_id, activity_date) FROM PROGRAM 'gzip -dcf -- "$ACTIVITY_CSV"' WITH (FORMAT csv, HEADER)

COMMIT;
