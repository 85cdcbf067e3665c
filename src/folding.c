/*-------------------------------------------------------------------------
 *
 * folding.c
 *	  Keeping the idle-gap index: folding in what is pending.
 *
 * Only a fold changes or deletes derived rows, and who folds a session is alone
 * with it: sessions are dealt out to slices, and a fold holds the lock of the
 * slice, until its transaction ends, from before it takes its snapshot.  So the
 * snapshot sees all that was folded before.  Under that one snapshot it reads what
 * is pending and the activities, writes the gaps that these make, and deletes just
 * those pending rows.  Whoever sees the fold's outcome sees all that its snapshot
 * saw, and what the snapshot didn't see is pending still.
 *
 * That takes READ COMMITTED, where a snapshot can be taken that late.
 *
 * Gaps are a function of the activities alone.  A session without activity has no
 * row; whether it exists doesn't matter for them.  Beside them stands the reach of a
 * session that runs, see reach.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ekran_refresh);

/* How sessions are dealt out is a part of GENERATION_FORMAT. */
#define NUM_SLICES	32

/* Sessions folded at a time. */
#define FOLD_BATCH	100

/* In order, for the planner has nothing but the index for that. */
static const StoreQuery pending_from = {
	.sql = "SELECT p.session_id, p.first_moment, p.last_moment, p.ctid"
	" FROM @store@.pending p"
	" WHERE p.session_id OPERATOR(pg_catalog.>=) $1"
	" ORDER BY p.session_id, p.first_moment",
	.parameters = {INT8OID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE},
		{TIDOID, NOT_NULL}},
	.plan_options = PLAN_EACH_TIME,
	.batch = 1000
};

/* The limit makes the planner take a plain index scan, which marks what it finds
 * dead, so that the next one doesn't look at it. */
static const StoreQuery pending_of_session = {
	.sql = "SELECT p.session_id, p.first_moment, p.last_moment, p.ctid"
	" FROM @store@.pending p"
	" WHERE p.session_id OPERATOR(pg_catalog.=) $1"
	" ORDER BY p.session_id, p.first_moment LIMIT $2",
	.parameters = {INT8OID, INT8OID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE},
		{TIDOID, NOT_NULL}},
	.plan_options = PLAN_ONCE,
	.batch = 1000
};

