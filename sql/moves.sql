-- Rows that an UPDATE or a MERGE moves to another partition: noted and checked as
-- those that stay.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE SCHEMA moves;
CREATE TABLE moves.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY RANGE (session_id);
CREATE TABLE moves.low PARTITION OF moves.session FOR VALUES FROM (0) TO (100);
CREATE TABLE moves.high PARTITION OF moves.session FOR VALUES FROM (100) TO (200);
CREATE TABLE moves.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL, activity_id bigint NOT NULL, application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE moves.early PARTITION OF moves.activity FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-01-01 12:00+00');
CREATE TABLE moves.late PARTITION OF moves.activity FOR VALUES FROM ('2024-01-01 12:00+00') TO ('2024-01-02 00:00+00');
SELECT ekran_create_store('moves');
SET ekran_sessions.store = 'moves';
SET search_path = moves, public;
SELECT testing.add_session(i, '08:00', CASE WHEN i % 2 = 0 THEN '20:00'::time END, '09:00', '10:00', '11:00', '13:00') FROM generate_series(1, 4) i;
INSERT INTO session SELECT i, NULL, NULL, testing.at('08:00') FROM generate_series(10, 19) i;
SELECT ekran_refresh();

-- What became of it: figures, totals, what ekran_check() finds, before and after a fold;
-- then it is rolled back.
CREATE FUNCTION testing.moved(statement text, OUT message text, OUT figures text, OUT totals text, OUT pending text, OUT checked text)
LANGUAGE plpgsql AS $$
BEGIN
	message := 'done';
	EXECUTE statement;
	figures := (SELECT string_agg(session_id || ': ' || to_char(idle_time, 'HH24:MI'), ', ') FROM ekran_sessions() WHERE duration > '0');
	totals := ekran_sessions_total_count() || ' of ' || (SELECT count(*) FROM session);
	pending := (SELECT string_agg(DISTINCT session_id::text, ' ') FROM pending);
	checked := (SELECT count(*) FROM ekran_check()) || ', ' || (SELECT count(*) FROM ekran_refresh(), ekran_check());
	RAISE SQLSTATE 'Y0001';
EXCEPTION WHEN SQLSTATE 'Y0001' THEN
	NULL;
WHEN OTHERS THEN
	message := SQLERRM;
END
$$;
SELECT * FROM testing.moved('SELECT 1') \gx

-- Activities: by UPDATE, by MERGE, by one that inserts and deletes too; to another session;
-- to none; and back again.
SELECT * FROM testing.moved($$UPDATE activity SET activity_date = testing.at('12:30') WHERE activity_date = testing.at('10:00')$$) \gx
SELECT * FROM testing.moved($$MERGE INTO activity a USING (VALUES (1), (2)) v (id) ON a.session_id = v.id AND a.activity_date = testing.at('10:00')
	WHEN MATCHED THEN UPDATE SET activity_date = testing.at('12:30')$$) \gx
SELECT * FROM testing.moved($$MERGE INTO activity a USING (VALUES (1, testing.at('10:00')), (2, testing.at('10:00')), (3, testing.at('09:30')), (4, testing.at('11:00'))) v (id, t) ON a.session_id = v.id AND a.activity_date = t
	WHEN MATCHED AND id = 4 THEN DELETE WHEN MATCHED THEN UPDATE SET activity_date = testing.at('12:30') WHEN NOT MATCHED THEN INSERT (session_id, activity_date) VALUES (id, t)$$) \gx
SELECT * FROM testing.moved($$MERGE INTO activity a USING (VALUES (1)) v (id) ON a.session_id = v.id AND a.activity_date = testing.at('10:00')
	WHEN MATCHED THEN UPDATE SET activity_date = testing.at('12:30'), session_id = 3$$) \gx
SELECT * FROM testing.moved($$MERGE INTO activity a USING (VALUES (1)) v (id) ON a.session_id = v.id AND a.activity_date = testing.at('10:00')
	WHEN MATCHED THEN UPDATE SET activity_date = testing.at('12:30'), session_id = 77$$) \gx
