-- Random stores with applications and urls, around any moment, such as a change
-- of the clock, and random windows for comparing statistics with the
-- independent reading. Included after random_store.sql, whose filters it uses,
-- and independent_statistics.sql. The store is that of search_path.

-- Within a day of the base, mostly on a whole minute.
CREATE OR REPLACE FUNCTION testing.random_moment_around(base timestamptz)
RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
	SELECT base + (trunc(random() * 2880) - 1440) * interval '1 minute'
		+ CASE WHEN random() < 0.1
			THEN trunc(random() * 3) * interval '1 microsecond' ELSE '0' END
$$;

CREATE OR REPLACE FUNCTION testing.random_application() RETURNS text
LANGUAGE sql VOLATILE AS $$
	SELECT (ARRAY[NULL, '', ' ', 'excel.exe', 'excel.exe', 'EXCEL.EXE',
		'chrome.exe', 'chrome.exe', 'a "quoted" \ one', 'it''s', E'a\ttab',
		'Äpfel', 'äpfel', '日本語', 'zebra', 'Zebra', '(a,b)', '{}'])
		[1 + trunc(random() * 18)::int]
$$;

CREATE OR REPLACE FUNCTION testing.random_url() RETURNS text
LANGUAGE sql VOLATILE AS $$
	SELECT (ARRAY[NULL, NULL, '', 'about:blank', 'file:///C:/a.txt',
		'https://example.com/', 'https://example.com/a?b#c',
		'HTTPS://Example.COM:443/a', 'http://user:pw@example.com:8080/',
		'example.com/b', 'example.com:80', 'localhost:8080/x', 'localhost',
		'intranet', 'mail@example.com', 'http://intranet/a.b',
		'https://MÜNCHEN.example/', 'http://[2001:DB8::1]:8080/x',
		'http://"quoted".example/', 'not a url.'])
		[1 + trunc(random() * 20)::int]
$$;

CREATE OR REPLACE FUNCTION testing.fill_random_usage(seed float8,
	base timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	login timestamptz;
	logout timestamptz;
BEGIN
	PERFORM setseed(seed);
	TRUNCATE session, activity, client, app_user;
	INSERT INTO client
	SELECT md5(seed || ' ' || i)::uuid, CASE WHEN i > 1 THEN 'PC ' || i END
	FROM generate_series(1, 5) i;
	-- no name, an empty one, two alike, and some that languages order otherwise
	INSERT INTO app_user
	SELECT n, name FROM unnest(ARRAY[NULL, '', 'adam', 'adam', 'Zoe',
		'user "6"', 'Ärger']) WITH ORDINALITY AS u (name, n);

	-- Few users and clients: sessions of a user overlap, here and elsewhere.
	FOR id IN 1..60 LOOP
		login := testing.random_moment_around(base);
		-- running, of no length, of up to half a day, or of days
		logout := CASE WHEN random() < 0.25 THEN NULL
			WHEN random() < 0.1 THEN login
			WHEN random() < 0.05 THEN login + interval '49:30:00'
			ELSE login + trunc(random() * 720) * interval '1 minute' END;
		INSERT INTO session VALUES (
			-- not in the order of logins; beyond int32 too
			(id * 7919 % 61) * CASE WHEN id % 9 = 0 THEN 100000000000 ELSE 1 END,
			(SELECT client_guid FROM client WHERE random() < 0.5 LIMIT 1),
			CASE WHEN random() < 0.8 THEN 1 + trunc(random() * 7) END,
			login, logout);
	END LOOP;

	-- Some sessions have none; some activities lie outside their session. Their
	-- ids are not in the order of their times.
	INSERT INTO activity (session_id, activity_date, application, url)
	SELECT session_id, CASE WHEN random() < 0.1
			THEN testing.random_moment_around(base)
		ELSE login_date + trunc(random() * coalesce(
			extract(epoch FROM logout_date - login_date) / 60 + 3, 300))
			* interval '1 minute'
			+ CASE WHEN random() < 0.1
				THEN trunc(random() * 1000000) * interval '1 microsecond'
				ELSE '0' END END,
		testing.random_application(), testing.random_url()
	FROM session, generate_series(1, 40)
	WHERE session_id % 5 <> 0 AND random() < (session_id % 4 + 1) / 5.0;

	-- Several at one time, which may be that of the login or the logout.
	INSERT INTO activity (session_id, activity_date, application, url)
	SELECT session_id, t, testing.random_application(), testing.random_url()
	FROM (SELECT session_id, activity_date AS t FROM activity
		UNION ALL SELECT session_id, login_date FROM session
		UNION ALL SELECT session_id, logout_date FROM session) m
	WHERE t IS NOT NULL AND random() < 0.15;

	-- A table that is not in the order of its ids.
	UPDATE activity SET title = 'moved' WHERE random() < 0.2;
END
$$;

-- A bound: none, infinite, a moment of the store or the hour that it lies in,
-- or any time around one.
CREATE OR REPLACE FUNCTION testing.random_usage_bound() RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	choice float8 := random();
	moment timestamptz;
BEGIN
	IF choice < 0.1 THEN
		RETURN NULL;
	ELSIF choice < 0.15 THEN
		RETURN CASE WHEN random() < 0.5 THEN 'infinity' ELSE '-infinity' END;
	END IF;
	SELECT t INTO moment
	FROM (SELECT session_id, activity_date AS t, activity_id FROM activity
		UNION ALL SELECT session_id, login_date, -1 FROM session
		UNION ALL SELECT session_id, logout_date, -2 FROM session
			WHERE logout_date IS NOT NULL) m
	ORDER BY session_id, activity_id
	OFFSET trunc(random() * ((SELECT count(*) FROM activity)
		+ (SELECT count(*) FROM session))) LIMIT 1;
	RETURN CASE WHEN choice < 0.6 THEN moment
		WHEN choice < 0.75 THEN date_trunc('hour', moment)
		ELSE moment + (random() * 300 - 150) * interval '1 minute' END;
END
$$;

-- Compares statistics of some windows of the store in hand.
CREATE OR REPLACE FUNCTION testing.compare_random_statistics(windows int,
	OUT compared bigint, OUT selected bigint, OUT different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	bounds timestamptz[];
	users int[];
	clients uuid[];
	result record;
BEGIN
	compared := 0;
	selected := 0;
	different := 0;
	WHILE compared < windows LOOP
		bounds := ARRAY[testing.random_usage_bound(), testing.random_usage_bound()];
		IF bounds[1] > bounds[2] THEN
			bounds := ARRAY[bounds[2], bounds[1]];
		END IF;
		users := testing.random_users();
		clients := testing.random_clients();
		SELECT * INTO result FROM independent.statistics_differences(bounds[1],
			bounds[2], users, clients);
		compared := compared + 1;
		selected := selected + result.selected;
		IF result.in_applications + result.in_urls + result.in_productivity
			+ result.in_list + result.in_all + result.in_timeline
			+ result.in_hours + result.in_json > 0 THEN
			different := different + 1;
			RAISE WARNING 'window % - % of % and %: %', bounds[1], bounds[2],
				users, clients, result;
		END IF;
	END LOOP;
END
$$;
