/*-------------------------------------------------------------------------
 *
 * interleavings.c
 *	  Searches for wrong answers: runs small transactions in every
 *	  interleaving of their steps.
 *
 * After each step, and inside each open transaction, what ekran_sessions()
 * answers by the derived tables must be what it answers from activity itself,
 * under one snapshot.  At the end ekran_check() must be content, no activity
 * may be without its session, and no transaction may have failed or waited
 * that does not with a plain foreign key: on a twin of the tables that has one,
 * the same schedule is run for comparison.
 *
 * A schedule is a list of workers, such as 0 1 0 1: worker 0 takes its first
 * step, then worker 1, and so on.  The steps of a worker that waits for a lock
 * queue up until it gets it, while the others go on.
 *
 * Connects by the environment (PGHOST, PGDATABASE, ...) to a server without
 * autovacuum (a vacuum between DELETE and INSERT turns the index off) as a superuser, makes
 * databases and roles interleavings_* and drops them at the end.  Prints TAP;
 * exits with 1 if a check fails.
 *
 *	  cc -I$(pg_config --includedir) test/interleavings.c -o x -lpq
 *
 *	  x				all pairs in READ COMMITTED, and a third of what follows: all
 *					pairs in REPEATABLE READ, in SERIALIZABLE those that read, and
 *					triples in READ COMMITTED
 *	  x --smoke		all pairs in READ COMMITTED
 *	  x --full		all pairs and triples, with checks after each single step
 *	  x --only NAME[,NAME[,NAME]]
 *					all pairs of a transaction, one pair, or one triple
 *	  x --schedule NAME,NAME[,NAME] LEVEL 0 1 0 1
 *					one schedule, told in full; LEVEL is rc, rr or ser
 *	  x --free NAME,NAME[,NAME] LEVEL N
 *					N times, each worker as fast as it can
 *	  x --race N	one connection opens N sessions, another writes their first
 *					activities as soon as it can
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LENGTH(array)	((int) (sizeof(array) / sizeof((array)[0])))

#define PROCESSES		2		/* with a database each */
#define MAX_WORKERS		3
#define MAX_STATEMENTS	4
#define MAX_STEPS		(MAX_STATEMENTS + 2)
#define MAX_LENGTH		(MAX_WORKERS * MAX_STEPS)
#define MAX_SQL			1024

/* Milliseconds. */
#define LOOK_AFTER		1		/* then see whether it waits for a lock */
#define GIVE_UP_AFTER	10000

/* How much is shown of what is wrong. */
#define SHOWN_SCHEDULES	3		/* of a pair or triple */
#define SHOWN_FAULTS	4		/* of a schedule */

/* How often those of sets run without a schedule, each as fast as it can. */
#define FREE_RUNS		20

/* Dead rows of so many schedules don't slow down the next. */
#define VACUUM_EVERY	100

typedef enum Level
{
	READ_COMMITTED,
	REPEATABLE_READ,
	SERIALIZABLE
} Level;

static const char *const level_names[] = {
	"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"
};

static const char *const level_options[] = {"rc", "rr", "ser"};

/* What a transaction is, besides its statements. */
enum
{
	MAINTAINS = 1 << 0,			/* always in READ COMMITTED */
	NEVER_FAILS = 1 << 1,		/* there is no excuse on the twin */
	KEEPS_INDEX = 1 << 2,		/* nobody who writes may wait for it */
	TRUNCATES = 1 << 3,
	LOCKS_TABLES = 1 << 4,		/* against those who read, too */
	NO_BLOCK = 1 << 5,			/* each statement commits by itself */
	PREPARES = 1 << 6,
	ONLY_IN_SETS = 1 << 7,		/* not in all pairs */
	UNFOLDED = 1 << 8,			/* session 1 has never been folded */
	READS = 1 << 9				/* by our functions */
};

/*
 * In the statements, @ stands for the schema, # for the worker's number and $
 * for the process's.  Each worker inserts at moments of its own, all in
 * what was one gap.
 */
typedef struct Transaction
{
	const char *name;
	const char *statements[MAX_STATEMENTS];
	const char *on_twin;		/* instead of each statement */
	const char *end;			/* null: COMMIT */
	int			traits;
} Transaction;

#define INSERT_ACTIVITY(session, time) \
	"INSERT INTO @.activity (session_id, activity_date)" \
	" VALUES (" session ", '2024-01-01 " time "')"
#define INSERT_SESSION_1 \
	"INSERT INTO @.session (session_id, login_date, logout_date)" \
	" VALUES (1, '2024-01-01 08:00', '2024-01-01 18:00')"
#define INSERT_SESSION_3 \
	"INSERT INTO @.session (session_id, login_date)" \
	" VALUES (3, '2024-01-01 08:00')"
#define DELETE_SESSION_1 \
	"DELETE FROM @.session WHERE session_id = 1"

/*
 * Before a statement that locks several sessions: by their keys one after the other,
 * and not where they happen to lie, which differs between the store and the twin.
 */
#define BY_KEY \
	"SET LOCAL enable_bitmapscan = off; "

#define READ_SESSIONS \
	"SELECT count(*) FROM ekran_sessions()"
#define READ_TWIN \
	"SELECT count(*), count(a) FROM @.session s" \
	" LEFT JOIN @.activity a ON a.session_id = s.session_id"

