/*-------------------------------------------------------------------------
 *
 * create_store.c
 *	  ekran_create_store(): the tables of a store, as data, and what it takes
 *	  to make or complete them.
 *
 * The tables are ordinary ones that belong to whoever made them.  Only their
 * triggers depend on the extension: DROP EXTENSION stops at them, and with
 * CASCADE takes them along and nothing else.
 *
 * All DDL runs through SPI with the rights of the store's owner, who is the
 * caller where there is no store yet, and under a pinned search_path, so that
 * built-in names in it mean the built-in objects.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/trigger.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ekran_create_store);
PG_FUNCTION_INFO_V1(ekran_create_partitioned_store);

#define MAX_COLUMNS		6
#define MAX_VIEW_COLUMNS	18
#define SEQUENCE_NAME	"activity_activity_id_seq"

/* Partitions that are made ahead, besides that of this moment; pg_partman makes as many. */
#define PERIODS_AHEAD	4

typedef struct ColumnDefinition
{
	const char *name;
	Oid			type;
	bool		not_null;
	const char *comment;
} ColumnDefinition;

typedef struct TableDefinition
{
	const char *name;
	const char *comment;
	ColumnDefinition columns[MAX_COLUMNS];
	bool		is_derived;		/* for us alone to write to */
	StoreTable	which;
} TableDefinition;

/*
 * Something of a table's.  Constraints and indexes are defined in the very
 * words that the server uses when asked for the definition, so that one text
 * serves to make the object and to recognize it; %s in it is the store.
 */
typedef struct PartDefinition
{
	const char *table;
	const char *name;
	const char *definition;
	const char *comment;
	const char *condition;		/* of a partial index; NULL: none */
} PartDefinition;

static const TableDefinition store_tables[] = {
	{
		"client", "Monitored computers, a row each.",
		{
			{"client_guid", UUIDOID, true, "The computer's id."},
			{"client_name", TEXTOID, false, "The computer's name; null if unknown."},
		},
		false, TABLE_CLIENT
	},
	{
		"app_user", "Monitored users, a row each.",
		{
			{"user_id", INT4OID, true, "The user's id."},
			{"user_name", TEXTOID, false, "The user's name; null if unknown."},
		},
		false, TABLE_APP_USER
	},
	{
		"session", "Sessions of users on monitored computers, a row each.",
		{
			{"session_id", INT8OID, true, "The session's id."},
			{"client_guid", UUIDOID, false, "The computer; null if unknown."},
			{"user_id", INT4OID, false, "The user; null if unknown."},
			{"login_date", TIMESTAMPTZOID, true, "When the session began; finite."},
			{"logout_date", TIMESTAMPTZOID, false, "When it ended; finite, not before login_date. Null while the session runs."},
		},
		false, TABLE_SESSION
	},
	{
		"activity", "What happened in the sessions, a row each. Rows before the login or after the logout are kept but not counted.",
		{
			{"session_id", INT8OID, true, "The session; checked by trigger ekran_insert."},
			{"activity_date", TIMESTAMPTZOID, true, "When it happened; finite."},
			{"activity_id", INT8OID, true, "Tells activities of the same moment apart; from sequence " SEQUENCE_NAME " by default."},
			{"application", TEXTOID, false, "The application in use; null if unknown."},
			{"url", TEXTOID, false, "The URL visited, if any."},
			{"title", TEXTOID, false, "The title of the active window, if any."},
		},
		false, TABLE_ACTIVITY
	},
	{
		"session_idle", "The idle-gap index: for each session with activity, the stretches of more than a minute without. Derived from activity and session; written by folds alone.",
		{
			{"session_id", INT8OID, false, "The session; null in the one row that holds the generation."},
			{"gap_start", TIMESTAMPTZARRAYOID, true, "The activities that the gaps begin at, ascending; the first is -infinity."},
			{"gap_end", TIMESTAMPTZARRAYOID, true, "The activities that they end at; the last is infinity."},
			{"reach", TSTZRANGEOID, false, "Of a running session, from its login to the end of the hour of its latest activity; else null."},
			{"generation", TEXTOID, false, "The generation of the derived tables, in one row: as long as it equals the argument of the triggers, the index is trusted."},
		},
		true, TABLE_SESSION_IDLE
	},
	{
		"pending", "Where session_idle may not be up to date: read from activity until ekran_refresh() folds it in. Writers only append.",
		{
			{"session_id", INT8OID, false, "The session; null in the one row that holds the generation."},
			{"first_moment", TIMESTAMPTZOID, true, "The first moment that may have changed."},
			{"last_moment", TIMESTAMPTZOID, true, "The last one; -infinity: the session itself has changed."},
			{"generation", TEXTOID, false, "As in session_idle. A second such row says that activity was truncated."},
		},
		true, TABLE_PENDING
	},
	{
		"session_count", "How many sessions began on each day of UTC: a log, whose rows of a day add up. Derived from session; writers only append.",
		{
			{"day", DATEOID, false, "The day of login_date in UTC; null in the one row that holds the generation."},
			{"sessions", INT8OID, true, "So many sessions more, or fewer if negative."},
			{"generation", TEXTOID, false, "As in session_idle. A second such row says that session was truncated."},
		},
		true, TABLE_SESSION_COUNT
	},
};

static const PartDefinition store_constraints[] = {
	{"client", "client_pkey", "PRIMARY KEY (client_guid)",
	"Finds a client by its id.", NULL},
	{"app_user", "app_user_pkey", "PRIMARY KEY (user_id)",
	"Finds a user by the id.", NULL},
	{"session", "session_pkey", "PRIMARY KEY (session_id)",
	"Finds a session by its id.", NULL},
	{"session", "session_client_guid_fkey",
		"FOREIGN KEY (client_guid) REFERENCES %s.client(client_guid)",
	"A session's client is known, if given.", NULL},
	{"session", "session_user_id_fkey",
		"FOREIGN KEY (user_id) REFERENCES %s.app_user(user_id)",
	"A session's user is known, if given.", NULL},
	{"session", "session_login_date_finite", "CHECK (isfinite(login_date))",
	"A login is a moment in time.", NULL},
	{"session", "session_logout_date_finite", "CHECK (isfinite(logout_date))",
	"A logout is a moment in time; a running session has none.", NULL},
	{"session", "session_logout_not_before_login",
		"CHECK ((logout_date >= login_date))",
	"A session ends when it began or later.", NULL},
	{"activity", "activity_pkey",
		"PRIMARY KEY (session_id, activity_date, activity_id)",
	"Reads a session's activities in order of time.", NULL},
	{"activity", "activity_activity_date_finite",
		"CHECK (isfinite(activity_date))",
	"An activity is a moment in time.", NULL},
	{"session_idle", "session_idle_session_id_key", "UNIQUE (session_id)",
	"Finds a session's gaps.", NULL},
};

static const PartDefinition store_indexes[] = {
	{"session", "session_login_date_session_id_idx",
		"USING btree (login_date, session_id)",
	"Reads sessions in the order of pages.", NULL},
	{"session", "session_user_id_login_date_session_id_idx",
		"USING btree (user_id, login_date, session_id)",
	"Reads a user's sessions in the order of pages.", NULL},
	{"session", "session_client_guid_login_date_session_id_idx",
		"USING btree (client_guid, login_date, session_id)",
	"Reads a client's sessions in the order of pages.", NULL},
	{"session", "session_tstzrange_idx",
		"USING gist (tstzrange(login_date, logout_date))",
		"Finds the finished sessions that ran at a moment.",
	"(logout_date IS NOT NULL)"},
	{"session", "session_running_idx",
		"USING btree (login_date)",
		"Finds the running sessions.",
	"(logout_date IS NULL)"},
	{"pending", "pending_session_id_first_moment_idx",
		"USING btree (session_id, first_moment)",
	"Finds what is pending for a session.", NULL},
	{"session_idle", "session_idle_reach_idx",
		"USING gist (reach)",
		"Finds the running sessions that reach beyond a moment.",
	"(reach IS NOT NULL)"},
};

/*
 * A view over the tables, with the rights of who asks.  In its definition, %1$s is the
 * store, %2$s the schema of the extension's functions, %3$s the store's name as a
 * literal, which the server keeps as the schema's OID.
 */
typedef struct ViewDefinition
{
	const char *name;
	const char *function;		/* of the extension's, that it calls */
	const char *definition;
	const char *comment;
	ColumnDefinition columns[MAX_VIEW_COLUMNS];
} ViewDefinition;

/* Sums of microseconds, exact, and numbers that tools take. */
#define SESSIONS_HAVE	"pg_catalog.sum((d.piece).duration)"
#define ACTIVE			"pg_catalog.sum((d.piece).active)"
#define IDLE			"(" SESSIONS_HAVE " OPERATOR(pg_catalog.-) " ACTIVE ")"
#define IN_SECONDS		"::pg_catalog.float8 OPERATOR(pg_catalog./) '1000000'::pg_catalog.float8"
#define IN_HOURS		"::pg_catalog.float8 OPERATOR(pg_catalog./) '3600000000'::pg_catalog.float8"

