-- What tools read.
\set back random(1, 24)
SELECT count(*), sum(active_hours) FROM session_overview
WHERE login_date >= clock() - :back * interval '1 hour' AND login_date < clock() - (:back - 2) * interval '1 hour';