static const Transaction transactions[] = {
	{"insert_old", {INSERT_ACTIVITY("1", "12:#0")}, NULL, NULL, 0},
	{"insert_pending", {INSERT_ACTIVITY("2", "12:#0")}, NULL, NULL, 0},
	{"insert_new", {INSERT_ACTIVITY("3", "12:#0")}, NULL, NULL, 0},
	{"insert_two",
		{"INSERT INTO @.activity (session_id, activity_date)"
			" VALUES (1, '2024-01-01 13:#0'), (2, '2024-01-01 13:#0'),"
		" (1, '2024-01-01 13:#5')"},
	NULL, NULL, 0},
	{"open_session", {INSERT_SESSION_3}, NULL, NULL, 0},
	{"open_with_activity",
	{INSERT_SESSION_3, INSERT_ACTIVITY("3", "10:#0")}, NULL, NULL, 0},
	{"delete_session", {DELETE_SESSION_1}, NULL, NULL, 0},
	{"reinsert_session",
	{DELETE_SESSION_1, INSERT_SESSION_1}, NULL, NULL, 0},
	{"reinsert_with_activity",
		{DELETE_SESSION_1, INSERT_SESSION_1, INSERT_ACTIVITY("1", "14:#0")},
	NULL, NULL, 0},
	{"reinsert_locking",
		{DELETE_SESSION_1,
			"SELECT FROM @.session WHERE session_id = 2 FOR UPDATE",
		INSERT_SESSION_1},
	NULL, NULL, 0},
	{"delete_two",
	{BY_KEY "DELETE FROM @.session WHERE session_id IN (1, 2)"}, NULL, NULL, 0},
	{"close_session",
		{"UPDATE @.session SET logout_date = '2024-01-01 17:30'"
		" WHERE session_id = 1"},
	NULL, NULL, 0},
	{"move_login",
		{"UPDATE @.session SET login_date = login_date + interval '7 min'"
		" WHERE session_id = 1"},
	NULL, NULL, 0},
	{"move_day",
		{BY_KEY "UPDATE @.session SET login_date = login_date - interval '1 day'"
		" WHERE session_id IN (2, 5)"},
	NULL, NULL, 0},
	{"close_running",
		{"UPDATE @.session SET logout_date = '2024-01-01 12:30'"
		" WHERE session_id = 5"},
	NULL, NULL, 0},
	{"run_again",
		{BY_KEY "UPDATE @.session SET logout_date = NULL WHERE session_id IN (1, 2)"},
	NULL, NULL, 0},
	{"insert_running", {INSERT_ACTIVITY("5", "12:#0")}, NULL, NULL, 0},
	{"update_activities",
		{"UPDATE @.activity SET activity_date = activity_date"
			" + interval '100 s' * (activity_id - 100)"
		" WHERE session_id = 1 AND activity_id IN (102, 104)"},
	NULL, NULL, 0},
	{"move_activities",
		{"UPDATE @.activity SET session_id = 2"
		" WHERE session_id = 1 AND activity_id IN (103, 104)"},
	NULL, NULL, 0},
	{"delete_activities",
		{"DELETE FROM @.activity"
		" WHERE session_id = 1 AND activity_id IN (102, 103)"},
	NULL, NULL, 0},
	{"savepoint",
		{INSERT_ACTIVITY("1", "15:#0"),
			"SAVEPOINT s; " INSERT_ACTIVITY("2", "15:#0"),
		"ROLLBACK TO s; " INSERT_ACTIVITY("2", "15:#5")},
	NULL, NULL, 0},
	{"prepared",
		{INSERT_ACTIVITY("1", "16:#0"),
		"PREPARE TRANSACTION 'interleavings_$_#'"},
	NULL, "COMMIT PREPARED 'interleavings_$_#'", PREPARES},
	{"truncate_activity",
	{"TRUNCATE @.activity"}, NULL, NULL, TRUNCATES | LOCKS_TABLES},
	{"truncate_all",
	{"TRUNCATE @.session, @.activity"}, NULL, NULL, TRUNCATES | LOCKS_TABLES},
	{"reader", {READ_SESSIONS, READ_SESSIONS}, READ_TWIN, NULL, READS},
	{"refresh",
		{"SELECT ekran_refresh()"}, "SELECT 1", NULL,
	MAINTAINS | NEVER_FAILS | KEEPS_INDEX},
	{"rebuild",
		{"SELECT ekran_rebuild()"}, "SELECT 1", NULL,
	MAINTAINS | NEVER_FAILS | KEEPS_INDEX},
	{"maintain",
		{"CALL ekran_maintain()"}, "SELECT 1", NULL,
	MAINTAINS | NEVER_FAILS | KEEPS_INDEX | NO_BLOCK},
	{"create_store",
		{"SELECT ekran_create_store()"}, "SELECT 1", NULL,
	MAINTAINS | NEVER_FAILS | LOCKS_TABLES},
	{"purge",
		{"SELECT ekran_purge('2023-06-01')"},
		"DELETE FROM @.session WHERE logout_date < '2023-06-01'", NULL,
	MAINTAINS},
	{"close_silent",
		{"SELECT FROM ekran_close_sessions('8 hours', '2024-01-02')"},
		/* It locks them before it looks again: who brings activities waits. */
		"WITH silent AS (SELECT session_id FROM @.session"
		"  WHERE logout_date IS NULL FOR UPDATE SKIP LOCKED)"
		" UPDATE @.session s SET logout_date = login_date + interval '10 min'"
		" FROM silent WHERE s.session_id = silent.session_id", NULL,
	MAINTAINS},

	/* The lock holds a statement up between its first session and the next. */
	{"insert_across",
		{"INSERT INTO @.activity (session_id, activity_date)"
		" VALUES (1, '2024-01-01 13:#0'), (3, '2024-01-01 13:#0')"},
	NULL, NULL, ONLY_IN_SETS},
	{"lock_and_open",
		{"SELECT FROM @.session WHERE session_id = 1 FOR UPDATE",
		INSERT_SESSION_3},
	NULL, NULL, ONLY_IN_SETS},
	{"open_other",
		{"INSERT INTO @.session (session_id, login_date)"
		" VALUES (6, '2024-01-01 08:00')"},
	NULL, NULL, ONLY_IN_SETS},
	{"open_if_new",
		{INSERT_SESSION_3 " ON CONFLICT DO NOTHING",
		INSERT_ACTIVITY("3", "11:#0")},
	NULL, NULL, ONLY_IN_SETS},
	{"open_by_cte",
		{"WITH s AS (" INSERT_SESSION_3 " RETURNING session_id)"
			" INSERT INTO @.activity (session_id, activity_date)"
		" SELECT session_id, '2024-01-01 11:#0' FROM s"},
	NULL, NULL, ONLY_IN_SETS},
	{"insert_and_delete",
		{"WITH d AS (" DELETE_SESSION_1 ") " INSERT_ACTIVITY("1", "11:#0")},
	NULL, NULL, ONLY_IN_SETS},
	{"change_id",
		{"DELETE FROM @.activity WHERE session_id = 1",
		"UPDATE @.session SET session_id = 3 WHERE session_id = 1"},
	NULL, NULL, ONLY_IN_SETS},
	{"reinsert_one_by_one",
		{DELETE_SESSION_1, INSERT_SESSION_1, INSERT_ACTIVITY("1", "14:#0")},
	NULL, NULL, ONLY_IN_SETS | NO_BLOCK},
	{"reinsert_unfolded",
		{DELETE_SESSION_1, INSERT_SESSION_1, INSERT_ACTIVITY("1", "14:#0")},
	NULL, NULL, ONLY_IN_SETS | UNFOLDED},
};

/*
 * What the pairs leave out: transactions that few others meet, and three whose
 * rows meet; all other triples are pairs and somebody far away.
 */
static const char *const sets[] = {
	"insert_across,lock_and_open",
	"insert_across,open_session",
	"insert_across,refresh",
	"open_session,open_other",
	"open_with_activity,open_other",
	"open_if_new,open_if_new",
	"open_if_new,open_with_activity",
	"open_if_new,refresh",
	"open_by_cte,insert_new",
	"open_by_cte,refresh",
	"insert_and_delete,insert_old",
	"insert_and_delete,refresh",
	"change_id,insert_old",
	"change_id,insert_new",
	"change_id,refresh",
	"reinsert_one_by_one,insert_old",
	"reinsert_one_by_one,refresh",
	"reinsert_one_by_one,rebuild",
	"reinsert_one_by_one,refresh,refresh",
	"reinsert_one_by_one,insert_old,refresh",
	"reinsert_unfolded,refresh",
	"reinsert_unfolded,rebuild",
	"reinsert_unfolded,insert_old",
	"reinsert_unfolded,insert_old,refresh",
	"reinsert_unfolded,refresh,refresh",
	"change_id,insert_old,refresh",
	"change_id,insert_new,refresh",
	"insert_across,lock_and_open,refresh",
	/* The first activity of a session that somebody else opens. */
	"open_session,insert_new,refresh",
	"open_session,insert_new,rebuild",
	"open_session,insert_new,maintain",
	"open_session,insert_new,reader",
	"open_session,insert_new,insert_new",
	"open_with_activity,insert_new,refresh",
	"open_with_activity,insert_new,reader",
	"open_session,insert_new,close_silent",
	/* An id used again, and what is left of its first life. */
	"reinsert_session,insert_old,refresh",
	"reinsert_session,insert_old,rebuild",
	"reinsert_session,insert_old,maintain",
	"reinsert_session,insert_old,reader",
	"reinsert_session,refresh,refresh",
	"reinsert_session,refresh,reader",
	"reinsert_with_activity,insert_old,refresh",
	"reinsert_with_activity,refresh,refresh",
	"reinsert_locking,insert_pending,refresh",
	"reinsert_locking,insert_two,refresh",
	/* A session that goes while it is written to and folded. */
	"delete_session,insert_old,refresh",
	"delete_session,open_session,refresh",
	"delete_session,refresh,reader",
	"delete_two,insert_two,refresh",
	"delete_two,insert_pending,rebuild",
	/* Two that fold at a time. */
	"insert_old,refresh,refresh",
	"insert_old,refresh,rebuild",
	"insert_old,refresh,maintain",
	"insert_two,rebuild,rebuild",
	/* Folded while somebody reads. */
	"insert_old,refresh,reader",
	"insert_old,maintain,reader",
	"insert_old,rebuild,reader",
	"insert_two,refresh,reader",
	"prepared,refresh,reader",
	"savepoint,refresh,reader",
	"delete_activities,refresh,reader",
	"update_activities,refresh,reader",
	"update_activities,insert_old,refresh",
	"move_activities,insert_pending,refresh",
	/* How far a running session reaches, and on which day it began. */
	"insert_running,close_running,refresh",
	"insert_running,run_again,refresh",
	"insert_old,run_again,refresh",
	"insert_pending,run_again,rebuild",
	"close_running,refresh,reader",
	"run_again,refresh,reader",
	"run_again,maintain,reader",
	"run_again,refresh,refresh",
	"move_day,insert_running,refresh",
	"move_day,run_again,refresh",
	"move_day,refresh,refresh",
	"move_day,refresh,reader",
	"move_day,maintain,reader",
	"open_session,refresh,reader",
	"open_session,refresh,refresh",
	"open_session,open_other,refresh",
	"delete_session,refresh,refresh",
	"reinsert_session,move_day,refresh",
	"run_again,close_silent,refresh",
	"move_activities,refresh,reader",
	"move_activities,delete_session,refresh",
	/* Tables locked, and all of them emptied. */
	"truncate_activity,insert_old,reader",
	"truncate_activity,insert_old,refresh",
	"truncate_activity,rebuild,reader",
	"truncate_activity,maintain,reader",
	"truncate_all,open_session,refresh",
	"insert_old,create_store,insert_pending",
	"insert_old,create_store,refresh",
	"reinsert_session,create_store,insert_old",
};

