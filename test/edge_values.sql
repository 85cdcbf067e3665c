-- Calls of every function, with arguments taken at random from the edges of their types and
-- from around what two stores hold; what they return is read to the last column. An error
-- must be one that is documented; what is returned, on a sample, what the independent
-- reading says. Included after helpers.sql, random_store.sql and independent_reading.sql.

-- What may be answered, beside rows. All may be refused without a store, or its rights.
CREATE TABLE testing.function (name text PRIMARY KEY, weight int, codes text[], undone boolean DEFAULT false);
INSERT INTO testing.function (name, weight, codes) VALUES
	('ekran_sessions', 20, '{22023,22008}'),
	('ekran_sessions_after', 20, '{22023,22008}'),
	('ekran_sessions_all', 10, '{22023,22008}'),
	('ekran_sessions_total_count', 10, '{22023}'),
	('ekran_sessions_json', 10, '{22023,22008}'),
	('ekran_session_list', 5, '{22023}'),
	('ekran_session_list_json', 5, '{22023}'),
	('ekran_application_statistics', 5, '{22023,22008}'),
	('ekran_application_statistics_json', 5, '{22023,22008}'),
	('ekran_url_statistics', 5, '{22023,22008}'),
	('ekran_url_statistics_json', 5, '{22023,22008}'),
	('ekran_user_productivity', 5, '{22023,22008}'),
	('ekran_user_productivity_json', 5, '{22023,22008}'),
	('ekran_session_timeline', 20, '{22023}'),
	('ekran_session_figures', 20, '{22004,22023,22008}'),
	('ekran_session_days', 20, '{22004,22023,22008}'),
	('ekran_part_sessions', 12, '{22004,22023,22008}'),
	('ekran_part_steps', 12, '{22004,22023}'),
	('ekran_part_total_count', 6, '{22004,22023}'),
	('ekran_part_login', 3, '{22004,22023}'),
	('ekran_part_usage', 4, '{22004,22023,22008}'),
	('ekran_part_productivity', 4, '{22004,22023,22008}'),
	('ekran_part_timeline', 6, '{22004,22023}'),
	('ekran_status', 2, '{}'),
	('ekran_check', 1, '{}');
INSERT INTO testing.function (name, weight, codes, undone) VALUES
	('ekran_refresh', 1, '{}', true), ('ekran_rebuild', 1, '{}', true),
	('ekran_purge', 3, '{22023}', true), ('ekran_close_sessions', 5, '{22023,22008}', true),
	('ekran_drop_activity_before', 3, '{22023,42809}', true),
	('ekran_create_store', 2, '{42809,42939,22004,22023}', true),
	('ekran_create_hub', 1, '{42704,22004}', true);