static const StoreQuery idle_of_sessions = {
	.sql = "SELECT i.session_id, i.gap_start, i.gap_end, i.ctid,"
	" pg_catalog.lower(i.reach), pg_catalog.upper(i.reach)"
	" FROM @store@.session_idle i"
	" WHERE i.session_id OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZARRAYOID, NULLABLE}, {TIMESTAMPTZARRAYOID, NULLABLE},
		{TIDOID, NOT_NULL}, {TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery facts_of_sessions = {
	.sql = "SELECT s.session_id, CASE WHEN s.logout_date IS NULL THEN s.login_date END"
	" FROM @store@.session s"
	" WHERE s.session_id OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

/* Columns of the queries above. */
enum
{
	ROW_SESSION_ID,
	ROW_FIRST,					/* first_moment, or gap_start */
	ROW_LAST,					/* last_moment, or gap_end */
	ROW_PLACE,
	ROW_REACH					/* its bounds, of session_idle */
};

/* A session on its way to be folded. */
typedef struct FoldedSession
{
	int64		session_id;
	Ranges		pending;
	bool		is_sound;		/* do all of its pending rows tell a range? */
	bool		has_row;		/* of session_idle, */
	ItemPointerData place;		/* and where */
	bool		has_gaps;		/* does it hold some? */
	Gaps		stored;			/* valid only if has_gaps */
	Reach		stored_reach;
	SessionFacts facts;
	bool		is_mended;		/* are these and the pending ranges enough? */
	Gaps		gaps;			/* the outcome */
} FoldedSession;

/*
 * The slice that a session is in, as a set of one.
 */
SliceSet
slice_of(int64 session_id)
{
	uint32		slice = hash_bytes((const unsigned char *) &session_id,
								   sizeof(session_id)) % NUM_SLICES;

	return (SliceSet) 1 << slice;
}

/*
 * What stands for a part of a store's upkeep in the lock manager: a part of table
 * pending, so that it is seen in pg_locks, watched for deadlocks, and nothing that SQL
 * can lock.
 */
LOCKTAG
part_lock_tag(Oid pending, uint16 part)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, pending, part);
	return tag;
}

/*
 * Lock a slice of a store's sessions until the transaction ends; false if somebody
 * else has it and we don't wait.
 */
static bool
lock_slice(const Store *store, int slice, bool wait)
{
	LOCKTAG		tag = part_lock_tag(store->tables[TABLE_PENDING], slice + 1);

	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Lock those of some slices that can be had, or all of them, in one order.
 */
static SliceSet
lock_slices(const Store *store, SliceSet wanted, bool wait)
{
	SliceSet	held = 0;

	for (int slice = 0; slice < NUM_SLICES; slice++)
	{
		SliceSet	bit = (SliceSet) 1 << slice;

		if ((wanted & bit) != 0 && lock_slice(store, slice, wait))
			held |= bit;
	}
	return held;
}

/*
 * Begin to fold sessions of some slices, in READ COMMITTED and with an SPI connection:
 * lock the tables, then the slices, all or those that can be had, then take a snapshot,
 * which stays active until end_fold().
 *
 * In this order, for whoever waits for a table must not keep others from its slices.
 *
 * Errors: 55000 if the store is broken.
 */
void
begin_fold(Fold *fold, const Store *store, SliceSet wanted, bool wait)
{
	fold->store = store;
	LockRelationOid(store->tables[TABLE_SESSION], AccessShareLock);
	LockRelationOid(store->tables[TABLE_ACTIVITY], AccessShareLock);
	open_derived_table(&fold->idle, store, TABLE_SESSION_IDLE);
	open_derived_table(&fold->pending, store, TABLE_PENDING);
	fold->slices = lock_slices(store, wanted, wait);

	note_fold();
	/* See what is there by now, and what we have done ourselves. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	fold->status = derived_status(store, GetActiveSnapshot(), true);
	/* The reach is made of sessions, so these must be noted too. */
	refuse_if_broken(store, &fold->status);
	fold->activities = begin_activities(store, NO_LABEL);
}

void
end_fold(Fold *fold)
{
	end_activities(fold->activities);
	PopActiveSnapshot();
	close_derived_table(&fold->idle);
	close_derived_table(&fold->pending);
}

/*
 * Put a session's gaps and reach in the place of its row, if it has one.
 */
void
write_idle(const Fold *fold, int64 session_id, const Gaps *gaps,
		   const Reach *reach, ItemPointer place, const Gaps *stored,
		   const Reach *stored_reach)
{
	DerivedRow	row = {.nulls = {false, false, false, false, true}};
	Datum	   *reach_value = &row.values[IDLE_REACH - 1];

	if (gaps->count == 1)		/* no activity */
	{
		if (place != NULL)
			delete_derived_row(&fold->idle, place);
		return;
	}
	if (place != NULL && stored != NULL && equal_gaps(gaps, stored) &&
		equal_reaches(reach, stored_reach))
		return;

	row.values[0] = Int64GetDatum(session_id);
	write_gaps(gaps, &row.values[1], &row.values[2]);
	*reach_value = reach_datum(reach, &row.nulls[IDLE_REACH - 1]);
	if (place != NULL)
		update_derived_row(&fold->idle, place, &row);
	else
		insert_derived_row(&fold->idle, &row);
	pfree(DatumGetPointer(row.values[1]));
	pfree(DatumGetPointer(row.values[2]));
	if (!row.nulls[IDLE_REACH - 1])
		pfree(DatumGetPointer(*reach_value));
}

/*
 * The session of a batch, which ascends, that has an id.
 */
static FoldedSession *
find_folded(FoldedSession *sessions, int count, int64 session_id)
{
	int			low = 0;
	int			high = count - 1;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (sessions[middle].session_id < session_id)
			low = middle + 1;
		else
			high = middle;
	}
	return &sessions[low];
}

static Datum
batch_ids(const FoldedSession *sessions, int count)
{
	int64		ids[FOLD_BATCH];

	for (int i = 0; i < count; i++)
		ids[i] = sessions[i].session_id;
	return int8_array(ids, count);
}

/*
 * Let the sessions of a batch know their stored gaps, which point into the rows.
 */
static void
load_stored_gaps(const Fold *fold, FoldedSession *sessions, int count, Rows *rows)
{
	Datum		parameters[] = {batch_ids(sessions, count)};

	begin_rows(rows, fold->store, &idle_of_sessions, parameters);
	while (next_row(rows))
	{
		FoldedSession *session = find_folded(sessions, count,
											 DatumGetInt64(rows->values[ROW_SESSION_ID]));

		session->has_row = true;
		ItemPointerCopy((ItemPointer) DatumGetPointer(rows->values[ROW_PLACE]),
						&session->place);
		session->has_gaps = read_gaps(rows->values + ROW_FIRST,
									  rows->nulls + ROW_FIRST,
									  &session->stored);
		session->stored_reach = read_reach(rows->values + ROW_REACH,
										   rows->nulls + ROW_REACH);
		session->is_mended = session->is_sound && session->has_gaps;
	}
}

/*
 * Let them know whether they are there, and run.
 */
static void
load_facts(const Fold *fold, FoldedSession *sessions, int count)
{
	Datum		parameters[] = {batch_ids(sessions, count)};
	Rows		rows;

	begin_rows(&rows, fold->store, &facts_of_sessions, parameters);
	while (next_row(&rows))
	{
		FoldedSession *session = find_folded(sessions, count,
											 DatumGetInt64(rows.values[0]));

		session->facts = session_facts(rows.values[1], rows.nulls[1]);
	}
	end_rows(&rows);
}

/*
 * Mend the stored gaps of sessions where something is pending: one query for all.
 */
static void
mend_stored_gaps(const Fold *fold, FoldedSession *sessions, int count)
{
	RegionRequest *requests;
	int			nrequests = 0;
	int			next = 0;

	for (int i = 0; i < count; i++)
	{
		sessions[i].gaps = sessions[i].stored;
		if (sessions[i].is_mended)
			nrequests += sessions[i].pending.count;
	}
	if (nrequests == 0)
		return;

	requests = palloc(nrequests * sizeof(RegionRequest));
	for (int i = 0; i < count; i++)
	{
		if (!sessions[i].is_mended)
			continue;
		request_regions(&requests[next], sessions[i].session_id, &sessions[i].stored,
						&sessions[i].pending);
		next += sessions[i].pending.count;
	}
	read_regions(fold->activities, requests, nrequests);

	next = 0;
	for (int i = 0; i < count; i++)
	{
		FoldedSession *session = &sessions[i];

		if (!session->is_mended)
			continue;
		session->is_mended = mend_regions(&session->gaps, requests + next,
										  session->pending.count);
		next += session->pending.count;
	}
}

/*
 * Read all activities of those sessions whose stored gaps don't help.
 */
static void
read_other_gaps(const Fold *fold, FoldedSession *sessions, int count)
{
	int64		ids[FOLD_BATCH];
	Gaps		gaps[FOLD_BATCH];
	int			nothers = 0;
	int			next = 0;

	for (int i = 0; i < count; i++)
		if (!sessions[i].is_mended)
			ids[nothers++] = sessions[i].session_id;
	if (nothers == 0)
		return;
	raw_gaps_of(fold->store, ids, nothers, gaps);
	for (int i = 0; i < count; i++)
		if (!sessions[i].is_mended)
			sessions[i].gaps = gaps[next++];
}

static void
fold_batch(const Fold *fold, FoldedSession *sessions, int count)
{
	Rows		stored;

	if (count == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	load_stored_gaps(fold, sessions, count, &stored);
	load_facts(fold, sessions, count);
	mend_stored_gaps(fold, sessions, count);
	read_other_gaps(fold, sessions, count);
	for (int i = 0; i < count; i++)
	{
		FoldedSession *session = &sessions[i];
		Reach		reach = reach_of(&session->facts, &session->gaps);

		write_idle(fold, session->session_id, &session->gaps, &reach,
				   session->has_row ? &session->place : NULL,
				   session->has_gaps ? &session->stored : NULL,
				   &session->stored_reach);
	}
	end_rows(&stored);
}

/*
 * Fold the sessions of pending rows that a query lists in order, and delete these
 * rows; how many sessions they were.  Stops when it has had so many rows, and says at
 * which session, if asked for.
 */
static int64
fold_pending(const Fold *fold, const StoreQuery *query, int64 first_id,
			 int64 limit, Continuation *continuation)
{
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext batch_context;
	FoldedSession sessions[FOLD_BATCH];
	Datum		parameters[] = {Int64GetDatum(first_id), Int64GetDatum(PG_INT64_MAX)};
	Rows		pending;
	int			count = 0;
	int64		folded = 0;
	int64		seen = 0;

	if (continuation != NULL)
		continuation->is_at_end = true;
	batch_context = AllocSetContextCreate(CurrentMemoryContext,
										  "ekran_sessions fold",
										  ALLOCSET_DEFAULT_SIZES);
	begin_rows(&pending, fold->store, query, parameters);
	MemoryContextSwitchTo(batch_context);
	while (next_row(&pending))
	{
		int64		id = DatumGetInt64(pending.values[ROW_SESSION_ID]);
		FoldedSession *session;

		if (count == 0 || sessions[count - 1].session_id != id)
		{
			if (continuation != NULL && seen >= limit)
			{
				continuation->is_at_end = false;
				continuation->next_id = id;
				break;
			}
			if ((fold->slices & slice_of(id)) == 0)
				continue;
			if (count == FOLD_BATCH)
			{
				fold_batch(fold, sessions, count);
				MemoryContextReset(batch_context);
				count = 0;
			}
			session = &sessions[count++];
			memset(session, 0, sizeof(*session));
			session->session_id = id;
			session->is_sound = true;
			folded++;
		}
		session = &sessions[count - 1];
		session->is_sound &= add_pending_range(&session->pending,
											   pending.values + ROW_FIRST,
											   pending.nulls + ROW_FIRST);
		delete_derived_row(&fold->pending,
						   (ItemPointer) DatumGetPointer(pending.values[ROW_PLACE]));
		seen++;
	}
	fold_batch(fold, sessions, count);
	MemoryContextSwitchTo(caller_context);
	end_rows(&pending);
	MemoryContextDelete(batch_context);
	return folded;
}

/*
 * Fold what is pending for the sessions from an id on: all, or so many pending rows and
 * a few more, if the caller wants to go on from there.  How many sessions it folded.
 */
int64
fold_sessions(const Fold *fold, int64 first_id, int64 limit,
			  Continuation *continuation)
{
	return fold_pending(fold, &pending_from, first_id, limit, continuation);
}

/*
 * Fold what is pending for one session.
 */
void
fold_session(const Fold *fold, int64 session_id)
{
	(void) fold_pending(fold, &pending_of_session, session_id, PG_INT64_MAX, NULL);
}

/*
 * Make both derived tables ones of a generation, or of what else stands there.
 */
void
set_generations(const Fold *fold, const char *generation)
{
	set_generation(&fold->idle, TABLE_SESSION_IDLE, generation);
	set_generation(&fold->pending, TABLE_PENDING, generation);
}

/*
 * Why nothing can be folded in this place of this transaction, or NULL.
 */
const char *
why_not_fold(void)
{
	if (IsolationUsesXactSnapshot())
		return "the transaction is not in isolation level READ COMMITTED";
	if (is_statement_in_progress())
		return "a statement on sessions or activities is in progress";
	return NULL;
}

static void
warn_not_folded(const char *reason, const char *hint)
{
	ereport(WARNING,
			(errmsg("nothing has been folded: %s", reason),
			 errdetail("What is returned is exact all the same, folded or not."),
			 errhint("%s", hint)));
}

/*
 * ekran_refresh() returns bigint
 *
 * Fold in what is pending; the number of sessions folded.  Skips those that
 * somebody else is folding.  Outside of READ COMMITTED, while a statement on sessions
 * or activities is in progress, and in a store that is raw, nothing is folded, and a
 * warning says so.  Errors: those of begin_maintenance(); 55000 if the store is
 * broken.
 */
Datum
ekran_refresh(PG_FUNCTION_ARGS)
{
	Store		store;
	CallerRights caller = begin_maintenance(&store);
	const char *reason = why_not_fold();
	int64		folded = 0;

	(void) fcinfo;
	require_writing("ekran_refresh()");
	if (reason != NULL)
		warn_not_folded(reason, "Call ekran_refresh() as a statement of its own, in READ COMMITTED.");
	else
	{
		Fold		fold;
		CountFold	count_fold;

		SPI_connect();
		begin_fold(&fold, &store, ALL_SLICES, false);
		if (fold.status.gaps.state == DERIVED_OK)
			folded = fold_sessions(&fold, PG_INT64_MIN, PG_INT64_MAX, NULL);
		else
			warn_not_folded(fold.status.gaps.reason, "CALL ekran_maintain() makes the derived tables anew.");
		end_fold(&fold);
		if (begin_count_fold(&count_fold, &store, false))
		{
			if (count_fold.verdict.state == DERIVED_OK)
				compact_counts(&count_fold, PG_INT64_MAX);
			else
				warn_not_folded(count_fold.verdict.reason, "CALL ekran_maintain() makes the derived tables anew.");
			end_count_fold(&count_fold);
		}
		SPI_finish();
	}
	become_caller(&store, caller);
	PG_RETURN_INT64(folded);
}