typedef struct Schedule
{
	const Transaction *transactions[MAX_WORKERS];
	int			nworkers;
	Level		level;
	int			order[MAX_LENGTH];
	int			length;			/* 0: each as fast as it can */
	unsigned int number;		/* of all of these transactions */
} Schedule;

typedef struct Worker
{
	PGconn	   *conn;
	int			pid;
	const Transaction *transaction;
	Level		level;
	char		steps[MAX_STEPS][MAX_SQL];
	int			nsteps;
	int			first_work;		/* the step that first does something */
	int			next;			/* step to be sent */
	int			backlog;		/* steps whose turn has come */
	bool		is_busy;
	bool		is_blocked;
	int			waited_for;		/* a bit for each worker, and PREPARED */
	bool		was_told;		/* that its own answers are wrong */
	bool		failed;
	char		sqlstate[6];
	char		message[256];
} Worker;

#define PREPARED	(1 << MAX_WORKERS)

/* How a schedule ended for a worker. */
typedef struct Outcome
{
	char		sqlstate[6];	/* empty: committed */
	char		message[256];
	int			waited_for;
} Outcome;

/* What the processes count together. */
typedef struct Shared
{
	bool		is_locked;
	int			next_unit;
	int			nchecks;
	int			nfailures;
	int			nschedules[LENGTH(level_names)];
	int			raced;			/* sessions that have their activity */
} Shared;

/* A line of TAP: a transaction's pairs, or one triple, in a level. */
typedef struct Unit
{
	const Transaction *transactions[MAX_WORKERS];
	int			ntransactions;
	const Transaction *partner; /* of one: with this and all that follow */
	Level		level;
} Unit;

#define OWNER	"interleavings_owner"
#define READER	"interleavings_plain_reader"

/*
 * What is answered by the derived tables, and by activity and session: of all, and of
 * a window that sessions run into.
 */
#define COMPARE_SQL \
	"SELECT pg_catalog.concat(testing.by_derived(NULL)," \
	"  testing.by_derived('2024-01-01 11:30'))," \
	" pg_catalog.concat(testing.by_raw(NULL)," \
	"  testing.by_raw('2024-01-01 11:30'))"

#define DIFFERENCE_SQL \
	"SELECT pg_catalog.concat_ws(' ', 'from', w, 'by derived tables'," \
	"  testing.by_derived(w), 'raw', testing.by_raw(w))" \
	" FROM (VALUES (NULL), ('2024-01-01 11:30'::timestamptz)) v (w)" \
	" WHERE testing.by_derived(w) <> testing.by_raw(w)" \
	" UNION ALL " \
	"SELECT pg_catalog.concat_ws(' ', 'session', session_id," \
	"  'by index', i.duration, 'idle', i.idle_time," \
	"  'by activity', a.duration, 'idle', a.idle_time)" \
	" FROM ekran_sessions() i FULL JOIN testing.by_activity() a" \
	" USING (session_id) WHERE i IS DISTINCT FROM a"

/* ekran_check() would name activities without a session too, in its words. */
#define CHECK_SQL \
	"SELECT pg_catalog.concat_ws(': ', 'ekran_check()', session_id, difference)" \
	" FROM ekran_check()" \
	" UNION ALL SELECT 'activity without its session ' || a.session_id" \
	" FROM ekran.activity a WHERE NOT EXISTS (SELECT FROM ekran.session s" \
	"  WHERE s.session_id = a.session_id)"

static const char setup_sql[] =
"CREATE EXTENSION ekran_sessions;"
"CREATE SCHEMA testing; GRANT USAGE ON SCHEMA testing TO " OWNER ";"
"CREATE SCHEMA twin AUTHORIZATION " OWNER ";"
"SET ROLE " OWNER ";"
"SELECT ekran_create_store();"
"GRANT USAGE ON SCHEMA ekran TO " READER ";"
"GRANT SELECT ON ekran.client, ekran.app_user, ekran.session, ekran.activity"
" TO " READER ";"
"SELECT setval('ekran.activity_activity_id_seq', 1000);"
"CREATE TABLE twin.session (session_id bigint PRIMARY KEY, client_guid uuid,"
" user_id integer, login_date timestamptz NOT NULL, logout_date timestamptz);"
/* Its indexes too, for serializable transactions conflict over their pages. */
"CREATE INDEX ON twin.session (login_date, session_id);"
"CREATE INDEX ON twin.session (user_id, login_date, session_id);"
"CREATE INDEX ON twin.session (client_guid, login_date, session_id);"
"CREATE INDEX ON twin.session USING gist (tstzrange(login_date, logout_date))"
" WHERE logout_date IS NOT NULL;"
"CREATE INDEX ON twin.session (login_date) WHERE logout_date IS NULL;"
"CREATE SEQUENCE twin.ids START 1000;"
"CREATE TABLE twin.activity (session_id bigint REFERENCES twin.session"
"  ON DELETE CASCADE, activity_date timestamptz,"
" activity_id bigint DEFAULT nextval('twin.ids'),"
" application text, url text, title text,"
" PRIMARY KEY (session_id, activity_date, activity_id));"
"RESET ROLE;"
/* STABLE: under the snapshot of the query that calls it. */
"CREATE FUNCTION testing.by_activity(page bigint DEFAULT 0)"
" RETURNS SETOF ekran_session_row"
" LANGUAGE sql STABLE SECURITY DEFINER"
" AS 'SELECT * FROM ekran_sessions(NULL, NULL, 1000, page)';"
"ALTER FUNCTION testing.by_activity(bigint) OWNER TO " READER ";"
"CREATE FUNCTION testing.by_derived(start timestamptz) RETURNS text"
" LANGUAGE sql STABLE"
" AS 'SELECT pg_catalog.concat(ekran_sessions_total_count(start), '': '',"
"  (SELECT pg_catalog.string_agg(s::text, ''; '') FROM ekran_sessions(start) s))';"
"CREATE FUNCTION testing.by_raw(start timestamptz) RETURNS text"
" LANGUAGE sql STABLE SECURITY DEFINER"
" AS 'SELECT pg_catalog.concat(ekran_sessions_total_count(start), '': '',"
"  (SELECT pg_catalog.string_agg(s::text, ''; '') FROM ekran_sessions(start) s))';"
"ALTER FUNCTION testing.by_raw(timestamptz) OWNER TO " READER;

/*
 * Seqscans would be predicate reads of whole tables, so that every two
 * serializable transactions conflict, on the twin too, which excuses all.
 */
static const char session_sql[] =
"SET client_min_messages = error; SET timezone = 'UTC'; SET jit = off;"
"SET datestyle = 'ISO, YMD'; SET synchronous_commit = off;"
"SET deadlock_timeout = '20ms'; SET enable_seqscan = off;"
"SET ekran_sessions.idle_threshold = '60s';"
"SET ekran_sessions.idle_policy = excess";

/*
 * By the policy "excess", a minute less is idle for each further activity.
 * Session 1: old and folded; 2: something is pending; 4: finished long ago;
 * 5: runs.
 */
#define INSERT_BASE_SESSIONS(schema) \
	"INSERT INTO " schema ".session (session_id, login_date, logout_date)" \
	" VALUES (1, '2024-01-01 08:00', '2024-01-01 18:00')," \
	" (2, '2024-01-01 08:00', '2024-01-01 18:00')," \
	" (4, '2023-01-01 08:00', '2023-01-01 09:00')," \
	" (5, '2024-01-01 08:00', NULL)"
#define INSERT_BASE_ACTIVITIES(schema) \
	"INSERT INTO " schema ".activity (session_id, activity_date, activity_id)" \
	" VALUES (1, '2024-01-01 09:00', 101), (1, '2024-01-01 09:00:30', 102)," \
	" (1, '2024-01-01 09:05', 103), (1, '2024-01-01 10:00', 104)," \
	" (2, '2024-01-01 09:00', 201), (2, '2024-01-01 10:00', 202)," \
	" (4, '2023-01-01 08:30', 401), (5, '2024-01-01 08:10', 501)"
#define INSERT_BASE_PENDING(schema) \
	"INSERT INTO " schema ".activity (session_id, activity_date, activity_id)" \
	" VALUES (2, '2024-01-01 11:00', 203)"

