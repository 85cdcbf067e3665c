/*-------------------------------------------------------------------------
 *
 * checking.c
 *	  Checking the idle-gap index against the raw activities that it is made
 *	  from.  Writes nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ekran_check);

/* Those that are there, and those that the index has a row for. */
static const StoreQuery sessions_to_check = {
	.sql = "SELECT COALESCE(s.session_id, i.session_id), i.gap_start, i.gap_end,"
	" i.session_id IS NOT NULL"
	" FROM @store@.session s FULL JOIN @store@.session_idle i"
	"   ON i.session_id OPERATOR(pg_catalog.=) s.session_id"
	" WHERE COALESCE(s.session_id, i.session_id) IS NOT NULL",
	.columns = {{INT8OID}, {TIMESTAMPTZARRAYOID, NULLABLE}, {TIMESTAMPTZARRAYOID, NULLABLE}, {BOOLOID}},
	.plan_options = PLAN_EACH_TIME,
	.batch = 100
};

static const StoreQuery orphans = {
	.sql = "SELECT a.session_id, pg_catalog.count(*) FROM @store@.activity a"
	" WHERE NOT EXISTS (SELECT FROM @store@.session s"
	"  WHERE s.session_id OPERATOR(pg_catalog.=) a.session_id)"
	" GROUP BY a.session_id ORDER BY a.session_id",
	.columns = {{INT8OID, NULLABLE}, {INT8OID}},
	.plan_options = PLAN_EACH_TIME,
	.batch = SESSION_BATCH
};

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
	DerivedScan pending;
	Activities *activities;
} Check;

/*
 * Compare what the index says of a session with its raw activities; what
 * differs, or NULL.
 */
static const char *
find_difference(Check *check, const Rows *session)
{
	int64		session_id = DatumGetInt64(session->values[0]);
	bool		has_row = DatumGetBool(session->values[3]);
	Ranges		pending;
	Gaps		stored;
	Gaps		raw;

	if (!read_pending(&check->pending, session_id, &pending))
		return "row in pending does not hold a range";
	if (!has_row)
		stored = no_activity_gaps();
	else if (!read_gaps(session->values + 1, session->nulls + 1, &stored))
		return "row in session_idle does not hold gaps";

	if (!exact_gaps(check->activities, session_id, &stored, &pending))
		return "row in session_idle does not fit what is pending";
	raw = raw_gaps(check->store, session_id);
	if (equal_gaps(&stored, &raw))
		return NULL;
	return psprintf("session_idle has %d gaps, activities have %d, and they differ",
					stored.count, raw.count);
}

static void
check_sessions(const Store *store, ReturnSetInfo *result)
{
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext session_context;
	Relation	pending = table_open(store->tables[TABLE_PENDING], AccessShareLock);
	Check		check = {.store = store};
	Rows		sessions;

	if (!begin_derived_scan(&check.pending, pending, GetActiveSnapshot(), true))
		refuse_broken(store, "table \"pending\" lacks its index on session_id");
	check.activities = begin_activities(store);
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
		char	   *difference = psprintf(INT64_FORMAT " activities have no session",
										  DatumGetInt64(rows.values[1]));

		report_difference(result, rows.values[0], rows.nulls[0], difference);
		pfree(difference);
	}
	end_rows(&rows);
}

/*
 * Is there an index to be checked, that answers?  A store that is raw is read from
 * its activities.
 *
 * Errors: 55000 if the store is broken, or can't be judged in this place.
 */
static bool
is_index_to_check(const Store *store)
{
	DerivedStatus status = derived_status(store, GetActiveSnapshot(), true);

	if (status.state == DERIVED_BROKEN)
		refuse_broken(store, status.reason);
	if (is_statement_in_progress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot check while a statement on activities is in progress"),
				 errhint("Call ekran_check() as a statement of its own.")));
	if (status.state == DERIVED_RAW)
		ereport(NOTICE,
				(errmsg("the idle-gap index of store \"%s\" is not in use: %s",
						NameStr(store->name), status.reason),
				 errhint("CALL ekran_maintain() makes it anew.")));
	return status.state == DERIVED_OK;
}

/*
 * ekran_check() returns table (session_id bigint, difference text)
 *
 * Recompute the index from the raw activities; a row for each session where
 * what is returned by the index would differ, and for each that has activities but
 * is not there.  Reads every activity.  Errors: those of begin_maintenance(); 55000
 * if the store is broken, or while a statement on activities is in progress.
 */
Datum
ekran_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Store		store;
	CallerRights caller;

	InitMaterializedSRF(fcinfo, 0);
	caller = begin_maintenance(&store);
	SPI_connect();
	/* The caller's may be from before a fold of this transaction's. */
	PushActiveSnapshot(GetTransactionSnapshot());
	if (is_index_to_check(&store))
		check_sessions(&store, result);
	check_orphans(&store, result);
	PopActiveSnapshot();
	SPI_finish();
	become_caller(&store, caller);
	return (Datum) 0;
}