static const ViewDefinition store_views[] = {
	{
		"session_overview", "ekran_session_figures",
		"SELECT s.session_id, s.client_guid, c.client_name, s.user_id, u.user_name,"
		" s.login_date, (f.figures).logout_date, s.logout_date IS NULL AS is_running,"
		" (f.figures).duration_seconds, (f.figures).active_seconds, (f.figures).idle_seconds,"
		" (f.figures).duration_hours, (f.figures).active_hours, (f.figures).idle_hours,"
		" (f.figures).productivity_ratio,"
		" (f.figures).login_day, (f.figures).login_weekday, (f.figures).login_hour"
		" FROM %1$s.session s"
		" LEFT JOIN %1$s.client c ON c.client_guid OPERATOR(pg_catalog.=) s.client_guid"
		" LEFT JOIN %1$s.app_user u ON u.user_id OPERATOR(pg_catalog.=) s.user_id"

		/*
		 * OFFSET 0 has them measured once, and not once a column; conditions
		 * on the tables pass it by.
		 */
		" CROSS JOIN LATERAL (SELECT %2$s.ekran_session_figures(%3$s::pg_catalog.regnamespace,"
		" s.session_id, s.login_date, s.logout_date) AS figures OFFSET 0) f",
		"Sessions in numbers that tools can chart, whole, a row each. By the caller's settings, TimeZone and rights.",
		{
			{"session_id", INT8OID, false, "The session's id."},
			{"client_guid", UUIDOID, false, "The computer's id; null if unknown."},
			{"client_name", TEXTOID, false, "The computer's name; null if unknown."},
			{"user_id", INT4OID, false, "The user's id; null if unknown."},
			{"user_name", TEXTOID, false, "The user's name; null if unknown."},
			{"login_date", TIMESTAMPTZOID, false, "When the session began."},
			{"logout_date", TIMESTAMPTZOID, false, "When it ended; of a running session its latest moment."},
			{"is_running", BOOLOID, false, "Does it run still?"},
			{"duration_seconds", FLOAT8OID, false, "From login_date to logout_date, elapsed; in seconds."},
			{"active_seconds", FLOAT8OID, false, "What of that is not idle; in seconds."},
			{"idle_seconds", FLOAT8OID, false, "Idle time by the caller's settings; in seconds."},
			{"duration_hours", FLOAT8OID, false, "duration_seconds in hours."},
			{"active_hours", FLOAT8OID, false, "active_seconds in hours."},
			{"idle_hours", FLOAT8OID, false, "idle_seconds in hours."},
			{"productivity_ratio", FLOAT8OID, false, "active_seconds / duration_seconds, 0 to 1; null for a duration of zero."},
			{"login_day", DATEOID, false, "The date of the login in the caller's TimeZone."},
			{"login_weekday", INT4OID, false, "Its weekday, 1 (Monday) to 7 (Sunday)."},
			{"login_hour", INT4OID, false, "Its hour, 0 to 23."},
		}
	},
	{
		"user_day", "ekran_session_days",
		"SELECT d.user_id, d.user_name, (d.piece).day,"
		" pg_catalog.min((d.piece).first_instant) AS first_login,"
		" pg_catalog.max((d.piece).last_instant) AS last_logout,"
		" pg_catalog.sum((d.piece).sessions) AS sessions,"
		" " SESSIONS_HAVE IN_SECONDS " AS session_seconds,"
		" " ACTIVE IN_SECONDS " AS active_seconds,"
		" " IDLE IN_SECONDS " AS idle_seconds,"
		" " ACTIVE IN_HOURS " AS active_hours,"
		" " IDLE IN_HOURS " AS idle_hours"
		" FROM (SELECT s.user_id, u.user_name,"
		"  %2$s.ekran_session_days(%3$s::pg_catalog.regnamespace,"
		"  s.session_id, s.login_date, s.logout_date) AS piece"
		"  FROM %1$s.session s"
		"  LEFT JOIN %1$s.app_user u ON u.user_id OPERATOR(pg_catalog.=) s.user_id) d"
		/* By the name too, so that a condition on it reaches the tables. */
		" GROUP BY d.user_id, d.user_name, (d.piece).day",
		"What each user's sessions have of each day of the caller's TimeZone, a row each; every session counts by itself. By the caller's settings and rights.",
		{
			{"user_id", INT4OID, false, "The user's id; null: sessions without one."},
			{"user_name", TEXTOID, false, "The user's name; null if unknown."},
			{"day", DATEOID, false, "The date."},
			{"first_login", TIMESTAMPTZOID, false, "The first instant of the day in a session of theirs."},
			{"last_logout", TIMESTAMPTZOID, false, "The last one: a microsecond before the day ends where a session goes on."},
			{"sessions", INT8OID, false, "How many sessions have an instant in the day."},
			{"session_seconds", FLOAT8OID, false, "What they have of the day, added up; in seconds."},
			{"active_seconds", FLOAT8OID, false, "What of that is not idle; in seconds."},
			{"idle_seconds", FLOAT8OID, false, "Idle time by the caller's settings; in seconds."},
			{"active_hours", FLOAT8OID, false, "active_seconds in hours."},
			{"idle_hours", FLOAT8OID, false, "idle_seconds in hours."},
		}
	},
};

/* How often it is seen what a store lacks, where others change it meanwhile. */
#define MAX_SURVEYS	10

/* What who may not make a store is told. */
#define CREATOR_GRANTS \
	"To make a store takes CREATE on the database, or USAGE and CREATE on a schema that is there. " \
	"Best is one of your own: who may make schemas can give it to you by CREATE SCHEMA ... AUTHORIZATION."

/* The store in hand; every name is quoted. */
typedef struct StoreBuild
{
	const char *name;
	Oid			schema;
	Oid			owner;
	const char *extension;		/* the schema of the extension's functions,
								 * once something is to be made */
	Oid			extension_schema;
	Oid			extension_owner;	/* of ekran_create_store() */
	Oid			function;		/* itself */
	bool		is_new;			/* was there no store? */
	bool		is_survey;		/* only look what is missing? */
	uint64		tables_before;	/* changes_of_tables(), before that */
	LOCKMODE	lock;			/* that what is missing takes */
	bool		is_stale;		/* was a part of its upkeep missing? */
	bool		has_guards;		/* does the extension have their functions? */
	const Interval *period;		/* of activity's partitions; NULL: none are
								 * made */
	bool		has_told;		/* of those that can't be? */
	bool		is_made[NUM_STORE_TABLES];	/* by this call, or to be made? */
} StoreBuild;

static const StoreQuery highest_activity_id = {
	.sql = "SELECT pg_catalog.max(a.activity_id) FROM @store@.activity a"
	" WHERE a.activity_id OPERATOR(pg_catalog.>) 0",
	.columns = {{INT8OID, NULLABLE}},
	.plan_options = PLAN_EACH_TIME
};

static char *format_sql(const char *format, va_list arguments) pg_attribute_printf(1, 0);
static void run(const char *format,...) pg_attribute_printf(1, 2);
static bool is_found(const char *format,...) pg_attribute_printf(1, 2);

/*
 * Run a command, or a query that has few rows, with the rights in hand.
 */
void
run_sql(const char *sql)
{
	int			result = SPI_execute(sql, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
}

static char *
format_sql(const char *format, va_list arguments)
{
	char		probe[1];
	va_list		copy;
	int			length;
	char	   *sql;

	va_copy(copy, arguments);
	length = vsnprintf(probe, sizeof(probe), format, copy);
	va_end(copy);

	sql = palloc(length + 1);
	vsnprintf(sql, length + 1, format, arguments);
	return sql;
}

/* Run a command.  The caller has quoted what needs it. */
static void
run(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	run_sql(format_sql(format, arguments));
	va_end(arguments);
}

/* Does a query return a row? */
static bool
is_found(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	run_sql(format_sql(format, arguments));
	va_end(arguments);
	return SPI_processed > 0;
}

/*
 * Note that something is missing, and the lock on the store's tables that it takes
 * to add it; is it to be added now?
 */
static bool
must_add(StoreBuild *build, LOCKMODE lock)
{
	build->lock = Max(build->lock, lock);
	return !build->is_survey;
}

static void
ensure_comment(StoreBuild *build, Oid object, Oid catalog, int column, const char *kind,
			   const char *identity, const char *comment)
{
	if (GetComment(object, catalog, column) == NULL &&
		must_add(build, ShareUpdateExclusiveLock))
		run("COMMENT ON %s %s IS %s", kind, identity,
			quote_literal_cstr(comment));
}

static char *
table_identity(const StoreBuild *build, const char *table)
{
	return psprintf("%s.%s", build->name, table);
}

static Oid
table_oid(const StoreBuild *build, const char *table)
{
	return get_relname_relid(table, build->schema);
}

/*
 * The relation of a name, if there is one, which nobody can drop, rename or give
 * to another role until the transaction ends; a survey locks nothing.
 */
static Oid
locked_oid(const StoreBuild *build, const char *name)
{
	RangeVar   *relation;

	if (build->is_survey)
		return table_oid(build, name);
	relation = makeRangeVar(get_namespace_name(build->schema), pstrdup(name), -1);
	return RangeVarGetRelid(relation, AccessShareLock, true);
}

pg_noreturn static void
refuse_changed_store(const StoreBuild *build)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("store %s has been changed by somebody else meanwhile",
					build->name),
			 errhint("Call ekran_create_store() again.")));
}

