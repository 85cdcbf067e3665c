/*-------------------------------------------------------------------------
 *
 * folding.c
 *	  Keeping the idle-gap index: folding in what is pending, checking it
 *	  against the raw activities, and making it anew.
 *
 * A fold takes the gaps of a session, what is pending for it and its
 * activities, all under one snapshot, writes the gaps that these make, and
 * deletes just those pending rows.  Whoever sees the fold's outcome sees all
 * that its snapshot saw, and what the snapshot didn't see is pending still.
 *
 * One at a time folds a session: it locks the session's row of session_idle
 * before it takes the snapshot, so that the snapshot sees every fold before.
 * That takes READ COMMITTED, where a snapshot can be taken that late; in the
 * other levels, a transaction's own reading would also mix gaps of now with a
 * snapshot of then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ekran_refresh);
PG_FUNCTION_INFO_V1(ekran_check);
PG_FUNCTION_INFO_V1(ekran_rebuild);

/* Sessions listed at a time. */
#define SESSION_BATCH	1000

/* Pending rows that one fold takes; what is left stays pending. */
#define PENDING_AT_A_TIME	100000

static const Range whole_timeline = {DT_NOBEGIN, DT_NOEND};

static const Oid id_column_type = INT8OID;

static const Oid pending_column_types[] = {
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIDOID
};

static const Oid idle_column_types[] = {
	TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, BOOLOID
};

static const Oid checked_column_types[] = {
	INT8OID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID
};

static const Oid orphan_column_types[] = {
	INT8OID, INT8OID
};

/* The pending rows of a session: what they cover, and where they are. */
typedef struct PendingRows
{
	Ranges		ranges;
	int			count;
	Datum	   *places;			/* tids */
} PendingRows;

static void
write_query(const char *store, StoreQuery query, Datum *parameters)
{
	int			result = SPI_execute_plan(store_plan(store, query),
										  parameters, NULL, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
}

static PendingRows
read_pending(const char *store, int64 session_id, int64 limit)
{
	Datum		parameters[] = {
		Int64GetDatum(session_id),
		Int64GetDatum(limit)
	};
	PendingRows pending = {0};

	read_query(store, QUERY_PENDING_OF_SESSION, parameters);
	check_result_shape(store, lengthof(pending_column_types),
					   pending_column_types);
	pending.count = (int) SPI_processed;
	pending.places = palloc(Max(pending.count, 1) * sizeof(Datum));
	for (int i = 0; i < pending.count; i++)
	{
		Datum		values[lengthof(pending_column_types)];
		bool		nulls[lengthof(pending_column_types)];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, nulls);
		add_range(&pending.ranges, DatumGetTimestampTz(values[0]),
				  DatumGetTimestampTz(values[1]));
		/* Stays where it is until the caller's memory context goes. */
		pending.places[i] = values[2];
	}
	return pending;
}

/*
 * Delete pending rows that have been folded in.
 *
 * No other row can have taken the place of one, for nothing that the caller's
 * snapshot sees is vacuumed away.
 */
static void
delete_folded(const char *store, int64 session_id, const PendingRows *pending)
{
	ArrayType  *places;
	Datum		parameters[2];

	if (pending->count == 0)
		return;
	places = construct_array(pending->places, pending->count, TIDOID,
							 sizeof(ItemPointerData), false, TYPALIGN_SHORT);
	parameters[0] = PointerGetDatum(places);
	parameters[1] = Int64GetDatum(session_id);
	write_query(store, QUERY_DELETE_FOLDED, parameters);
}

/*
 * Read all gaps of a session from its activities.
 */
static Gaps
raw_gaps(const char *store, int64 session_id)
{
	RegionRequest request;
	Gaps		gaps;

	request.session_id = session_id;
	request.range = whole_timeline;
	read_regions(store, &request, 1);
	gaps.count = request.region.gaps.count;
	gaps.start = request.region.gaps.start;
	gaps.end = request.region.gaps.end;
	return gaps;
}

/*
 * Fold a session whose row of session_idle is locked.
 *
 * False if there was nothing to do.
 */
