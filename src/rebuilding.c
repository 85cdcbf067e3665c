/*-------------------------------------------------------------------------
 *
 * rebuilding.c
 *	  Making the derived tables anew.  The idle-gap index is a fold of everything, in
 *	  one pass over the activities, with one over the rows of session_idle and one
 *	  over the sessions beside it, all in the order of session ids.
 *
 * What is right already is left as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(ekran_rebuild);

static const StoreQuery activities_from = {
	.sql = "SELECT a.session_id, a.activity_date FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.>=) $1"
	" AND a.activity_date IS NOT NULL"
	" ORDER BY a.session_id, a.activity_date",
	.parameters = {INT8OID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NOT_NULL}},
	.plan_options = PLAN_EACH_TIME,
	.batch = ACTIVITY_BATCH
};

static const StoreQuery idle_from = {
	.sql = "SELECT i.session_id, i.gap_start, i.gap_end, i.ctid,"
	" pg_catalog.lower(i.reach), pg_catalog.upper(i.reach)"
	" FROM @store@.session_idle i"
	" WHERE i.session_id OPERATOR(pg_catalog.>=) $1"
	" ORDER BY i.session_id",
	.parameters = {INT8OID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZARRAYOID, NULLABLE}, {TIMESTAMPTZARRAYOID, NULLABLE},
		{TIDOID, NOT_NULL}, {TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_EACH_TIME,
	.batch = 100
};

/* Columns of idle_from. */
enum
{
	IDLE_SESSION_ID,
	IDLE_START,
	IDLE_END,
	IDLE_PLACE,
	IDLE_REACH_BOUNDS
};

