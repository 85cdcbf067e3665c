-- Whatever its owner has planted in a store, in every place that the server lets code be
-- in: a superuser's upkeep and checks, and the server's own vacuum, run it as the owner
-- or not at all.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_owner', current_database()) \gexec
GRANT USAGE ON SCHEMA testing TO regress_ekran_owner;

-- Places that have run as somebody; who may not note it, could not either.
CREATE TABLE testing.ran (place text, ran_as name);
GRANT INSERT ON testing.ran TO PUBLIC;

SET ROLE regress_ekran_owner;
SELECT ekran_create_store('planted');
SET ekran_sessions.store = 'planted';
CREATE FUNCTION planted.note(place text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO testing.ran VALUES (place, current_user);
	RETURN true;
END
$$;
-- Immutable, as indexes want it, so that the planner may compute it.
CREATE FUNCTION planted.hit(place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN planted.note(place);
END
$$;
CREATE FUNCTION planted.hit(place text, anything anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN planted.note(place);
END
$$;
CREATE FUNCTION planted.by_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM planted.note('trigger on ' || TG_TABLE_NAME);
	RETURN coalesce(NEW, OLD);
END
$$;
-- A domain of a cast's, which an own column has.
CREATE DOMAIN planted.odd AS int CHECK (planted.note('domain') OR VALUE IS NULL);
INSERT INTO planted.session (session_id, login_date, logout_date) SELECT i, timestamptz '2024-01-01' + i * interval '1 h', timestamptz '2024-01-03' + i * interval '1 h' FROM generate_series(1, 20) i;
INSERT INTO planted.session (session_id, login_date) SELECT i, timestamptz '2024-01-01' + i * interval '1 h' FROM generate_series(21, 24) i;
INSERT INTO planted.activity (session_id, activity_date) SELECT i, timestamptz '2024-01-02' + i * interval '20 min' FROM generate_series(1, 24) i;
SELECT ekran_rebuild();

RESET ROLE;

-- Plants one kind in some tables, as the owner; %1$s is the table, %2$s a column.
CREATE TABLE testing.planting (kind text, statement text);
INSERT INTO testing.planting VALUES
	('default', $$ALTER TABLE planted.%1$s ADD own boolean DEFAULT planted.note('default of %1$s')$$),
	('generated column', $$ALTER TABLE planted.%1$s ADD own boolean GENERATED ALWAYS AS (planted.hit('generated column of %1$s', %2$s)) STORED$$),
	('domain', $$ALTER TABLE planted.%1$s ADD own planted.odd DEFAULT 1$$),
	('check', $$ALTER TABLE planted.%1$s ADD CHECK (planted.note('check of %1$s'))$$),
	('index expression', $$CREATE INDEX ON planted.%1$s ((planted.hit('index expression on %1$s', %2$s)))$$),
	('index predicate', $$CREATE INDEX ON planted.%1$s (%2$s) WHERE planted.hit('index predicate on %1$s', %2$s)$$),
	('constant in an index', $$CREATE INDEX ON planted.%1$s (%2$s) WHERE planted.hit('constant in an index on %1$s')$$),
	('exclusion', $$ALTER TABLE planted.%1$s ADD EXCLUDE (%2$s WITH =) WHERE (planted.hit('exclusion on %1$s', %2$s))$$),
	('statistics', $$CREATE STATISTICS planted.own_%1$s ON (planted.hit('statistics on %1$s', %2$s)), %2$s FROM planted.%1$s$$),
	('policy', $$ALTER TABLE planted.%1$s ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON planted.%1$s USING (planted.note('policy on %1$s'))$$),
	('forced policy', $$ALTER TABLE planted.%1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON planted.%1$s USING (planted.note('forced policy on %1$s'))$$),
	('trigger by row', $$CREATE TRIGGER own BEFORE INSERT OR UPDATE OR DELETE ON planted.%1$s FOR EACH ROW EXECUTE FUNCTION planted.by_row()$$),
	('trigger by statement', $$CREATE TRIGGER own AFTER INSERT OR UPDATE OR DELETE ON planted.%1$s FOR EACH STATEMENT EXECUTE FUNCTION planted.by_row()$$),
	('condition of a trigger', $$CREATE TRIGGER own BEFORE INSERT OR UPDATE ON planted.%1$s FOR EACH ROW WHEN (planted.note('condition of a trigger on %1$s')) EXECUTE FUNCTION planted.by_row()$$),
	('rule', $$CREATE RULE own AS ON DELETE TO planted.%1$s DO ALSO SELECT planted.note('rule on %1$s')$$),
	('rule for update', $$CREATE RULE own AS ON UPDATE TO planted.%1$s DO ALSO SELECT planted.note('rule on %1$s')$$);
GRANT SELECT ON testing.planting TO PUBLIC;

-- What a superuser's calls say of a store in which it is planted: how it is by then, errors, how many places have run, and what as somebody
-- else than the owner. Nothing stays.
CREATE FUNCTION testing.planted(a_kind text, on_derived boolean, calls text[], OUT state text, OUT errors text, OUT places int, OUT as_others text) LANGUAGE plpgsql AS $$
DECLARE
	t record;
	call text;
	code text;
BEGIN
	SET LOCAL ROLE regress_ekran_owner;
	FOR t IN SELECT format(statement, x.store_table, x.a_column) AS statement FROM testing.planting,
		(VALUES ('client', 'client_name', false), ('app_user', 'user_name', false), ('session', 'login_date', false), ('activity', 'activity_date', false),
			('pending', 'session_id', true), ('session_idle', 'session_id', true), ('session_count', 'day', true)) x (store_table, a_column, is_derived)
		WHERE kind = a_kind AND is_derived = on_derived
	LOOP
		EXECUTE t.statement;
	END LOOP;
	RESET ROLE;
	TRUNCATE testing.ran;
	SELECT s.state INTO state FROM ekran_status() s;
	FOREACH call IN ARRAY calls
	LOOP
		code := (testing.failure(call)).code;
		errors := concat_ws(' ', errors, substring(call, '(?:ekran_)?(\w+)\(') || ' ' || code);
	END LOOP;
	SELECT count(DISTINCT place), string_agg(DISTINCT ran_as || ': ' || place, E'\n') FILTER (WHERE ran_as <> 'regress_ekran_owner') INTO places, as_others FROM testing.ran;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
	NULL;
END
$$;
CREATE FUNCTION testing.upkeep() RETURNS text[] LANGUAGE sql AS $$
	SELECT ARRAY['SELECT * FROM ekran_status()', 'SELECT ekran_refresh()', 'SELECT * FROM ekran_check()', 'SELECT ekran_rebuild()',
		'SELECT ekran_close_sessions(''0'', ''2024-01-04'')', 'SELECT ekran_purge(''2024-01-03 05:00'')', 'SELECT ekran_refresh()', 'SELECT ekran_create_store(''planted'')',
		'ANALYZE planted.session, planted.activity, planted.client, planted.app_user, planted.pending, planted.session_idle, planted.session_count']
$$;
SELECT kind, p.* FROM testing.planting, LATERAL testing.planted(kind, false, testing.upkeep()) p;
-- on the derived tables: what would run there, none of ours goes on with
SELECT kind, p.* FROM testing.planting, LATERAL testing.planted(kind, true, testing.upkeep()) p;

-- What reads is another matter: it runs what a SELECT of the same tables runs, as who
-- calls (README: "Access"). Of the owner's tables; the derived ones are none's to run.
CREATE FUNCTION testing.reading() RETURNS text[] LANGUAGE sql AS $$
	SELECT ARRAY['SELECT * FROM ekran_sessions()', 'SELECT * FROM ekran_sessions(''2024-01-02'', ''2024-01-03'')', 'SELECT * FROM ekran_sessions(users => ''{1}'')', 'SELECT * FROM ekran_sessions_after(after_session_id => 3)',
		'SELECT * FROM ekran_sessions_all()', 'SELECT * FROM ekran_session_list()', 'SELECT ekran_sessions_total_count(''2024-01-02 01:00'')', 'SELECT ekran_sessions_json()',
		'SELECT * FROM ekran_application_statistics()', 'SELECT * FROM ekran_user_productivity()', 'SELECT * FROM ekran_session_timeline(3)',
		'SELECT * FROM planted.session_overview', 'SELECT * FROM planted.user_day']
$$;
SELECT kind, p.* FROM testing.planting, LATERAL testing.planted(kind, false, testing.reading()) p;
SELECT kind, p.* FROM testing.planting, LATERAL testing.planted(kind, true, testing.reading()) p;
-- so it is by the server's planner, without us
SELECT kind, p.* FROM testing.planting, LATERAL testing.planted(kind, false, ARRAY['SELECT FROM planted.session WHERE session_id = 1', 'SELECT FROM planted.activity WHERE session_id = 1']) p
WHERE p.places > 0;

-- The server's vacuum in a process of its own, as far as a test can wait for one: what
-- it does, a superuser's VACUUM does.
SELECT format(statement, 'activity', 'activity_date') FROM testing.planting WHERE kind IN ('index expression', 'index predicate', 'statistics') \gexec
UPDATE planted.activity SET activity_date = activity_date + interval '1 s';
TRUNCATE testing.ran;
VACUUM (ANALYZE) planted.activity, planted.session, planted.pending, planted.session_idle, planted.session_count;
REINDEX TABLE planted.activity;
SELECT DISTINCT ran_as FROM testing.ran;

DROP FUNCTION testing.planted, testing.upkeep, testing.reading;
DROP TABLE testing.planting;
DROP SCHEMA planted CASCADE;
DROP TABLE testing.ran;
REVOKE ALL ON SCHEMA testing FROM regress_ekran_owner;
SELECT format('REVOKE ALL ON DATABASE %I FROM regress_ekran_owner', current_database()) \gexec
DROP ROLE regress_ekran_owner;