static bool
fold_locked_session(const char *store, int64 session_id, FoldMode mode)
{
	Datum		parameters[3] = {Int64GetDatum(session_id)};
	PendingRows pending;
	Gaps		gaps;
	bool		is_sound;
	bool		isnull;
	bool		has_session;
	Datum		starts;
	Datum		ends;

	/* See what is there by now, and what we have done ourselves. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());

	pending = read_pending(store, session_id, PENDING_AT_A_TIME);
	if (mode == FOLD_PENDING && pending.count == 0)
	{
		PopActiveSnapshot();
		return false;
	}
	read_query(store, QUERY_IDLE, parameters);
	check_result_shape(store, lengthof(idle_column_types), idle_column_types);
	has_session = SPI_processed > 0 &&
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
								   SPI_tuptable->tupdesc, 3, &isnull));
	if (has_session)
	{
		starts = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							   1, &isnull);
		ends = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							 2, &isnull);
		is_sound = read_gaps(starts, ends, &gaps);
		if (mode == FOLD_PENDING && is_sound)
			gaps = exact_gaps(store, session_id, &gaps, &pending.ranges);
		else
			gaps = raw_gaps(store, session_id);

		write_gaps(&gaps, &parameters[1], &parameters[2]);
		write_query(store, QUERY_WRITE_IDLE, parameters);
	}
	else
	{
		/* Deleted while somebody else held the row. */
		parameters[0] = int8_array(&session_id, 1);
		write_query(store, QUERY_DELETE_IDLE, parameters);
	}
	delete_folded(store, session_id, &pending);

	PopActiveSnapshot();
	return true;
}

/*
 * Fold a session, in READ COMMITTED and with an SPI connection.
 *
 * With FOLD_PENDING, false if somebody else is at it, or nothing to do: it
 * never waits.  With FOLD_ALL, gaps are read from all of its activities.
 */
bool
fold_session(const char *store, int64 session_id, FoldMode mode)
{
	Datum		parameters[] = {Int64GetDatum(session_id)};
	MemoryContext fold_context;
	MemoryContext old_context;
	bool		is_folded = false;

	fold_context = AllocSetContextCreate(CurrentMemoryContext,
										 "ekran_sessions fold",
										 ALLOCSET_DEFAULT_SIZES);
	old_context = MemoryContextSwitchTo(fold_context);

	write_query(store,
				mode == FOLD_PENDING ? QUERY_TRY_LOCK_IDLE : QUERY_LOCK_IDLE,
				parameters);
	if (SPI_processed > 0)
		is_folded = fold_locked_session(store, session_id, mode);

	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(fold_context);
	return is_folded;
}

/*
 * Do something with the sessions that a query lists; how many it did it with.
 */
static int64
for_each_session(const char *store, StoreQuery query,
				 bool (*action) (const char *store, int64 session_id))
{
	Portal		portal = open_query(store, query, NULL);
	int64		done = 0;
	uint64		fetched;

	while ((fetched = fetch_batch(portal, SESSION_BATCH)) > 0)
	{
		SPITupleTable *sessions = SPI_tuptable;

		check_result_shape(store, 1, &id_column_type);
		for (uint64 i = 0; i < fetched; i++)
		{
			bool		isnull;
			Datum		id = SPI_getbinval(sessions->vals[i],
										   sessions->tupdesc, 1, &isnull);

			CHECK_FOR_INTERRUPTS();
			if (action(store, DatumGetInt64(id)))
				done++;
		}
		SPI_freetuptable(sessions);
	}
	SPI_cursor_close(portal);
	return done;
}

/*
 * Give a session its row of session_idle, and make that anew.
 */
static bool
rebuild_session(const char *store, int64 session_id)
{
	Datum		parameters[] = {int8_array(&session_id, 1)};
	bool		is_folded;

	/* Nobody may delete it meanwhile, or a row would stay behind. */
	write_query(store, QUERY_LOCK_SESSIONS, parameters);
	if (SPI_processed == 0)
		return false;
	SPI_freetuptable(SPI_tuptable);
	write_query(store, QUERY_ADD_IDLE, parameters);
	is_folded = fold_session(store, session_id, FOLD_ALL);
	pfree(DatumGetPointer(parameters[0]));
	return is_folded;
}

