-- Sessions that have been silent are closed.
BEGIN ISOLATION LEVEL @level@;
SELECT count(*) FROM ekran_close_sessions('4 hours', clock());
COMMIT;
