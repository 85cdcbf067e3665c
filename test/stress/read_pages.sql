-- Pages, windows that cut, filters and counts.
\set back random(1, 30)
\set page random(0, 8)
\set user random(0, 190)
BEGIN ISOLATION LEVEL @level@ READ ONLY;
SELECT count(s) FROM ekran_sessions(NULL, NULL, 100, :page) s;
SELECT count(s) FROM ekran_sessions(clock() - :back * interval '1 hour', clock() - interval '50 minutes', 100) s;
SELECT ekran_sessions_total_count(clock() - :back * interval '1 hour'), ekran_sessions_total_count();
SELECT count(s) FROM ekran_sessions(clock() - :back * interval '1 hour', NULL, 50, 0, ARRAY[:user, :user + 1]) s;
COMMIT;