static PGconn *control;			/* a superuser, who sees who waits */
static PGconn *observer;		/* the owner, who looks at what is committed */
static Worker workers[MAX_WORKERS];
static int	nworkers;

static int	process;
static Shared *shared;
static bool is_verbose = false;
static bool is_thorough = false;
static bool has_serializable_writers = false;
static bool thins = false;
static bool has_maintain;
static bool has_prepared;

/* What the current schedule and pair have shown, and where it goes. */
static FILE *report;
static const Schedule *current;
static int	faults;
static int	wrong_schedules;

/*
 * Connections.
 */

__attribute__((format(printf, 1, 2), noreturn))
static void
bail_out(const char *format,...)
{
	va_list		arguments;

	printf("Bail out! ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
	_exit(2);
}

/* For what is not under test: nothing makes sense if it fails. */
static void
run_sql(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		bail_out("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
}

__attribute__((format(printf, 2, 3)))
static void
run_format(PGconn *conn, const char *format,...)
{
	char		sql[MAX_SQL];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(sql, sizeof(sql), format, arguments);
	va_end(arguments);
	run_sql(conn, sql);
}

static bool
is_true(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);
	bool		answer;

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		bail_out("%s: %s", sql, PQerrorMessage(conn));
	answer = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	PQclear(result);
	return answer;
}

static void
ignore_notice(void *argument, const char *message)
{
	(void) argument;
	(void) message;
}

/* A null database is that of the environment. */
static PGconn *
connect_to(const char *database)
{
	const char *const keywords[] = {"dbname", NULL};
	const char *const values[] = {database, NULL};
	PGconn	   *conn = PQconnectdbParams(keywords, values, 0);

	if (PQstatus(conn) != CONNECTION_OK)
		bail_out("%s", PQerrorMessage(conn));
	PQsetNoticeProcessor(conn, ignore_notice, NULL);
	run_sql(conn, session_sql);
	return conn;
}

static PGconn *
connect_as_owner(const char *database)
{
	PGconn	   *conn = connect_to(database);
	PGresult   *result;

	run_sql(conn, "SET ROLE " OWNER);
	result = PQprepare(conn, "compare", COMPARE_SQL, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		bail_out("%s", PQerrorMessage(conn));
	PQclear(result);
	return conn;
}

static long
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/*
 * What is wrong.
 */

static void
print_schedule(FILE *out, const Schedule *schedule)
{
	for (int i = 0; i < schedule->nworkers; i++)
		fprintf(out, "%s%s", i > 0 ? "," : "", schedule->transactions[i]->name);
	fprintf(out, " %s", level_options[schedule->level]);
	for (int i = 0; i < schedule->length; i++)
		fprintf(out, " %d", schedule->order[i]);
}

__attribute__((format(printf, 1, 2)))
static void
fault(const char *format,...)
{
	va_list		arguments;

	faults++;
	if (faults == 1)
		wrong_schedules++;
	if (wrong_schedules > SHOWN_SCHEDULES || faults > SHOWN_FAULTS)
		return;
	if (faults == 1)
	{
		fprintf(report, "# --%s ", current->length > 0 ? "schedule" : "free");
		print_schedule(report, current);
		fprintf(report, "\n");
	}
	fprintf(report, "#   ");
	va_start(arguments, format);
	vfprintf(report, format, arguments);
	va_end(arguments);
	fprintf(report, "\n");
}

/* For each row that the query returns: something is wrong.  How many? */
static int
fault_rows(PGconn *conn, const char *sql, const char *when)
{
	PGresult   *result = PQexec(conn, sql);
	int			count = PQntuples(result);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fault("%s: %s", when, PQerrorMessage(conn));
	for (int i = 0; i < count; i++)
		fault("%s: %s", when, PQgetvalue(result, i, 0));
	PQclear(result);
	return count;
}

/*
 * Is what the index answers what the activities answer?  Also true where we
 * could not look, since somebody has locked a table.
 */
static bool
answers_are_equal(PGconn *conn, const char *when)
{
	PGresult   *result = PQexecPrepared(conn, "compare", 0, NULL, NULL, NULL,
										0);
	bool		same = true;

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		same = strcmp(PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1)) == 0;
	else
	{
		const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

		if (sqlstate == NULL || strcmp(sqlstate, "55P03") != 0)
		{
			fault("%s: %s", when, PQresultErrorMessage(result));
			same = false;
		}
		else if (is_verbose)
			printf("# %s: locked\n", when);
	}
	if (PQresultStatus(result) == PGRES_TUPLES_OK && !same &&
		fault_rows(conn, DIFFERENCE_SQL, when) == 0)
		fault("%s: in another order", when);
	PQclear(result);
	return same;
}

/*
 * Base data.
 */

static void
reset_twin(void)
{
	run_sql(control, "DELETE FROM twin.session; "
			INSERT_BASE_SESSIONS("twin") "; "
			INSERT_BASE_ACTIVITIES("twin") "; " INSERT_BASE_PENDING("twin"));
}

/*
 * What somebody emptied, and what is wrong, takes the index to be made anew.
 */
static void
reset_store(bool thoroughly)
{
	static int	resets = 0;

	run_sql(control, "DELETE FROM ekran.session; DELETE FROM ekran.activity");
	if (thoroughly)
	{
		run_sql(control, "SELECT ekran_rebuild()");
		if (has_maintain)
			run_sql(control, "CALL ekran_maintain()");
	}
	run_sql(control, INSERT_BASE_SESSIONS("ekran") "; "
			INSERT_BASE_ACTIVITIES("ekran"));
	run_sql(control, "SELECT ekran_refresh()");
	run_sql(control, INSERT_BASE_PENDING("ekran"));
	/* At first too: plans, and with them predicate reads, go by statistics. */
	if (resets++ % VACUUM_EVERY == 0)
		run_sql(control, "VACUUM ANALYZE ekran.session, ekran.activity,"
				" ekran.session_idle, ekran.pending, ekran.session_count,"
				" twin.session, twin.activity");
}

/*
 * Session 1 anew, with something pending and no row of the index: that is what
 * becomes of a session deleted and inserted again about a refresh.
 */
static void
unfold_session_1(void)
{
	PGconn	   *refresher = workers[0].conn;

	run_sql(control, "BEGIN ISOLATION LEVEL REPEATABLE READ;"
			"DELETE FROM ekran.session WHERE session_id = 1; COMMIT");
	run_sql(refresher, "BEGIN; SELECT ekran_refresh()");
	run_sql(control, "INSERT INTO ekran.session"
			" (session_id, login_date, logout_date)"
			" VALUES (1, '2024-01-01 08:00', '2024-01-01 18:00')");
	run_sql(control, "INSERT INTO ekran.activity"
			" (session_id, activity_date, activity_id)"
			" VALUES (1, '2024-01-01 09:00', 101)");
	run_sql(refresher, "COMMIT");
}

/*
 * Would we notice?  An activity of which nothing is pending must make
 * the answers differ: else both have been read from the activities.
 */
static bool
can_notice(void)
{
	PGresult   *result;
	bool		differs;

	run_sql(control, "BEGIN;"
			"INSERT INTO ekran.activity (session_id, activity_date)"
			" VALUES (1, '2024-01-01 17:00');"
			"ALTER TABLE ekran.pending DISABLE TRIGGER ekran_written, DISABLE TRIGGER ekran_replicated;"
			"DELETE FROM ekran.pending WHERE session_id = 1;"
			"ALTER TABLE ekran.pending ENABLE TRIGGER ekran_written, ENABLE ALWAYS TRIGGER ekran_replicated");
	result = PQexec(control, COMPARE_SQL);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		bail_out("%s", PQerrorMessage(control));
	differs = strcmp(PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1)) != 0;
	PQclear(result);
	run_sql(control, "ROLLBACK");
	return differs;
}

/*
 * Workers.
 */

static void
expand(char *sql, const char *prefix, const char *text, const char *schema,
	   int number)
{
	char	   *out = sql + sprintf(sql, "%s", prefix);

	for (; *text != '\0'; text++)
	{
		if (*text == '@')
			out += sprintf(out, "%s", schema);
		else if (*text == '#')
			out += sprintf(out, "%d", number);
		else if (*text == '$')
			out += sprintf(out, "%d", process);
		else
			*out++ = *text;
	}
	*out = '\0';
}

/*
 * The steps of a transaction.  In READ COMMITTED, where BEGIN alone does
 * nothing, it comes with the first statement; else a step of its own takes
 * the snapshot.
 */