/*
 * What a survey finds amiss may be what others have half done, for it locks nothing.
 */
static void
check_unchanged(const StoreBuild *build)
{
	AcceptInvalidationMessages();
	if (build->is_survey && changes_of_tables() != build->tables_before)
		refuse_changed_store(build);
}

/*
 * Open a table that was there a moment ago.
 */
static Relation
open_found(const StoreBuild *build, Oid relation)
{
	Relation	table = try_table_open(relation, AccessShareLock);

	if (table == NULL)
		refuse_changed_store(build);
	return table;
}

/*
 * Refuse what is in the way: an object of a store's name and another shape.
 */
pg_noreturn static void
refuse_other_shape(const StoreBuild *build, const char *name, const char *detail)
{
	check_unchanged(build);
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("%s.%s is not as a store needs it: %s",
					build->name, name, detail),
			 errdetail("Nothing has been changed."),
			 errhint("Change that, or rename it or move it to another schema, or create the store in another schema.")));
}

/*
 * What is somebody else's may hold triggers, defaults or policies that would
 * run with the rights of the store's owner.
 */
static void
check_owner(const StoreBuild *build, const char *name, Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		refuse_changed_store(build);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (owner != build->owner)
		refuse_other_shape(build, name,
						   psprintf("it belongs to role \"%s\", the store to \"%s\"",
									GetUserNameFromId(owner, false),
									GetUserNameFromId(build->owner, false)));
}

Oid
owner_of_schema(Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Tell who has made a store in a schema of somebody else's: a member of the role that
 * was to own it, as a rule.  What belongs to the database's owner, such as public, is
 * for all.
 */
static void
tell_of_schema_owner(const StoreBuild *build)
{
	Oid			owner = owner_of_schema(build->schema);

	if (owner != build->owner && owner != ROLE_PG_DATABASE_OWNER)
		ereport(NOTICE,
				(errmsg("store %s belongs to role \"%s\", and its schema to role \"%s\"",
						build->name, GetUserNameFromId(build->owner, false),
						GetUserNameFromId(owner, false)),
				 errdetail("A store belongs to who makes it; the owner of its schema may rename or drop what is in it."),
				 errhint("To give it to the schema's owner, drop what is in it, and call as that role, by SET ROLE.")));
}

/*
 * Whose the store is: the owner of its table session, else the caller.  Who
 * has the owner's rights may complete it, and does so as the owner: the parts
 * are the owner's too, and what the owner has planted there runs as the owner,
 * in a restricted operation where the caller is somebody else.
 */
static CallerRights
become_store_owner(StoreBuild *build, Store *store)
{
	build->is_new = !load_store(store, build->schema);
	if (build->is_new)
		store->owner = GetUserId();
	else
	{
		refuse_views(store);
		require_owner_rights(store);
	}
	build->owner = store->owner;
	return become_owner(store, OWNER_MAINTAINS);
}

/*
 * Keep a schema from being renamed until the transaction ends.
 *
 * DDL has no other way than to look names up again and again, and between two of
 * its commands the schema's owner could put another one in its place, with tables
 * that run the owner's code when they are altered, or, in the place of the
 * extension's, functions for triggers to call.  No lock on a schema keeps it
 * from that, but a lock on its row in the catalog does, of the kind that a key
 * referring to its name would take: on the newest version too, which a GRANT that
 * is not committed yet may have made.
 */
void
pin_schema(Oid schema, const char *name)
{
	Relation	namespaces = table_open(NamespaceRelationId, RowShareLock);
	HeapTuple	row = SearchSysCacheCopy1(NAMESPACEOID, ObjectIdGetDatum(schema));
	TM_Result	result = TM_Deleted;
	TM_FailureData failure;
	Buffer		buffer;

	if (HeapTupleIsValid(row))
	{
		result = heap_lock_tuple(namespaces, row, GetCurrentCommandId(true),
								 LockTupleKeyShare, LockWaitBlock, true,
								 &buffer, &failure);
		ReleaseBuffer(buffer);
	}
	AcceptInvalidationMessages();
	if (result != TM_Ok || get_namespace_oid(name, true) != schema)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("schema %s has been changed by somebody else meanwhile",
						quote_identifier(name)),
				 errhint("Repeat the call.")));
	table_close(namespaces, NoLock);
}

/*
 * What there is of the store that may be locked, in the order in which it is: tables and
 * their partitions, which have triggers too, the sequence, and the views.
 */
static List *
find_relations(const StoreBuild *build)
{
	List	   *found = NIL;
	Oid			sequence = table_oid(build, SEQUENCE_NAME);

	for (size_t i = 0; i < lengthof(store_tables); i++)
	{
		Oid			table = table_oid(build, store_tables[i].name);

		if (OidIsValid(table))
			found = list_concat(found, pieces_without_locks(table));
	}
	if (OidIsValid(sequence))
		found = lappend_oid(found, sequence);
	for (size_t i = 0; i < lengthof(store_views); i++)
	{
		Oid			view = table_oid(build, store_views[i].name);

		if (OidIsValid(view))
			found = lappend_oid(found, view);
	}
	return found;
}

/*
 * Does the transaction hold a lock on anything of the store?  Whatever its mode, somebody
 * may be waiting for it, or for rows that were locked under it.
 */
static bool
has_used(const StoreBuild *build)
{
	List	   *relations = find_relations(build);
	bool		result = false;
	ListCell   *cell;

	foreach(cell, relations)
		result |= holds_lock(lfirst_oid(cell), AccessShareLock);
	list_free(relations);
	return result;
}

/*
 * Refuse to wait where others may be waiting for this transaction.
 */
pg_noreturn static void
refuse_to_wait(const StoreBuild *build)
{
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("store %s is in use by others, and this transaction has used it",
					build->name),
			 errhint("Call ekran_create_store() in a transaction of its own.")));
}

static void
lock_object(const StoreBuild *build, Oid catalog, Oid object, LOCKMODE lock)
{
	if (!has_used(build))
		LockDatabaseObject(catalog, object, 0, lock);
	else if (!ConditionalLockDatabaseObject(catalog, object, 0, lock))
		refuse_to_wait(build);
}

/*
 * Two that make a store at a time would trip over each other's half of it.  Before its
 * row is locked, as the server does it.
 */
static void
lock_out_makers(const StoreBuild *build)
{
	lock_object(build, NamespaceRelationId, build->schema, ShareUpdateExclusiveLock);
}

/*
 * Keep the extension from being dropped until the transaction ends: not every minor
 * version of the server locks a function that a trigger or view is to call, and so one
 * that is being dropped could leave them behind without it.  And its schema from being
 * renamed, so that names lead to it.  Before any table is locked, for it may take waiting.
 */
static void
pin_extension(StoreBuild *build)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, build->function);
	char	   *name;

	if (OidIsValid(extension))
		lock_object(build, ExtensionRelationId, extension, AccessShareLock);
	AcceptInvalidationMessages();
	name = get_namespace_name(build->extension_schema);
	/* dropped while it was waited for, or moved by a superuser */
	if (name == NULL || get_func_namespace(build->function) != build->extension_schema)
		refuse_changed_store(build);
	pin_schema(build->extension_schema, name);
	build->extension = quote_identifier(name);
}

static void
ensure_schema(StoreBuild *build, const char *name)
{
	build->name = quote_identifier(name);
	build->schema = get_namespace_oid(name, true);
	if (OidIsValid(build->schema))
	{
		lock_out_makers(build);
		pin_schema(build->schema, name);
		return;
	}

	run("CREATE SCHEMA %s", build->name);
	build->schema = get_namespace_oid(name, false);
	CommandCounterIncrement();
	lock_out_makers(build);
	pin_schema(build->schema, name);
	ensure_comment(build, build->schema, NamespaceRelationId, 0, "SCHEMA",
				   build->name,
				   "Store of the extension ekran_sessions: sessions of monitored users and what happened in them.");
}

static void
create_table(const StoreBuild *build, const TableDefinition *table)
{
	StringInfoData columns;

	initStringInfo(&columns);
	for (const ColumnDefinition *column = table->columns;
		 column < table->columns + MAX_COLUMNS && column->name != NULL;
		 column++)
		appendStringInfo(&columns, "%s%s %s%s",
						 columns.len > 0 ? ", " : "",
						 column->name, format_type_be_qualified(column->type),
						 column->not_null ? " NOT NULL" : "");
	run("CREATE TABLE %s.%s (%s)%s", build->name, table->name, columns.data,
		table->which == TABLE_ACTIVITY && build->period != NULL ?
			" PARTITION BY RANGE (activity_date)" : "");
}

/*
 * Take back what default privileges have granted on a new partition: who may read it by its
 * own name is shown what policies of the whole hide.
 */
