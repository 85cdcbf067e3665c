-- Sample data for a store: two working weeks of an office with 50 users.
--
-- Usage: psql -X -v store=ekran -f script/sample_data.sql
--
-- The same data at any time, on any server: nothing here depends on random(),
-- now(), TimeZone or locale. The store must be empty; on error nothing changes.

\set ON_ERROR_STOP on
\set first_monday '2026-03-02'
\set recording_ends '2026-03-13 17:15:00+00'

BEGIN;

-- Stands in for random(): a number from 0 to below 1, always the same for the
-- same purpose and numbers. sha256() is the same on every server.
CREATE FUNCTION pg_temp.chance(purpose text, a integer, b integer, c integer DEFAULT 0)
RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
	SELECT ('x' || encode(substr(sha256(
			(purpose || ' ' || a::text || ' ' || b::text || ' ' || c::text)::bytea
		), 1, 4), 'hex'))::bit(32)::bigint / 4294967296.0::double precision
$$;

-- A time span from the shortest to the longest, to the microsecond.
CREATE FUNCTION pg_temp.span(shortest interval, longest interval, purpose text, a integer, b integer, c integer DEFAULT 0)
RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
	SELECT shortest + (longest - shortest) * pg_temp.chance(purpose, a, b, c)
$$;

--
-- Users and their computers
--

INSERT INTO :"store".app_user (user_id, user_name)
SELECT number, name
FROM unnest(string_to_array(
	'Anna Kovacs,Brian Walsh,Carla Mendes,Daniel Novak,Elena Petrova,'
	'Farid Haddad,Grace Okafor,Henrik Larsen,Ines Moreau,Jakub Zielinski,'
	'Keiko Tanaka,Liam O''Connor,Maria Santos,Nikhil Rao,Olga Shevchenko,'
	'Pablo Ortega,Quinn Harper,Rosa Bianchi,Stefan Weber,Tamara Ilic,'
	'Umar Siddiqui,Vera Lindqvist,Wei Zhang,Ximena Rojas,Yusuf Demir,'
	'Zoe Fischer,Adam Horvath,Beatriz Lopes,Chen Liu,Dora Szabo,'
	'Emil Johansson,Fatima Rahman,George Miller,Hana Svoboda,Ivan Bondar,'
	'Julia Schmidt,Karim Aziz,Lucia Romano,Martin Dvorak,Nadia Popescu,'
	'Oscar Nilsson,Priya Sharma,Robert Evans,Sofia Costa,Tomasz Nowak,'
	'Ursula Keller,Viktor Melnyk,Wanda Krol,Yara Nasser,Zoltan Farkas',
	',')) WITH ORDINALITY AS listed (name, number);

-- 24 workstations and 6 terminal servers.
CREATE TEMPORARY TABLE computer ON COMMIT DROP AS
SELECT
	number,
	encode(substr(sha256(('computer ' || number)::bytea), 1, 16), 'hex')::uuid AS client_guid,
	CASE WHEN number <= 24 THEN 'WS-' || 100 + number ELSE 'TS-' || number - 24 END AS client_name
FROM generate_series(1, 30) AS number;

INSERT INTO :"store".client (client_guid, client_name)
SELECT client_guid, client_name
FROM computer
ORDER BY number;

-- Users 1 to 24 have a workstation each; the others share the terminal servers.
CREATE TEMPORARY TABLE employee ON COMMIT DROP AS
SELECT
	user_id,
	client_guid,
	user_id > 47 AS is_on_night_shift
FROM :"store".app_user
JOIN computer ON number = CASE WHEN user_id <= 24 THEN user_id ELSE 25 + user_id % 6 END;

--
-- Days at work
--