static int
count_steps(const Transaction *transaction, Level level)
{
	int			count = 0;

	while (count < MAX_STATEMENTS && transaction->statements[count] != NULL)
		count++;
	if (!(transaction->traits & NO_BLOCK))
		count++;
	if (level != READ_COMMITTED &&
		!(transaction->traits & (MAINTAINS | NO_BLOCK)))
		count++;
	return count;
}

static void
prepare_worker(int number, const Transaction *transaction, Level level,
			   const char *schema, bool is_twin)
{
	Worker	   *worker = &workers[number];
	const char *prefix = transaction->traits & NO_BLOCK ? "" : "BEGIN; ";
	int			count = 0;

	worker->transaction = transaction;
	worker->level = transaction->traits & (MAINTAINS | NO_BLOCK) ?
		READ_COMMITTED : level;
	worker->next = worker->backlog = worker->waited_for = 0;
	worker->is_busy = worker->is_blocked = false;
	worker->failed = worker->was_told = false;
	worker->sqlstate[0] = worker->message[0] = '\0';

	if (worker->level != READ_COMMITTED)
	{
		sprintf(worker->steps[count++], "BEGIN ISOLATION LEVEL %s; SELECT 1",
				level_names[level]);
		prefix = "";
	}
	worker->first_work = count;
	for (int i = 0; i < MAX_STATEMENTS && transaction->statements[i]; i++)
	{
		expand(worker->steps[count++], prefix,
			   is_twin && transaction->on_twin ? transaction->on_twin :
			   transaction->statements[i], schema, number);
		prefix = "";
	}
	if (!(transaction->traits & NO_BLOCK))
		expand(worker->steps[count++], "",
			   transaction->end ? transaction->end : "COMMIT", schema, number);
	worker->nsteps = count;
}

static void
note_failure(Worker *worker, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (worker->failed)
		return;
	worker->failed = true;
	snprintf(worker->sqlstate, sizeof(worker->sqlstate), "%s",
			 sqlstate ? sqlstate : "?????");
	snprintf(worker->message, sizeof(worker->message), "%s",
			 message ? message : PQresultErrorMessage(result));
}

static void
finish_step(int number)
{
	Worker	   *worker = &workers[number];
	PGresult   *result;

	while ((result = PQgetResult(worker->conn)) != NULL)
	{
		if (PQresultStatus(result) == PGRES_FATAL_ERROR)
			note_failure(worker, result);
		PQclear(result);
	}
	if (PQstatus(worker->conn) != CONNECTION_OK)
		bail_out("worker %d: %s", number, PQerrorMessage(worker->conn));
	worker->is_busy = worker->is_blocked = false;
	if (is_verbose)
		printf("# %*s%d done%s%s %s\n", number * 4, "", number,
			   worker->failed ? ", failed: " : "", worker->sqlstate,
			   worker->message);
}

/* The next step of a worker that is free; false if it is skipped. */
static bool
send_step(int number)
{
	Worker	   *worker = &workers[number];
	int			step = worker->next++;
	const char *sql = worker->steps[step];

	worker->backlog--;
	if (worker->failed)
	{
		if (step < worker->nsteps - 1 ||
			PQtransactionStatus(worker->conn) == PQTRANS_IDLE)
			return false;
		sql = "ROLLBACK";
	}
	if (is_verbose)
		printf("# %*s%d: %s\n", number * 4, "", number, sql);
	if (!PQsendQuery(worker->conn, sql))
		bail_out("%s: %s", sql, PQerrorMessage(worker->conn));
	worker->is_busy = true;
	return true;
}

/*
 * Does the server say that a worker waits for a lock?  Note for whose.
 */
