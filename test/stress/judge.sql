-- What was found, and what of it is wrong. stress.run tells how long ours ran.

CREATE TABLE stress.run (seconds float8, twin_seconds float8);

-- Each client's errors, of which "caught" ones are in the log for the purpose.
CREATE VIEW stress.parsed AS
SELECT split_part(l ->> 'application_name', ' ', 1) AS side, split_part(l ->> 'application_name', ' ', 2) AS kind,
	l ->> 'error_severity' AS severity, l ->> 'state_code' AS state, l ->> 'message' AS message,
	l ->> 'detail' AS detail
FROM (SELECT line::jsonb AS l FROM stress.log) lines;
CREATE TABLE stress.logged AS SELECT * FROM stress.parsed;

CREATE VIEW stress.error AS
SELECT kind, state, count(*) FILTER (WHERE side = 'ekran') AS ours, count(*) FILTER (WHERE side = 'twin') AS twin,
	min(message) FILTER (WHERE side = 'ekran') AS message
FROM stress.logged
WHERE side IN ('ekran', 'twin') AND (severity IN ('ERROR', 'FATAL', 'PANIC') OR message LIKE 'caught:%')
GROUP BY kind, state;

-- What came with ours and not with the twin, and how probable that is of an error that
-- a transaction of that kind gets as often with both.
CREATE VIEW stress.new_error AS
SELECT e.kind, e.state, e.ours, e.message, o.transactions + refused.ours AS tries, coalesce(t.transactions, 0) + refused.twin AS "twin's tries",
	power((o.transactions + refused.ours) / (o.transactions + refused.ours + coalesce(t.transactions, 0) + refused.twin), e.ours)::numeric(10, 6) AS probability
FROM stress.error e
JOIN stress.done o ON o.kind = e.kind AND o.side = 'ekran' LEFT JOIN stress.done t ON t.kind = e.kind AND t.side = 'twin',
	LATERAL (SELECT sum(a.ours) AS ours, sum(a.twin) AS twin FROM stress.error a WHERE a.kind = e.kind) refused
WHERE e.ours > 0 AND e.twin = 0;

-- Who met in a deadlock: the beginnings of their statements.
CREATE VIEW stress.deadlock_report AS
SELECT statements AS "who met", count(*) FILTER (WHERE side = 'ekran') AS ours, count(*) FILTER (WHERE side = 'twin') AS twin
FROM stress.logged, LATERAL (
	SELECT string_agg(left(regexp_replace(m[1], '\d+', 'n', 'g'), 60), ' / ' ORDER BY left(m[1], 30)) AS statements
	FROM regexp_matches(detail, '^Process \d+: (.*)$', 'gn') m) s
WHERE state = '40P01' GROUP BY statements;

-- Of a part of the run, the most that was sampled.
CREATE FUNCTION stress.most_memory(from_share float8, to_share float8)
RETURNS TABLE (pid int, kilobytes bigint) LANGUAGE sql STABLE AS $$
	SELECT pid, max(kilobytes) FROM stress.memory, stress.run
	WHERE elapsed > seconds * from_share AND elapsed <= seconds * to_share GROUP BY pid
$$;
CREATE FUNCTION stress.most(of_relation text, from_share float8, to_share float8,
	OUT heap bigint, OUT indexes bigint, OUT live bigint, OUT sessions bigint) LANGUAGE sql STABLE AS $$
	SELECT max(heap), max(indexes), max(live),
		(SELECT max(s.live) FROM stress.size s, stress.run
			WHERE s.relation = 'session' AND s.elapsed > seconds * from_share AND s.elapsed <= seconds * to_share)
	FROM stress.size, stress.run
	WHERE relation = of_relation AND elapsed > seconds * from_share AND elapsed <= seconds * to_share
$$;

CREATE VIEW stress.wrong AS
SELECT format('SQLSTATE %s of %s, %s times, and never with the twin: %s', state, kind, ours, message) AS what
FROM stress.new_error WHERE probability < 0.001
UNION ALL
SELECT format('SQLSTATE %s of %s, which is not one of a foreign key: %s', state, kind, message) AS what
FROM stress.error WHERE ours > 0 AND state NOT IN ('40001', '40P01', '23503', '23505')
UNION ALL
SELECT 'the server: ' || message FROM stress.logged
WHERE severity = 'PANIC' OR message ~ 'terminated by signal|was terminated|crash|TRAP'
UNION ALL
SELECT format('after %s s ekran_check(): session %s: %s', elapsed, session_id, difference) FROM stress.difference
UNION ALL
SELECT format('after %s s ekran_status() is %s: %s', elapsed, state, reason) FROM stress.status WHERE state <> 'ok'
UNION ALL
SELECT format('rows differ from the independent reading (%s): %s', what, r) FROM stress.reading r
WHERE by_page <> 0 OR by_session <> 0 OR in_total <> 0 OR in_json <> 0
UNION ALL
SELECT format('the memory of backend %s has grown from %s to %s kB', pid, early.kilobytes, late.kilobytes)
FROM stress.most_memory(0, 0.25) early JOIN stress.most_memory(0.75, 1) late USING (pid)
WHERE late.kilobytes > early.kilobytes + 10 * 1024
UNION ALL
SELECT 'no memory was sampled' WHERE NOT EXISTS (SELECT FROM stress.most_memory(0.75, 1))
UNION ALL
SELECT format('%s has grown from %s to %s bytes, its indexes from %s to %s, sessions from %s to %s', relation,
	early.heap, late.heap, early.indexes, late.indexes, early.sessions, late.sessions)