static void
revoke_defaults(Oid partition, const char *identity)
{
	run("SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'"
		" ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END"
		" FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a"
		" WHERE c.oid = %u AND a.grantee <> c.relowner", partition);
	for (SPITupleTable *grantees = SPI_tuptable; grantees->numvals > 0; grantees->numvals--)
		run("REVOKE ALL ON %s FROM %s CASCADE", identity,
			SPI_getvalue(grantees->vals[grantees->numvals - 1], grantees->tupdesc, 1));
}

/*
 * Are there activities of a time that no partition has but the default one?  Then it can't
 * have one of its own; the others are made all the same.
 */
static bool
is_in_default(const StoreBuild *build, const MissingPartition *partition)
{
	if (!is_found("SELECT FROM %s.activity WHERE activity_date OPERATOR(pg_catalog.>=) %s::pg_catalog.timestamptz"
				  " AND activity_date OPERATOR(pg_catalog.<) %s::pg_catalog.timestamptz LIMIT 1",
				  build->name, partition->from, partition->to))
		return false;
	if (!build->has_told)
		ereport(WARNING,
				(errmsg("partition \"%s\" is not made: the default partition has activities of its time",
						partition->name),
				 errhint("doc/operations.md, \"Partitions\", says how to move them.")));
	return true;
}

/*
 * Make a partition that is missing, of the name.
 */
static void
ensure_partition(StoreBuild *build, const char *name, const char *range, const char *comment)
{
	Oid			same_name = table_oid(build, name);
	char	   *identity = table_identity(build, name);

	if (OidIsValid(same_name))
		refuse_other_shape(build, name, psprintf("it is not the partition of activity %s", range));
	/* The server takes it of the whole, and of the default partition. */
	if (!must_add(build, AccessExclusiveLock))
		return;
	run("CREATE TABLE %s PARTITION OF %s.activity %s", identity, build->name, range);
	revoke_defaults(table_oid(build, name), identity);
	ensure_comment(build, table_oid(build, name), RelationRelationId, 0, "TABLE", identity,
				   comment);
}

/*
 * The partitions of activity, where such are asked for: that of this moment, some to come,
 * and the default one, so that nothing is refused for its time.
 */
static void
ensure_partitions(StoreBuild *build)
{
	Oid			oid = table_oid(build, "activity");
	Relation	activity;
	TimePartitions present;
	bool		is_ranged;
	ListCell   *cell;

	if (build->period == NULL || !OidIsValid(oid))
		return;
	activity = open_found(build, oid);
	is_ranged = time_partitions(activity, &present);
	table_close(activity, AccessShareLock);
	if (!is_ranged)
	{
		check_unchanged(build);
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s.activity is not partitioned by ranges of activity_date", build->name),
				 errdetail("Nothing has been changed."),
				 errhint("script/partition.sql makes a table with rows the first partition of another one: doc/operations.md, \"Partitions\".")));
	}
	foreach(cell, missing_partitions(&present, build->period, GetCurrentTransactionStartTimestamp(),
									 PERIODS_AHEAD))
	{
		const MissingPartition *partition = lfirst(cell);

		if (is_in_default(build, partition))
			continue;
		ensure_partition(build, partition->name,
						 psprintf("FOR VALUES FROM (%s) TO (%s)", partition->from, partition->to),
						 "A range of time of table activity.");
	}
	build->has_told = true;
	if (!present.has_default)
		ensure_partition(build, "activity_default", "DEFAULT",
						 "What of table activity no other partition has.");
}

/*
 * Of derived tables nothing is sent to who subscribes to all tables, see
 * derived_table.c, and they are never shortened, for that would take a lock that
 * cancels readers on standbys.
 */
static void
ensure_derived_settings(StoreBuild *build, const TableDefinition *table,
						Oid relation)
{
	char	   *identity = table_identity(build, table->name);

	if (!is_found("SELECT FROM pg_catalog.pg_class"
				  " WHERE oid = %u AND relreplident = 'n'", relation) &&
		must_add(build, AccessExclusiveLock))
		run("ALTER TABLE %s REPLICA IDENTITY NOTHING", identity);
	if (!is_found("SELECT FROM pg_catalog.pg_class"
				  " WHERE oid = %u AND 'vacuum_truncate=false' = ANY (reloptions)",
				  relation) &&
		must_add(build, ShareUpdateExclusiveLock))
		run("ALTER TABLE %s SET (vacuum_truncate = false)", identity);
	if (!is_found("SELECT FROM pg_catalog.pg_class"
				  " WHERE oid = %u AND relpersistence = 'p'", relation) &&
		must_add(build, AccessExclusiveLock))
	{
		run("ALTER TABLE %s SET LOGGED", identity);
		build->is_stale = true;
	}
}

/*
 * Check a derived table, to which we write directly: it is as we make it or of no use.
 */
static void
check_derived_table(const StoreBuild *build, const TableDefinition *table,
					Oid relation)
{
	StoreTable	which = table->which;
	Relation	derived = open_found(build, relation);
	Store		store = {.schema = build->schema,.owner = build->owner};
	const char *fault = derived_table_misfit(derived, &store, which);

	table_close(derived, AccessShareLock);
	if (fault == NULL)
		return;
	check_unchanged(build);
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("%s.%s is not as a store needs it: %s",
					build->name, table->name, fault),
			 errdetail("Nothing has been changed."),
			 errhint("Undo that, or drop the table: ekran_create_store() makes it anew from the activities.")));
}

/*
 * Check the columns of a table that is there.  It may have more of them: those
 * are its owner's.
 */
static void
check_columns(const StoreBuild *build, const char *name,
			  const ColumnDefinition *columns, int max, Oid relation)
{
	for (const ColumnDefinition *column = columns;
		 column < columns + max && column->name != NULL; column++)
	{
		HeapTuple	tuple = SearchSysCacheAttName(relation, column->name);
		Form_pg_attribute attribute;

		if (!HeapTupleIsValid(tuple))
			refuse_other_shape(build, name,
							   psprintf("column \"%s\" is missing", column->name));
		attribute = (Form_pg_attribute) GETSTRUCT(tuple);
		if (attribute->atttypid != column->type)
			refuse_other_shape(build, name,
							   psprintf("column \"%s\" is of type %s instead of %s",
										column->name,
										format_type_be(attribute->atttypid),
										format_type_be(column->type)));
		if (column->not_null && !attribute->attnotnull)
			refuse_other_shape(build, name,
							   psprintf("column \"%s\" allows nulls", column->name));
		if (attribute->attgenerated != '\0')
			refuse_other_shape(build, name,
							   psprintf("column \"%s\" is generated", column->name));
		ReleaseSysCache(tuple);
	}
}

static void
check_table(const StoreBuild *build, const TableDefinition *table, Oid relation)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, build->function);
	char		kind = get_rel_relkind(relation);

	if (kind == '\0')
		refuse_changed_store(build);
	if (kind != RELKIND_RELATION &&
		(kind != RELKIND_PARTITIONED_TABLE || table->is_derived))
		refuse_other_shape(build, table->name,
						   table->is_derived ? "it is not a table of one piece" : "it is not a table");
	if (kind == RELKIND_RELATION &&
		is_found("SELECT FROM pg_catalog.pg_inherits WHERE inhparent = %u",
				 relation))
		refuse_other_shape(build, table->name, "tables inherit from it");
	if (is_found("SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = %u",
				 relation))
		refuse_other_shape(build, table->name, "it is a part of another table");
	if (is_found("SELECT FROM pg_catalog.pg_class WHERE oid = %u AND reloftype <> 0",
				 relation))
		refuse_other_shape(build, table->name,
						   "it is of a type, with which it would be dropped (ALTER TABLE ... NOT OF makes it one of its own)");
	if (OidIsValid(extension) &&
		getExtensionOfObject(RelationRelationId, relation) == extension)
		refuse_other_shape(build, table->name,
						   "it is a part of the extension, with which it would be dropped (ALTER EXTENSION ... DROP TABLE takes it out)");
	if (get_rel_persistence(relation) != RELPERSISTENCE_PERMANENT &&
		!table->is_derived)
		refuse_other_shape(build, table->name, "it is not logged");
	check_owner(build, table->name, relation);
	check_columns(build, table->name, table->columns, MAX_COLUMNS, relation);
	if (table->is_derived)
		check_derived_table(build, table, relation);
}

static void
ensure_column_comments(StoreBuild *build, const ColumnDefinition *columns, int max,
					   Oid relation, const char *identity)
{
	for (const ColumnDefinition *column = columns;
		 column < columns + max && column->name != NULL; column++)
		ensure_comment(build, relation, RelationRelationId,
					   get_attnum(relation, column->name), "COLUMN",
					   psprintf("%s.%s", identity, column->name),
					   column->comment);
}

