-- A store, "ekran", with what drivers get wrong: ids beyond 2^53, names with quotes, tabs
-- and emoji, nulls, microseconds, intervals beyond a day; 2 400 sessions in one month,
-- three pages of a thousand. Made by a superuser; read as README.md grants it, by "ana",
-- who has a password for what comes by TCP: psql --set password=...
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

CREATE EXTENSION ekran_sessions;
CREATE ROLE ekran_owner;
CREATE ROLE ekran_reader;
CREATE ROLE ekran_analyst;
CREATE ROLE ana LOGIN PASSWORD :'password';
GRANT ekran_reader TO ekran_analyst;
GRANT ekran_analyst TO ana;
CREATE SCHEMA ekran AUTHORIZATION ekran_owner;

SET ROLE ekran_owner;
SELECT ekran_create_store() \g /dev/null
GRANT USAGE ON SCHEMA ekran TO ekran_reader;
GRANT SELECT ON ekran.session, ekran.client, ekran.app_user TO ekran_reader;
GRANT SELECT (session_id, activity_date) ON ekran.activity TO ekran_reader;
GRANT SELECT ON ekran.session_idle, ekran.pending, ekran.session_count TO ekran_reader;
GRANT SELECT (activity_id, application, url) ON ekran.activity TO ekran_analyst;
SELECT format('GRANT SELECT ON %s TO ekran_reader', oid::regclass)
	FROM pg_class WHERE relnamespace = 'ekran'::regnamespace AND relkind = 'v' \gexec

INSERT INTO ekran.client VALUES
	('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'PC "1" of O''Brien'),
	('ffffffff-ffff-ffff-ffff-ffffffffffff', 'Büro 2 – 日本'),
	('00000000-0000-0000-0000-0000000000ff', NULL);
INSERT INTO ekran.app_user VALUES
	(7, 'Zoë "Z" O''Neill 🦊'), (8, E'tab\tline\nback\\slash'), (9, ''), (10, '\N'), (11, NULL),
	(-2147483648, 'ÄÖÜ äöü ß'), (2147483647, '{"json": [1, null]}');

-- Chosen ones, of the first days of March.
INSERT INTO ekran.session VALUES
	(9223372036854775807, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 7, '2024-03-01 08:00:00.000001', '2024-03-01 09:30:00.999999'),
	(9007199254740993, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 8, '2024-03-01 08:00:00.123456', '2024-03-04 12:00:00.654321'),
	(-9223372036854775808, NULL, NULL, '2024-03-02 10:00', NULL),
	(-1, '00000000-0000-0000-0000-0000000000ff', 9, '2024-03-02 11:00:00.1', '2024-03-02 11:00:00.1'),
	(5, NULL, 2147483647, '2024-03-02 12:00', '2024-03-02 12:40'),
	(6, NULL, -2147483648, '2024-03-02 12:00:00.25', NULL),
	(7, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 11, '2024-02-29 23:50', '2024-03-01 00:10'),
	-- has no moment in any window that lies within its gap
	(8, NULL, 10, '2024-02-20 00:00', '2024-04-20 00:00');
INSERT INTO ekran.activity (session_id, activity_date, application, url) VALUES
	(9223372036854775807, '2024-03-01 08:01:00.000003', 'excel.exe', NULL),
	(9223372036854775807, '2024-03-01 08:05:00.5', 'Überprüfung "x".exe', 'https://Ümlaut.example:8080/a?b=c'),
	(9223372036854775807, '2024-03-01 09:00:00.000009', NULL, 'https://example.com/'),
	(9007199254740993, '2024-03-02 00:00:00.000001', '🦊fox', 'example.org/x'),
	(9007199254740993, '2024-03-02 00:10:00.000002', E'a\tb\\c', 'about:blank'),
	(-9223372036854775808, '2024-03-02 10:10:00.7', 'chrome.exe', 'HTTPS://EXAMPLE.COM/"q"'),
	(5, '2024-03-02 12:20', 'psql', NULL),
	(7, '2024-03-01 00:00:00.000001', 'psql', NULL);

-- And 2 400 in a row, five with the same login, with ids on both sides of 2^53; each eighth
-- runs.
INSERT INTO ekran.session
SELECT 9007199254740992 + 7 * (i - 1200) + 2,
	CASE i % 3 WHEN 0 THEN '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid
		WHEN 1 THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid END,
	CASE WHEN i % 4 > 0 THEN 6 + i % 4 END,
	'2024-03-10'::timestamptz + i / 5 * interval '50 min 0.000007 s',
	CASE WHEN i % 8 <> 1 THEN '2024-03-10'::timestamptz + i / 5 * interval '50 min 0.000007 s' + i % 100 * interval '17 min 0.000011 s' END
FROM generate_series(1, 2400) i;
INSERT INTO ekran.activity (session_id, activity_date, application, url)
SELECT s.session_id, s.login_date + j * interval '13 min 0.000013 s',
	(ARRAY['excel.exe', 'chrome.exe', NULL, 'Bücher.exe'])[1 + j % 4],
	(ARRAY['https://example.com/' || j, NULL, 'https://intranet.example.net/'])[1 + j % 3]
FROM ekran.session s, generate_series(1, 3) j
WHERE s.login_date >= '2024-03-10' AND (s.logout_date IS NULL OR s.login_date + j * interval '13 min 0.000013 s' <= s.logout_date);

RESET ROLE;
VACUUM ANALYZE ekran.session, ekran.activity;