-- What kind of day it was for each user:
--   ordinary   one session from coming to leaving
--   split      logged out for lunch, so two sessions
--   crashed    the computer crashed: a session without logout, then another one
--   forgotten  stayed logged in overnight, and logged out early next morning
--   late       logged in again in the evening, and did nothing
-- Users with a day off have no row.
CREATE TEMPORARY TABLE workday ON COMMIT DROP AS
WITH dated AS (
	SELECT
		user_id,
		is_on_night_shift,
		day,
		-- Five working days, then a weekend.
		(date :'first_monday' + day + 2 * (day / 5))::timestamp AT TIME ZONE 'UTC' AS midnight,
		pg_temp.chance('kind of day', user_id, day) AS luck
	FROM employee
	CROSS JOIN generate_series(0, 9) AS day
), begun AS (
	SELECT
		*,
		midnight
			+ CASE WHEN is_on_night_shift THEN interval '21:40' ELSE interval '07:40' END
			+ pg_temp.span('0:00', '0:50', 'coming', user_id, day) AS begins
	FROM dated
)
SELECT
	user_id,
	day,
	midnight,
	begins,
	begins + CASE
		WHEN is_on_night_shift THEN pg_temp.span('8:00', '8:20', 'leaving', user_id, day)
		ELSE pg_temp.span('9:05', '9:40', 'leaving', user_id, day)
	END AS ends,
	CASE
		WHEN is_on_night_shift OR luck > 0.40 THEN 'ordinary'
		WHEN luck > 0.15 THEN 'split'
		WHEN luck > 0.12 THEN 'crashed'
		-- Nobody comes early on a Saturday.
		WHEN luck > 0.09 AND day % 5 < 4 THEN 'forgotten'
		ELSE 'late'
	END AS kind
FROM begun
WHERE luck > 0.04;

-- Time away from the computer. Breaks up to 15 minutes are not idle time, so
-- some of each sort are shorter and some longer.
CREATE TEMPORARY TABLE break ON COMMIT DROP AS
WITH sort (number, name, earliest, likelihood, shortest, longest) AS (
	VALUES
		(1, 'coffee', interval '1:20', 0.8, interval '0:05', interval '0:28'),
		(2, 'meeting', interval '2:30', 0.5, interval '0:20', interval '1:10'),
		(3, 'lunch', interval '4:10', 1.0, interval '0:25', interval '1:00'),
		(4, 'call', interval '6:00', 0.6, interval '0:10', interval '0:45'),
		(5, 'coffee', interval '7:20', 0.7, interval '0:05', interval '0:28')
)
SELECT
	user_id,
	day,
	name,
	went,
	went + pg_temp.span(shortest, longest, 'length of break', user_id, day, number) AS returned
FROM workday
CROSS JOIN sort
CROSS JOIN LATERAL (
	SELECT begins + earliest + pg_temp.span('0:00', '0:30', 'break', user_id, day, number) AS went
) AS away
WHERE pg_temp.chance('whether to break', user_id, day, number) < likelihood
UNION ALL
SELECT user_id, day, 'night', ends, midnight + interval '31:05'
FROM workday
WHERE kind = 'forgotten';

--
-- Sessions
--

-- Nothing happens from works_until on, whether there is a logout or not.
CREATE TEMPORARY TABLE sample_session ON COMMIT DROP AS
WITH crash AS (
	SELECT
		user_id,
		day,
		begins + pg_temp.span('1:30', '7:30', 'crash', user_id, day) AS crashed
	FROM workday
), parted AS (
	-- When the first session of the day ends, and the second one, if any, begins.
	SELECT
		user_id,
		day,
		kind,
		begins,
		CASE kind
			WHEN 'split' THEN went
			WHEN 'crashed' THEN crashed
			WHEN 'forgotten' THEN midnight + pg_temp.span('31:10', '31:35', 'morning', user_id, day)
			ELSE ends
		END AS first_ends,
		CASE kind
			WHEN 'split' THEN returned
			WHEN 'crashed' THEN crashed + pg_temp.span('0:03', '0:09', 'reboot', user_id, day)
			WHEN 'late' THEN ends + pg_temp.span('1:00', '3:00', 'late', user_id, day)
		END AS second_begins,
		ends
	FROM workday
	JOIN break USING (user_id, day)
	JOIN crash USING (user_id, day)
	WHERE name = 'lunch'
), session AS (
	SELECT
		user_id,
		day,
		begins AS login_date,
		CASE WHEN kind <> 'crashed' THEN first_ends END AS logout_date,
		first_ends AS works_until
	FROM parted
	UNION ALL
	SELECT
		user_id,
		day,
		second_begins,
		CASE
			WHEN kind = 'late' THEN second_begins + pg_temp.span('0:02', '0:14', 'late logout', user_id, day)
			ELSE ends
		END,
		CASE WHEN kind = 'late' THEN second_begins ELSE ends END
	FROM parted
	WHERE second_begins IS NOT NULL
)
SELECT
	row_number() OVER (ORDER BY login_date, user_id)::integer AS session_id,
	user_id,
	day,
	login_date,
	-- Who is logged in when the recording ends has a session that runs.
	CASE WHEN logout_date <= :'recording_ends' THEN logout_date END AS logout_date,
	least(works_until, :'recording_ends') AS works_until
