/*-------------------------------------------------------------------------
 *
 * chance.c
 *	  What agents fold by the way, for those who never maintain their store.
 *
 * Where that is done every minute, agents have hardly ever to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* So many statements on a session's activities, on average, until a fold. */
#define FOLD_EVERY		1024

/*
 * So many statements that open sessions until counts are put together: all days are gone
 * through for that, which takes as long as a few hundred rows more do a reader.
 */
#define COMPACT_EVERY	8192

/*
 * Activities that a fold by chance reads at the most, or counts that it puts together:
 * a few milliseconds' worth.
 */
#define FOLD_AT_MOST	5000

/* Sessions folded after a statement. */
#define MAX_CHOSEN		100

/*
 * The moment from which on the activities of a session would have to be read to fold
 * it: all that there are, where it has no row yet.
 */
static TimestampTz
first_moment_to_read(const Fold *fold, int64 session_id)
{
	Snapshot	snapshot = GetActiveSnapshot();
	TimestampTz first = DT_NOEND;
	DerivedScan scan;
	bool		is_found;

	if (!begin_derived_scan(&scan, fold->idle.relation, snapshot, true))
		return DT_NOBEGIN;
	is_found = find_session_row(&scan, session_id);
	end_derived_scan(&scan);
	if (!is_found ||
		!begin_derived_scan(&scan, fold->pending.relation, snapshot, true))
		return DT_NOBEGIN;
	for (bool has_row = find_session_row(&scan, session_id); has_row;
		 has_row = next_session_row(&scan))
	{
		bool		is_unknown;
		bool		isnull;
		Datum		begin = slot_getattr(scan.slot, DERIVED_FIRST, &is_unknown);
		Datum		end = slot_getattr(scan.slot, DERIVED_LAST, &isnull);

		if (is_unknown || isnull)
			first = DT_NOBEGIN;
		else if (DatumGetTimestampTz(end) != DT_NOBEGIN)
			first = Min(first, DatumGetTimestampTz(begin));
	}
	end_derived_scan(&scan);
	return first;
}

/*
 * Would more than FOLD_AT_MOST activities be read?
 */
static bool
takes_long(const Fold *fold, int64 session_id)
{
	return count_activities(fold->store, session_id,
							first_moment_to_read(fold, session_id),
							FOLD_AT_MOST + 1) > FOLD_AT_MOST;
}

/*
 * Lock what a fold looks at, and the table that it writes to beside the one that the
 * statement has written to; false if that would be to wait for somebody.
 */
static bool
lock_all_if_free(const Store *store, StoreTable written)
{
	bool		are_free = lock_if_free(store, written, RowExclusiveLock);

	for (StoreTable which = TABLE_SESSION; are_free && which < NUM_STORE_TABLES; which++)
		are_free = OidIsValid(store->tables[which]) &&
			lock_if_free(store, which, AccessShareLock);
	for (StoreTable which = TABLE_SESSION; are_free && which <= TABLE_ACTIVITY; which++)
		are_free = lock_pieces_if_free(store, which);
	return are_free;
}

/*
 * Fold a session, if nobody else is at it, and if that doesn't take long: the agent
 * waits for it, and could run out of time.
 */
static void
fold_one(const Store *store, int64 session_id)
{
	Fold		fold;

	if (!lock_all_if_free(store, TABLE_SESSION_IDLE))
		return;
	begin_fold(&fold, store, slice_of(session_id), false);
	if (fold.status.gaps.state == DERIVED_OK && fold.slices != 0 &&
		!takes_long(&fold, session_id))
		fold_session(&fold, session_id);
	end_fold(&fold);
}

/* What is to be done by chance. */
typedef struct Chance
{
	int			count;			/* of sessions to fold; 0: compact the counts */
	int64		ids[MAX_CHOSEN];
} Chance;

/*
 * Put counts together, if nobody else is at it, and not too many.
 */
static void
compact_some(const Store *store)
{
	CountFold	fold;

	if (!lock_all_if_free(store, TABLE_SESSION_COUNT) ||
		!begin_count_fold(&fold, store, false))
		return;
	if (fold.verdict.state == DERIVED_OK)
		compact_counts(&fold, FOLD_AT_MOST);
	end_count_fold(&fold);
}

/* A chance, of a store. */
typedef struct StoreChance
{
	const Store *store;
	const Chance *chance;
} StoreChance;

static void
take_chance(void *argument)
{
	const Chance *chance = ((StoreChance *) argument)->chance;
	Store		owned = *((StoreChance *) argument)->store;
	CallerRights caller = become_owner(&owned, OWNER_KEEPS);

	SPI_connect();
	for (int i = 0; i < chance->count; i++)
		fold_one(&owned, chance->ids[i]);
	if (chance->count == 0)
		compact_some(&owned);
	SPI_finish();
	become_caller(&owned, caller);
}

/*
 * Do so in a subtransaction: what a fold meets with is not the business of whoever
 * ingests.
 */
static void
try_chance(const Store *store, const Chance *chance)
{
	StoreChance taken = {store, chance};
	ErrorData  *error = run_in_subtransaction(take_chance, &taken);

	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	ereport(LOG,
			(errmsg("could not fold in what is pending in store \"%s\": %s",
					NameStr(store->name), error->message),
			 errdetail("It stays pending. What is returned is exact all the same.")));
	FreeErrorData(error);
}

/*
 * Is the statement in hand a transaction of its own?  Not in a block, nor inside of a
 * function, a DO, or another statement's trigger.
 */
static bool
is_statement_alone(void)
{
	CommandTag	command = ActivePortal == NULL ? CMDTAG_UNKNOWN : ActivePortal->commandTag;

	return !IsTransactionBlock() && GetCurrentTransactionNestLevel() == 1 &&
		trigger_depth() == 1 &&
		(command == CMDTAG_INSERT || command == CMDTAG_COPY ||
		 command == CMDTAG_UPDATE || command == CMDTAG_MERGE);
}

/*
 * Now and then, fold what is pending for sessions that a statement touched: by
 * chance, for to count it would take longer than to add to it.
 *
 * A fold keeps its slice until the transaction ends, so that must be soon.
 */
void
fold_by_chance(const Store *store, const TouchedSessions *sessions)
{
	Chance		chance = {0};

	if (!is_statement_alone() || why_not_fold() != NULL)
		return;
	for (int i = 0; i < sessions->count && chance.count < MAX_CHOSEN; i++)
		if (pg_prng_uint32(&pg_global_prng_state) % FOLD_EVERY == 0)
			chance.ids[chance.count++] = sessions->ids[i];
	if (chance.count > 0)
		try_chance(store, &chance);
}

/*
 * Likewise put counts of sessions together, after a statement that has appended some.
 */
void
compact_by_chance(const Store *store)
{
	Chance		chance = {0};

	if (is_statement_alone() && why_not_fold() == NULL &&
		pg_prng_uint32(&pg_global_prng_state) % COMPACT_EVERY == 0)
		try_chance(store, &chance);
}
