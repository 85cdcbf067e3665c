-- From session to session, from one that is there.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@ READ ONLY;
SELECT count(s) FROM (SELECT session_id FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 1) l,
	LATERAL ekran_sessions_after(NULL, NULL, 100, l.session_id) s;
SELECT count(t) FROM (SELECT session_id FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 1) l,
	LATERAL ekran_session_timeline(l.session_id) t;
COMMIT;