-- Two stores: of random sessions and activities of two days, and of the ends of time.
CREATE PROCEDURE testing.make_edge_stores() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ekran_create_store('usual'), ekran_create_store('ends');
	SET LOCAL search_path = usual, public;
	PERFORM testing.fill_random_store(0.19);
	INSERT INTO usual.client VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff', E'quotes " \\ and\nlines'), ('00000000-0000-0000-0000-000000000000', '');
	INSERT INTO usual.app_user VALUES (2147483647, repeat('ü', 3000)), (-2147483648, E'\u0001\u001f\u007f'), (0, NULL);
	INSERT INTO usual.session VALUES
		(9223372036854775807, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 2147483647, testing.at('10:00'), testing.at('11:00')),
		(-9223372036854775808, '00000000-0000-0000-0000-000000000000', -2147483648, testing.at('10:00'), NULL),
		(0, NULL, 0, testing.at('10:00'), testing.at('10:00'));
	UPDATE usual.activity SET application = CASE WHEN activity_id % 3 > 0 THEN 'program ' || activity_id % 7 END,
		url = (ARRAY['https://host.example/', 'HTTP://Host.example:80/x', 'nonsense', '//', NULL, 'ftp://user:pass@[::1]:21/'])[1 + activity_id % 6];
	INSERT INTO usual.activity (session_id, activity_date, application)
	SELECT s, testing.at('10:00') + n * interval '7 min', repeat('x', 10 * n) FROM unnest(ARRAY[9223372036854775807, -9223372036854775808, 0]) s, generate_series(0, 9) n;
	INSERT INTO ends.session VALUES
		(1, NULL, NULL, '4714-11-24 00:00:00+00 BC', '4714-11-24 00:00:00.000001+00 BC'),
		(2, NULL, NULL, '294276-12-31 23:59:59.999999+00', NULL),
		(3, NULL, NULL, '294276-12-31 23:00:00+00', '294276-12-31 23:59:59.999999+00'),
		(4, NULL, NULL, '4714-11-24 00:00:00+00 BC', NULL),
		(5, NULL, NULL, '1969-12-31 23:59:59.999999+00', '1970-01-02 00:00:00+00'),
		(6, NULL, NULL, '1999-12-28 00:00:00+00', '2000-01-04 00:00:00+00');
	INSERT INTO ends.activity (session_id, activity_date) VALUES (1, '4714-11-24 00:00:00+00 BC'), (2, '294276-12-31 23:59:59.999999+00'), (3, '294276-12-31 23:30:00+00'),
		(4, '4714-11-24 00:30:00+00 BC'), (5, '1970-01-01 00:00:00+00'), (6, '2000-01-01 00:00:00+00');
	UPDATE testing.edge SET values = values || ARRAY(SELECT (t + d * interval '1 us')::text FROM (
			(SELECT activity_date FROM usual.activity ORDER BY activity_id LIMIT 15) UNION ALL (SELECT login_date FROM usual.session ORDER BY session_id LIMIT 8)
			UNION ALL (SELECT logout_date FROM usual.session WHERE logout_date IS NOT NULL ORDER BY session_id LIMIT 8)) m (t), generate_series(-1, 1) d)
	WHERE type = 'timestamptz'::regtype;
	UPDATE testing.edge SET values = values || ARRAY(SELECT session_id::text FROM usual.session ORDER BY session_id LIMIT 20) WHERE type = 'bigint'::regtype;
	UPDATE testing.edge SET values = values || ARRAY(SELECT ARRAY[client_guid]::text FROM usual.client) WHERE type = 'uuid[]'::regtype;
	RESET search_path;
END
$$;

-- Values, as text that their type reads; make_edge_stores() adds moments of its own.
CREATE TABLE testing.edge (type oid PRIMARY KEY, values text[]);
INSERT INTO testing.edge VALUES
	('timestamptz'::regtype, ARRAY[NULL, NULL, NULL, '-infinity', 'infinity', '4714-11-24 00:00:00+00 BC', '4714-11-24 00:00:00.000001+00 BC', '294276-12-31 23:59:59.999999+00',
		'294276-12-31 23:00:00+00', '1970-01-01', '1969-12-31 23:59:59.999999+00', '2000-01-01', '1999-12-31 23:59:59.999999+00', '2023-12-31', '2024-01-01', '2024-01-02', '2024-01-03', '2024-01-04', '2024-02-29', '1582-10-15', '0001-01-01', '0001-12-31 BC']),
	('bigint'::regtype, ARRAY[NULL, '0', '0', '1', '1', '2', '3', '10', '60', '999', '1000', '1001', '-1', '2147483647', '2147483648', '-2147483648', '9223372036854775807', '9223372036854775806', '-9223372036854775808', '9223372036854775', '92233720368547758']),
	('integer[]'::regtype, ARRAY[NULL, NULL, NULL, '{}', '{NULL}', '{1}', '{1,2,3,NULL}', '{0}', '{2147483647,-2147483648}', '{{1,2},{3,4}}', '[5:6]={1,NULL}', '[-2147483648:-2147483647]={1,2}', '{1,1,1,1}', (SELECT array_agg(i)::text FROM generate_series(-1000, 1000) i)]),
	('uuid[]'::regtype, ARRAY[NULL, NULL, NULL, NULL, '{}', '{NULL}', '{ffffffff-ffff-ffff-ffff-ffffffffffff,NULL}', '{00000000-0000-0000-0000-000000000000}', '{{00000000-0000-0000-0000-000000000000},{ffffffff-ffff-ffff-ffff-ffffffffffff}}']),
	-- settings of a hub's, most of them such as there are
	('integer'::regtype, ARRAY['900', '900', '900', '900', '900', '59', '61', '3600', '0', '1', '60', '86400', '2147483647', '-1', NULL]),
	('text'::regtype, ARRAY['whole', 'whole', 'whole', 'whole', 'whole', 'whole', 'excess', 'excess', 'excess', 'excess', 'excess', 'excess', 'excess', '', 'UTC', NULL]),
	('varchar'::regtype, ARRAY['UTC', 'UTC', 'UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia', '<+167>-167', '<-167>+167', 'Africa/Monrovia', 'UTC', '', 'whole', NULL]),
	('boolean'::regtype, ARRAY['true', 'false', 'true', 'false', 'true', 'false', 'true', 'false', 'true', 'false', 'true', 'false', 'true', 'false', NULL]),
	('interval'::regtype, ARRAY[NULL, '0', '-1 us', '1 us', '15 min', '1 day', '1 month', '-1 month 31 days', '178000000 years', '-178000000 years', '2562047788 hours', '00:00:00.999999', '2147483647 days', '12 hours']),
	('name'::regtype, ARRAY['usual', 'ends', 'nowhere', '', 'pg_catalog', 'pg_temp', 'information_schema', repeat('n', 63), 'pg_toast', 'testing', NULL]),
	('regnamespace'::regtype, ARRAY['usual', 'ends', 'pg_catalog', 'public', '0', '4294967295', NULL, 'testing']);