static bool
waits_for_lock(int number)
{
	Worker	   *worker = &workers[number];
	char		sql[MAX_SQL];
	PGresult   *result;
	bool		waits;

	sprintf(sql, "SELECT b.pid FROM pg_catalog.pg_locks l LEFT JOIN"
			" pg_catalog.unnest(pg_catalog.pg_blocking_pids(%d)) AS b (pid)"
			" ON true WHERE l.pid = %d AND NOT l.granted",
			worker->pid, worker->pid);
	result = PQexec(control, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		bail_out("%s: %s", sql, PQerrorMessage(control));
	waits = PQntuples(result) > 0;
	for (int i = 0; i < PQntuples(result); i++)
	{
		int			pid = atoi(PQgetvalue(result, i, 0));

		if (pid == 0)
			worker->waited_for |= PREPARED;
		for (int j = 0; j < nworkers; j++)
			if (workers[j].pid == pid)
				worker->waited_for |= 1 << j;
	}
	PQclear(result);
	if (waits && is_verbose)
		printf("# %*s%d waits\n", number * 4, "", number);
	return waits;
}

/* Take what has come from busy workers; was it an end of a step? */
static bool
take_results(int timeout, int *ended, int *nended)
{
	struct pollfd fds[MAX_WORKERS];
	int			numbers[MAX_WORKERS];
	int			count = 0;
	bool		any = false;

	for (int i = 0; i < nworkers; i++)
	{
		if (!workers[i].is_busy)
			continue;
		fds[count].fd = PQsocket(workers[i].conn);
		fds[count].events = POLLIN;
		fds[count].revents = 0;
		numbers[count++] = i;
	}
	if (poll(fds, count, timeout) <= 0)
		return false;
	for (int i = 0; i < count; i++)
	{
		int			number = numbers[i];

		if (fds[i].revents == 0)
			continue;
		if (!PQconsumeInput(workers[number].conn))
			bail_out("worker %d: %s", number,
					 PQerrorMessage(workers[number].conn));
		if (PQisBusy(workers[number].conn))
			continue;
		finish_step(number);
		ended[(*nended)++] = number;
		any = true;
	}
	return any;
}

/*
 * Until each worker is idle or waits for a lock.  Where all that are not at
 * their end wait, the server must find a deadlock, or they would for good.
 * Appends to ended who ended a step, in that order.
 */
static void
settle(int *ended, int *nended)
{
	long		begun = now();

	for (;;)
	{
		int			unknown = 0;
		int			blocked = 0;
		int			free = 0;

		for (int i = 0; i < nworkers; i++)
		{
			Worker	   *worker = &workers[i];

			/* Steps that wait for their turn, or for being skipped. */
			while (!worker->is_busy && worker->backlog > 0)
				if (!send_step(i))
					ended[(*nended)++] = i;
			if (!worker->is_busy)
				free += worker->next < worker->nsteps;
			else if (worker->is_blocked)
				blocked++;
			else
				unknown++;
		}
		if (unknown == 0 && (blocked == 0 || free > 0))
			return;

		if (now() - begun > GIVE_UP_AFTER)
		{
			fault("no end after %d ms", GIVE_UP_AFTER);
			for (int i = 0; i < nworkers; i++)
			{
				PGcancel   *cancel = PQgetCancel(workers[i].conn);
				char		error[256];

				if (workers[i].is_busy)
					PQcancel(cancel, error, sizeof(error));
				PQfreeCancel(cancel);
			}
			begun = now();
		}

		/* Who has ended may have let others go on. */
		if (take_results(unknown > 0 ? LOOK_AFTER : 50, ended, nended))
			for (int i = 0; i < nworkers; i++)
				workers[i].is_blocked = false;
		else
			for (int i = 0; i < nworkers; i++)
				if (workers[i].is_busy && !workers[i].is_blocked)
					workers[i].is_blocked = waits_for_lock(i);
	}
}

/*
 * Checks.
 */

static bool
any_transaction_is(const Schedule *schedule, int traits)
{
	for (int i = 0; i < schedule->nworkers; i++)
		if (schedule->transactions[i]->traits & traits)
			return true;
	return false;
}

/* Would a worker have to wait for another's lock on a table, or its queue? */
static bool
tables_are_locked(int number)
{
	for (int i = 0; i < nworkers; i++)
		if (i != number && !workers[i].failed &&
			workers[i].transaction->traits & LOCKS_TABLES &&
			workers[i].next > workers[i].first_work &&
			(workers[i].is_busy ||
			 PQtransactionStatus(workers[i].conn) != PQTRANS_IDLE))
			return true;
	return false;
}

/*
 * May a worker be asked for the answers in its own transaction?
 *
 * Not in SERIALIZABLE, where reads are conflicts.  Not in REPEATABLE READ with
 * a TRUNCATE about, for which an older snapshot sees an empty activity (as
 * the README says), nor, with somebody who locks tables, before it has done
 * something: our reading would lock the tables against them, and keep what we
 * are here for from happening.
 */
static bool
may_ask(int number)
{
	const Worker *worker = &workers[number];

	return !worker->is_busy && !worker->failed && !worker->was_told &&
		worker->level != SERIALIZABLE &&
		PQtransactionStatus(worker->conn) == PQTRANS_INTRANS &&
		!tables_are_locked(number) &&
		(worker->level == READ_COMMITTED ||
		 !any_transaction_is(current, LOCKS_TABLES) ||
		 (worker->next > worker->first_work &&
		  !any_transaction_is(current, TRUNCATES)));
}

/*
 * What others have not committed nobody sees, so unless we are to be thorough,
 * we look from outside after commits, and in a worker after its own steps and
 * the commits of others.
 */
static void
check_answers(int step, const int *ended, int nended, bool *observer_was_told)
{
	char		when[64];
	bool		has_committed = is_thorough;

	for (int i = 0; i < nended; i++)
		has_committed |= !workers[ended[i]].failed &&
			PQtransactionStatus(workers[ended[i]].conn) == PQTRANS_IDLE;

	sprintf(when, "after step %d, outside", step + 1);
	if (has_committed && !*observer_was_told)
		*observer_was_told = !answers_are_equal(observer, when);
	for (int i = 0; i < nworkers; i++)
	{
		bool		has_moved = has_committed;

		for (int j = 0; j < nended; j++)
			has_moved |= ended[j] == i;
		if (!has_moved || !may_ask(i))
			continue;
		sprintf(when, "after step %d, in worker %d", step + 1, i);
		workers[i].was_told = !answers_are_equal(workers[i].conn, when);
	}
}

static void
check_end(void)
{
	fault_rows(observer, CHECK_SQL, "at the end");
	if (current->length == 0)
		answers_are_equal(observer, "at the end");
	run_sql(observer, "SELECT ekran_refresh()");
	fault_rows(observer, CHECK_SQL, "after ekran_refresh()");
	answers_are_equal(observer, "after ekran_refresh()");
}

static void
roll_back_prepared(void)
{
	PGresult   *result = PQexec(control,
								"SELECT gid FROM pg_catalog.pg_prepared_xacts"
								" WHERE database = current_database()");

	for (int i = 0; i < PQntuples(result); i++)
		run_format(control, "ROLLBACK PREPARED '%s'",
				   PQgetvalue(result, i, 0));
	PQclear(result);
}

/*
 * Run the steps on the store or on the twin, from base data.  The order in
 * which steps ended goes to ended.
 */
static void
run_steps(const Schedule *schedule, const int *order, bool is_twin,
		  Outcome *outcomes, int *ended)
{
	int			nended = 0;
	bool		observer_was_told = false;

	nworkers = schedule->nworkers;
	for (int i = 0; i < nworkers; i++)
		prepare_worker(i, schedule->transactions[i], schedule->level,
					   is_twin ? "twin" : "ekran", is_twin);
	for (int i = 0; i < schedule->length; i++)
	{
		int			before = nended;

		workers[order[i]].backlog++;
		settle(ended, &nended);
		if (!is_twin)
			check_answers(i, ended + before, nended - before,
						  &observer_was_told);
	}
	if (schedule->length == 0)
	{
		for (int i = 0; i < nworkers; i++)
			workers[i].backlog = workers[i].nsteps;
		settle(ended, &nended);
	}
	for (int i = 0; i < nworkers; i++)
	{
		if (workers[i].is_busy || workers[i].next < workers[i].nsteps)
			bail_out("worker %d has not ended", i);
		if (PQtransactionStatus(workers[i].conn) != PQTRANS_IDLE)
			run_sql(workers[i].conn, "ROLLBACK");
		strcpy(outcomes[i].sqlstate, workers[i].sqlstate);
		strcpy(outcomes[i].message, workers[i].message);
		outcomes[i].waited_for = workers[i].waited_for;
	}
	if (any_transaction_is(schedule, PREPARES))
		roll_back_prepared();
}

/*
 * Failures.
 */

/* Serialization failures and deadlocks. */
static bool
is_conflict(const char *sqlstate)
{
	return strncmp(sqlstate, "40", 2) == 0;
}

static int
count_conflicts(const Outcome *outcomes)
{
	int			count = 0;

	for (int i = 0; i < nworkers; i++)
		count += is_conflict(outcomes[i].sqlstate);
	return count;
}

/*
 * Does the twin excuse the failures of a worker?  By one of the same
 * worker; or, where two conflict, by a conflict of another: who is the victim
 * depends on who looks first, so that only their number counts.
 */
static bool
excuses(const Outcome *twin, const Outcome *store, int number)
{
	return twin[number].sqlstate[0] != '\0' ||
		(is_conflict(store[number].sqlstate) &&
		 count_conflicts(twin) >= count_conflicts(store));
}

/*
 * Compare failures and waits with those on the twin.
 *
 * Where something waits on the store for what the twin does not have (a
 * completing of the store locks its tables), later steps of others overtake
 * it, and a plain foreign key may refuse it then too.  So what failed is
 * excused as well if it fails on the twin when the steps come there in the
 * order in which they ended here.
 */
static void
check_failures(const Schedule *schedule, const Outcome *store,
			   const int *ended)
{
	Outcome		twin[MAX_WORKERS];
	Outcome		late[MAX_WORKERS];
	int			ignored[MAX_LENGTH];
	bool		needs_twin = false;
	bool		needs_late = false;

	for (int i = 0; i < nworkers; i++)
	{
		if (schedule->transactions[i]->traits & NEVER_FAILS)
		{
			if (store[i].sqlstate[0] != '\0')
				fault("worker %d, %s, failed: %s %s", i,
					  schedule->transactions[i]->name, store[i].sqlstate,
					  store[i].message);
		}
		else if (store[i].sqlstate[0] != '\0' || store[i].waited_for != 0)
			needs_twin = true;
	}
	/* Without an order, there is nothing to compare with. */
	if (!needs_twin || schedule->length == 0)
		return;

	reset_twin();
	run_steps(schedule, schedule->order, true, twin, ignored);
	for (int i = 0; i < nworkers; i++)
		if (store[i].sqlstate[0] != '\0' && !excuses(twin, store, i) &&
			!(schedule->transactions[i]->traits & NEVER_FAILS))
			needs_late = true;
	if (needs_late && memcmp(ended, schedule->order,
							 schedule->length * sizeof(int)) != 0)
	{
		reset_twin();
		run_steps(schedule, ended, true, late, ignored);
	}
	else
		memcpy(late, twin, sizeof(late));

	for (int i = 0; i < nworkers; i++)
	{
		const Transaction *transaction = schedule->transactions[i];

		if (transaction->traits & NEVER_FAILS)
			continue;
		if (store[i].sqlstate[0] != '\0' && !excuses(twin, store, i) &&
			!excuses(late, store, i))
			fault("worker %d, %s, failed, and does not with a foreign key:"
				  " %s %s", i, transaction->name, store[i].sqlstate,
				  store[i].message);

		/*
		 * TRUNCATE waits for everybody, and for our own checks in workers;
		 * everybody waits for the completing of a store.
		 */
		if (store[i].waited_for == 0 || twin[i].waited_for != 0 ||
			transaction->traits & TRUNCATES ||
			any_transaction_is(schedule, LOCKS_TABLES & ~TRUNCATES))
			continue;
		for (int j = 0; j < nworkers; j++)
			if (store[i].waited_for & 1 << j)
				fault("worker %d, %s, waited for worker %d, %s,"
					  " and does not with a foreign key", i, transaction->name,
					  j, schedule->transactions[j]->name);
	}
}

/*
 * Schedules.
 */

static void
run_schedule(const Schedule *schedule)
{
	Outcome		outcomes[MAX_WORKERS];
	int			ended[MAX_LENGTH];

	current = schedule;
	faults = 0;
	if (any_transaction_is(schedule, UNFOLDED))
		unfold_session_1();
	run_steps(schedule, schedule->order, false, outcomes, ended);
	check_end();
	check_failures(schedule, outcomes, ended);
	reset_store(faults > 0 || any_transaction_is(schedule, TRUNCATES));
	if (faults > 0)
		answers_are_equal(observer, "from base data again");
	__atomic_add_fetch(&shared->nschedules[schedule->level], 1,
					   __ATOMIC_SEQ_CST);
}

/*
 * Is this one of those that are run where not all are?  A third of what is most: a
 * mistake shows in many schedules of a pair.  Not each third, which would choose by what
 * comes last.
 */
static bool
is_chosen(const Schedule *schedule, unsigned int number)
{
	if (!thins || (schedule->nworkers == 2 && schedule->level == READ_COMMITTED))
		return true;
	return (number * 2654435761u >> 16) % 3 == 0;
}

/*
 * Go on with each worker that has steps left.  Of two that do the same, the
 * one with the lower number begins.
 */
static int
run_all_from(Schedule *schedule, int *left)
{
	int			count = 0;
	bool		is_complete = true;

	for (int i = 0; i < schedule->nworkers; i++)
	{
		const Transaction *transaction = schedule->transactions[i];

		if (left[i] == 0)
			continue;
		is_complete = false;
		if (i > 0 && schedule->transactions[i - 1] == transaction &&
			left[i] > left[i - 1] - 1 &&
			left[i - 1] == count_steps(transaction, schedule->level))
			continue;
		left[i]--;
		schedule->order[schedule->length++] = i;
		count += run_all_from(schedule, left);
		schedule->length--;
		left[i]++;
	}
	if (is_complete && is_chosen(schedule, schedule->number++))
	{
		run_schedule(schedule);
		return 1;
	}
	return count;
}

static int
run_all_schedules(const Transaction *const *of, int count, Level level)
{
	Schedule	schedule = {.nworkers = count,.level = level};
	int			left[MAX_WORKERS];
	int			done;

	wrong_schedules = 0;
	for (int i = 0; i < count; i++)
	{
		schedule.transactions[i] = of[i];
		left[i] = count_steps(of[i], level);
	}
	done = run_all_from(&schedule, left);
	if (wrong_schedules > 0)
	{
		fprintf(report, "# WRONG: %d of %d schedules of ", wrong_schedules,
				done);
		for (int i = 0; i < count; i++)
			fprintf(report, "%s%s", i > 0 ? " + " : "", of[i]->name);
		fprintf(report, ", %s\n", level_names[level]);
	}
	return done;
}

/* The same transactions at a time; how many runs were wrong. */
static int
run_free(const Transaction *const *of, int count, Level level, int runs)
{
	Schedule	schedule = {.nworkers = count,.level = level};

	wrong_schedules = 0;
	for (int i = 0; i < count; i++)
		schedule.transactions[i] = of[i];
	for (int i = 0; i < runs; i++)
		run_schedule(&schedule);
	return wrong_schedules;
}

static bool
is_there(const Transaction *transaction)
{
	return (has_maintain || strcmp(transaction->name, "maintain") != 0) &&
		(has_prepared || !(transaction->traits & PREPARES));
}

/*
 * Those of maintenance alone are the same in every level; and to those that only
 * write, SERIALIZABLE is REPEATABLE READ with more failures.
 */
static bool
is_of_level(const Transaction *const *of, int count, Level level)
{
	int			traits = 0;
	bool		is_upkeep = true;

	for (int i = 0; i < count; i++)
	{
		traits |= of[i]->traits;
		if (!(of[i]->traits & (MAINTAINS | NO_BLOCK)))
			is_upkeep = false;
	}
	if (level == SERIALIZABLE && !has_serializable_writers && !(traits & READS))
		return false;
	return level == READ_COMMITTED || !is_upkeep;
}

/*
 * Units, on several processes.
 */

static void
lock_output(void)
{
	const struct timespec pause = {0, 1000000};

	while (__atomic_test_and_set(&shared->is_locked, __ATOMIC_ACQUIRE))
		nanosleep(&pause, NULL);
}

static void
unlock_output(void)
{
	fflush(stdout);
	__atomic_clear(&shared->is_locked, __ATOMIC_RELEASE);
}

static void
run_unit(const Unit *unit)
{
	char	   *text = NULL;
	size_t		size;
	int			wrong = 0;
	int			done = 0;
	int			sets = 0;

	report = open_memstream(&text, &size);
	if (unit->ntransactions > 1)
	{
		done = run_all_schedules(unit->transactions, unit->ntransactions,
								 unit->level);
		wrong = wrong_schedules;
		wrong += run_free(unit->transactions, unit->ntransactions, unit->level,
						  FREE_RUNS);
		done += FREE_RUNS;
	}
	else
	{
		const Transaction *pair[] = {unit->transactions[0], NULL};

		for (pair[1] = unit->partner;
			 pair[1] < &transactions[LENGTH(transactions)]; pair[1]++)
		{
			if (!is_there(pair[1]) || !is_of_level(pair, 2, unit->level) ||
				pair[1]->traits & ONLY_IN_SETS)
				continue;
			done += run_all_schedules(pair, 2, unit->level);
			wrong += wrong_schedules;
			sets++;
		}
	}
	if (unit->ntransactions == 1 && sets == 0)
	{
		fclose(report);
		free(text);
		return;
	}
	if (!can_notice())
	{
		fprintf(report, "# the index is not in use: nothing was compared\n");
		wrong++;
	}
	fclose(report);

	lock_output();
	printf("%s%sok %d - ", text, wrong > 0 ? "not " : "", ++shared->nchecks);
	if (unit->ntransactions > 1)
		for (int i = 0; i < unit->ntransactions; i++)
			printf("%s%s", i > 0 ? " + " : "", unit->transactions[i]->name);
	else
		printf("%s in %d pairs", unit->transactions[0]->name, sets);
	printf(", %s: %d schedules", level_names[unit->level], done);
	if (wrong > 0)
		printf(", %d wrong", wrong);
	printf("\n");
	if (wrong > 0)
		shared->nfailures++;
	unlock_output();
	free(text);
}

static void
open_process(const char *database)
{
	control = connect_to(database);
	observer = connect_as_owner(database);
	run_sql(observer, "SET lock_timeout = '10ms'");
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		workers[i].conn = connect_as_owner(database);
		workers[i].pid = PQbackendPID(workers[i].conn);
	}
	reset_twin();
	reset_store(true);
}

