-- What is seldom in the sessions of a day, 2026-03-03: names and applications that would
-- be markup, no name, no user, ids that a double precision can't hold, no moment in the
-- day, one moment only, and times to the microsecond.
SET TimeZone = 'UTC';

INSERT INTO ekran.app_user (user_id, user_name) VALUES
	(1, '</script><b id=pwned>'), (2, '<!--<script>'), (3, 'user 10'), (4, 'user 2'), (5, '@DATA@'), (6, NULL);

INSERT INTO ekran.session (session_id, user_id, login_date, logout_date) VALUES
	(9007199254740993, 1, '2026-03-03 08:00:00.000001', '2026-03-03 12:00:00.999999'),
	(9007199254740992, 1, '2026-03-03 09:00', '2026-03-03 10:00'),
	(3, 2, '2026-03-03 10:00', '2026-03-03 10:00'),
	(4, 3, '2026-03-02 10:00', '2026-03-04 10:00'),
	(5, NULL, '2026-03-03 11:00', NULL),
	(6, 4, '2026-03-02 23:00', '2026-03-03 01:00'),
	(7, 5, '2026-03-03 23:00', '2026-03-04 01:00'),
	(8, 6, '2026-03-03 00:00', '2026-03-03 00:10');

INSERT INTO ekran.activity (session_id, activity_date, application) VALUES
	(9007199254740993, '2026-03-03 08:10:00.000002', '<img src=x onerror="window.pwned = true">'),
	(9007199254740993, '2026-03-03 08:20:00.000003', '__proto__'),
	(9007199254740993, '2026-03-03 08:30', ''),
	(9007199254740992, '2026-03-03 09:10', E'a "quoted" \\ and\nbroken &lt;name&gt;'),
	(5, '2026-03-03 11:10', NULL),
	(5, '2026-03-03 11:12', 'constructor'),
	(5, '2026-03-03 11:20', 'constructor'),
	(6, '2026-03-03 00:30', 'night.exe'),
	(6, '2026-03-03 00:40', 'night.exe'),
	(7, '2026-03-03 23:10', 'night.exe'),
	(7, '2026-03-03 23:50', 'night.exe');

CALL ekran_maintain();
