-- Statistics of some hours.
\set back random(2, 24)
BEGIN ISOLATION LEVEL @level@ READ ONLY;
SELECT count(*), sum(duration) FROM ekran_application_statistics(clock() - :back * interval '1 hour', clock() - (:back - 2) * interval '1 hour');
SELECT count(*), sum(total_minutes) FROM ekran_user_productivity(clock() - :back * interval '1 hour', clock());
COMMIT;