-- where the MERGE deletes too, or another command of the query does, or one inserts
SELECT * FROM testing.moved($$MERGE INTO activity a USING (VALUES (1, testing.at('10:00')), (4, testing.at('13:00'))) v (id, t) ON a.session_id = v.id AND a.activity_date = t
	WHEN MATCHED AND id = 4 THEN DELETE WHEN MATCHED THEN UPDATE SET activity_date = testing.at('19:00')$$) \gx
SELECT * FROM testing.moved($$MERGE INTO activity a USING (VALUES (1, testing.at('10:00')), (4, testing.at('13:00'))) v (id, t) ON a.session_id = v.id AND a.activity_date = t
	WHEN MATCHED AND id = 4 THEN DELETE WHEN MATCHED THEN UPDATE SET activity_date = testing.at('19:00'), session_id = 77$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM activity WHERE session_id = 4 AND activity_date = testing.at('10:00') RETURNING *)
	MERGE INTO activity a USING d ON a.session_id = d.session_id - 3 AND a.activity_date = d.activity_date WHEN MATCHED THEN UPDATE SET activity_date = testing.at('19:00')$$) \gx
SELECT * FROM testing.moved($$WITH i AS (INSERT INTO activity (session_id, activity_date) VALUES (4, testing.at('10:01')) RETURNING *)
	MERGE INTO activity a USING i ON a.session_id = i.session_id - 3 AND a.activity_date = i.activity_date - interval '1 minute' WHEN MATCHED THEN UPDATE SET activity_date = testing.at('19:00')$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM activity WHERE session_id = 4 AND activity_date = testing.at('10:00'))
	UPDATE activity SET activity_date = testing.at('19:00') WHERE session_id = 1 AND activity_date = testing.at('10:00')$$) \gx
-- past a trigger that sends them elsewhere
BEGIN;
CREATE FUNCTION moves.elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.activity_date := testing.at('15:00'); RETURN NEW; END $$;
CREATE TRIGGER z_elsewhere BEFORE INSERT ON late FOR EACH ROW EXECUTE FUNCTION moves.elsewhere();
SELECT * FROM testing.moved($$MERGE INTO activity a USING (VALUES (1), (2)) v (id) ON a.session_id = v.id AND a.activity_date = testing.at('10:00')
	WHEN MATCHED THEN UPDATE SET activity_date = testing.at('12:30')$$) \gx
ROLLBACK;

-- Sessions: to another id, where no activity refers to the old one; with another day; by
-- one that inserts and deletes too; two that change places.
SELECT * FROM testing.moved($$UPDATE session SET session_id = session_id + 100, login_date = login_date - interval '1 day' WHERE session_id > 15$$) \gx
SELECT * FROM testing.moved($$UPDATE session SET session_id = 150 WHERE session_id = 1$$) \gx
SELECT * FROM testing.moved($$MERGE INTO session s USING (VALUES (16), (17)) v (id) ON s.session_id = v.id
	WHEN MATCHED THEN UPDATE SET session_id = id + 100, login_date = login_date - interval '1 day'$$) \gx
SELECT * FROM testing.moved($$MERGE INTO session s USING (VALUES (16), (17), (30), (2)) v (id) ON s.session_id = v.id
	WHEN MATCHED AND id IN (2, 17) THEN DELETE WHEN MATCHED THEN UPDATE SET session_id = id + 100, login_date = login_date - interval '1 day'
	WHEN NOT MATCHED THEN INSERT (session_id, login_date) VALUES (id, testing.at('08:00'))$$) \gx
SELECT * FROM testing.moved($$MERGE INTO session s USING (VALUES (16), (1)) v (id) ON s.session_id = v.id
	WHEN MATCHED AND id = 16 THEN DELETE WHEN MATCHED THEN UPDATE SET session_id = 101$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM session WHERE session_id = 2 RETURNING 1), u AS (UPDATE session SET session_id = 116 WHERE session_id = 16 RETURNING 1),
	i AS (INSERT INTO session VALUES (120, NULL, NULL, testing.at('08:00')) RETURNING 1) SELECT FROM d, u, i$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM session WHERE session_id = 12 RETURNING 1), u AS (UPDATE session SET session_id = 101 WHERE session_id = 1 RETURNING 1) SELECT FROM d, u$$) \gx
