-- Stores whose names, and whose owners' names, need quoting, or look like SQL, formats and
-- patterns: everything works as in any store, and nothing in their names does.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE "regress_ekran_O'Brien ""; DROP ROLE x; --";
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), 'regress_ekran_O''Brien "; DROP ROLE x; --') \gexec
GRANT USAGE ON SCHEMA testing TO PUBLIC;
SET ROLE "regress_ekran_O'Brien ""; DROP ROLE x; --";
CREATE FUNCTION pg_temp.everything(store name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	call text;
	counts bigint[] := '{}';
	count bigint;
BEGIN
	PERFORM ekran_create_store(store);
	PERFORM ekran_create_store(store);  -- completes it
	PERFORM set_config('ekran_sessions.store', store, true);
	EXECUTE format($f$
		INSERT INTO %1$I.app_user VALUES (1, 'Ada');
		INSERT INTO %1$I.session (session_id, user_id, login_date, logout_date) VALUES (1, 1, '2024-01-01 08:00', '2024-01-01 09:00'), (2, 1, '2024-01-01 09:00', NULL);
		INSERT INTO %1$I.activity (session_id, activity_date, application, url) VALUES (1, '2024-01-01 08:10', 'mail', 'https://mail.example/'), (1, '2024-01-01 08:15', 'mail', 'https://mail.example/'), (2, '2024-01-01 09:10', 'mail', NULL);
		UPDATE %1$I.activity SET activity_date = activity_date + interval '1 min';
		DELETE FROM %1$I.activity WHERE false;
	$f$, store);
	FOREACH call IN ARRAY ARRAY['SELECT FROM ekran_refresh()', 'SELECT FROM ekran_rebuild()', 'SELECT FROM ekran_check()', 'SELECT FROM ekran_status() s WHERE s.store = %1$L AND state = ''ok''',
		'SELECT FROM ekran_sessions()', 'SELECT FROM ekran_sessions(''2024-01-01 08:05'', ''2024-01-01 10:00'', 10, 0, ''{1}'')', 'SELECT FROM ekran_sessions_after(after_session_id => 1)',
		'SELECT FROM ekran_sessions_all()', 'SELECT FROM ekran_session_list()', 'SELECT FROM generate_series(1, ekran_sessions_total_count())',
		'SELECT FROM json_array_elements(ekran_sessions_json()->''sessions'')', 'SELECT FROM ekran_application_statistics()', 'SELECT FROM ekran_url_statistics()',
		'SELECT FROM ekran_user_productivity()', 'SELECT FROM ekran_session_timeline(1)', 'SELECT FROM %1$I.session_overview', 'SELECT FROM %1$I.user_day',
		'SELECT FROM ekran_close_sessions(''0'', ''2024-01-02'')', 'SELECT FROM generate_series(1, ekran_purge(''2024-01-02''))', 'SELECT FROM %1$I.session']
	LOOP
		EXECUTE format(call, store);
		GET DIAGNOSTICS count = ROW_COUNT;
		counts := counts || count;
	END LOOP;
	RETURN counts;
END
$$;
SELECT quote_ident(store) AS store, pg_temp.everything(store) FROM unnest(ARRAY['plain', 'Upper', 'with space', 'with.dot', 'a"b', 'O''Brien', 'E''\', $$a; DROP SCHEMA plain CASCADE; --$$, '%s %I %1$s %', '$1', '$$', E'tab\tnew\nline', 'select',
	'"quoted"', 'ünï', repeat('x', 63), 'x_', 'x%', '{a,b}', '\x41', 'public.x', 'session', 'activity']) store;
SELECT count(*) FROM pg_namespace WHERE pg_get_userbyid(nspowner) = current_user;
-- a refusal tells a name as it is
SELECT * FROM testing.failure($$SELECT ekran_create_store('pg_mine')$$) \gx
SET ekran_sessions.store = 'no "such" store';
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions()') \gx
-- of a temporary schema's: tables that nobody else sees are no store
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('pg_temp')$$);
RESET ekran_sessions.store;
RESET ROLE;
DROP FUNCTION pg_temp.everything;
SET client_min_messages = error;
DROP OWNED BY "regress_ekran_O'Brien ""; DROP ROLE x; --" CASCADE;
RESET client_min_messages;
DROP ROLE "regress_ekran_O'Brien ""; DROP ROLE x; --";
