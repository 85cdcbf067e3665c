/*-------------------------------------------------------------------------
 *
 * folding.c
 *	  Keeping the idle-gap index: folding in what is pending, and making it
 *	  anew.
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
#include "common/pg_prng.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ekran_refresh);
PG_FUNCTION_INFO_V1(ekran_rebuild);

/* Pending rows that one fold takes; what is left stays pending. */
#define PENDING_AT_A_TIME	100000

/* So many statements on a session's activities, on average, until a fold. */
#define FOLD_EVERY		128

typedef enum FoldMode
{
	FOLD_PENDING,				/* what is pending, if nobody else is at it */
	FOLD_ALL					/* everything, after waiting */
} FoldMode;

static const StoreQuery pending_sessions = {
	.sql = "SELECT DISTINCT p.session_id FROM @store@.pending p"
	" WHERE p.session_id IS NOT NULL"
	" ORDER BY p.session_id",
	.columns = {{INT8OID}},
	.plan_options = PLAN_EACH_TIME,
	.batch = SESSION_BATCH
};

static const StoreQuery all_sessions = {
	.sql = "SELECT s.session_id FROM @store@.session s ORDER BY s.session_id",
	.columns = {{INT8OID}},
	.plan_options = PLAN_EACH_TIME,
	.batch = SESSION_BATCH
};

static const StoreQuery try_lock_idle = {
	.sql = "SELECT i.session_id FROM @store@.session_idle i"
	" WHERE i.session_id OPERATOR(pg_catalog.=) $1"
	" LIMIT 1 FOR UPDATE OF i SKIP LOCKED",
	.parameters = {INT8OID},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_ONCE
};

static const StoreQuery lock_idle = {
	.sql = "SELECT i.session_id FROM @store@.session_idle i"
	" WHERE i.session_id OPERATOR(pg_catalog.=) $1"
	" LIMIT 1 FOR UPDATE OF i",
	.parameters = {INT8OID},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_ONCE
};

/* The order and the limit make the planner take a plain index scan, which
 * marks what it finds dead, so that the next one doesn't look at it. */
static const StoreQuery pending_of_session = {
	.sql = "SELECT p.first_moment, p.last_moment, p.ctid"
	" FROM @store@.pending p"
	" WHERE p.session_id OPERATOR(pg_catalog.=) $1"
	" ORDER BY p.first_moment LIMIT $2",
	.parameters = {INT8OID, INT8OID},
	.columns = {{TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE}, {TIDOID}},
	.plan_options = PLAN_ONCE,
	.batch = 1000
};

