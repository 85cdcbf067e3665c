-- The pages by ours, and by hand; fails unless all rows are those that DuckDB has given.
-- Variable: the runs.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET jit = off;
SET ekran_sessions.store = 'usual';

CREATE FUNCTION bench.page_queries(OUT taker text, OUT page text, OUT query text) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT 'ours', page, format('SELECT * FROM ekran_sessions(%L, %L)', start, "end")
	FROM bench.page
	UNION ALL
	SELECT 'SQL by hand', page,
		bench.by_hand('usual', coalesce(start, '-infinity') || ',' || coalesce("end", 'infinity'))
	FROM bench.page
$$;

CREATE FUNCTION bench.microseconds(i interval) RETURNS bigint LANGUAGE sql AS $$
	SELECT (extract(epoch FROM i) * 1000000)::bigint
$$;

SELECT format($q$
	INSERT INTO bench.page_row
	SELECT %L, %L, r.* FROM (
		SELECT row_number() OVER (), session_id, client_guid, client_name, user_id, user_name, login_date, logout_date,
			bench.microseconds(duration), bench.microseconds(productivity_time), bench.microseconds(idle_time)
		FROM (%s) q (session_id, client_guid, client_name, user_id, user_name, login_date, logout_date,
			duration, productivity_time, idle_time)) r$q$, taker, page, query)
FROM bench.page_queries() \gexec

-- Every value of every row, against ours in the same place.
DO $$
DECLARE
	differing record;
BEGIN
	IF NOT EXISTS (SELECT FROM bench.page_row WHERE taker = 'ours') THEN
		RAISE 'there are no rows to compare';
	END IF;
	FOR differing IN
		WITH value AS (
			SELECT r.taker, r.page, r.place, c.key, c.value
			FROM bench.page_row r, jsonb_each_text(to_jsonb(r) - '{taker,page,place}'::text[]) c
		), expected AS (
			SELECT t.taker, v.page, v.place, v.key, v.value
			FROM (SELECT DISTINCT taker FROM bench.page_row) t, value v
			WHERE v.taker = 'ours'
		)
		SELECT taker, page, key, count(*) AS rows, min(place) AS place,
			(array_agg(e.value ORDER BY place))[1] AS ours, (array_agg(v.value ORDER BY place))[1] AS theirs
		FROM expected e FULL JOIN value v USING (taker, page, place, key)
		WHERE e.value IS DISTINCT FROM v.value
		GROUP BY taker, page, key
	LOOP
		RAISE '%: % differs from ours in % rows of the page "%", first in row %: it is %, ours is %',
			differing.taker, differing.key, differing.rows, differing.page, differing.place,
			coalesce(differing.theirs, 'absent'), coalesce(differing.ours, 'absent');
	END LOOP;
END
$$;

INSERT INTO bench.round
SELECT page || ' ' || taker, taker = 'ours',
	bench.median_ms(query, CASE taker WHEN 'ours' THEN :runs ELSE greatest(:runs / 10, 3) END)
FROM bench.page_queries();

INSERT INTO bench.result (measure, unit, ours, reference, reached)
SELECT CASE page WHEN 'whole' THEN 'page without a window' ELSE 'page in a window that cuts all at both ends' END
		|| ', against ' || taker, 'ms',
	(SELECT value FROM bench.round WHERE measure = page || ' ours'),
	percentile_cont(0.5) WITHIN GROUP (ORDER BY value), 'faster'
FROM (SELECT DISTINCT taker, page FROM bench.page_row WHERE taker <> 'ours') t
JOIN bench.round r ON r.measure = page || ' ' || taker
GROUP BY page, taker
ORDER BY page = 'cut', taker = 'SQL by hand' DESC, taker;