static void
forget_pending(const char *store, int64 session_id)
{
	Datum		parameters[] = {int8_array(&session_id, 1)};

	write_query(store, QUERY_DELETE_PENDING, parameters);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * Does a session have a row of session_idle, whoever holds it?
 */
static bool
has_idle_row(const char *store, int64 session_id)
{
	Datum		parameters[] = {Int64GetDatum(session_id)};
	bool		has_row;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	read_query(store, QUERY_IDLE, parameters);
	has_row = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	PopActiveSnapshot();
	return has_row;
}

/*
 * Fold what is pending for a session; give it its row if that is missing.
 */
static bool
fold_pending(const char *store, int64 session_id)
{
	if (fold_session(store, session_id, FOLD_PENDING))
		return true;
	if (has_idle_row(store, session_id))
		return false;
	if (rebuild_session(store, session_id))
		return true;

	/* Neither a row nor a session: what is pending is of one deleted. */
	forget_pending(store, session_id);
	return false;
}

static void
require_index(const char *store)
{
	if (!store_has_index(store))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("store \"%s\" has no idle-gap index", store),
				 errdetail("A store of version 1.0 lacks the tables \"session_idle\" and \"pending\"."),
				 errhint("Complete the store with ekran_create_store().")));
}

/*
 * ekran_refresh() returns bigint
 *
 * Fold in what is pending; the number of sessions folded.  Skips those that
 * somebody else is folding.  Outside of READ COMMITTED, nothing is folded, and
 * a warning says so.  Errors: 42501 where row-level security hides rows from
 * the caller, and what the server has against the caller's writing.
 */
Datum
ekran_refresh(PG_FUNCTION_ARGS)
{
	const char *store = current_store();
	int			guc_nest_level;
	int64		folded;

	(void) fcinfo;
	require_index(store);
	if (IsolationUsesXactSnapshot())
	{
		ereport(WARNING,
				(errmsg("nothing has been folded, for the transaction is not in isolation level READ COMMITTED"),
				 errdetail("What is returned is exact all the same, folded or not.")));
		PG_RETURN_INT64(0);
	}

	guc_nest_level = NewGUCNestLevel();
	refuse_hidden_rows();
	SPI_connect();
	folded = for_each_session(store, QUERY_PENDING_SESSIONS, fold_pending);
	SPI_finish();
	AtEOXact_GUC(false, guc_nest_level);
	PG_RETURN_INT64(folded);
}

/*
 * Make all derived data of a store anew; the number of sessions.
 */
int64
rebuild_index(const char *store)
{
	int64		rebuilt;

	SPI_connect();
	rebuilt = for_each_session(store, QUERY_ALL_SESSIONS, rebuild_session);
	write_query(store, QUERY_DELETE_IDLE_OF_NONE, NULL);
	write_query(store, QUERY_DELETE_PENDING_OF_NONE, NULL);
	SPI_finish();
	return rebuilt;
}

/*
 * ekran_rebuild() returns bigint
 *
 * Make all derived data anew from the raw activities, also where triggers did
 * not see what was written; the number of sessions.  Waits for those who fold.
 * Errors: 25001 outside of READ COMMITTED; otherwise as ekran_refresh().
 */
Datum
ekran_rebuild(PG_FUNCTION_ARGS)
{
	const char *store = current_store();
	int			guc_nest_level;
	int64		rebuilt;

	(void) fcinfo;
	require_index(store);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("ekran_rebuild() needs isolation level READ COMMITTED"),
				 errdetail("It takes a snapshot of each session's activities after it has locked the session's row of the index."),
				 errhint("Begin the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.")));

	guc_nest_level = NewGUCNestLevel();
	refuse_hidden_rows();
	rebuilt = rebuild_index(store);
	AtEOXact_GUC(false, guc_nest_level);
	PG_RETURN_INT64(rebuilt);
}

