-- Sessions that ended more than a day ago go.
BEGIN ISOLATION LEVEL @level@;
SELECT ekran_purge(clock() - interval '1 day');
COMMIT;