-- that the query deletes others, in whatever order, makes it none that is deleted
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM session WHERE session_id = 2) UPDATE session SET session_id = 150 WHERE session_id = 1$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM session WHERE session_id = 2) MERGE INTO session s USING (VALUES (1)) v (id) ON s.session_id = v.id
	WHEN MATCHED THEN UPDATE SET session_id = 150$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM session WHERE session_id = 2), i AS (INSERT INTO session VALUES (120, NULL, NULL, testing.at('08:00')))
	UPDATE session SET session_id = 150 WHERE session_id = 1$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM session WHERE session_id = 2 RETURNING 1) UPDATE session SET session_id = 150 FROM d WHERE session_id = 1$$) \gx
SELECT * FROM testing.moved($$WITH u AS (UPDATE session SET session_id = 150 WHERE session_id = 1 RETURNING 1) DELETE FROM session USING u WHERE session_id = 2$$) \gx
SELECT * FROM testing.moved($$WITH d AS (DELETE FROM session WHERE session_id = 2) UPDATE session SET session_id = 150 WHERE session_id = 16$$) \gx
-- nor one whose id a trigger changes
BEGIN;
CREATE FUNCTION moves.rename() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.session_id IN (1, 16) THEN NEW.session_id := 150; END IF; RETURN NEW; END $$;
CREATE TRIGGER zz BEFORE UPDATE ON session FOR EACH ROW EXECUTE FUNCTION moves.rename();
SELECT * FROM testing.moved($$MERGE INTO session s USING (VALUES (1), (2)) v (id) ON s.session_id = v.id WHEN MATCHED AND id = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET login_date = login_date$$) \gx
SELECT * FROM testing.moved($$MERGE INTO session s USING (VALUES (16), (2)) v (id) ON s.session_id = v.id WHEN MATCHED AND id = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET login_date = login_date$$) \gx
ROLLBACK;
-- while a function amid the rows does delete some
BEGIN;
CREATE FUNCTION moves.deleting(id bigint) RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN DELETE FROM moves.session WHERE session_id = id; RETURN '2024-01-01 07:00+00'; END $$;
SELECT * FROM testing.moved($$UPDATE session SET session_id = session_id + 100, login_date = moves.deleting(session_id - 13) WHERE session_id IN (16, 17)$$) \gx
ROLLBACK;
-- two stores in one statement
SELECT ekran_create_store('moves_too');
SELECT * FROM testing.moved($$WITH a AS (INSERT INTO moves.session VALUES (120, NULL, NULL, testing.at('08:00')) RETURNING 1),
	b AS (INSERT INTO moves_too.session VALUES (1, NULL, NULL, testing.at('08:00')), (2, NULL, NULL, testing.at('08:00')) RETURNING 1) SELECT FROM a, b$$) \gx
-- by a key of the owner's that deletes along, one row at a time and several at once
INSERT INTO client SELECT md5(i::text)::uuid FROM generate_series(1, 3) i;
UPDATE session SET client_guid = md5((session_id % 3 + 1)::text)::uuid;
ALTER TABLE session DROP CONSTRAINT session_client_guid_fkey, ADD FOREIGN KEY (client_guid) REFERENCES client (client_guid) ON DELETE CASCADE ON UPDATE CASCADE;
SELECT * FROM testing.moved($$DELETE FROM client WHERE client_guid = md5('2')::uuid$$) \gx
SELECT * FROM testing.moved($$DELETE FROM client$$) \gx
SELECT * FROM testing.moved($$UPDATE client SET client_guid = md5(client_guid::text)::uuid$$) \gx

RESET search_path;
DROP SCHEMA moves, moves_too CASCADE;
DROP FUNCTION testing.moved;
