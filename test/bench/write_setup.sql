-- What writing is measured with.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

-- A store of sessions with six activities each, 5 minutes apart, which come in
-- ten transactions: a fifth of the sessions, half of their activities each.
CREATE PROCEDURE bench.load_store(store name, sessions int)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM bench.create_store(store);
	PERFORM bench.fill_sessions(store, sessions);
	COMMIT;
	FOR i IN 0..9 LOOP
		EXECUTE format($f$
			INSERT INTO %1$I.activity (session_id, activity_date)
			SELECT session_id, login_date + n * interval '5 min'
			FROM %1$I.session, generate_series(1 + $2 %% 2 * 3, 3 + $2 %% 2 * 3) n
			WHERE session_id > $1::bigint * ($2 / 2) / 5 AND session_id <= $1::bigint * ($2 / 2 + 1) / 5$f$, store)
			USING sessions, i;
		COMMIT;
	END LOOP;
END
$$;

-- Fail unless the gaps of a store are those of the reference.
CREATE FUNCTION bench.check_gaps(store name) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	differing bigint;
BEGIN
	EXECUTE format($f$
		SELECT count(*)
		FROM bench.gaps g FULL JOIN %I.session_idle i USING (session_id)
		WHERE i.generation IS NULL AND (g.gap_start, g.gap_end) IS DISTINCT FROM (i.gap_start, i.gap_end)$f$, store) INTO differing;
	IF differing > 0 THEN
		RAISE 'the gaps of % sessions are not those of the reference', differing;
	END IF;
END
$$;

-- The gaps of a store, as one ordered pass over its activities has them.
CREATE TABLE bench.gaps (session_id bigint PRIMARY KEY, gap_start timestamptz[] NOT NULL,
	gap_end timestamptz[] NOT NULL);
CREATE FUNCTION bench.ordered_pass(store name) RETURNS text LANGUAGE sql AS $$
	SELECT format($f$
		INSERT INTO bench.gaps
		SELECT session_id,
			'{-infinity}' || array_agg(activity_date) FILTER (WHERE next IS NULL OR next - activity_date > interval '1 min'),
			array_agg(activity_date) FILTER (WHERE previous IS NULL OR activity_date - previous > interval '1 min') || '{infinity}'
		FROM (SELECT session_id, activity_date, lag(activity_date) OVER w AS previous, lead(activity_date) OVER w AS next
			FROM %I.activity WINDOW w AS (PARTITION BY session_id ORDER BY activity_date)) a
		GROUP BY session_id$f$, store)
$$;

-- For inserts and COPY: a store, the same without triggers, and the same with a
-- foreign key instead of them.
SELECT bench.create_store('ours'), bench.create_bare_store('bare'), bench.create_bare_store('keyed') \g /dev/null
ALTER TABLE keyed.activity ADD FOREIGN KEY (session_id) REFERENCES keyed.session ON DELETE CASCADE;
SELECT bench.fill_sessions(s, 500) FROM unnest(ARRAY['ours', 'keyed']) s \g /dev/null

CREATE SEQUENCE bench.session_id START 1000;
-- For sessions one by one: the same without triggers, and that with the indexes that
-- a store had before filters and session_count.
SELECT bench.create_bare_store('untold'), bench.create_bare_store('former') \g /dev/null
DROP INDEX former.session_user_id_login_date_session_id_idx, former.session_client_guid_login_date_session_id_idx,
	former.session_tstzrange_idx, former.session_running_idx;
CREATE INDEX ON former.session USING gist (tstzrange(login_date, logout_date));
VACUUM (ANALYZE);
