-- Order, pages and the total count.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('paging');
SET ekran_sessions.store = 'paging';
SET search_path = paging, public;

-- Ordered by login as stored, then by id: 2 and 3 log in together, and the
-- clipped logins of 4 and 5 are the other way round.
SELECT testing.add_session(3, '08:00', '08:30');
SELECT testing.add_session(2, '08:00', '08:30');
SELECT testing.add_session(1, '09:00', '09:30');
SELECT testing.add_session(5, '06:00', '08:30', '08:20');
SELECT testing.add_session(4, '06:30', '08:30', '08:10');
SELECT session_id, login_date FROM ekran_sessions();
SELECT session_id, login_date FROM ekran_sessions(testing.at('07:00'));

TRUNCATE session, activity;
-- 2 500 sessions a second apart, ids descending; a fifth of them began before
-- the windows' start.
INSERT INTO session (session_id, login_date, logout_date)
SELECT 2500 - i, testing.at('08:00') + i * interval '1 second',
	testing.at('20:00') + i * interval '1 second'
FROM generate_series(0, 2499) i;
CREATE FUNCTION testing.page(count bigint, page bigint)
RETURNS TABLE (rows bigint, first bigint, last bigint, is_ordered boolean, total_count int)
LANGUAGE sql AS $$
	SELECT count(*), max(session_id), min(session_id),
		bool_and(session_id = (2501 - page_of.count * page - ordinality)),
		ekran_sessions_total_count(testing.at('08:08:20'))
	FROM ekran_sessions(testing.at('08:08:20'), NULL, page.count, page)
		WITH ORDINALITY
	CROSS JOIN (SELECT coalesce(page.count, 1000) AS count) AS page_of
$$;
SELECT p.*, shown.* FROM (VALUES
	(1000, 0), (1000, 1), (1000, 2), (1000, 3),
	(999, 0), (999, 1), (999, 2), (999, 3),
	(1, 0), (1, 499), (1, 500), (1, 2499), (1, 2500),
	(0, 0), (0, 1),
	(7, 357), (7, 358)) AS p (count, page), LATERAL testing.page(p.count, p.page) AS shown;
-- Null means the default.
SELECT * FROM testing.page(NULL, 0);
SELECT count(*), max(session_id) FROM ekran_sessions(count => NULL, page => NULL);
SELECT count(*), max(session_id) FROM ekran_sessions();
-- Huge pages are empty, also where page * count exceeds a bigint.
SELECT count(*) FROM ekran_sessions(page => 2147483648);
SELECT count(*) FROM ekran_sessions(page => 9223372036854775807);
SELECT count(*) FROM ekran_sessions(count => 1, page => 9223372036854775807);
SELECT count(*) FROM ekran_sessions(count => 0, page => 9223372036854775807);

-- From session to session: the same rows, without an offset.
SELECT count(*), max(session_id), min(session_id) FROM ekran_sessions_after();
SELECT count(*), max(session_id), min(session_id) FROM ekran_sessions_after(after_session_id => 1501);
SELECT count(*), max(session_id), min(session_id) FROM ekran_sessions_after(after_session_id => 501);
SELECT count(*) FROM ekran_sessions_after(after_session_id => 1);
SELECT count(*) FROM ekran_sessions_after(count => 0, after_session_id => 1501);
SELECT session_id FROM ekran_sessions_after(count => 3, after_session_id => 1501);
-- A session outside the window has its place in the order too.
SELECT session_id FROM ekran_sessions_after(testing.at('20:10'), NULL, 2, 2500);
SELECT count(*) FROM ekran_sessions_after(NULL, testing.at('08:10'), 2, 1);
-- A session inserted behind the walker's back is neither repeated nor shifts
-- what follows; pages by number would repeat a row.
SELECT session_id FROM ekran_sessions(count => 2);
INSERT INTO session (session_id, login_date) VALUES (9001, testing.at('07:00'));
SELECT session_id FROM ekran_sessions_after(count => 2, after_session_id => 2499);
SELECT session_id FROM ekran_sessions(count => 2, page => 1);
-- Same login: the id decides.
INSERT INTO session (session_id, login_date)
SELECT id, testing.at('07:00') FROM unnest(ARRAY[9003, 9002, 9000]) id;
SELECT session_id FROM ekran_sessions_after(count => 2, after_session_id => 9001);

DROP FUNCTION testing.page;
RESET search_path;
DROP SCHEMA paging CASCADE;
