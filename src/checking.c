/*-------------------------------------------------------------------------
 *
 * checking.c
 *	  Checking the derived tables against the activities and sessions that they
 *	  are made from.  Writes nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ekran_check);

/* Those that are there, and those that the index has a row for. */
static const StoreQuery sessions_to_check = {
	.sql = "SELECT COALESCE(s.session_id, i.session_id), i.gap_start, i.gap_end,"
	" i.session_id IS NOT NULL,"
	" s.session_id IS NOT NULL, CASE WHEN s.logout_date IS NULL THEN s.login_date END,"
	" pg_catalog.lower(i.reach), pg_catalog.upper(i.reach)"
	" FROM @store@.session s FULL JOIN @store@.session_idle i"
	"   ON i.session_id OPERATOR(pg_catalog.=) s.session_id"
	" WHERE COALESCE(s.session_id, i.session_id) IS NOT NULL",
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZARRAYOID, NULLABLE}, {TIMESTAMPTZARRAYOID, NULLABLE},
		{BOOLOID, NOT_NULL}, {BOOLOID, NOT_NULL},
		{TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_EACH_TIME,
	.batch = 100
};

/* Columns of sessions_to_check. */
enum
{
	CHECK_SESSION_ID,
	CHECK_START,
	CHECK_END,
	CHECK_HAS_ROW,
	CHECK_IS_THERE,
	CHECK_RUNNING_SINCE,		/* null: it has finished, or is not there */
	CHECK_REACH					/* its bounds */
};

static const StoreQuery orphans = {
	.sql = "SELECT a.session_id, pg_catalog.count(*) FROM @store@.activity a"
	" WHERE NOT EXISTS (SELECT FROM @store@.session s"
	"  WHERE s.session_id OPERATOR(pg_catalog.=) a.session_id)"
	" GROUP BY a.session_id ORDER BY a.session_id",
	.columns = {{INT8OID, NULLABLE}, {INT8OID, NOT_NULL}},
	.plan_options = PLAN_EACH_TIME,
	.batch = SESSION_BATCH
};

/*
 * The tables of the store's schema, and columns of them, that DROP EXTENSION ... CASCADE
 * would drop, for they are of a type of its: what hangs on the extension, and what on that.
 */
static const char *dropped_with_extension =
	"WITH RECURSIVE dependent AS ("
" SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d"
"  WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass"
"  AND d.refobjid OPERATOR(pg_catalog.=) $1"
"  AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass"
" UNION"
" SELECT d.classid, d.objid, d.objsubid FROM dependent p"
"  JOIN pg_catalog.pg_depend d ON d.refclassid OPERATOR(pg_catalog.=) p.classid"
"  AND d.refobjid OPERATOR(pg_catalog.=) p.objid"
"  AND (p.objsubid OPERATOR(pg_catalog.=) 0 OR d.refobjsubid OPERATOR(pg_catalog.=) p.objsubid))"
" SELECT c.relname, a.attname FROM dependent d"
" JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.objid"
" LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid"
"  AND a.attnum OPERATOR(pg_catalog.=) d.objsubid AND d.objsubid OPERATOR(pg_catalog.>) 0"
" WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass"
" AND c.relnamespace OPERATOR(pg_catalog.=) $2"
" AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[])"
" AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m"
"  WHERE m.classid OPERATOR(pg_catalog.=) d.classid AND m.objid OPERATOR(pg_catalog.=) d.objid"
"  AND m.deptype OPERATOR(pg_catalog.=) 'e')"
" ORDER BY c.relname, a.attnum";