static const StoreQuery facts_from = {
	.sql = "SELECT s.session_id, CASE WHEN s.logout_date IS NULL THEN s.login_date END"
	" FROM @store@.session s"
	" WHERE s.session_id OPERATOR(pg_catalog.>=) $1"
	" ORDER BY s.session_id",
	.parameters = {INT8OID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_EACH_TIME,
	.batch = 1000
};

static const StoreQuery pending_between = {
	.sql = "SELECT p.ctid FROM @store@.pending p"
	" WHERE p.session_id OPERATOR(pg_catalog.>=) $1"
	" AND p.session_id OPERATOR(pg_catalog.<=) $2",
	.parameters = {INT8OID, INT8OID},
	.columns = {{TIDOID, NOT_NULL}},
	.plan_options = PLAN_EACH_TIME,
	.batch = 1000
};

/* Rows beside the activities, all in the order of session ids. */
typedef struct Beside
{
	Rows		rows;
	bool		has_row;		/* one in hand? */
	int64		lacking;		/* so often there was none for activities */
} Beside;

static void
begin_beside(Beside *beside, const Fold *fold, const StoreQuery *query,
			 const Datum *parameters)
{
	begin_rows(&beside->rows, fold->store, query, parameters);
	beside->lacking = 0;
}

static void
advance(Beside *beside)
{
	beside->has_row = next_row(&beside->rows);
}

static int64
session_beside(const Beside *beside)
{
	return DatumGetInt64(beside->rows.values[0]);
}

static ItemPointer
idle_place(const Beside *idle)
{
	return (ItemPointer) DatumGetPointer(idle->rows.values[IDLE_PLACE]);
}

/*
 * Delete the rows of sessions up to an id, which have no activity.
 */
static void
delete_idle_up_to(const Fold *fold, Beside *idle, int64 session_id)
{
	while (idle->has_row && session_beside(idle) <= session_id)
	{
		CHECK_FOR_INTERRUPTS();
		delete_derived_row(&fold->idle, idle_place(idle));
		advance(idle);
	}
}

static Reach
rebuild_reach(Beside *sessions, int64 session_id, const Gaps *gaps)
{
	SessionFacts facts = {0};

	while (sessions->has_row && session_beside(sessions) < session_id)
		advance(sessions);
	if (sessions->has_row && session_beside(sessions) == session_id)
		facts = session_facts(sessions->rows.values[1], sessions->rows.nulls[1]);
	else
		sessions->lacking++;
	return reach_of(&facts, gaps);
}

static void
rebuild_idle(const Fold *fold, Beside *idle, Beside *sessions, int64 session_id,
			 Region *region)
{
	Gaps		gaps;
	Gaps		stored;
	Reach		reach;

	end_region(region, DT_NOEND);
	gaps = region_gaps(region);
	reach = rebuild_reach(sessions, session_id, &gaps);
	if (session_id > PG_INT64_MIN)
		delete_idle_up_to(fold, idle, session_id - 1);
	if (!idle->has_row || session_beside(idle) != session_id)
		write_idle(fold, session_id, &gaps, &reach, NULL, NULL, NULL);
	else
	{
		bool		is_sound = read_gaps(idle->rows.values + IDLE_START,
										 idle->rows.nulls + IDLE_START, &stored);
		Reach		stored_reach = read_reach(idle->rows.values + IDLE_REACH_BOUNDS,
											  idle->rows.nulls + IDLE_REACH_BOUNDS);

		write_idle(fold, session_id, &gaps, &reach, idle_place(idle),
				   is_sound ? &stored : NULL, &stored_reach);
		advance(idle);
	}
	free_gaps(&gaps);
}

static void
delete_pending_between(const Fold *fold, int64 first_id, int64 last_id)
{
	Datum		parameters[] = {Int64GetDatum(first_id), Int64GetDatum(last_id)};
	Rows		rows;

	begin_rows(&rows, fold->store, &pending_between, parameters);
	while (next_row(&rows))
		delete_derived_row(&fold->pending,
						   (ItemPointer) DatumGetPointer(rows.values[0]));
	end_rows(&rows);
}

/*
 * Make the derived rows of the sessions from an id on anew, in one pass over their
 * activities: all, or so many activities and a few more, if the caller wants to go on
 * from there.  How many sessions have some; counts those of them that are not there.
 * All slices are held.
 */
int64
rebuild_sessions(const Fold *fold, int64 first_id, int64 limit,
				 Continuation *continuation, int64 *lacking)
{
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext session_context;
	Datum		parameters[] = {Int64GetDatum(first_id)};
	Rows		activities;
	Beside		idle;
	Beside		sessions;
	Region		region;
	int64		session_id = 0;
	bool		has_session = false;
	int64		seen = 0;
	int64		rebuilt = 0;
	int64		last_id = PG_INT64_MAX;

	if (continuation != NULL)
		continuation->is_at_end = true;
	session_context = AllocSetContextCreate(CurrentMemoryContext,
											"ekran_sessions rebuild",
											ALLOCSET_DEFAULT_SIZES);
	begin_beside(&idle, fold, &idle_from, parameters);
	begin_beside(&sessions, fold, &facts_from, parameters);
	begin_rows(&activities, fold->store, &activities_from, parameters);
	MemoryContextSwitchTo(session_context);
	advance(&idle);
	advance(&sessions);
	while (next_row(&activities))
	{
		int64		id = DatumGetInt64(activities.values[0]);

		if (!has_session || id != session_id)
		{
			if (has_session)
			{
				rebuild_idle(fold, &idle, &sessions, session_id, &region);
				MemoryContextReset(session_context);
				has_session = false;
				if (continuation != NULL && seen >= limit)
				{
					continuation->is_at_end = false;
					continuation->next_id = id;
					last_id = id - 1;
					break;
				}
			}
			session_id = id;
			has_session = true;
			begin_region(&region);
			rebuilt++;
		}
		add_region_activity(&region, DatumGetTimestampTz(activities.values[1]),
							DT_NOBEGIN);
		seen++;
	}
	if (has_session)
		rebuild_idle(fold, &idle, &sessions, session_id, &region);
	delete_idle_up_to(fold, &idle, last_id);
	*lacking += sessions.lacking;
	MemoryContextSwitchTo(caller_context);
	end_rows(&activities);
	end_rows(&idle.rows);
	end_rows(&sessions.rows);
	MemoryContextDelete(session_context);

	delete_pending_between(fold, first_id, last_id);
	return rebuilt;
}

/*
 * Tell of sessions that have activities and are not there, as far as a rebuild has found
 * some: where triggers were missing, nobody has refused these, or deleted them with their
 * sessions.
 */
void
warn_of_lacking_sessions(const Store *store, int64 lacking)
{
	if (lacking > 0)
		ereport(WARNING,
				(errmsg_plural("store \"%s\" has activities of " INT64_FORMAT " session that is not there",
							   "store \"%s\" has activities of " INT64_FORMAT " sessions that are not there",
							   (unsigned long) lacking, NameStr(store->name), lacking),
				 errdetail("Nothing returns them, ekran_purge() leaves them, and the next session of such an id would have them."),
				 errhint("ekran_check() lists them: delete these activities, or bring their sessions back.")));
}

/*
 * Make all derived data of a store anew, and let it be trusted, as of the
 * generation of its triggers; how many sessions have activity.  With an SPI
 * connection, the owner's rights, and in READ COMMITTED.  Waits for those who fold.
 */
int64
rebuild_derived(const Store *store)
{
	Fold		fold;
	CountFold	count_fold;
	int64		rebuilt;
	int64		lacking = 0;

	(void) begin_count_fold(&count_fold, store, true);
	recount_sessions(&count_fold);
	end_count_fold(&count_fold);

	begin_fold(&fold, store, ALL_SLICES, true);
	rebuilt = rebuild_sessions(&fold, PG_INT64_MIN, PG_INT64_MAX, NULL, &lacking);
	set_generations(&fold, fold.status.generation);
	end_fold(&fold);
	warn_of_lacking_sessions(store, lacking);
	return rebuilt;
}

/*
 * ekran_rebuild() returns bigint
 *
 * Make all derived data anew from the activities and sessions, also where triggers did
 * not see what was written; the number of sessions that have some.  Waits for those who
 * fold.  Errors: 25001 outside of READ COMMITTED, 55000 while a statement on sessions
 * or activities is in progress or if the store is broken; otherwise as
 * begin_maintenance().
 */
Datum
ekran_rebuild(PG_FUNCTION_ARGS)
{
	Store		store;
	CallerRights caller = begin_maintenance(&store);
	int64		rebuilt;

	(void) fcinfo;
	require_writing("ekran_rebuild()");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("ekran_rebuild() needs isolation level READ COMMITTED"),
				 errdetail("It takes a snapshot of the activities after it has locked the index."),
				 errhint("Begin the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.")));
	if (why_not_fold() != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot rebuild: %s", why_not_fold()),
				 errhint("Call ekran_rebuild() as a statement of its own.")));

	SPI_connect();
	rebuilt = rebuild_derived(&store);
	SPI_finish();
	become_caller(&store, caller);
	PG_RETURN_INT64(rebuilt);
}
