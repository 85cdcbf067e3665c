-- The host of a url, by a table of awkward ones; the expected hosts were worked out by
-- hand from the rule's wording.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/independent_statistics.sql
\i test/awkward_urls.sql
\set ECHO all
SELECT ekran_create_store('hosts');
SET ekran_sessions.store = 'hosts';
SET search_path = hosts, public;

-- A session for each url, which has a minute.
CREATE TABLE testing.numbered_url AS
SELECT row_number() OVER (ORDER BY url) AS session_id, url, host FROM testing.awkward_url;
INSERT INTO session (session_id, login_date, logout_date)
SELECT session_id, testing.at('08:00'), testing.at('08:01') FROM testing.numbered_url;
INSERT INTO activity (session_id, activity_date, url)
SELECT session_id, testing.at('08:00'), url FROM testing.numbered_url;
SELECT count(*) > 150 AS enough, count(host) > 60 AS with_hosts FROM testing.numbered_url;
SELECT u.url, u.host AS expected, s.host
FROM testing.numbered_url u FULL JOIN ekran_url_statistics() s USING (session_id)
WHERE u.host IS DISTINCT FROM s.host OR s.duration <> '1 minute';
SELECT url, host AS expected, independent.host(url) FROM testing.awkward_url
WHERE host IS DISTINCT FROM independent.host(url);
-- without the index's order, by a query: the same
CREATE VIEW testing.by_index AS SELECT * FROM ekran_url_statistics();
CREATE TABLE testing.kept AS SELECT * FROM testing.by_index;
ALTER TABLE activity DROP CONSTRAINT activity_pkey;
SELECT count(*) FROM (TABLE testing.kept EXCEPT TABLE testing.by_index) d;
-- a host longer than a page of the server, and one stored apart
INSERT INTO session (session_id, login_date, logout_date) VALUES (1001, testing.at('08:00'), testing.at('08:01'));
INSERT INTO activity (session_id, activity_date, url)
SELECT 1001, testing.at('08:00'), 'http://' || string_agg(md5(i::text), '.') || '/' FROM generate_series(1, 1000) i;
SELECT length(host), host = (SELECT string_agg(md5(i::text), '.') FROM generate_series(1, 1000) i) AS is_equal
FROM ekran_url_statistics() WHERE session_id = 1001;
DROP SCHEMA hosts CASCADE;
DROP VIEW testing.by_index;
DROP TABLE testing.kept, testing.numbered_url;
