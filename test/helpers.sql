-- What the regression tests share. Included quietly at the head of each file.

SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
-- The functions name tables of whichever store search_path has when they run.
SET check_function_bodies = off;
CREATE SCHEMA IF NOT EXISTS testing;

-- Runs a statement that must fail; returns what a client is told.
CREATE OR REPLACE FUNCTION testing.failure(statement text,
	OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS
		code = RETURNED_SQLSTATE,
		message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT;
END
$$;

-- A time of the day that the examples happen on.
CREATE OR REPLACE FUNCTION testing.at(time_of_day time) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
	SELECT (DATE '2024-01-01' + time_of_day) AT TIME ZONE 'UTC'
$$;

-- A session and its activities on that day; a null logout: it runs.
CREATE OR REPLACE FUNCTION testing.add_session(id bigint,
	login time, logout time, VARIADIC activities time[] DEFAULT '{}')
RETURNS void
LANGUAGE sql AS $$
	INSERT INTO session (session_id, login_date, logout_date)
	VALUES (id, testing.at(login), testing.at(logout));
	INSERT INTO activity (session_id, activity_date)
	SELECT id, testing.at(a) FROM unnest(activities) AS a;
$$;