static void
ensure_table(StoreBuild *build, const TableDefinition *table)
{
	Oid			relation = locked_oid(build, table->name);
	char	   *identity = table_identity(build, table->name);

	if (OidIsValid(relation))
		check_table(build, table, relation);
	else
	{
		build->is_stale |= table->is_derived;
		build->is_made[table->which] = true;
		if (!must_add(build, ShareRowExclusiveLock))
			return;
		create_table(build, table);
		relation = table_oid(build, table->name);
	}

	if (table->is_derived)
		ensure_derived_settings(build, table, relation);
	ensure_comment(build, relation, RelationRelationId, 0, "TABLE", identity,
				   table->comment);
	ensure_column_comments(build, table->columns, MAX_COLUMNS, relation, identity);
}

/*
 * The store as queries see it, for work with the owner's rights.  The tables that
 * have been checked are locked, so that these must be the same.
 */
static Store
built_store(const StoreBuild *build)
{
	Store		store;

	if (!load_store(&store, build->schema) || store.owner != build->owner ||
		!is_table_of(store.tables[TABLE_SESSION], store.owner, true) ||
		!is_table_of(store.tables[TABLE_ACTIVITY], store.owner, true))
		refuse_changed_store(build);
	store.rights = RIGHTS_OF_OWNER;
	return store;
}

/*
 * Activities may be there already, by a sequence that is no more.
 */
static void
continue_sequence(const StoreBuild *build, Oid sequence)
{
	Store		store = built_store(build);
	Rows		rows;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	begin_rows(&rows, &store, &highest_activity_id, NULL);
	if (next_row(&rows) && !rows.nulls[0])
		(void) DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence),
								   rows.values[0]);
	end_rows(&rows);
	PopActiveSnapshot();
}

/*
 * Give activity_id its default, unless the owner has given it another.
 *
 * The agents that insert evaluate the default, with their own rights: hence
 * the grant.  It lets whoever may use the schema take numbers, and reads
 * nothing that is stored.
 */
static void
ensure_sequence(StoreBuild *build)
{
	Oid			activity = table_oid(build, "activity");
	Oid			sequence = locked_oid(build, SEQUENCE_NAME);
	char	   *identity = table_identity(build, SEQUENCE_NAME);

	if (build->is_survey && !OidIsValid(activity))
		return;
	if (is_found("SELECT FROM pg_catalog.pg_attribute"
				 " WHERE attrelid = %u AND attname = 'activity_id'"
				 " AND (atthasdef OR attidentity <> '')",
				 activity) ||
		!must_add(build, AccessExclusiveLock))
		return;

	if (!OidIsValid(sequence))
	{
		run("CREATE SEQUENCE %s OWNED BY %s.activity.activity_id",
			identity, build->name);
		sequence = table_oid(build, SEQUENCE_NAME);
		continue_sequence(build, sequence);
	}
	else if (get_rel_relkind(sequence) != RELKIND_SEQUENCE)
		refuse_other_shape(build, SEQUENCE_NAME, "it is not a sequence");
	else
		check_owner(build, SEQUENCE_NAME, sequence);
	run("GRANT USAGE ON SEQUENCE %s TO PUBLIC", identity);

	run("ALTER TABLE %s.activity ALTER COLUMN activity_id"
		" SET DEFAULT pg_catalog.nextval(%s)",
		build->name, quote_literal_cstr(identity));
	ensure_comment(build, sequence, RelationRelationId, 0, "SEQUENCE", identity,
				   "Gives activities their activity_id. Whoever may use the schema may take numbers.");
}

/*
 * A constraint that says more than ours (ON DELETE, DEFERRABLE) serves too;
 * one that existing rows may violate does not.
 */
static void
ensure_constraint(StoreBuild *build, const PartDefinition *constraint)
{
	Oid			relation = table_oid(build, constraint->table);
	char	   *table = table_identity(build, constraint->table);
	char	   *definition = psprintf(constraint->definition, build->name);
	bool		is_primary = strncmp(definition, "PRIMARY KEY", strlen("PRIMARY KEY")) == 0;
	bool		makes_index = is_primary ||
		strncmp(definition, "UNIQUE", strlen("UNIQUE")) == 0;
	LOCKMODE	lock = strncmp(definition, "FOREIGN KEY", strlen("FOREIGN KEY")) == 0 ?
		ShareRowExclusiveLock : AccessExclusiveLock;
	Oid			oid;

	if (build->is_survey && !OidIsValid(relation))
		return;
	if (!is_found("SELECT FROM pg_catalog.pg_constraint"
				  " WHERE conrelid = %u AND convalidated"
				  " AND pg_catalog.starts_with(pg_catalog.pg_get_constraintdef(oid), %s)",
				  relation, quote_literal_cstr(definition)))
	{
		if (OidIsValid(get_relation_constraint_oid(relation, constraint->name, true)))
			refuse_other_shape(build, constraint->table,
							   psprintf("constraint \"%s\" is not a valid %s",
										constraint->name, definition));
		if (is_primary &&
			is_found("SELECT FROM pg_catalog.pg_constraint"
					 " WHERE conrelid = %u AND contype = 'p'", relation))
			refuse_other_shape(build, constraint->table,
							   psprintf("its primary key is another one than %s",
										definition));
		if (makes_index && OidIsValid(table_oid(build, constraint->name)))
			refuse_other_shape(build, constraint->name,
							   psprintf("it is not the index of \"%s\" for its %s",
										constraint->table, definition));
		if (!must_add(build, lock))
			return;
		run("ALTER TABLE %s ADD CONSTRAINT %s %s",
			table, constraint->name, definition);
	}

	/* The owner may have renamed it, then it is theirs to describe. */
	oid = get_relation_constraint_oid(relation, constraint->name, true);
	if (OidIsValid(oid))
		ensure_comment(build, oid, ConstraintRelationId, 0, "CONSTRAINT",
					   psprintf("%s ON %s", constraint->name, table),
					   constraint->comment);
}

static char *
where_clause(const PartDefinition *index)
{
	return index->condition == NULL ? "" :
		psprintf(" WHERE %s", index->condition);
}

/*
 * Has a table a valid index of our definition, whatever its name and storage
 * parameters?
 */
static bool
has_index(const StoreBuild *build, const PartDefinition *index, Oid relation)
{
	/* The server's words for an index of some name, on this table. */
	const char *definition =
		"pg_catalog.format('CREATE INDEX %%I ON %%s%%s %%s', c.relname, %s, %s, %s)";
	char	   *table = quote_literal_cstr(table_identity(build, index->table));
	char	   *rest = quote_literal_cstr(index->definition);
	const char *only = get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE ?
		"'ONLY '" : "''";
	char	   *expected = psprintf(definition, only, table, rest);
	char	   *condition = quote_literal_cstr(where_clause(index));

	return is_found("SELECT FROM pg_catalog.pg_index i"
					" JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid,"
					" pg_catalog.pg_get_indexdef(i.indexrelid) d"
					" WHERE i.indrelid = %u AND i.indisvalid"
					" AND (i.indpred IS NULL) = (%s = '')"
					" AND (d = %s || %s"
					"  OR (pg_catalog.starts_with(d, %s || ' WITH (')"
					"   AND pg_catalog.right(d, pg_catalog.length(%s)) = %s))",
					relation, condition, expected, condition, expected,
					condition, condition);
}

static void
ensure_index(StoreBuild *build, const PartDefinition *index)
{
	Oid			relation = table_oid(build, index->table);
	Oid			same_name = table_oid(build, index->name);
	char	   *identity = table_identity(build, index->name);

	if (build->is_survey && !OidIsValid(relation))
		return;
	if (!has_index(build, index, relation))
	{
		if (OidIsValid(same_name))
			refuse_other_shape(build, index->name,
							   psprintf("it is not a valid index on \"%s\" %s%s",
										index->table, index->definition,
										where_clause(index)));
		if (!must_add(build, ShareRowExclusiveLock))
			return;
		run("CREATE INDEX %s ON %s.%s %s%s",
			index->name, build->name, index->table, index->definition,
			where_clause(index));
		same_name = table_oid(build, index->name);
	}

	if (OidIsValid(same_name))
		ensure_comment(build, same_name, RelationRelationId, 0, "INDEX", identity,
					   index->comment);
}

/*
 * Check a view that is there.  Its owner may have it show more.
 */
static void
check_view(const StoreBuild *build, const ViewDefinition *view, Oid relation)
{
	if (get_rel_relkind(relation) != RELKIND_VIEW)
		refuse_other_shape(build, view->name, "it is not a view");
	check_owner(build, view->name, relation);
	check_columns(build, view->name, view->columns, MAX_VIEW_COLUMNS, relation);
}

/*
 * A view of the store's shows nobody more than the tables do, whatever has been set.
 */
static void
ensure_invoker(StoreBuild *build, Oid relation, const char *identity)
{
	if (!is_found("SELECT FROM pg_catalog.pg_class"
				  " WHERE oid = %u AND 'security_invoker=true' = ANY (reloptions)",
				  relation) &&
		must_add(build, AccessShareLock))
		run("ALTER VIEW %s SET (security_invoker = true)", identity);
}

/*
 * A condition on pg_proc p: is it a function of ours, by its symbol?  Wherever that is, and
 * whatever else is where it was, or has been made a part of the extension by who owns that:
 * only superusers make functions in C.  They may have given it to somebody else, as a
 * restore of a database does that goes on after errors, who can put another one in its
 * place then.
 */