CREATE TABLE testing.edge_setting (name text, values text[]);
INSERT INTO testing.edge_setting VALUES
	('ekran_sessions.store', '{usual,usual,usual,usual,usual,usual,usual,ends,ends,ends,nowhere,testing}'),
	('ekran_sessions.idle_threshold', '{15min,15min,0,1s,59s,60s,61s,1h,12h,1d,2147483647}'),
	('ekran_sessions.idle_policy', '{whole,excess}'),
	('TimeZone', '{UTC,UTC,Europe/Berlin,America/New_York,Asia/Kathmandu,Pacific/Apia,Australia/Lord_Howe,"<+167>-167","<-167>+167",Africa/Monrovia}'),
	('IntervalStyle', '{postgres,sql_standard,iso_8601,postgres_verbose}'),
	('DateStyle', '{"ISO, YMD","SQL, DMY","German","Postgres, MDY"}'),
	('role', '{none,none,none,regress_ekran_edge}'),
	('enable_indexscan', '{on,on,off}'),
	('work_mem', '{64kB,4MB}');

-- What came of each call, or comparison: an SQLSTATE.
CREATE UNLOGGED TABLE testing.answer (name text, code text, is_documented boolean, statement text);

-- Runs a statement to its last column. What is to be undone is.
CREATE FUNCTION testing.code_of(statement text, undone boolean, OUT code text, OUT message text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement INTO result;
	IF undone THEN
		RAISE SQLSTATE 'ZZ000';
	END IF;
	code := '00000';
EXCEPTION WHEN OTHERS THEN
	code := CASE SQLSTATE WHEN 'ZZ000' THEN '00000' ELSE SQLSTATE END;
	message := SQLERRM;
END
$$;

CREATE FUNCTION testing.random_edge(a_type regtype) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT format('%L::%s', values[1 + trunc(random() * cardinality(values))::int], a_type) FROM testing.edge WHERE type = a_type
$$;

-- Rows by page, one after the other, by total and in JSON, against the independent reading.
CREATE FUNCTION testing.comparison() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT format('SELECT by_page + by_session + in_total + in_json FROM (SELECT least(a, b), greatest(a, b) FROM (SELECT %s, %s) AS v (a, b)) AS w (a, b), independent.differences(a, b, %s, %s, %s)',
		testing.random_edge('timestamptz'), testing.random_edge('timestamptz'), 1 + trunc(random() * 1000), testing.random_edge('integer[]'), testing.random_edge('uuid[]'))
$$;

CREATE FUNCTION testing.maintained(store text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('ekran_sessions.store', store, true);
	RETURN ekran_rebuild();
END
$$;

-- So many calls, of which one in a hundred is also compared. Commits now and then. Without
-- jit, which by its estimates compiles some for seconds.
CREATE PROCEDURE testing.call_at_random(calls int, seed float8) LANGUAGE plpgsql AS $$
DECLARE
	f record;
	setting record;
	moments text[];
	statement text;
	outcome record;
	a_role text := 'none';
BEGIN
	PERFORM setseed(seed), set_config('jit', 'off', false);
	CREATE TEMPORARY TABLE chosen AS
	SELECT x.name, x.codes || '{42501,42P01,00000}' AS codes, x.undone, p.proargtypes::oid[] AS types,
		sum(x.weight) OVER (ORDER BY x.name) / sum(x.weight) OVER ()::float8 AS upto
	FROM pg_proc p JOIN testing.function x ON x.name = p.proname
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'ekran_sessions';
	FOR number IN 1 .. calls LOOP
		IF number % 50 = 1 THEN
			COMMIT;
			-- as it is, or raw, made anew, or with something pending
			CASE trunc(random() * 10)
				WHEN 0 THEN TRUNCATE usual.session_idle;
				WHEN 1, 2 THEN PERFORM testing.maintained('usual'), testing.maintained('ends');
				WHEN 3, 4 THEN UPDATE usual.activity SET activity_date = activity_date + interval '1 us' WHERE activity_id % 97 = number / 50 % 97;
				ELSE NULL;
			END CASE;
			FOR setting IN SELECT name, values[1 + trunc(random() * cardinality(values))::int] AS value FROM testing.edge_setting e ORDER BY name LOOP
				IF setting.name = 'role' THEN
					a_role := setting.value;
				ELSE
					PERFORM set_config(setting.name, setting.value, false);
				END IF;
			END LOOP;
		END IF;
		SELECT * INTO f FROM chosen, (SELECT random() AS choice OFFSET 0) c WHERE upto > choice ORDER BY upto LIMIT 1;
		-- two moments, in order for the most part; of two texts, the second is a time zone
		SELECT array_agg(format('%L::timestamptz', moment) ORDER BY CASE WHEN random() < 0.9 THEN coalesce(moment, CASE WHEN random() < 0.5 THEN '-infinity' ELSE 'infinity' END)::timestamptz END)
		INTO moments FROM testing.edge, generate_series(1, 2) g, LATERAL (SELECT values[1 + trunc(random() * cardinality(values) + 0 * g)::int] AS moment OFFSET 0) m WHERE type = 'timestamptz'::regtype;
		-- as a table, or row by row, as far as one reads: a session may have a hundred million days
		SELECT format(CASE WHEN f.name = 'ekran_session_days' OR random() < 0.3 THEN 'SELECT count(q::text) FROM (SELECT %I(%s) AS q LIMIT 2000) s' ELSE 'SELECT count(q::text) FROM %I(%s) q' END,
			f.name, string_agg(CASE WHEN t = 'timestamptz'::regtype THEN moments[place_of_type] WHEN t = 'text'::regtype AND place_of_type = 2 THEN testing.random_edge('varchar') ELSE testing.random_edge(t::regtype) END, ', ' ORDER BY place))
		INTO statement FROM (SELECT t, place, row_number() OVER (PARTITION BY t ORDER BY place) AS place_of_type FROM unnest(f.types) WITH ORDINALITY AS a (t, place)) a;
		-- so that pg_stat_activity tells what takes long
		PERFORM set_config('application_name', statement, false), set_config('role', a_role, false);
		outcome := testing.code_of(statement, f.undone);
		PERFORM set_config('role', 'none', false);
		INSERT INTO testing.answer VALUES (f.name, outcome.code, outcome.code = ANY (f.codes), CASE WHEN outcome.code <> ALL (f.codes) THEN statement || ': ' || outcome.message END);
		IF number % 100 = 0 AND current_setting('ekran_sessions.store') IN ('usual', 'ends') THEN
			statement := testing.comparison();
			PERFORM set_config('search_path', current_setting('ekran_sessions.store') || ', public', false);
			outcome := testing.code_of(statement, false);
			RESET search_path;
			INSERT INTO testing.answer VALUES ('compared', outcome.code, (outcome.code = '00000' AND outcome.result = '0') OR outcome.code = '22008',
				CASE WHEN outcome.result <> '0' OR outcome.code <> '00000' THEN format('%s: %s%s, settings %s', statement, outcome.result, outcome.message,
					(SELECT string_agg(name || '=' || current_setting(name), ' ') FROM testing.edge_setting)) END);
		END IF;
	END LOOP;
	DROP TABLE chosen;
END
$$;
