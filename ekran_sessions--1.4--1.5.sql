/* ekran_sessions--1.4--1.5.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION ekran_sessions UPDATE" to load this file. \quit

--
-- Many machines: a hub asks stores on many servers, its shards, as if they were one
--

CREATE FUNCTION ekran_create_hub(server name, schema name DEFAULT 'ekran_hub')
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_create_hub(name, name) IS
'Makes in the schema, or makes there anew, the functions of a hub over the shards of a foreign server of PL/Proxy: those of the extension that read, by the same names, with the same arguments and rows, and those that they ask the shards by. The extension is to be on each shard, in a schema of the same name as here. Errors: 42501 for who is no superuser, for a server of another''s, and for a schema that another owns, has something in, or may create in; 42704 without PL/Proxy or the server, 42809 for a server of another foreign-data wrapper, 22004 for a null, 22023 for the extension''s own schema, 42939 for a reserved one, 25001 outside of READ COMMITTED.';

-- What a shard tells a hub.  The first ten arguments are what its caller has set and
-- asked for.  Rows come packed, many in a bytea, and no setting has a part in how they
-- travel: moments are microseconds since the beginning of 2000 in UTC, spans of time
-- microseconds.

CREATE FUNCTION ekran_part_sessions(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	after_login bigint,
	after_session_id bigint,
	until_login bigint,
	until_session_id bigint,
	wanted bigint,
	is_named boolean,
	is_ranked boolean,
	is_counted boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1000;

COMMENT ON FUNCTION ekran_part_sessions(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint, bigint, bigint, bigint, bigint, boolean, boolean, boolean) IS
'For a hub: a row with how many sessions lie up to the place after, if is_ranked, and in all, if is_counted; then the sessions of ekran_sessions_all beyond that place up to the place until, as many as are wanted at the most, with names, if is_named. Errors: as ekran_sessions, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_steps(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	after_login bigint,
	after_session_id bigint,
	until_login bigint,
	until_session_id bigint,
	wanted bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_steps(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint, bigint, bigint, bigint, bigint) IS
'For a hub: where so many sessions of ekran_sessions_all lie beyond the place after up to the place until, from one login to another; or, of a few, the first that are wanted. Errors: as ekran_sessions, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_total_count(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_total_count(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean) IS
'For a hub: how many sessions the window selects. Errors: as ekran_sessions_total_count, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_login(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	session_id bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_login(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint) IS
'For a hub: when a session began, by the table session; no row for one that is not here, or not visible to the caller. Errors: as ekran_sessions_after, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_usage(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	is_of_urls boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000;

COMMENT ON FUNCTION ekran_part_usage(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, boolean) IS
'For a hub: the rows of ekran_application_statistics, or those of ekran_url_statistics, with the login of each session. Errors: as these, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_productivity(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000;

COMMENT ON FUNCTION ekran_part_productivity(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean) IS
'For a hub: the rows of ekran_user_productivity; day counts from the beginning of 2000. Errors: as there, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_timeline(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	session_id bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION ekran_part_timeline(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint) IS
'For a hub: of a session that is here and visible to the caller a row of nulls, then the rows of ekran_session_timeline; of others none. Errors: as there, and 22004 for a null but of users and clients.';

--
-- Retention
--

COMMENT ON FUNCTION ekran_drop_activity_before(timestamp with time zone) IS
'Deletes the sessions whose logout lies before the moment, as ekran_purge() does, and drops the partitions of activity that end by then and have activities of no other sessions, which takes them along at once. Returns the number of sessions, the partitions dropped, and those as old that sessions which stay have activities in; those of the present and the future stay. Errors: 22023 for null, 42809 where activity is not partitioned by ranges of activity_date, and for a store of views, 25001 outside of READ COMMITTED, 55006 while a statement on sessions or activities is in progress, 40001 where others write to a partition that is to go, or have read it, or the default one, by its own name, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one; the server''s own where something depends on a partition, or it belongs to somebody else.';
