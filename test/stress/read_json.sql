-- The endpoint's response.
\set back random(1, 30)
\set page random(0, 3)
SELECT length(ekran_sessions_json(clock() - :back * interval '1 hour', clock(), 100, :page)::text);
