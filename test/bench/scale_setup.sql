-- What stores of one kind and of several sizes are loaded with.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

-- A thousand sessions a day up to 2024, of a hundred activities each, numbered up to 0,
-- so that the newest have the same numbers in every store. Activities are half a minute
-- apart but for 16 gaps of 10 or 24 minutes, of which 8 are idle, and have an application
-- and no more, for a hundred million shall fit on a disk. They come in transactions of
-- 200 000, whose rate is kept.
CREATE PROCEDURE bench.load_days(store name, sessions int)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM bench.create_store(store);
	FOR low IN 1 - sessions .. 0 BY 2000 LOOP
		EXECUTE format($f$
			INSERT INTO %I.session
			SELECT i, md5((-i %% 100)::text)::uuid, -i %% 200, login, login + interval '5 h 23 min'
			FROM (SELECT i, '2024-01-01'::timestamptz + (i - 1) * interval '86.4 s' AS login
				FROM generate_series($1, $1 + 1999) i) s$f$, store) USING low;
		PERFORM bench.time_round('load', store = 'ours', format($f$
			INSERT INTO %I.activity (session_id, activity_date, application)
			SELECT i, '2024-01-01'::timestamptz + (i - 1) * interval '86.4 s' + n * interval '30 s' + random() * interval '29 s'
				+ n / 6 * interval '10 min' + n / 12 * interval '14 min', 'chrome.exe'
			FROM (SELECT %s + k / 100 AS i, 1 + k %% 100 AS n FROM generate_series(0, 199999) k) a$f$, store, low), 200000);
		COMMIT;
	END LOOP;
END
$$;