static const StoreQuery idle_of_session = {
	.sql = "SELECT i.gap_start, i.gap_end,"
	" EXISTS (SELECT FROM @store@.session s"
	"         WHERE s.session_id OPERATOR(pg_catalog.=) i.session_id)"
	" FROM @store@.session_idle i"
	" WHERE i.session_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.parameters = {INT8OID},
	.columns = {{TIMESTAMPTZARRAYOID, NULLABLE}, {TIMESTAMPTZARRAYOID, NULLABLE}, {BOOLOID}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery write_idle = {
	.sql = "UPDATE @store@.session_idle i SET gap_start = $2, gap_end = $3"
	" WHERE i.session_id OPERATOR(pg_catalog.=) $1",
	.parameters = {INT8OID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_ONCE
};

static const StoreQuery delete_folded = {
	.sql = "DELETE FROM @store@.pending p"
	" WHERE p.ctid OPERATOR(pg_catalog.=) ANY ($1)"
	" AND p.session_id OPERATOR(pg_catalog.=) $2",
	.parameters = {TIDARRAYOID, INT8OID},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_ONCE
};

/* A row that is there is of a session deleted before; all of it is pending.
 * Whoever folds it in this moment is not waited for, as ON CONFLICT would. */
static const StoreQuery add_idle = {
	.sql = "INSERT INTO @store@.session_idle (session_id, gap_start, gap_end)"
	" SELECT n.session_id, '{-infinity}', '{infinity}'"
	" FROM pg_catalog.unnest($1) AS n (session_id)"
	" WHERE NOT EXISTS (SELECT FROM @store@.session_idle j"
	"  WHERE j.session_id OPERATOR(pg_catalog.=) n.session_id)"
	" ON CONFLICT DO NOTHING",
	.parameters = {INT8ARRAYOID},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

/* What the index leaves open of a session from end to end. */
static const StoreQuery add_pending_of_idle = {
	.sql = "INSERT INTO @store@.pending (session_id, first_moment, last_moment)"
	" SELECT i.session_id, '-infinity'::pg_catalog.timestamptz, 'infinity'::pg_catalog.timestamptz"
	" FROM @store@.session_idle i"
	" WHERE i.session_id OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {INT8ARRAYOID},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

/* Whoever folds a session in this moment is not waited for. */
static const StoreQuery delete_pending = {
	.sql = "DELETE FROM @store@.pending p USING ("
	"  SELECT q.ctid AS place FROM @store@.pending q"
	"  WHERE q.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	"  FOR UPDATE OF q SKIP LOCKED) l"
	" WHERE p.ctid OPERATOR(pg_catalog.=) l.place",
	.parameters = {INT8ARRAYOID},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

static const StoreQuery delete_idle = {
	.sql = "DELETE FROM @store@.session_idle i USING ("
	"  SELECT j.session_id FROM @store@.session_idle j"
	"  WHERE j.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	"  FOR UPDATE OF j SKIP LOCKED) l"
	" WHERE i.session_id OPERATOR(pg_catalog.=) l.session_id",
	.parameters = {INT8ARRAYOID},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

static const StoreQuery delete_idle_of_none = {
	.sql = "DELETE FROM @store@.session_idle i WHERE NOT EXISTS"
	" (SELECT FROM @store@.session s"
	"  WHERE s.session_id OPERATOR(pg_catalog.=) i.session_id)",
	.mode = QUERY_WRITES,
	.plan_options = PLAN_EACH_TIME
};

static const StoreQuery delete_pending_of_none = {
	.sql = "DELETE FROM @store@.pending p WHERE NOT EXISTS"
	" (SELECT FROM @store@.session s"
	"  WHERE s.session_id OPERATOR(pg_catalog.=) p.session_id)",
	.mode = QUERY_WRITES,
	.plan_options = PLAN_EACH_TIME
};

/* The pending rows of a session: what they cover, and where they are. */
typedef struct PendingRows
{
	Ranges		ranges;
	bool		are_sound;		/* do all of them tell a range? */
	int			count;
	int			allocated;
	ItemPointerData *places;
} PendingRows;

static PendingRows
read_pending(const Store *store, int64 session_id)
{
	Datum		parameters[] = {
		Int64GetDatum(session_id),
		Int64GetDatum(PENDING_AT_A_TIME)
	};
	PendingRows pending = {.are_sound = true};
	Rows		rows;

	begin_rows(&rows, store, &pending_of_session, parameters);
	while (next_row(&rows))
	{
		pending.are_sound &= add_pending_range(&pending.ranges, rows.values,
											   rows.nulls);
		if (pending.count == pending.allocated)
		{
			pending.allocated = Max(32, pending.allocated * 2);
			pending.places = pending.places == NULL ?
				palloc(pending.allocated * sizeof(ItemPointerData)) :
				repalloc(pending.places,
						 pending.allocated * sizeof(ItemPointerData));
		}
		ItemPointerCopy((ItemPointer) DatumGetPointer(rows.values[2]),
						&pending.places[pending.count]);
		pending.count++;
	}
	end_rows(&rows);
	return pending;
}

/*
 * Delete pending rows that have been folded in.
 *
 * No other row can have taken the place of one, for nothing that the caller's
 * snapshot sees is vacuumed away.
 */
static void
delete_folded_rows(const Store *store, int64 session_id,
				   const PendingRows *pending)
{
	Datum	   *places;
	Datum		parameters[2];

	if (pending->count == 0)
		return;
	places = palloc(pending->count * sizeof(Datum));
	for (int i = 0; i < pending->count; i++)
		places[i] = PointerGetDatum(&pending->places[i]);
	parameters[0] = PointerGetDatum(construct_array(places, pending->count, TIDOID,
													sizeof(ItemPointerData), false,
													TYPALIGN_SHORT));
	parameters[1] = Int64GetDatum(session_id);
	(void) run_query(store, &delete_folded, parameters);
}

/*
 * Fold a session whose row of session_idle is locked.
 *
 * False if there was nothing to do.
 */
static bool
fold_locked_session(const Store *store, int64 session_id, FoldMode mode)
{
	Datum		parameters[3] = {Int64GetDatum(session_id)};
	PendingRows pending;
	Rows		idle;
	Gaps		gaps;
	bool		has_session;

	/* See what is there by now, and what we have done ourselves. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());

	pending = read_pending(store, session_id);
	if (mode == FOLD_PENDING && pending.count == 0)
	{
		PopActiveSnapshot();
		return false;
	}

	begin_rows(&idle, store, &idle_of_session, parameters);
	has_session = next_row(&idle) && DatumGetBool(idle.values[2]);
	if (has_session)
	{
		if (mode == FOLD_ALL || !pending.are_sound ||
			!read_gaps(idle.values, idle.nulls, &gaps) ||
			!exact_gaps(store, session_id, &gaps, &pending.ranges))
			gaps = raw_gaps(store, session_id);
		write_gaps(&gaps, &parameters[1], &parameters[2]);
	}
	end_rows(&idle);

	if (has_session)
		(void) run_query(store, &write_idle, parameters);
	else
	{
		/* Deleted while somebody else held the row. */
		parameters[0] = int8_array(&session_id, 1);
		(void) run_query(store, &delete_idle, parameters);
	}
	delete_folded_rows(store, session_id, &pending);

	PopActiveSnapshot();
	return true;
}

/*
 * Fold a session, in READ COMMITTED and with an SPI connection.
 *
 * With FOLD_PENDING, false if somebody else is at it, or nothing to do: it
 * never waits.  With FOLD_ALL, gaps are read from all of its activities.
 */
static bool
fold_session(const Store *store, int64 session_id, FoldMode mode)
{
	Datum		parameters[] = {Int64GetDatum(session_id)};

	return run_query(store, mode == FOLD_PENDING ? &try_lock_idle : &lock_idle,
					 parameters) > 0 &&
		fold_locked_session(store, session_id, mode);
}

/*
 * Do something with the sessions that a query lists; how many it did it with.
 */
static int64
for_each_session(const Store *store, const StoreQuery *query,
				 bool (*action) (const Store *store, int64 session_id))
{
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext session_context;
	Rows		sessions;
	int64		done = 0;

	session_context = AllocSetContextCreate(CurrentMemoryContext,
											"ekran_sessions session",
											ALLOCSET_DEFAULT_SIZES);
	begin_rows(&sessions, store, query, NULL);
	while (next_row(&sessions))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(session_context);
		if (action(store, DatumGetInt64(sessions.values[0])))
			done++;
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(session_context);
	}
	end_rows(&sessions);
	MemoryContextDelete(session_context);
	return done;
}

/*
 * Now and then, fold what is pending for sessions that a statement touched: by
 * chance, for to count it would take longer than to add to it.  In other
 * isolation levels than READ COMMITTED a fold could fail, or show the
 * transaction what its snapshot doesn't.
 */
void
fold_by_chance(const Store *store, const TouchedSessions *sessions)
{
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext session_context = NULL;

	if (IsolationUsesXactSnapshot())
		return;
	for (int i = 0; i < sessions->count; i++)
	{
		if (pg_prng_uint32(&pg_global_prng_state) % FOLD_EVERY != 0)
			continue;
		if (session_context == NULL)
			session_context = AllocSetContextCreate(CurrentMemoryContext,
													"ekran_sessions session",
													ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(session_context);
		(void) fold_session(store, sessions->ids[i], FOLD_PENDING);
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(session_context);
	}
	if (session_context != NULL)
		MemoryContextDelete(session_context);
}

/*
 * Give new sessions their rows of the index.
 *
 * A row that is there is one that forget_sessions() has left.  A refresh may be
 * about to delete it: what is pending tells the next one to make another.
 */
void
add_idle_rows(const Store *store, const int64 *ids, int count)
{
	Datum		parameters[] = {int8_array(ids, count)};

	if (run_query(store, &add_idle, parameters) < (uint64) count)
		(void) run_query(store, &add_pending_of_idle, parameters);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * Forget the derived rows of sessions that are no more.
 *
 * Those that a fold holds in this moment stay, and in other isolation levels
 * than READ COMMITTED all of them, for a fold might have changed one since the
 * snapshot: all of such a session is pending then, so that they say nothing of
 * a new session with that id, and the next refresh finds and deletes them.
 */
void
forget_sessions(const Store *store, const int64 *ids, int count)
{
	Datum		parameters[] = {int8_array(ids, count)};
	uint64		deleted = 0;

	if (!IsolationUsesXactSnapshot())
	{
		(void) run_query(store, &delete_pending, parameters);
		deleted = run_query(store, &delete_idle, parameters);
	}
	if (deleted < (uint64) count)
		(void) run_query(store, &add_pending_of_idle, parameters);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * Give a session its row of session_idle, and make that anew.
 */
static bool
rebuild_session(const Store *store, int64 session_id)
{
	Datum		parameters[] = {int8_array(&session_id, 1)};
	Rows		session;
	bool		exists;

	/* Nobody may delete it meanwhile, or a row would stay behind. */
	lock_existing_sessions(store, &session_id, 1, &session);
	exists = next_row(&session);
	end_rows(&session);
	if (!exists)
		return false;
	(void) run_query(store, &add_idle, parameters);
	return fold_session(store, session_id, FOLD_ALL);
}

/*
 * Does a session have a row of session_idle, whoever holds it?
 */
static bool
has_idle_row(const Store *store, int64 session_id)
{
	Datum		parameters[] = {Int64GetDatum(session_id)};
	bool		has_row;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	has_row = run_query(store, &idle_of_session, parameters) > 0;
	PopActiveSnapshot();
	return has_row;
}

/*
 * Fold what is pending for a session; give it its row if that is missing.
 */
static bool
fold_pending(const Store *store, int64 session_id)
{
	Datum		parameters[1];

	if (fold_session(store, session_id, FOLD_PENDING))
		return true;
	if (has_idle_row(store, session_id))
		return false;
	if (rebuild_session(store, session_id))
		return true;

	/* Neither a row nor a session: what is pending is of one deleted. */
	parameters[0] = int8_array(&session_id, 1);
	(void) run_query(store, &delete_pending, parameters);
	return false;
}

/*
 * ekran_refresh() returns bigint
 *
 * Fold in what is pending; the number of sessions folded.  Skips those that
 * somebody else is folding.  Outside of READ COMMITTED, nothing is folded, and
 * a warning says so.  Errors: those of begin_maintenance() and require_index().
 */
Datum
ekran_refresh(PG_FUNCTION_ARGS)
{
	Store		store;
	CallerRights caller = begin_maintenance(&store);
	int64		folded = 0;

	(void) fcinfo;
	require_index(&store);
	if (IsolationUsesXactSnapshot())
		ereport(WARNING,
				(errmsg("nothing has been folded, for the transaction is not in isolation level READ COMMITTED"),
				 errdetail("What is returned is exact all the same, folded or not.")));
	else
	{
		SPI_connect();
		folded = for_each_session(&store, &pending_sessions, fold_pending);
		SPI_finish();
	}
	become_caller(&store, caller);
	PG_RETURN_INT64(folded);
}

/*
 * Make all derived data of a store anew; the number of sessions.  Needs an SPI
 * connection, and the owner's rights.
 */
int64
rebuild_index(const Store *store)
{
	int64		rebuilt = for_each_session(store, &all_sessions, rebuild_session);

	(void) run_query(store, &delete_idle_of_none, NULL);
	(void) run_query(store, &delete_pending_of_none, NULL);
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
	Store		store;
	CallerRights caller = begin_maintenance(&store);
	int64		rebuilt;

	(void) fcinfo;
	require_index(&store);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("ekran_rebuild() needs isolation level READ COMMITTED"),
				 errdetail("It takes a snapshot of each session's activities after it has locked the session's row of the index."),
				 errhint("Begin the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.")));

	SPI_connect();
	rebuilt = rebuild_index(&store);
	SPI_finish();
	become_caller(&store, caller);
	PG_RETURN_INT64(rebuilt);
}