static char *
is_our_function(const StoreBuild *build, const char *symbol)
{
	return psprintf("p.prolang = %u AND p.prosrc = %s AND (p.proowner = %u OR EXISTS"
					" (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = p.proowner AND r.rolsuper))",
					ClanguageId, quote_literal_cstr(symbol), build->extension_owner);
}

/*
 * Has the extension in the database a function of its own, and not just somebody in its
 * schema?  An older version lacks those that are new.
 */
static bool
has_function(const StoreBuild *build, const char *function)
{
	return is_found("SELECT FROM pg_catalog.pg_proc p"
					" JOIN pg_catalog.pg_depend d ON d.objid = p.oid"
					" JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
					" WHERE p.pronamespace = %u AND p.proname = %s"
					" AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass"
					" AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"
					" AND d.deptype = 'e' AND e.extname = 'ekran_sessions' AND %s",
					build->extension_schema, quote_literal_cstr(function),
					is_our_function(build, function));
}

/*
 * Refuse a view that calls another function than ours, which its name has led to.
 */
static void
check_made_view(const StoreBuild *build, const ViewDefinition *view, Oid relation)
{
	if (is_found("SELECT FROM pg_catalog.pg_rewrite r"
				 " JOIN pg_catalog.pg_depend d ON d.objid = r.oid"
				 " JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid"
				 " WHERE r.ev_class = %u"
				 " AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass"
				 " AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass"
				 " AND NOT (%s)",
				 relation, is_our_function(build, view->function)))
		refuse_changed_store(build);
}

static void
ensure_view(StoreBuild *build, const ViewDefinition *view)
{
	Oid			relation = locked_oid(build, view->name);
	char	   *identity = table_identity(build, view->name);

	if (!has_function(build, view->function))
		return;
	if (OidIsValid(relation))
		check_view(build, view, relation);
	else
	{
		if (!must_add(build, AccessShareLock))
			return;
		run("CREATE VIEW %s AS %s", identity,
			psprintf(view->definition, build->name, build->extension,
					 quote_literal_cstr(build->name)));
		relation = table_oid(build, view->name);
		check_made_view(build, view, relation);
	}
	ensure_invoker(build, relation, identity);
	ensure_comment(build, relation, RelationRelationId, 0, "VIEW", identity,
				   view->comment);
	ensure_column_comments(build, view->columns, MAX_VIEW_COLUMNS, relation, identity);
}

/*
 * Refuse a trigger of one of our names that isn't ours.
 */
static void
check_trigger_name(const StoreBuild *build, const char *table, Oid relation,
				   const char *name, const char *is_ours)
{
	if (OidIsValid(get_trigger_oid(relation, name, true)) &&
		!is_found("SELECT FROM pg_catalog.pg_trigger t"
				  " WHERE t.tgrelid = %u AND t.tgname = %s AND %s",
				  relation, quote_literal_cstr(name), is_ours))
		refuse_other_shape(build, table,
						   psprintf("trigger \"%s\" is another one", name));
}

/*
 * A condition on pg_trigger t: does it call a function of ours?
 */
static char *
is_ours(const StoreBuild *build, const char *symbol)
{
	return psprintf("EXISTS (SELECT FROM pg_catalog.pg_proc p"
					" WHERE p.oid = t.tgfoid AND %s)", is_our_function(build, symbol));
}

static char *
new_generation(const StoreBuild *build)
{
	unsigned char random[16];
	StringInfoData generation;

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	initStringInfo(&generation);
	appendStringInfo(&generation, "%s-",
					 build->has_guards ? GENERATION_FORMAT : UNGUARDED_FORMAT);
	for (size_t i = 0; i < sizeof(random); i++)
		appendStringInfo(&generation, "%02x", random[i]);
	return generation.data;
}

/*
 * Has a table all its triggers, and of which generation?
 */
static bool
has_triggers(const StoreBuild *build, const TriggerSet *set, Oid relation,
			 char *generation)
{
	Relation	table = open_found(build, relation);
	const char *reason;
	bool		result = find_generation(set, table, generation, &reason) &&
		is_our_format(generation);

	table_close(table, AccessShareLock);
	return result;
}

/*
 * Are all triggers there that are no guards, of one generation?
 */
static bool
has_all_triggers(const StoreBuild *build, const Oid *relations, char *generation)
{
	char		other[GENERATION_SIZE];

	return has_triggers(build, triggers_of(TABLE_SESSION), relations[TABLE_SESSION], generation) &&
		has_triggers(build, triggers_of(TABLE_ACTIVITY), relations[TABLE_ACTIVITY], other) &&
		strcmp(generation, other) == 0;
}

/*
 * Are all guards, and was the generation made with them?
 */
static bool
has_all_guards(const Oid *relations, const char *generation)
{
	bool		result = is_guarded(generation);

	for (StoreTable which = TABLE_SESSION; result && which < NUM_STORE_TABLES; which++)
	{
		Relation	table = try_table_open(relations[which], AccessShareLock);

		result = table != NULL && guards_fault(table, which, generation) == NULL;
		if (table != NULL)
			table_close(table, AccessShareLock);
	}
	return result;
}

/*
 * The names of a set's triggers on a table, for rows or for statements, as an array.
 */
static char *
names_of_triggers(const TriggerSet *set, Oid relation, bool are_for_rows)
{
	char		kind = get_rel_relkind(relation);
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < set->count; i++)
		if (is_wanted(&set->triggers[i], kind) &&
			(TRIGGER_FOR_ROW(set->triggers[i].type) != 0) == are_for_rows)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
							 quote_literal_cstr(set->triggers[i].name));
	return psprintf("ARRAY[%s]::pg_catalog.name[]", names.data);
}

/*
 * The partitions of a table, as an array.  Without locks, as in check_partitions().
 */
static char *
partitions_of(Oid relation)
{
	List	   *pieces = pieces_without_locks(relation);
	StringInfoData oids;
	ListCell   *cell;

	initStringInfo(&oids);
	foreach(cell, pieces)
		if (lfirst_oid(cell) != relation)
		appendStringInfo(&oids, "%s%u", oids.len > 0 ? ", " : "", lfirst_oid(cell));
	list_free(pieces);
	return psprintf("ARRAY[%s]::pg_catalog.oid[]", oids.data);
}

/*
 * A condition on pg_trigger t: is it one of ours, on a table, in whose place none of the
 * set can be put?  For it has another name, is of another kind, or for rows where that
 * is not, of which partitions would keep theirs; or it is one that a partition has from
 * when it was a table by itself.
 */
static char *
is_irreplaceable(const StoreBuild *build, const TriggerSet *set, Oid relation)
{
	return psprintf("NOT t.tgisinternal AND %s"
					" AND (t.tgrelid = %u"
					"  AND (t.tgconstraint <> 0 OR t.tgname <> ALL (CASE WHEN t.tgtype & %d <> 0 THEN %s ELSE %s END))"
					"  OR t.tgrelid = ANY (%s) AND t.tgparentid = 0)",
					is_ours(build, set->symbol), relation, TRIGGER_TYPE_ROW,
					names_of_triggers(set, relation, true),
					names_of_triggers(set, relation, false), partitions_of(relation));
}

static void
drop_irreplaceable(const StoreBuild *build, const TriggerSet *set, Oid relation)
{
	run("SELECT pg_catalog.format('%%I ON %%s', t.tgname, t.tgrelid::pg_catalog.regclass)"
		" FROM pg_catalog.pg_trigger t WHERE %s", is_irreplaceable(build, set, relation));
	for (SPITupleTable *names = SPI_tuptable; names->numvals > 0; names->numvals--)
		run("DROP TRIGGER %s", SPI_getvalue(names->vals[names->numvals - 1],
											names->tupdesc, 1));
}

static void
create_triggers(const StoreBuild *build, const TriggerSet *set, Oid relation,
				const char *generation)
{
	char		kind = get_rel_relkind(relation);
	StringInfoData enabling;

	initStringInfo(&enabling);
	for (int i = 0; i < set->count; i++)
	{
		const StoreTrigger *trigger = &set->triggers[i];

		if (!is_wanted(trigger, kind))
			continue;
		run("CREATE OR REPLACE TRIGGER %s %s%s ON %s.%s%s%s%s FOR EACH %s%s EXECUTE FUNCTION %s.%s(%s)",
			trigger->name, trigger->event,
			trigger->columns != NULL ? trigger->columns : "",
			build->name, table_names[set->table],
			trigger->has_old_rows || trigger->has_new_rows ? " REFERENCING" : "",
			trigger->has_old_rows ? " OLD TABLE AS old_rows" : "",
			trigger->has_new_rows ? " NEW TABLE AS new_rows" : "",
			trigger->level,
			trigger->condition != NULL ? trigger->condition : "",
			build->extension, set->symbol, quote_literal_cstr(generation));
		if (build->has_guards && trigger->fires != TRIGGER_FIRES_ON_ORIGIN)
			appendStringInfo(&enabling, "%s ENABLE %s TRIGGER %s",
							 enabling.len > 0 ? "," : "",
							 trigger->fires == TRIGGER_FIRES_ALWAYS ? "ALWAYS" : "REPLICA",
							 trigger->name);
	}
	if (enabling.len > 0)
		run("ALTER TABLE %s.%s%s", build->name, table_names[set->table], enabling.data);
}

