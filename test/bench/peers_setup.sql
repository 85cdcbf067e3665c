-- What a page is measured on against other databases. Variables: sessions a page,
-- activities a session.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

SELECT bench.create_store('usual'), bench.fill_store('usual', :sessions, :activities, false) \g /dev/null

-- The pages: without a window, and in one that cuts all sessions at both ends. It begins
-- and ends at activities of the last one, for a bound's own moment is not inside.
CREATE TABLE bench.page (page text PRIMARY KEY, start timestamptz, "end" timestamptz);
INSERT INTO bench.page
VALUES ('whole', NULL, NULL);
INSERT INTO bench.page
SELECT 'cut', percentile_disc(0.2) WITHIN GROUP (ORDER BY activity_date), percentile_disc(0.6) WITHIN GROUP (ORDER BY activity_date)
FROM usual.activity WHERE session_id = :sessions;

-- Rows of the pages, as ours and the others answer; durations are in microseconds.
CREATE TABLE bench.page_row (taker text, page text, place bigint, session_id bigint,
	client_guid uuid, client_name text, user_id int, user_name text, login_date timestamptz,
	logout_date timestamptz, duration bigint, productivity_time bigint, idle_time bigint);
VACUUM (ANALYZE);
CHECKPOINT;
