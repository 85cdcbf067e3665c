-- All that the database in hand answers its caller, a line a question: from each store,
-- in some windows. What a version of the extension lacks is not asked, what the caller
-- may not see is answered by an SQLSTATE, and what is long by its MD5.
CREATE FUNCTION testing.answers() RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = public
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
AS $$
DECLARE
	schema name;
	zone text;
	bounds text;
	question text;
BEGIN
	FOREACH schema IN ARRAY '{ekran,ekran_parts,ekran_views}'::name[] LOOP
		PERFORM set_config('ekran_sessions.store', schema, true);
		FOREACH zone IN ARRAY '{UTC,Europe/Berlin}'::text[] LOOP
			PERFORM set_config('TimeZone', zone, true);
			FOREACH bounds IN ARRAY ARRAY['NULL, NULL', '''2023-12-31 18:00'', ''2024-01-01 14:20''',
					'''2024-01-01 11:03'', NULL', 'NULL, ''2024-01-01 00:00:00.000001''',
					'''2023-12-30'', ''2023-12-31'''] LOOP
				FOR question IN
					SELECT format('%s(%s%s)', f.name, bounds, f.further)
					FROM (VALUES ('ekran_sessions', ''), ('ekran_sessions', ', 20, 1'),
						('ekran_sessions', ', users => ''{3,5,99}'''), ('ekran_sessions_after', ', 30, 12'),
						('ekran_sessions_total_count', ''), ('ekran_sessions_json', ''),
						('ekran_sessions_all', ''), ('ekran_session_list', ''), ('ekran_session_list_json', ''),
						('ekran_application_statistics', ''), ('ekran_application_statistics_json', ''),
						('ekran_url_statistics', ''), ('ekran_url_statistics_json', ''),
						('ekran_user_productivity', ''), ('ekran_user_productivity_json', '')) AS f (name, further)
					WHERE EXISTS (SELECT FROM pg_proc p WHERE p.proname = f.name)
				LOOP
					RETURN NEXT format('%s %s %s: %s', schema, zone, question, testing.answer(question));
				END LOOP;
			END LOOP;
			FOR question IN
				SELECT format('%I.%I', v.schemaname, v.viewname) FROM pg_views v
				WHERE v.schemaname = schema AND v.viewname IN ('session_overview', 'user_day') ORDER BY 1
			LOOP
				RETURN NEXT format('%s %s: %s', zone, question, testing.answer(question));
			END LOOP;
		END LOOP;
		FOR question IN
			SELECT '(SELECT t.* FROM session, ekran_session_timeline(session_id) t ORDER BY session_id)'
			FROM pg_proc WHERE proname = 'ekran_session_timeline'
			UNION ALL SELECT unnest(ARRAY['session', 'activity', 'client', 'app_user'])
		LOOP
			PERFORM set_config('search_path', format('%I, public', schema), true);
			RETURN NEXT format('%s %s: %s', schema, question, testing.answer(question));
			PERFORM set_config('search_path', 'public', true);
		END LOOP;
	END LOOP;
	PERFORM set_config('ekran_sessions.store', 'ekran', true);
	FOREACH question IN ARRAY ARRAY['ekran.newest', 'ekran.report', 'ekran.by_user', 'ekran.remark', 'ekran.sessions_of(3)'] LOOP
		RETURN NEXT format('%s: %s', question, testing.answer(question));
	END LOOP;
END
$$;

-- The rows of a table or function, in the order in which a function returns them.
CREATE FUNCTION testing.answer(question text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SELECT concat_ws('' '', count(*), md5(string_agg(r::text, E''\n'' %s))) FROM %s r',
		CASE WHEN question NOT LIKE '%(%' THEN 'ORDER BY r::text COLLATE "C"' END, question) INTO answer;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