FROM session
WHERE login_date < :'recording_ends';

INSERT INTO :"store".session (session_id, client_guid, user_id, login_date, logout_date)
SELECT session_id, client_guid, user_id, login_date, logout_date
FROM sample_session
JOIN employee USING (user_id)
ORDER BY session_id;

--
-- Activities
--

CREATE TEMPORARY TABLE used_window (number, application, url, title) ON COMMIT DROP AS
VALUES
	-- The most used ones come first.
	(0, 'outlook.exe', NULL, 'Inbox - Outlook'),
	(1, 'excel.exe', NULL, 'Budget 2026.xlsx - Excel'),
	(2, 'chrome.exe', 'https://crm.example.com/accounts', 'Accounts - CRM - Google Chrome'),
	(3, 'Teams.exe', NULL, 'Chat | Microsoft Teams'),
	(4, 'chrome.exe', 'https://intranet.example.com/', 'Intranet - Google Chrome'),
	(5, 'winword.exe', NULL, 'Quarterly report.docx - Word'),
	(6, 'msedge.exe', 'https://tickets.example.com/queue/open', 'Open tickets - Microsoft Edge'),
	(7, 'outlook.exe', NULL, 'Calendar - Outlook'),
	(8, 'excel.exe', NULL, 'Orders March.xlsx - Excel'),
	(9, 'chrome.exe', 'https://crm.example.com/leads?status=new', 'New leads - CRM - Google Chrome'),
	(10, 'Teams.exe', NULL, 'Weekly meeting | Microsoft Teams'),
	(11, 'explorer.exe', NULL, '\\fileserver\shared\projects'),
	(12, 'AcroRd32.exe', NULL, 'Contract 2026-017.pdf - Adobe Acrobat Reader'),
	(13, 'chrome.exe', 'https://www.example.org/search?q=exchange+rates', 'exchange rates - Search - Google Chrome'),
	(14, 'powerpnt.exe', NULL, 'Kick-off.pptx - PowerPoint'),
	(15, 'Code.exe', NULL, 'report.sql - analytics - Visual Studio Code'),
	(16, 'firefox.exe', 'https://wiki.example.com/display/HR/Holidays', 'Holidays - Wiki - Mozilla Firefox'),
	(17, 'notepad.exe', NULL, 'todo.txt - Notepad'),
	(18, 'mstsc.exe', NULL, 'TS-3 - Remote Desktop Connection'),
	(19, 'calc.exe', NULL, 'Calculator');

-- Something happens in each minute at work, 20 to 100 seconds after what
-- happened before. A window stays in use for six minutes.
INSERT INTO :"store".activity (session_id, activity_date, application, url, title)
WITH happened AS MATERIALIZED (
	SELECT
		session_id,
		user_id,
		day,
		minute,
		login_date
			+ minute * interval '1 minute'
			+ pg_temp.span('0:00:00', '0:00:40', 'second', session_id, minute) AS activity_date,
		works_until
	FROM sample_session
	CROSS JOIN LATERAL
		generate_series(0, floor(extract(epoch FROM works_until - login_date) / 60)::integer) AS minute
)
SELECT session_id, activity_date, application, url, title
FROM happened
-- Squared, so that the windows in front are taken more often.
JOIN used_window ON number = floor(20 * pg_temp.chance('window', session_id, minute / 6) ^ 2)
WHERE activity_date < works_until
	AND NOT EXISTS (
		SELECT
		FROM break
		WHERE break.user_id = happened.user_id
			AND break.day = happened.day
			AND activity_date >= went
			AND activity_date < returned
	)
-- As they would have arrived.
ORDER BY activity_date, session_id;

DROP FUNCTION pg_temp.span, pg_temp.chance;

COMMIT;