static void
report_difference(ReturnSetInfo *result, int64 session_id,
				  const char *difference)
{
	Datum		values[] = {
		Int64GetDatum(session_id),
		CStringGetTextDatum(difference)
	};
	bool		nulls[] = {false, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * Compare what the index says of a session with its raw activities.
 */
static void
check_session(const char *store, int64 session_id, const Datum *gaps_columns,
			  const bool *nulls, ReturnSetInfo *result)
{
	PendingRows pending;
	Gaps		stored;
	Gaps		raw;

	pending = read_pending(store, session_id, PG_INT64_MAX);
	if (nulls[0])
	{
		/* What is pending will have the next refresh make the row. */
		if (pending.count == 0)
			report_difference(result, session_id,
							  "session has no row in session_idle");
		return;
	}
	if (!read_gaps(gaps_columns[0], gaps_columns[1], &stored))
	{
		report_difference(result, session_id,
						  "row in session_idle does not hold gaps");
		return;
	}
	stored = exact_gaps(store, session_id, &stored, &pending.ranges);
	raw = raw_gaps(store, session_id);
	if (!equal_gaps(&stored, &raw))
		report_difference(result, session_id,
						  psprintf("session_idle has %d gaps, activities have %d, and they differ",
								   stored.count, raw.count));
}

static void
check_sessions(const char *store, ReturnSetInfo *result)
{
	Portal		portal = open_query(store, QUERY_SESSIONS_TO_CHECK, NULL);
	MemoryContext check_context;
	uint64		fetched;

	check_context = AllocSetContextCreate(CurrentMemoryContext,
										  "ekran_sessions check",
										  ALLOCSET_DEFAULT_SIZES);
	while ((fetched = fetch_batch(portal, SESSION_BATCH)) > 0)
	{
		SPITupleTable *sessions = SPI_tuptable;

		check_result_shape(store, lengthof(checked_column_types),
						   checked_column_types);
		for (uint64 i = 0; i < fetched; i++)
		{
			MemoryContext old_context = MemoryContextSwitchTo(check_context);
			Datum		values[3];
			bool		nulls[3];

			CHECK_FOR_INTERRUPTS();
			heap_deform_tuple(sessions->vals[i], sessions->tupdesc,
							  values, nulls);
			check_session(store, DatumGetInt64(values[0]), values + 1,
						  nulls + 1, result);
			MemoryContextSwitchTo(old_context);
			MemoryContextReset(check_context);
		}
		SPI_freetuptable(sessions);
	}
	SPI_cursor_close(portal);
}

static void
check_orphans(const char *store, ReturnSetInfo *result)
{
	Portal		portal = open_query(store, QUERY_ORPHANS, NULL);
	uint64		fetched;

	while ((fetched = fetch_batch(portal, SESSION_BATCH)) > 0)
	{
		check_result_shape(store, lengthof(orphan_column_types),
						   orphan_column_types);
		for (uint64 i = 0; i < fetched; i++)
		{
			Datum		values[2];
			bool		nulls[2];

			heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
							  values, nulls);
			report_difference(result, DatumGetInt64(values[0]),
							  psprintf(INT64_FORMAT " activities have no session",
									   DatumGetInt64(values[1])));
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/*
 * ekran_check() returns table (session_id bigint, difference text)
 *
 * Recompute the index from the raw activities; a row for each session where
 * what is returned by the index would differ, or that the index doesn't know,
 * and for each that has activities but is not there.  Reads every activity.
 * Errors: 42501 where row-level security hides rows from the caller.
 */
Datum
ekran_check(PG_FUNCTION_ARGS)
{
	const char *store = current_store();
	int			guc_nest_level;

	require_index(store);
	InitMaterializedSRF(fcinfo, 0);

	guc_nest_level = NewGUCNestLevel();
	refuse_hidden_rows();
	SPI_connect();
	check_sessions(store, (ReturnSetInfo *) fcinfo->resultinfo);
	check_orphans(store, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	AtEOXact_GUC(false, guc_nest_level);
	return (Datum) 0;
}