static void
report_difference(ReturnSetInfo *result, Datum session_id, bool is_null,
				  const char *difference)
{
	Datum		values[] = {session_id, CStringGetTextDatum(difference)};
	bool		nulls[] = {is_null, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* What the sessions are compared with. */
typedef struct Check
{
	const Store *store;
	bool		has_reach;		/* is it in use? */
	DerivedScan pending;
	Activities *activities;
} Check;

/*
 * Does the row of a session for which nothing is pending hold its reach?  What it holds
 * beyond that does no harm.
 */
static bool
has_its_reach(const Rows *session, const Gaps *gaps)
{
	Reach		stored = read_reach(session->values + CHECK_REACH,
									session->nulls + CHECK_REACH);
	SessionFacts facts = {0};
	Reach		reach;

	if (DatumGetBool(session->values[CHECK_IS_THERE]))
		facts = session_facts(session->values[CHECK_RUNNING_SINCE],
							  session->nulls[CHECK_RUNNING_SINCE]);
	reach = reach_of(&facts, gaps);
	return covers(&stored, &reach);
}

/*
 * Compare what the index says of a session with its raw activities; what
 * differs, or NULL.
 */
static const char *
find_difference(Check *check, const Rows *session)
{
	int64		session_id = DatumGetInt64(session->values[CHECK_SESSION_ID]);
	bool		has_row = DatumGetBool(session->values[CHECK_HAS_ROW]);
	bool		is_pending;
	Ranges		pending;
	Gaps		stored;
	Gaps		raw;

	is_pending = find_session_row(&check->pending, session_id);
	if (!read_pending(&check->pending, session_id, &pending))
		return "row in pending does not hold a range";
	if (!has_row)
		stored = no_activity_gaps();
	else if (!read_gaps(session->values + CHECK_START,
						session->nulls + CHECK_START, &stored))
		return "row in session_idle does not hold gaps";

	if (!exact_gaps(check->activities, session_id, &stored, &pending))
		return "row in session_idle does not fit what is pending";
	raw = raw_gaps(check->store, session_id);
	if (!equal_gaps(&stored, &raw))
		return psprintf("session_idle has %d gaps, activities have %d, and they differ",
						stored.count, raw.count);
	if (check->has_reach && has_row && !is_pending && !has_its_reach(session, &raw))
		return "row in session_idle does not reach as far as the session";
	return NULL;
}

/*
 * Compare the index with the sessions.  Which of them run, it doesn't know where their
 * changes may have gone unnoted, and isn't asked.
 */
static void
check_sessions(const Store *store, bool are_counted, ReturnSetInfo *result)
{
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext session_context;
	Relation	pending = table_open(store->tables[TABLE_PENDING], AccessShareLock);
	Check		check = {.store = store,.has_reach = are_counted && has_session_key(store)};
	Rows		sessions;

	if (!begin_derived_scan(&check.pending, pending, GetActiveSnapshot(), true))
		refuse_broken(store, "table \"pending\" lacks its index on session_id");
	check.activities = begin_activities(store, NO_LABEL);
	session_context = AllocSetContextCreate(CurrentMemoryContext,
											"ekran_sessions check",
											ALLOCSET_DEFAULT_SIZES);
	begin_rows(&sessions, store, &sessions_to_check, NULL);
	while (next_row(&sessions))
	{
		const char *difference;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(session_context);
		difference = find_difference(&check, &sessions);
		if (difference != NULL)
			report_difference(result, sessions.values[0], false, difference);
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(session_context);
	}
	end_rows(&sessions);
	MemoryContextDelete(session_context);
	end_activities(check.activities);
	end_derived_scan(&check.pending);
	table_close(pending, NoLock);
}

static void
check_orphans(const Store *store, ReturnSetInfo *result)
{
	Rows		rows;

	begin_rows(&rows, store, &orphans, NULL);
	while (next_row(&rows))
	{
		int64		count = DatumGetInt64(rows.values[1]);
		char	   *difference = psprintf(INT64_FORMAT " %s no session", count,
										  count == 1 ? "activity has" : "activities have");

		report_difference(result, rows.values[0], rows.nulls[0], difference);
		pfree(difference);
	}
	end_rows(&rows);
}

/*
 * The extension has no tables.  Of one that has been made a part of it, dumps lack the rows,
 * and it goes with it.
 */
static void
check_members(const Store *store, Oid function, ReturnSetInfo *result)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, function);

	if (!OidIsValid(extension))
		return;
	if (getExtensionOfObject(NamespaceRelationId, store->schema) == extension)
		report_difference(result, (Datum) 0, true,
						  "the schema is a part of the extension: dumps lack it");
	for (StoreTable which = 0; which < NUM_STORE_TABLES; which++)
	{
		List	   *pieces = OidIsValid(store->tables[which]) ?
			pieces_without_locks(store->tables[which]) : NIL;
		ListCell   *cell;

		foreach(cell, pieces)
		{
			const char *name = get_rel_name(lfirst_oid(cell));

			CHECK_FOR_INTERRUPTS();
			if (name != NULL &&
				getExtensionOfObject(RelationRelationId, lfirst_oid(cell)) == extension)
				report_difference(result, (Datum) 0, true,
								  psprintf("table \"%s\" is a part of the extension: dumps lack its rows, and it is dropped with it",
										   name));
		}
		list_free(pieces);
	}
}

/*
 * Tables of the schema that are no part of it and would go with it all the same.
 */
