-- What both parts of script/bench measure with.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION ekran_sessions;
CREATE SCHEMA bench;

-- The lines of the table that is printed.
CREATE TABLE bench.result (place serial, measure text, unit text, ours float8,
	reference float8, reached text);
-- Of measures taken in rounds, each round; their medians become a line.
CREATE TABLE bench.round (measure text, is_ours boolean, value float8);

-- A store, in the place of the one of that name. The names that sessions of
-- every store refer to.
CREATE FUNCTION bench.create_store(store name) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', store);
	PERFORM ekran_create_store(store);
	EXECUTE format('INSERT INTO %I.client SELECT md5(i::text)::uuid, ''PC '' || i FROM generate_series(0, 99) i', store);
	EXECUTE format('INSERT INTO %I.app_user SELECT i, ''user '' || i FROM generate_series(0, 199) i', store);
END
$$;

-- The same tables with all their keys, checks and indexes, and no triggers of
-- ours: nothing ties activities to sessions.
CREATE FUNCTION bench.create_bare_store(store name) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	ours record;
BEGIN
	PERFORM bench.create_store(store);
	FOR ours IN
		SELECT tgname, tgrelid::regclass AS tgtable FROM pg_trigger
		WHERE tgname LIKE 'ekran%' AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = store::text::regnamespace)
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', ours.tgname, ours.tgtable);
	END LOOP;
END
$$;

-- Sessions that have neither client nor user.
CREATE FUNCTION bench.fill_sessions(store name, sessions int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($f$
		INSERT INTO %I.session (session_id, login_date, logout_date)
		SELECT i, login, login + interval '8 hours'
		FROM (SELECT i, '2024-01-01'::timestamptz + i * interval '1 min' AS login
			FROM generate_series(1, $1) i) s$f$, store) USING sessions;
END
$$;
