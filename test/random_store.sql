-- Random stores and windows for comparing with the independent reading. Times
-- are whole minutes of two days, so that moments, logins and bounds often fall
-- on one another; a few have microseconds. The store is that of search_path.

CREATE OR REPLACE FUNCTION testing.random_moment() RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
	SELECT testing.at('00:00') + trunc(random() * 2880) * interval '1 minute'
		+ CASE WHEN random() < 0.1
			THEN trunc(random() * 3) * interval '1 microsecond' ELSE '0' END
$$;

CREATE OR REPLACE FUNCTION testing.fill_random_store(seed float8)
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
	INSERT INTO app_user
	SELECT i, CASE WHEN i > 1 THEN 'user "' || i || '"' END
	FROM generate_series(1, 7) i;

	FOR id IN 1..60 LOOP
		login := testing.random_moment();
		-- running, of no length, or of up to half a day
		logout := CASE WHEN random() < 0.25 THEN NULL
			WHEN random() < 0.1 THEN login
			ELSE login + trunc(random() * 720) * interval '1 minute' END;
		INSERT INTO session VALUES (
			-- not in the order of logins; beyond int32 too
			(id * 7919 % 61) * CASE WHEN id % 9 = 0 THEN 100000000000 ELSE 1 END,
			(SELECT client_guid FROM client WHERE random() < 0.5 LIMIT 1),
			CASE WHEN random() < 0.8 THEN 1 + trunc(random() * 7) END,
			login, logout);
	END LOOP;

	-- Some sessions have none; some activities lie outside their session.
	INSERT INTO activity (session_id, activity_date)
	SELECT session_id, CASE WHEN random() < 0.1 THEN testing.random_moment()
		ELSE login_date + trunc(random() * coalesce(
			extract(epoch FROM logout_date - login_date) / 60 + 3, 300))
			* interval '1 minute' END
	FROM session, generate_series(1, 40)
	WHERE session_id % 5 <> 0 AND random() < (session_id % 4 + 1) / 5.0;
END
$$;

-- A bound: none, infinite, a moment of the store, or any.
CREATE OR REPLACE FUNCTION testing.random_bound() RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	choice float8 := random();
	bound timestamptz;
BEGIN
	IF choice < 0.1 THEN
		RETURN NULL;
	ELSIF choice < 0.15 THEN
		RETURN CASE WHEN random() < 0.5 THEN 'infinity' ELSE '-infinity' END;
	ELSIF choice < 0.45 THEN
		SELECT activity_date INTO bound FROM activity
		ORDER BY activity_id OFFSET trunc(random() * 100) LIMIT 1;
	ELSIF choice < 0.75 THEN
		SELECT CASE WHEN random() < 0.5 THEN login_date
			ELSE coalesce(logout_date, login_date) END INTO bound FROM session
		ORDER BY session_id OFFSET trunc(random() * 60) LIMIT 1;
	ELSE
		bound := testing.random_moment();
	END IF;
	RETURN bound;
END
$$;

-- Filters: mostly none; else a few users, and nobody; or many of whom most are
-- not there. Clients likewise.
CREATE OR REPLACE FUNCTION testing.random_users() RETURNS int[]
LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN choice < 0.6 THEN NULL
		WHEN choice < 0.65 THEN '{}'
		ELSE (SELECT array_agg(CASE WHEN random() < 0.2 THEN NULL
				ELSE 1 + trunc(random() * 9)::int END)
				|| CASE WHEN choice < 0.9 THEN '{}' ELSE ARRAY(SELECT generate_series(100, 130)) END
			FROM generate_series(1, 1 + trunc(choice * 5)::int)) END
	FROM (SELECT random() AS choice OFFSET 0) c
$$;

CREATE OR REPLACE FUNCTION testing.random_clients() RETURNS uuid[]
LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN choice < 0.7 THEN NULL
		WHEN choice < 0.73 THEN '{}'
		ELSE (SELECT array_agg(client_guid) FROM client WHERE random() < 0.5)
			|| CASE WHEN random() < 0.3 THEN ARRAY[NULL]::uuid[] ELSE '{}' END
			|| CASE WHEN choice < 0.9 THEN '{}'
				ELSE ARRAY(SELECT md5(i::text)::uuid FROM generate_series(1, 20) i) END END
	FROM (SELECT random() AS choice OFFSET 0) c
$$;

-- Compares some windows of the store in hand, pages of random size.
CREATE OR REPLACE FUNCTION testing.compare_random_windows(windows int,
	OUT compared bigint, OUT rows_compared bigint, OUT different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	bounds timestamptz[];
	users int[];
	clients uuid[];
	result record;
BEGIN
	compared := 0;
	rows_compared := 0;
	different := 0;
	WHILE compared < windows LOOP
		bounds := ARRAY[testing.random_bound(), testing.random_bound()];
		IF bounds[1] > bounds[2] THEN
			bounds := ARRAY[bounds[2], bounds[1]];
		END IF;
		users := testing.random_users();
		clients := testing.random_clients();
		SELECT * INTO result FROM independent.differences(bounds[1], bounds[2],
			1 + trunc(random() * 30)::bigint, users, clients);
		compared := compared + 1;
		rows_compared := rows_compared + result.selected;
		IF result.by_page + result.by_session + result.in_total
			+ result.in_json > 0 THEN
			different := different + 1;
			RAISE WARNING 'window % - % of % and %: %', bounds[1], bounds[2],
				users, clients, result;
		END IF;
	END LOOP;
END
$$;
