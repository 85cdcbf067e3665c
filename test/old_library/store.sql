-- What the connections of old_library.pl share: roles, two stores of an owner who is no
-- superuser, one of them of partitions, and how answers are compared. Of version :version.
CREATE EXTENSION ekran_sessions VERSION :'version';
CREATE ROLE ekran_owner;
CREATE ROLE ekran_keeper LOGIN IN ROLE ekran_owner;
CREATE ROLE ekran_agent LOGIN;
CREATE ROLE ekran_reader LOGIN;
CREATE ROLE ekran_raw;
CREATE SCHEMA ekran AUTHORIZATION ekran_owner;
CREATE SCHEMA ekran_parts AUTHORIZATION ekran_owner;
GRANT USAGE ON SCHEMA ekran, ekran_parts TO ekran_agent, ekran_reader, ekran_raw;

SET ROLE ekran_owner;
SELECT ekran_create_store() \g /dev/null
CREATE TABLE ekran_parts.activity (session_id bigint NOT NULL,
	activity_date timestamptz NOT NULL, activity_id bigint NOT NULL,
	application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE ekran_parts.activity_1 PARTITION OF ekran_parts.activity FOR VALUES FROM ('2024-01-01') TO ('2024-01-02');
CREATE TABLE ekran_parts.activity_other PARTITION OF ekran_parts.activity DEFAULT;
CREATE TABLE ekran_parts.session (session_id bigint NOT NULL, client_guid uuid, user_id int,
	login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE ekran_parts.session_0 PARTITION OF ekran_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE ekran_parts.session_1 PARTITION OF ekran_parts.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT ekran_create_store('ekran_parts') \g /dev/null

-- Sessions of a day, of which every fifth runs, with gaps from seconds to hours.
SET check_function_bodies = off;
CREATE PROCEDURE ekran.fill() LANGUAGE sql AS $$
	INSERT INTO app_user SELECT u, 'user ' || u FROM generate_series(1, 5) u ON CONFLICT DO NOTHING;
	INSERT INTO session (session_id, user_id, login_date, logout_date)
	SELECT s, nullif(s % 6, 0), login, CASE WHEN s % 5 > 0 THEN login + (s % 40) * interval '17 minutes' END
	FROM generate_series(1, 120) s, LATERAL (SELECT timestamptz '2024-01-01 02:00+00' + s * interval '13 minutes' AS login) l;
	INSERT INTO activity (session_id, activity_date, application)
	SELECT session_id, login_date + a * a * interval '53 seconds', 'app ' || a % 3
	FROM session, generate_series(0, 15) a WHERE session_id % 11 > 0;
$$;
SET search_path = ekran;
CALL ekran.fill();
SET search_path = ekran_parts;
CALL ekran.fill();
RESET search_path;
RESET ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON ekran.session, ekran.activity, ekran_parts.session, ekran_parts.activity TO ekran_agent;
GRANT SELECT ON ekran.session, ekran.activity, ekran.client, ekran.app_user,
	ekran_parts.session, ekran_parts.activity, ekran_parts.client, ekran_parts.app_user TO ekran_agent, ekran_reader, ekran_raw;
GRANT SELECT ON ekran.session_idle, ekran.pending, ekran.session_count,
	ekran_parts.session_idle, ekran_parts.pending, ekran_parts.session_count TO ekran_agent, ekran_reader;

\ir ../independent_reading.sql
GRANT USAGE ON SCHEMA independent TO PUBLIC;
CREATE SCHEMA testing;
GRANT USAGE ON SCHEMA testing TO PUBLIC;

-- What the extension says of a window of the store in hand; of intervals, how long they
-- are, for a day and 24 hours are the same.
CREATE FUNCTION testing.told(a timestamptz, b timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT ekran_sessions_total_count(a, b) || ' ' || coalesce(md5(string_agg(concat_ws(',', session_id, client_guid, user_id,
			login_date, logout_date, extract(epoch FROM duration), extract(epoch FROM productivity_time), extract(epoch FROM idle_time)), ';' ORDER BY ordinality)), '')
	FROM ekran_sessions(a, b, 1000) WITH ORDINALITY
$$;
-- Likewise to who is answered by activities and sessions alone.
CREATE FUNCTION testing.told_raw(a timestamptz, b timestamptz) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
	SELECT testing.told(a, b)
$$;
ALTER FUNCTION testing.told_raw OWNER TO ekran_raw;
-- What the rules say.
CREATE FUNCTION testing.right(a timestamptz, b timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT count(*) || ' ' || coalesce(md5(string_agg(concat_ws(',', session_id, client_guid, user_id,
			login_date, logout_date, extract(epoch FROM duration), extract(epoch FROM productivity_time), extract(epoch FROM idle_time)), ';' ORDER BY place)), '')
	FROM independent.sessions(a, b, '15 minutes', 'whole')
$$;
-- The windows that are answered otherwise than the rules say, under one snapshot, and
-- how many sessions there are at all.
CREATE FUNCTION testing.compared() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	w record;
	expected text;
	result text := '';
	sessions int;
BEGIN
	FOR w IN SELECT * FROM (VALUES (NULL, NULL), ('2024-01-01 07:11:30+00'::timestamptz, '2024-01-01 15:03+00'::timestamptz),
			('2024-01-01 21:00+00', NULL), (NULL, '2024-01-01 05:00:00.5+00')) w (a, b) LOOP
		expected := testing.right(w.a, w.b);
		sessions := greatest(sessions, split_part(expected, ' ', 1)::int);
		IF testing.told(w.a, w.b) <> expected THEN
			result := result || format(' %s - %s by the caller: %s and not %s;', w.a, w.b, testing.told(w.a, w.b), expected);
		END IF;
		IF testing.told_raw(w.a, w.b) <> expected THEN
			result := result || format(' %s - %s by activities: %s and not %s;', w.a, w.b, testing.told_raw(w.a, w.b), expected);
		END IF;
	END LOOP;
	RETURN CASE WHEN result <> '' THEN result WHEN sessions > 0 THEN 'exact' ELSE 'nothing there' END;
END
$$;
-- The same for a client that fails. While a store is emptied and filled, there is
-- nothing, which is right.
CREATE FUNCTION testing.must_be_exact() RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
	compared text := testing.compared();
BEGIN
	IF compared NOT IN ('exact', 'nothing there') THEN
		RAISE 'inexact: %', compared;
	END IF;
END
$$;