static void
check_dependents(const Store *store, Oid function, ReturnSetInfo *result)
{
	Oid			types[] = {OIDOID, OIDOID};
	Datum		parameters[] = {
		ObjectIdGetDatum(getExtensionOfObject(ProcedureRelationId, function)),
		ObjectIdGetDatum(store->schema)
	};
	int			status = SPI_execute_with_args(dropped_with_extension, 2, types,
											   parameters, NULL, true, 0);
	SPITupleTable *found = SPI_tuptable;

	if (status != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(status));
	for (uint64 i = 0; i < found->numvals; i++)
	{
		const char *table = SPI_getvalue(found->vals[i], found->tupdesc, 1);
		const char *column = SPI_getvalue(found->vals[i], found->tupdesc, 2);
		const char *what = column == NULL ? psprintf("table \"%s\"", table) :
			psprintf("column \"%s\" of table \"%s\"", column, table);

		report_difference(result, (Datum) 0, true,
						  psprintf("%s is of a type of the extension: it is dropped with it", what));
	}
	SPI_freetuptable(found);
}

static void
report_day(ReturnSetInfo *result, DateADT day, int64 stored, int64 counted)
{
	char	   *date = DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(day)));
	char	   *difference = psprintf("session_count has " INT64_FORMAT " sessions of %s, session has " INT64_FORMAT,
									  stored, date, counted);

	report_difference(result, (Datum) 0, true, difference);
	pfree(difference);
	pfree(date);
}

/*
 * Compare the counts of days with the sessions.
 */
static void
check_counts(const Store *store, const DayCounts *stored, ReturnSetInfo *result)
{
	DayCounts	counted;
	Size		i = 0;
	Size		j = 0;

	count_logins(store, &counted);
	while (i < stored->count || j < counted.count)
	{
		const DayCount *left = i < stored->count ? &stored->days[i] : NULL;
		const DayCount *right = j < counted.count ? &counted.days[j] : NULL;
		bool		has_left = left != NULL && (right == NULL || left->day <= right->day);
		bool		has_right = right != NULL && (left == NULL || right->day <= left->day);

		Assert(has_left || has_right);
		if (!has_left || !has_right || left->sessions != right->sessions)
			report_day(result, has_left ? left->day : right->day,
					   has_left ? left->sessions : 0,
					   has_right ? right->sessions : 0);
		i += has_left;
		j += has_right;
	}
}

/*
 * Is there something to be checked, that answers?  What is raw isn't used.
 *
 * Errors: 55000 if the store is broken.
 */
static bool
is_in_use(const Store *store, const Verdict *verdict, const char *what)
{
	if (verdict->state == DERIVED_BROKEN)
		refuse_broken(store, verdict->reason);
	if (verdict->state == DERIVED_RAW)
		ereport(NOTICE,
				(errmsg("%s of store \"%s\" is not in use: %s", what,
						NameStr(store->name), verdict->reason),
				 errhint("CALL ekran_maintain() makes it anew.")));
	return verdict->state == DERIVED_OK;
}

/*
 * ekran_check() returns table (session_id bigint, difference text)
 *
 * Recompute the derived tables from the raw ones; a row for each session where
 * what is returned by the index would differ, for each that has activities but
 * is not there, and, with a null session_id, for each day whose sessions are not as
 * many as counted, and for each table that would be dropped with the extension.  Reads
 * every activity and session.  Errors: those of begin_maintenance(); 55000 if the store
 * is broken, or while a statement on sessions or activities is in progress.
 */
Datum
ekran_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Store		store;
	CallerRights caller;
	DerivedStatus status;
	DayCounts	counts;

	InitMaterializedSRF(fcinfo, 0);
	caller = begin_maintenance(&store);
	SPI_connect();
	/* The caller's may be from before a fold of this transaction's. */
	PushActiveSnapshot(GetTransactionSnapshot());
	if (is_statement_in_progress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot check while a statement on sessions or activities is in progress"),
				 errhint("Call ekran_check() as a statement of its own.")));
	status = derived_status(&store, GetActiveSnapshot(), true);
	if (status.counts.state == DERIVED_OK)
		status.counts = load_day_counts(&store, GetActiveSnapshot(),
										status.generation, &counts);
	/* Of an empty table nobody is told by the index. */
	if (is_in_use(&store, &status.gaps, "the idle-gap index") && !status.is_empty)
		check_sessions(&store, status.counts.state == DERIVED_OK, result);
	if (is_in_use(&store, &status.counts, "session_count"))
		check_counts(&store, &counts, result);
	check_orphans(&store, result);
	check_members(&store, fcinfo->flinfo->fn_oid, result);
	check_dependents(&store, fcinfo->flinfo->fn_oid, result);
	PopActiveSnapshot();
	SPI_finish();
	become_caller(&store, caller);
	return (Datum) 0;
}
