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

-- Runs a statement that none of our triggers sees, on some tables of every store that
-- is the caller's: what an owner can do, and nothing tells of.
CREATE OR REPLACE PROCEDURE testing.unseen(statement text, VARIADIC tables text[])
LANGUAGE plpgsql AS $$
DECLARE
	disabled oid[] := '{}';
	fire "char"[] := '{}';
	t record;
BEGIN
	FOR t IN SELECT g.oid, tgrelid::regclass AS store_table, tgname, tgenabled
		FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid
		WHERE tgname LIKE 'ekran\_%' AND tgparentid = 0 AND tgenabled <> 'D' AND c.relname = ANY (tables) AND pg_has_role(c.relowner, 'USAGE')
	LOOP
		EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', t.store_table, t.tgname);
		disabled := disabled || t.oid;
		fire := fire || t.tgenabled;
	END LOOP;
	EXECUTE statement;
	-- those that it has left
	FOR t IN SELECT tgrelid::regclass AS store_table, tgname, CASE f.fires WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' END AS fires
		FROM unnest(disabled, fire) AS f (oid, fires) JOIN pg_trigger g ON g.oid = f.oid AND tgenabled = 'D'
	LOOP
		EXECUTE format('ALTER TABLE %s ENABLE %sTRIGGER %I', t.store_table, t.fires, t.tgname);
	END LOOP;
END
$$;

-- Likewise on the derived tables: rows of another's making, which are taken for ours.
CREATE OR REPLACE PROCEDURE testing.forge(statement text)
LANGUAGE sql AS $$
	CALL testing.unseen(statement, 'session_idle', 'pending', 'session_count')
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