static void
close_process(void)
{
	PQfinish(control);
	PQfinish(observer);
	for (int i = 0; i < MAX_WORKERS; i++)
		PQfinish(workers[i].conn);
}

static void
database_name(char *name, int number)
{
	sprintf(name, "interleavings_%d", number);
}

static void
run_units(const Unit *units, int count)
{
	int			failed = 0;

	for (process = 0; process < PROCESSES; process++)
	{
		pid_t		child;

		fflush(stdout);
		child = fork();
		if (child < 0)
			bail_out("fork: %s", strerror(errno));
		if (child == 0)
		{
			char		database[64];
			int			i;

			database_name(database, process);
			open_process(database);
			while ((i = __atomic_fetch_add(&shared->next_unit, 1,
										   __ATOMIC_SEQ_CST)) < count)
				run_unit(&units[i]);
			close_process();
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
	{
		int			status;

		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			failed++;
	}
	if (failed > 0)
		bail_out("%d of %d processes ended early", failed, PROCESSES);
}

/*
 * The natural race.
 */

static void
insert_first_activities(const char *database, int count)
{
	PGconn	   *conn = connect_as_owner(database);

	for (int i = 1; i <= count;)
	{
		char		sql[MAX_SQL];
		PGresult   *result;

		sprintf(sql, "INSERT INTO ekran.activity (session_id, activity_date)"
				" VALUES (%d, '2024-01-01 08:30')", i);
		result = PQexec(conn, sql);
		if (PQresultStatus(result) == PGRES_COMMAND_OK)
			__atomic_store_n(&shared->raced, i++, __ATOMIC_SEQ_CST);
		else if (strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE),
						"23503") != 0)
			bail_out("%s", PQerrorMessage(conn));
		PQclear(result);
	}
	PQfinish(conn);
}

static int
count_rows(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);
	int			count;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		bail_out("%s: %s", sql, PQerrorMessage(conn));
	count = PQntuples(result);
	PQclear(result);
	return count;
}

static void
check_none(int count, const char *what)
{
	printf("%sok %d - %s: %d\n", count > 0 ? "not " : "", ++shared->nchecks,
		   what, count);
	if (count > 0)
		shared->nfailures++;
}