/*
 * Their functions were named.  See that these were the extension's, which may have been
 * moved to another schema meanwhile.
 */
static void
check_made_triggers(const StoreBuild *build, const TriggerSet *set, Oid relation)
{
	for (int i = 0; i < set->count; i++)
		if (is_found("SELECT FROM pg_catalog.pg_trigger t"
					 " WHERE t.tgrelid = %u AND t.tgname = %s AND NOT %s",
					 relation, quote_literal_cstr(set->triggers[i].name),
					 is_ours(build, set->symbol)))
			refuse_changed_store(build);
}

static void
ensure_trigger_comments(StoreBuild *build, const TriggerSet *set, Oid relation)
{
	for (int i = 0; i < set->count; i++)
	{
		const StoreTrigger *trigger = &set->triggers[i];
		Oid			oid = get_trigger_oid(relation, trigger->name, true);

		if (OidIsValid(oid))
			ensure_comment(build, oid, TriggerRelationId, 0, "TRIGGER",
						   psprintf("%s ON %s.%s", trigger->name, build->name,
									table_names[set->table]),
						   trigger->comment);
	}
}

/*
 * Refuse partitions whose rows a crash would take, and those that the store's owner may
 * make no triggers on: the server would name one, and not what to do.  Without locks,
 * for while it only looks, it must keep nobody waiting; what has gone meanwhile does no
 * harm.
 */
static void
check_partitions(const StoreBuild *build, StoreTable which, Oid relation)
{
	List	   *pieces = pieces_without_locks(relation);
	ListCell   *cell;

	foreach(cell, pieces)
	{
		Oid			piece = lfirst_oid(cell);
		bool		is_missing = get_rel_relkind(piece) == '\0';

		if (is_missing)
			continue;
		if (piece != relation && get_rel_persistence(piece) == RELPERSISTENCE_UNLOGGED)
			refuse_other_shape(build, table_names[which],
							   psprintf("partition \"%s\" is not logged",
										get_rel_name(piece)));

		if (pg_class_aclcheck_ext(piece, build->owner, ACL_TRIGGER,
								  &is_missing) != ACLCHECK_OK && !is_missing)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("partition \"%s\" of %s.%s belongs to somebody else than the store",
							get_rel_name(piece), build->name, table_names[which]),
					 errdetail("The store's owner, role \"%s\", may make no trigger on it.",
							   GetUserNameFromId(build->owner, false)),
					 errhint("Give it to the owner of the store: ALTER TABLE %s OWNER TO %s.",
							 quote_qualified_identifier(get_namespace_name(get_rel_namespace(piece)),
														get_rel_name(piece)),
							 quote_identifier(GetUserNameFromId(build->owner, false)))));
	}
	list_free(pieces);
}

/*
 * Refuse partitions that have a trigger of their own by the name of one of ours, for the
 * server would put that in its place, and partitions of somebody else's that have others
 * that call our function, which the store's owner can't drop.
 */
static void
check_triggers_of_partitions(const StoreBuild *build, const TriggerSet *set, Oid relation,
							 const char *ours)
{
	const char *partitions = partitions_of(relation);

	for (int i = 0; i < set->count; i++)
		if (is_found("SELECT FROM pg_catalog.pg_trigger t"
					 " WHERE t.tgrelid = ANY (%s) AND t.tgname = %s"
					 " AND (t.tgconstraint <> 0 OR NOT %s)",
					 partitions, quote_literal_cstr(set->triggers[i].name), ours))
			refuse_other_shape(build, table_names[set->table],
							   psprintf("trigger \"%s\" of a partition is another one",
										set->triggers[i].name));
	if (is_found("SELECT FROM pg_catalog.pg_trigger t"
				 " JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
				 " WHERE t.tgrelid = ANY (%s) AND t.tgparentid = 0"
				 " AND NOT t.tgisinternal AND %s"
				 " AND NOT pg_catalog.pg_has_role(%u, c.relowner, 'USAGE')",
				 partitions, ours, build->owner))
		refuse_other_shape(build, table_names[set->table],
						   "a partition of somebody else's has a trigger of its own that calls the extension");
}

/*
 * Refuse what is in the way of triggers, and say which lock it takes to make them: to
 * drop some takes more, for readers look at them.
 */
static LOCKMODE
check_triggers(const StoreBuild *build, const TriggerSet *set, Oid relation)
{
	char	   *ours = is_ours(build, set->symbol);

	check_partitions(build, set->table, relation);
	for (int i = 0; i < set->count; i++)
		check_trigger_name(build, table_names[set->table], relation,
						   set->triggers[i].name, ours);
	check_triggers_of_partitions(build, set, relation, ours);
	return is_found("SELECT FROM pg_catalog.pg_trigger t WHERE %s",
					is_irreplaceable(build, set, relation)) ?
		AccessExclusiveLock : ShareRowExclusiveLock;
}

/*
 * The sets of triggers that the store has, one by one; NULL after the last.
 */
static const TriggerSet *
set_of(const StoreBuild *build, int i)
{
	if (i < NUM_TRIGGER_SETS)
		return &trigger_sets[i];
	i -= NUM_TRIGGER_SETS;
	return build->has_guards && i < NUM_GUARD_SETS ? &guard_sets[i] : NULL;
}

/*
 * Are the derived tables right at this moment, of a store that is made by older
 * versions, without guards?  It is locked.  What a replication has brought to such a
 * store, nobody knows.
 */
static bool
is_right_unguarded(const StoreBuild *build, const char *generation)
{
	Store		store;
	DerivedStatus status;
	DayCounts	counts;
	bool		result;

	if (build->is_stale || is_guarded(generation) ||
		is_found("SELECT FROM pg_catalog.pg_subscription_rel"))
		return false;
	store = built_store(build);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	status = derived_status(&store, GetActiveSnapshot(), true);
	result = status.gaps.state == DERIVED_OK && status.counts.state == DERIVED_OK &&
		load_day_counts(&store, GetActiveSnapshot(), generation, &counts).state == DERIVED_OK;
	PopActiveSnapshot();
	return result;
}

/*
 * Let the derived tables be of another generation as they are.
 */
static void
adopt_derived_tables(const StoreBuild *build, const char *generation)
{
	Store		store = built_store(build);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	for (StoreTable which = TABLE_SESSION_IDLE; which < NUM_STORE_TABLES; which++)
	{
		DerivedTable table;

		open_derived_table(&table, &store, which);
		set_generation(&table, which, generation);
		close_derived_table(&table);
	}
	PopActiveSnapshot();
}

static bool
makes_derived_table(const StoreBuild *build)
{
	for (StoreTable which = TABLE_SESSION_IDLE; which < NUM_STORE_TABLES; which++)
		if (build->is_made[which])
			return true;
	return false;
}

static void
replace_triggers(StoreBuild *build, const Oid *relations,
				 const char *old_generation)
{
	char	   *generation = new_generation(build);
	bool		is_right = is_right_unguarded(build, old_generation);
	const TriggerSet *set;

	for (int i = 0; (set = set_of(build, i)) != NULL; i++)
	{
		Oid			relation = relations[set->table];

		drop_irreplaceable(build, set, relation);
		create_triggers(build, set, relation, generation);
		check_made_triggers(build, set, relation);
	}
	if (is_right)
		adopt_derived_tables(build, generation);
	else
		build->is_stale = true;
}

/*
 * The triggers are made all together and anew, for their generation says that none of
 * them has been missing since, and none of the derived tables: one that comes back, or
 * that activities come back to, after another has been in its place, is of another.
 */
static void
ensure_triggers(StoreBuild *build)
{
	Oid			relations[NUM_STORE_TABLES];
	char		generation[GENERATION_SIZE] = "";
	const TriggerSet *set;

	for (StoreTable which = 0; which < NUM_STORE_TABLES; which++)
		relations[which] = table_oid(build, table_names[which]);
	if (build->is_survey && (!OidIsValid(relations[TABLE_SESSION]) ||
							 !OidIsValid(relations[TABLE_ACTIVITY])))
		return;
	if (makes_derived_table(build) || !has_all_triggers(build, relations, generation) ||
		(build->has_guards && !has_all_guards(relations, generation)))
	{
		bool		is_wanted_now = true;

		for (int i = 0; (set = set_of(build, i)) != NULL; i++)
			if (OidIsValid(relations[set->table]))
				is_wanted_now &= must_add(build, check_triggers(build, set,
																relations[set->table]));
		if (!is_wanted_now)
			return;
		replace_triggers(build, relations, generation);
	}
	for (int i = 0; (set = set_of(build, i)) != NULL; i++)
		if (OidIsValid(relations[set->table]))
			ensure_trigger_comments(build, set, relations[set->table]);
}

/*
 * What was written while something was missing, the derived tables don't know.
 */