FROM unnest('{session_idle,pending,session_count}'::text[]) relation,
	LATERAL stress.most(relation, 0.25, 0.5) early, LATERAL stress.most(relation, 0.75, 1) late
WHERE greatest(late.heap - 1.5 * early.heap * greatest(late.sessions::float8 / early.sessions, 1),
	late.indexes - 1.5 * early.indexes * greatest(late.sessions::float8 / early.sessions, 1)) > 2 * 1024 * 1024;

-- The tables of the report.
CREATE VIEW stress.kind_report AS
SELECT kind, coalesce(o.transactions, 0) AS ours, round((coalesce(o.transactions, 0) / seconds)::numeric, 1) AS "a second",
	(SELECT coalesce(sum(ours), 0) FROM stress.error e WHERE e.kind = k.kind) AS errors,
	coalesce(t.transactions, 0) AS twin, round((coalesce(t.transactions, 0) / twin_seconds)::numeric, 1) AS "a second ",
	(SELECT coalesce(sum(twin), 0) FROM stress.error e WHERE e.kind = k.kind) AS "errors "
FROM stress.run, (SELECT DISTINCT kind FROM stress.done) k
LEFT JOIN stress.done o USING (kind) LEFT JOIN stress.done t USING (kind)
WHERE o.side = 'ekran' AND t.side = 'twin'
UNION ALL
SELECT 'all', o.transactions, round((o.transactions / seconds)::numeric, 1), (SELECT sum(ours) FROM stress.error),
	t.transactions, round((t.transactions / twin_seconds)::numeric, 1), (SELECT sum(twin) FROM stress.error)
FROM stress.run, (SELECT sum(transactions) AS transactions FROM stress.done WHERE side = 'ekran') o,
	(SELECT sum(transactions) AS transactions FROM stress.done WHERE side = 'twin') t;

CREATE FUNCTION stress.share(errors numeric, transactions numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN errors > 0 THEN round(100 * errors / greatest(errors, transactions), 3)::text || ' %' ELSE '' END
$$;
CREATE VIEW stress.error_report AS
SELECT e.kind, state, ours, stress.share(ours, o.transactions + refused.ours_refused) AS "of ours",
	twin, stress.share(twin, t.transactions + refused.twin_refused) AS "of the twin's"
FROM (SELECT kind, state, ours, twin FROM stress.error) e
JOIN stress.done o ON o.kind = e.kind AND o.side = 'ekran' JOIN stress.done t ON t.kind = e.kind AND t.side = 'twin',
	LATERAL (SELECT sum(a.ours) AS ours_refused, sum(a.twin) AS twin_refused FROM stress.error a WHERE a.kind = e.kind) refused;
CREATE VIEW stress.state_report AS
SELECT state, sum(ours) AS ours, round((sum(ours) / max(seconds))::numeric, 2) AS "a second",
	sum(twin) AS twin, round((sum(twin) / max(twin_seconds))::numeric, 2) AS "a second ",
	string_agg(DISTINCT split_part(kind, '.', 1), ' ') FILTER (WHERE ours > 0) AS "kinds of ours"
FROM stress.error, stress.run GROUP BY state;

CREATE VIEW stress.memory_report AS
SELECT what, count(*) AS backends, round(avg(kilobytes) / 1024, 1) AS "mean MB", round(max(kilobytes) / 1024.0, 1) AS "max MB"
FROM (SELECT 'until 1/4' AS what, * FROM stress.most_memory(0, 0.25)
	UNION ALL SELECT '1/4 to 1/2', * FROM stress.most_memory(0.25, 0.5)
	UNION ALL SELECT '1/2 to 3/4', * FROM stress.most_memory(0.5, 0.75)
	UNION ALL SELECT 'last 1/4', * FROM stress.most_memory(0.75, 1)) parts
GROUP BY what;

-- At the samples next to four moments, and the most since the one before.
CREATE VIEW stress.size_report AS
SELECT r.relation, share.name AS "at", s.live AS rows, round(s.heap / 1024.0) AS "kB", round(s.indexes / 1024.0) AS "indexes kB",
	s.dead AS "dead rows", round(most.heap / 1024.0) AS "most in that quarter: kB", round(most.indexes / 1024.0) AS "indexes kB "
FROM (VALUES (0.25, '1/4'), (0.5, '1/2'), (0.75, '3/4'), (1.0, 'end')) share (share, name), stress.run,
	unnest('{session,activity,session_idle,pending,session_count}'::text[]) WITH ORDINALITY r (relation, place),
	LATERAL (SELECT * FROM stress.size s WHERE s.relation = r.relation ORDER BY abs(elapsed - share.share * seconds) LIMIT 1) s,
	LATERAL stress.most(r.relation, share.share - 0.25, share.share) most
ORDER BY place, share.share;
