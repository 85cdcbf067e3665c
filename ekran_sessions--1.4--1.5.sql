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
'Makes in the schema, or makes there anew, the functions of a hub over the shards of a foreign server of PL/Proxy: those of the extension that read, by the same names, with the same arguments and rows, and those that they ask the shards by. The extension is to be on each shard, in a schema of the same name as here. Errors: 42501 for who is no superuser, and for a schema, or functions in it, of somebody who could change what callers run; 42704 without PL/Proxy or the server, 42809 for a server of another foreign-data wrapper, 22004 for a null, 22023 for the extension''s own schema.';

-- What a shard tells a hub.  The first eight arguments are what its caller has set and
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

COMMENT ON FUNCTION ekran_part_sessions(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], bigint, bigint, bigint, bigint, bigint, boolean, boolean, boolean) IS
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
	after_login bigint,
	after_session_id bigint,
	until_login bigint,
	until_session_id bigint,
	wanted bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_steps(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], bigint, bigint, bigint, bigint, bigint) IS
'For a hub: where so many sessions of ekran_sessions_all lie beyond the place after up to the place until, from one login to another; or, of a few, the first that are wanted. Errors: as ekran_sessions, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_total_count(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[])
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_total_count(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
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
	session_id bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_login(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], bigint) IS
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
	is_of_urls boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000;

COMMENT ON FUNCTION ekran_part_usage(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean) IS
'For a hub: the rows of ekran_application_statistics, or those of ekran_url_statistics, with the login of each session. Errors: as these, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_productivity(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[])
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000;

COMMENT ON FUNCTION ekran_part_productivity(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
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
	session_id bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION ekran_part_timeline(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], bigint) IS
'For a hub: of a session that is here and visible to the caller a row of nulls, then the rows of ekran_session_timeline; of others none. Errors: as there, and 22004 for a null but of users and clients.';