static void
rebuild_stale_tables(const StoreBuild *build)
{
	Store		store = built_store(build);

	(void) rebuild_derived(&store);
}

/*
 * Make what a store lacks; in a survey, only find out which lock that takes.
 */
static void
ensure_store(StoreBuild *build)
{
	for (size_t i = 0; i < lengthof(store_tables); i++)
		ensure_table(build, &store_tables[i]);
	ensure_partitions(build);
	ensure_sequence(build);
	for (size_t i = 0; i < lengthof(store_constraints); i++)
		ensure_constraint(build, &store_constraints[i]);
	for (size_t i = 0; i < lengthof(store_indexes); i++)
		ensure_index(build, &store_indexes[i]);
	ensure_triggers(build);
	for (size_t i = 0; i < lengthof(store_views); i++)
		ensure_view(build, &store_views[i]);
}

/*
 * Lock a table, if that takes no waiting.
 */
static bool
lock_at_once(Oid oid, LOCKMODE lock)
{
	if (!holds_lock(oid, lock))
		return ConditionalLockRelationOid(oid, lock);

	/* By trying, it is not to be had where others wait for what we hold. */
	LockRelationOid(oid, lock);
	return true;
}

/*
 * Lock what there is of a store, all or none.
 *
 * The first is waited for while none of the others is held, and they are taken by
 * trying; if that fails, all are given back, and the one that failed is the next to
 * wait for.  So nobody who writes to the store can be waiting for us while we wait
 * for them.
 *
 * Errors: 55P03 if one can't be had at once by a transaction that has used the store, and
 * so may already be waited for.
 */
static void
lock_all_or_none(const StoreBuild *build, const List *tables, LOCKMODE lock)
{
	bool		may_wait = !has_used(build);
	int			first = 0;

	do
	{
		int			taken = 0;
		int			failed = -1;

		CHECK_FOR_INTERRUPTS();
		if (may_wait)
			LockRelationOid(list_nth_oid(tables, first), lock);
		for (int i = 0; i < list_length(tables) && failed < 0; i++)
		{
			if (may_wait && i == first)
				continue;
			if (lock_at_once(list_nth_oid(tables, i), lock))
				taken = i + 1;
			else
				failed = i;
		}
		if (failed < 0)
			break;

		if (!may_wait)
			refuse_to_wait(build);
		for (int i = 0; i < taken; i++)
			if (i != first)
				UnlockRelationOid(list_nth_oid(tables, i), lock);
		UnlockRelationOid(list_nth_oid(tables, first), lock);
		first = failed;
	} while (true);
}

static void
unlock_all(const List *tables, LOCKMODE lock)
{
	ListCell   *cell;

	foreach(cell, tables)
		UnlockRelationOid(lfirst_oid(cell), lock);
}

/*
 * Refuse to complete a store, which is there, where we could not see what others
 * have written to it.
 *
 * Errors: 25001, 55006.
 */
static void
check_transaction(const StoreBuild *build)
{
	if (find_relations(build) == NIL)
		return;
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("store %s can be completed in isolation level READ COMMITTED only",
						build->name),
				 errdetail("What has been written to it since the transaction's snapshot would be missed."),
				 errhint("Begin the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.")));
	if (is_statement_in_progress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("store %s can't be completed while a statement on sessions or activities is in progress",
						build->name),
				 errhint("Call ekran_create_store() as a statement of its own.")));
}

static void
see(void *argument)
{
	StoreBuild *build = argument;

	AcceptInvalidationMessages();
	build->tables_before = changes_of_tables();
	build->lock = NoLock;
	build->is_stale = false;
	memset(build->is_made, 0, sizeof(build->is_made));
	ensure_store(build);
}

/*
 * See what the store lacks, again where others change it meanwhile: statistics that the
 * server takes of a table by itself are a change too.  What has been looked at is not held.
 */
static void
survey(StoreBuild *build)
{
	ErrorData  *error;
	int			attempts = 0;

	build->is_survey = true;
	while ((error = look_in_subtransaction(see, build)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE ||
			++attempts == MAX_SURVEYS)
			ReThrowError(error);
		FreeErrorData(error);
	}
}

/*
 * See what the store lacks, and lock what is there of it as far as that takes, until
 * what is lacking then takes no more.  Agents are kept out as long as that alone.
 *
 * False if it lacks nothing.
 */
static bool
lock_what_it_takes(StoreBuild *build)
{
	List	   *tables = NIL;
	LOCKMODE	held = NoLock;

	while (true)
	{
		survey(build);
		/* Partitions may have come while others were waited for. */
		if (build->lock <= held &&
			(held == NoLock || equal(tables, find_relations(build))))
			break;
		if (held == NoLock)
		{
			check_transaction(build);
			pin_extension(build);
		}
		else
			unlock_all(tables, held);
		held = Max(held, build->lock);
		tables = find_relations(build);
		if (tables != NIL)
			lock_all_or_none(build, tables, held);
	}
	build->is_survey = false;
	return held != NoLock;
}

/*
 * Is there no schema of a name but one of the server's own?
 */
bool
is_reserved_schema(const char *name)
{
	return strncmp(name, "pg_", 3) == 0 || name[0] == '\0' ||
		strcmp(name, "information_schema") == 0;
}

static void
check_store_name(FunctionCallInfo fcinfo)
{
	const char *name;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("schema of a store must not be null"),
				 errhint("Give the name of a schema, or leave it out for \"ekran\".")));

	name = NameStr(*PG_GETARG_NAME(0));
	if (is_reserved_schema(name))
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("schema \"%s\" can't hold a store", name),
				 errdetail("The name is empty or the server's own."),
				 errhint("Give the name of an ordinary schema; it is created where it doesn't exist.")));
}

/*
 * Errors: 22004, 22023.
 */
static const Interval *
get_period(FunctionCallInfo fcinfo)
{
	const Interval *period;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("partition_by must not be null"),
				 errhint("Give an interval such as '1 month', or leave it out.")));
	period = PG_GETARG_INTERVAL_P(1);
	check_period(period);
	return period;
}

static void
find_extension(StoreBuild *build, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	build->function = function;
	build->extension_schema = ((Form_pg_proc) GETSTRUCT(tuple))->pronamespace;
	build->extension_owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
}

static void
create_or_complete(StoreBuild *build, const char *name)
{
	CallerRights caller;
	Store		store;

	ensure_schema(build, name);
	caller = become_store_owner(build, &store);
	build->has_guards = has_function(build, "ekran_derived_written");

	if (lock_what_it_takes(build))
	{
		ensure_store(build);
		if (build->is_stale)
			rebuild_stale_tables(build);
	}
	become_caller(&store, caller);
	if (build->is_new)
		tell_of_schema_owner(build);
}

/*
 * Make a store, or complete it; with a period, of whose partitions those are made that are
 * missing.
 */
static void
make_store(FunctionCallInfo fcinfo, const Interval *period)
{
	MemoryContext context = CurrentMemoryContext;
	int			guc_nest_level = NewGUCNestLevel();
	StoreBuild	build = {.period = period};

	pin_search_path();
	pin_quoting();
	SPI_connect();

	find_extension(&build, fcinfo->flinfo->fn_oid);
	PG_TRY();
	{
		create_or_complete(&build, NameStr(*PG_GETARG_NAME(0)));
	}
	PG_CATCH();
	{
		rethrow_with_grants(context, CREATOR_GRANTS);
	}
	PG_END_TRY();
	SPI_finish();
	AtEOXact_GUC(false, guc_nest_level);
}

static void
check_call(FunctionCallInfo fcinfo)
{
	PreventCommandDuringRecovery("ekran_create_store()");
	PreventCommandIfParallelMode("ekran_create_store()");
	check_store_name(fcinfo);
}

/*
 * ekran_create_store(schema name) returns void
 *
 * Make a store in a schema, or complete one that lacks something.
 *
 * What is there keeps its data, and what its owner has added.  Errors: 42809
 * for an object in the way with another shape or owner, and for a store of views;
 * 42501 for a store of another owner; 22004 and 42939 for a schema that can't be; 25001
 * for a store that is there, outside of READ COMMITTED; 55P03 where others use a store
 * that this transaction has used; 40001 where the schema changes meanwhile; the
 * server's own where the caller may not create or alter, or where rows violate a
 * constraint that was missing.  On error nothing changes.
 */
Datum
ekran_create_store(PG_FUNCTION_ARGS)
{
	check_call(fcinfo);
	make_store(fcinfo, NULL);
	PG_RETURN_VOID();
}

/*
 * ekran_create_store(schema name, partition_by interval) returns void
 *
 * Likewise a store whose activity is partitioned by ranges of activity_date of that length,
 * from the one of this moment to some ahead; those that are missing are made.  Errors:
 * likewise; 22004 and 22023 for a period that can't be; 42809 where activity is there and
 * not partitioned so.
 */
Datum
ekran_create_partitioned_store(PG_FUNCTION_ARGS)
{
	check_call(fcinfo);
	make_store(fcinfo, get_period(fcinfo));
	PG_RETURN_VOID();
}
