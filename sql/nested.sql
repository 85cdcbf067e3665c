-- Statements inside of statements on session: functions, triggers, keys that act along,
-- with and without a subtransaction that fails, on one piece and on partitions. Each row
-- is told by its own statement, whatever runs amid it.
\set ECHO none
\i test/helpers.sql
\set ECHO all
-- A store with 20 sessions, each with an activity, of users 1 and 2 in turn.
CREATE FUNCTION testing.make(is_partitioned boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DROP SCHEMA IF EXISTS nested CASCADE;
	CREATE SCHEMA nested;
	IF is_partitioned THEN
		CREATE TABLE nested.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY RANGE (session_id);
		CREATE TABLE nested.low PARTITION OF nested.session FOR VALUES FROM (MINVALUE) TO (100);
		CREATE TABLE nested.high PARTITION OF nested.session FOR VALUES FROM (100) TO (MAXVALUE);
	END IF;
	PERFORM ekran_create_store('nested');
	INSERT INTO nested.app_user VALUES (1, 'a'), (2, 'b');
	INSERT INTO nested.session SELECT i, NULL, 1 + i % 2, '2024-01-01 00:00+00'::timestamptz + i * interval '1 hour' FROM generate_series(1, 20) i;
	INSERT INTO nested.activity (session_id, activity_date) SELECT i, '2024-01-01 00:01+00'::timestamptz + i * interval '1 hour' FROM generate_series(1, 20) i;
	PERFORM ekran_refresh();
END
$$;
-- What is there after a statement, beside what is told.
CREATE FUNCTION testing.told() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT format('%s sessions, %s told, %s activities, checked: %s', (SELECT count(*) FROM nested.session), ekran_sessions_total_count(), (SELECT count(*) FROM nested.activity),
		(SELECT string_agg(coalesce(session_id || ' ', '') || difference, '; ') FROM ekran_check()))
$$;
CREATE FUNCTION testing.after(prepare text, statement text, OUT parts boolean, OUT message text, OUT outcome text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	FOREACH parts IN ARRAY ARRAY[false, true] LOOP
		BEGIN
			PERFORM testing.make(parts);
			EXECUTE prepare;
			message := 'done';
			BEGIN
				EXECUTE statement;
			EXCEPTION WHEN OTHERS THEN
				message := SQLERRM;
			END;
			outcome := testing.told();
			RAISE SQLSTATE 'Y0001';
		EXCEPTION WHEN SQLSTATE 'Y0001' THEN
			RETURN NEXT;
		END;
	END LOOP;
END
$$;
SET ekran_sessions.store = 'nested';

-- A function amid the rows of an UPDATE that inserts, with success and with failure.
SELECT * FROM testing.after($$CREATE FUNCTION nested.f(i int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
	INSERT INTO nested.session VALUES (1000 + i, NULL, NULL, '2020-01-01'), (2000 + i, NULL, NULL, '2020-01-02'); RETURN NULL; END $f$ $$,
	'UPDATE nested.session SET user_id = nested.f(session_id::int) WHERE session_id <= 3') \gx
SELECT * FROM testing.after($$CREATE FUNCTION nested.f(i int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
	INSERT INTO nested.session VALUES (1000 + i, NULL, NULL, '2020-01-01'), (2000 + i, NULL, 77, '2020-01-01'); RETURN NULL;
	EXCEPTION WHEN foreign_key_violation THEN RETURN NULL; END $f$ $$,
	'UPDATE nested.session SET user_id = nested.f(session_id::int) WHERE session_id <= 3') \gx
SELECT * FROM testing.after($$CREATE FUNCTION nested.f(i int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
	INSERT INTO nested.session VALUES (1000 + i, NULL, NULL, '2020-01-01'), (2000 + i, NULL, 77, '2020-01-01'); RETURN i;
	EXCEPTION WHEN foreign_key_violation THEN RETURN i; END $f$;
	DELETE FROM nested.activity WHERE session_id <= 3$$,
	'UPDATE nested.session SET session_id = 200 + nested.f(session_id::int), login_date = ''2023-01-01'' WHERE session_id <= 3') \gx
-- amid an INSERT
SELECT * FROM testing.after($$CREATE FUNCTION nested.f(i int) RETURNS bigint LANGUAGE plpgsql AS $f$ BEGIN
	INSERT INTO nested.session SELECT 1000 * i + g, NULL, NULL, '2020-01-01'::timestamptz + g * interval '1 day' FROM generate_series(1, 200) g;
	RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN PERFORM array_agg(g) FROM generate_series(1, 10000) g; RETURN 500 + i; END $f$ $$,
	$$INSERT INTO nested.session SELECT nested.f(i), NULL, NULL, '2024-03-01'::timestamptz + i * interval '1 day' FROM generate_series(1, 100) i$$) \gx
-- A row's trigger that inserts, and one of which nothing stays.
SELECT * FROM testing.after($$CREATE FUNCTION nested.z() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO nested.session VALUES (1000 + OLD.session_id, NULL, NULL, '2023-01-01'); RETURN NULL; END $f$;
	CREATE TRIGGER z AFTER DELETE ON nested.session FOR EACH ROW EXECUTE FUNCTION nested.z()$$, 'DELETE FROM nested.session') \gx
SELECT * FROM testing.after($$CREATE FUNCTION nested.z() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
	BEGIN INSERT INTO nested.session VALUES (1000 + OLD.session_id, NULL, NULL, '2023-01-01'); RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN NULL; END; RETURN NULL; END $f$;
	CREATE TRIGGER z AFTER DELETE ON nested.session FOR EACH ROW EXECUTE FUNCTION nested.z();
	ALTER TABLE nested.session DROP CONSTRAINT session_user_id_fkey, ADD FOREIGN KEY (user_id) REFERENCES nested.app_user ON DELETE CASCADE$$,
	'DELETE FROM nested.app_user WHERE user_id = 1') \gx
-- Keys that act in several rounds; who reads between them sees what is there.
SELECT * FROM testing.after($$CREATE TABLE nested.dept (dept_id int PRIMARY KEY, user_id int REFERENCES nested.app_user ON DELETE CASCADE);
	ALTER TABLE nested.session DROP CONSTRAINT session_user_id_fkey, ADD FOREIGN KEY (user_id) REFERENCES nested.app_user ON DELETE CASCADE,
		ADD dept_id int REFERENCES nested.dept ON DELETE CASCADE;
	INSERT INTO nested.dept VALUES (1, 1);
	UPDATE nested.session SET dept_id = 1 WHERE session_id IN (1, 3);
	CREATE FUNCTION nested.z() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE WARNING '% told, % there', ekran_sessions_total_count(), (SELECT count(*) FROM nested.session); RETURN NULL; END $f$;
	CREATE TRIGGER z AFTER DELETE ON nested.dept FOR EACH ROW EXECUTE FUNCTION nested.z()$$,
	'DELETE FROM nested.app_user WHERE user_id = 1') \gx
SELECT * FROM testing.after($$CREATE TABLE nested.dept (dept_id int PRIMARY KEY, user_id int REFERENCES nested.app_user ON DELETE CASCADE);
	ALTER TABLE nested.session DROP CONSTRAINT session_user_id_fkey, ADD FOREIGN KEY (user_id) REFERENCES nested.app_user ON DELETE CASCADE,
		ADD dept_id int REFERENCES nested.dept ON DELETE CASCADE;
	INSERT INTO nested.dept VALUES (1, 1);
	UPDATE nested.session SET dept_id = 1 WHERE session_id IN (1, 3);
	CREATE FUNCTION nested.z() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE WARNING '%', (testing.failure('SELECT ekran_rebuild()')).message; RETURN NULL; END $f$;
	CREATE TRIGGER z AFTER DELETE ON nested.dept FOR EACH ROW EXECUTE FUNCTION nested.z()$$,
	'DELETE FROM nested.app_user WHERE user_id = 1') \gx
-- An id that goes to another session while its activities stay.
SELECT * FROM testing.after($$UPDATE nested.session SET logout_date = login_date + interval '1 day'; INSERT INTO nested.activity (session_id, activity_date) VALUES (1, '2024-01-05'); SELECT ekran_refresh()$$,
	$$WITH u AS (UPDATE nested.session SET session_id = 100 WHERE session_id = 1 RETURNING *) INSERT INTO nested.session SELECT 1, NULL, NULL, '2024-01-01', NULL FROM u$$) \gx

-- A session that comes when its activities are there already is found where it reaches.
SELECT testing.make(false);
SET session_replication_role = replica;
INSERT INTO nested.activity (session_id, activity_date) VALUES (50, '2024-02-05 10:00+00'), (50, '2024-02-05 10:10+00');
RESET session_replication_role;
SELECT ekran_rebuild();
SELECT session_id, reach FROM nested.session_idle WHERE session_id = 50;
INSERT INTO nested.session VALUES (50, NULL, NULL, '2024-01-01');
SELECT session_id, ekran_sessions_total_count('2024-02-03') AS total FROM ekran_sessions('2024-02-03');
SELECT testing.told();
-- the last hour of time can be written, and read again
INSERT INTO nested.session VALUES (60, NULL, NULL, '294276-12-31 00:00+00');
BEGIN; -- where nothing is folded by chance
INSERT INTO nested.activity (session_id, activity_date) VALUES (60, '294276-12-31 23:30+00');
COMMIT;
SELECT ekran_refresh() > 0 AS folded;
SELECT reach, reach::text::tstzrange = reach AS is_readable FROM nested.session_idle WHERE session_id = 60;
SELECT testing.told();

-- Two stores of one generation, as of a dump: each is told its own.
CREATE SCHEMA nested_too;
SELECT ekran_create_store('nested_too');
DO $$
DECLARE
	mine text := (SELECT generation FROM nested.session_count WHERE day IS NULL);
	other text := (SELECT generation FROM nested_too.session_count WHERE day IS NULL);
	t record;
BEGIN
	FOR t IN SELECT tgname, tgenabled, c.relname, pg_get_triggerdef(g.oid) AS definition FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid
			WHERE c.relnamespace = 'nested_too'::regnamespace AND tgname LIKE 'ekran%' LOOP
		EXECUTE format('DROP TRIGGER %I ON nested_too.%I', t.tgname, t.relname);
		EXECUTE replace(t.definition, other, mine);
		IF t.tgenabled <> 'O' THEN
			EXECUTE format('ALTER TABLE nested_too.%I ENABLE %s TRIGGER %I', t.relname, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, t.tgname);
		END IF;
	END LOOP;
	CALL testing.forge(format('UPDATE nested_too.session_count SET generation = %L WHERE generation = %L', mine, other));
	CALL testing.forge(format('UPDATE nested_too.session_idle SET generation = %L WHERE generation = %L', mine, other));
	CALL testing.forge(format('UPDATE nested_too.pending SET generation = %L WHERE generation = %L', mine, other));
END
$$;
WITH d AS (DELETE FROM nested.session WHERE session_id BETWEEN 10 AND 15 RETURNING *) INSERT INTO nested_too.session SELECT session_id, NULL, NULL, login_date FROM d WHERE session_id < 13;
SELECT testing.told();
SET ekran_sessions.store = 'nested_too';
SELECT state, counted_by, ekran_sessions_total_count(), (SELECT count(*) FROM ekran_check()) AS checked FROM ekran_status();

DROP SCHEMA nested, nested_too CASCADE;
DROP FUNCTION testing.make, testing.told, testing.after;