static void
run_race(int count)
{
	char		database[64];
	char		compare[MAX_SQL];
	pid_t		child;
	int			status;

	database_name(database, 0);
	fflush(stdout);
	child = fork();
	if (child < 0)
		bail_out("fork: %s", strerror(errno));
	if (child == 0)
	{
		insert_first_activities(database, count);
		_exit(0);
	}

	observer = connect_as_owner(database);
	for (int i = 1; i <= count; i++)
	{
		/* The other one tries already, or it would never come too early. */
		while (__atomic_load_n(&shared->raced, __ATOMIC_SEQ_CST) < i - 1)
			usleep(50);
		run_format(observer, "INSERT INTO ekran.session (session_id,"
				   " login_date) VALUES (%d, '2024-01-01 08:00')", i);
	}
	if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		bail_out("the writer of activities ended early");

	sprintf(compare, "SELECT FROM generate_series(0::bigint, %d) p, LATERAL"
			" (SELECT * FROM ekran_sessions(NULL, NULL, 1000, p)"
			" EXCEPT ALL SELECT * FROM testing.by_activity(p)) d",
			count / 1000);
	printf("# race: %d sessions\n", count);
	check_none(count_rows(observer, compare), "race: sessions that differ");
	check_none(count_rows(observer, CHECK_SQL), "race: rows of ekran_check()");
	run_sql(observer, "SELECT ekran_refresh()");
	check_none(count_rows(observer, compare),
			   "race: sessions that differ after ekran_refresh()");
	check_none(count_rows(observer, CHECK_SQL),
			   "race: rows of ekran_check() after ekran_refresh()");
	PQfinish(observer);
}

/*
 * Arguments.
 */

static const Transaction *
find_transaction(const char *name)
{
	for (int i = 0; i < LENGTH(transactions); i++)
		if (strcmp(transactions[i].name, name) == 0)
			return &transactions[i];
	bail_out("no transaction \"%s\"", name);
}

static int
parse_names(const char *names, const Transaction **of)
{
	char	   *copy = strdup(names);
	char	   *rest = copy;
	char	   *name;
	int			count = 0;

	while ((name = strsep(&rest, ",")) != NULL)
	{
		if (count == MAX_WORKERS)
			bail_out("more than %d names: \"%s\"", MAX_WORKERS, names);
		of[count++] = find_transaction(name);
	}
	free(copy);
	return count;
}

static int
count_names(const char *names)
{
	const Transaction *of[MAX_WORKERS];

	return parse_names(names, of);
}

static bool
are_there(const Unit *unit)
{
	for (int i = 0; i < unit->ntransactions; i++)
		if (!is_there(unit->transactions[i]))
			return false;
	return true;
}

static void
add_units(Unit *units, int *count, const char *names, Level last)
{
	for (int level = READ_COMMITTED; level <= (int) last; level++)
	{
		Unit	   *unit = &units[*count];

		unit->level = (Level) level;
		unit->ntransactions = parse_names(names, unit->transactions);
		unit->partner = unit->transactions[0];
		if (are_there(unit) &&
			(unit->ntransactions == 1 ||
			 is_of_level(unit->transactions, unit->ntransactions,
						 unit->level)))
			(*count)++;
	}
}

static Level
parse_level(const char *text)
{
	for (int i = 0; i < LENGTH(level_options); i++)
		if (strcmp(text, level_options[i]) == 0)
			return (Level) i;
	bail_out("level %s: must be rc, rr or ser", text);
}

static void
run_one_set(const char *names, Level level, int runs)
{
	char		database[64];
	const Transaction *of[MAX_WORKERS];
	int			count = parse_names(names, of);
	int			wrong;

	database_name(database, 0);
	open_process(database);
	report = stdout;
	wrong = run_free(of, count, level, runs);
	printf("%sok 1 - %s, %s: %d runs, %d wrong\n", wrong > 0 ? "not " : "",
		   names, level_names[level], runs, wrong);
	shared->nchecks = 1;
	shared->nfailures = wrong > 0;
	close_process();
}

static void
run_one_schedule(int argc, char **argv)
{
	char		database[64];
	Schedule	schedule = {0};
	int			done[MAX_WORKERS] = {0};

	if (argc < 5)
		bail_out("--schedule NAME,NAME LEVEL 0 1 ...");
	schedule.nworkers = parse_names(argv[2], schedule.transactions);
	schedule.level = parse_level(argv[3]);
	for (int i = 4; i < argc && schedule.length < MAX_LENGTH; i++)
	{
		int			number = atoi(argv[i]);

		if (number < 0 || number >= schedule.nworkers)
			bail_out("no worker %s", argv[i]);
		schedule.order[schedule.length++] = number;
		done[number]++;
	}
	for (int i = 0; i < schedule.nworkers; i++)
		if (done[i] != count_steps(schedule.transactions[i], schedule.level))
			bail_out("worker %d has %d steps", i,
					 count_steps(schedule.transactions[i], schedule.level));

	database_name(database, 0);
	open_process(database);
	is_verbose = is_thorough = true;
	report = stdout;
	run_schedule(&schedule);
	printf("%sok 1 - ", faults > 0 ? "not " : "");
	print_schedule(stdout, &schedule);
	printf("\n");
	shared->nchecks = 1;
	shared->nfailures = faults > 0;
	close_process();
}

static void
drop_databases(PGconn *conn)
{
	for (int i = 0; i < PROCESSES; i++)
	{
		char		database[64];

		database_name(database, i);
		run_format(conn, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
	}
	run_sql(conn, "DROP ROLE IF EXISTS " OWNER);
	run_sql(conn, "DROP ROLE IF EXISTS " READER);
}

static void
make_databases(PGconn *conn)
{
	run_sql(conn, "CREATE ROLE " OWNER);
	run_sql(conn, "CREATE ROLE " READER);
	for (int i = 0; i < PROCESSES; i++)
	{
		char		database[64];
		PGconn	   *inside;

		database_name(database, i);
		run_format(conn, "CREATE DATABASE %s", database);
		run_format(conn, "GRANT CREATE ON DATABASE %s TO " OWNER, database);
		inside = connect_to(database);
		run_sql(inside, setup_sql);
		has_maintain = is_true(inside, "SELECT EXISTS (SELECT FROM pg_proc"
							   " WHERE proname = 'ekran_maintain')");
		PQfinish(inside);
	}
	has_prepared = is_true(conn, "SELECT current_setting("
						   "'max_prepared_transactions')::integer >= 10");
	if (!has_maintain)
		printf("# ekran_maintain() is not there: left out\n");
	if (!has_prepared)
		printf("# max_prepared_transactions is below 10:"
			   " prepared transactions are left out\n");
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	bool		is_smoke = strcmp(mode, "--smoke") == 0;
	bool		is_full = strcmp(mode, "--full") == 0;
	Unit		units[(LENGTH(transactions) + LENGTH(sets)) *
					  LENGTH(level_names)];
	int			count = 0;
	long		begun = now();
	PGconn	   *conn;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bail_out("mmap: %s", strerror(errno));
	conn = connect_to(NULL);
	drop_databases(conn);
	make_databases(conn);

	if (strcmp(mode, "--schedule") == 0)
		run_one_schedule(argc, argv);
	else if (strcmp(mode, "--free") == 0 && argc == 5)
		run_one_set(argv[2], parse_level(argv[3]), atoi(argv[4]));
	else if (strcmp(mode, "--race") == 0 && argc == 3)
		run_race(atoi(argv[2]));
	else
	{
		if (strcmp(mode, "--only") == 0 && argc == 3)
		{
			has_serializable_writers = true;
			add_units(units, &count, argv[2], SERIALIZABLE);
			for (int i = 0; i < count; i++)
				units[i].partner = transactions;
		}
		else if (mode[0] != '\0' && !is_smoke && !is_full)
			bail_out("unknown argument \"%s\"", mode);
		else
		{
			is_thorough = has_serializable_writers = is_full;
			thins = !is_full;
			for (int i = 0; i < LENGTH(transactions); i++)
				if (!(transactions[i].traits & ONLY_IN_SETS))
					add_units(units, &count, transactions[i].name,
							  is_smoke ? READ_COMMITTED : SERIALIZABLE);
			for (int i = 0; !is_smoke && i < LENGTH(sets); i++)
				add_units(units, &count, sets[i],
						  is_full || count_names(sets[i]) == 2 ?
						  SERIALIZABLE : READ_COMMITTED);
		}
		run_units(units, count);
		for (int i = 0; i < LENGTH(level_names); i++)
			printf("# %s: %d schedules\n", level_names[i],
				   shared->nschedules[i]);
		printf("# %d s\n", (int) ((now() - begun) / 1000));
	}

	drop_databases(conn);
	PQfinish(conn);
	printf("1..%d\n", shared->nchecks);
	return shared->nfailures > 0;
}
