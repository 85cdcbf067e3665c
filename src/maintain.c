/*-------------------------------------------------------------------------
 *
 * maintain.c
 *	  ekran_maintain(): folding in what is pending, and making anew what can't be
 *	  trusted, in transactions of its own.
 *
 * Stretch by stretch in the order of session ids: a stretch is locked, folded and
 * committed, so that nothing is held for long, and what is done stays done
 * whatever happens.
 *
 * To make a store's tables anew takes many such transactions, in which others
 * write, restore and truncate.  So it begins by putting a mark in the place of
 * whatever generation the tables show: they are trusted by nobody then.  The mark
 * tells the generation of the triggers, and the session to go on at.  Each transaction
 * goes on only if it finds just that mark, under its snapshot and in both tables, and
 * these triggers; what has been written since the beginning is then pending, or was
 * read.  It moves the mark on, and the last one puts the generation in its place.  A
 * call that was cancelled leaves the mark to the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ekran_maintain);

/* Rows of pending, or activities, that one transaction takes. */
#define PENDING_A_TRANSACTION		20000
#define ACTIVITIES_A_TRANSACTION	200000

#define NOTICE_EVERY	(5 * USECS_PER_SEC)

#define MARK	"rebuild "

/* So often others may spoil what is made anew. */
#define MAX_BEGINNINGS	10

/* Beyond the slices, in the same place: who maintains a store. */
#define MAINTAINER		UINT16_MAX

typedef struct Maintenance
{
	Oid			schema;			/* of the store */
	Oid			pending;		/* that the lock is on */
	bool		is_recount;		/* are the sessions to be counted anew? */
	bool		are_counted;	/* is that done? */
	bool		is_rebuild;		/* or else a fold */
	char		mark[GENERATION_SIZE];	/* of the rebuild; empty: not begun */
	char		generation[GENERATION_SIZE];	/* of the triggers */
	Continuation continuation;
	int			beginnings;		/* of a rebuild, so far */
	int64		sessions;		/* so far */
	int64		lacking;		/* sessions of activities, of a rebuild's */
	bool		has_skipped;	/* sessions that others were folding? */
	TimestampTz noticed;		/* when it was last told how far it is */
} Maintenance;

/*
 * Be the only one who maintains the store, across transactions: a lock of the
 * session's, which the server gives back on an error.
 */
static bool
lock_maintenance(Oid pending)
{
	LOCKTAG		tag = part_lock_tag(pending, MAINTAINER);

	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

static void
unlock_maintenance(Oid pending)
{
	LOCKTAG		tag = part_lock_tag(pending, MAINTAINER);

	(void) LockRelease(&tag, ExclusiveLock, true);
}

/*
 * Put a mark of how far the rebuild is in the place of the generations.
 */
static void
set_mark(Maintenance *work, const Fold *fold)
{
	int			length = snprintf(work->mark, sizeof(work->mark), MARK "%s " INT64_FORMAT,
								  work->generation, work->continuation.next_id);

	/* Cut off, it would be taken for another place. */
	if (length >= (int) sizeof(work->mark))
		elog(ERROR, "mark of a rebuild is too long: %s", work->mark);
	set_generations(fold, work->mark);
}

/*
 * Is there a rebuild to go on with: one that somebody has given up, of these triggers,
 * and with nothing changed since?  Then, where it was.
 */
static bool
find_mark(Maintenance *work, const Fold *fold)
{
	Snapshot	snapshot = GetActiveSnapshot();
	char		shown[GENERATION_SIZE];
	Size		length = strlen(MARK) + strlen(work->generation) + 1;
	char	   *end;

	if (show_generation(fold->idle.relation, snapshot, shown) != 1 ||
		generation_fault(fold->pending.relation, snapshot, shown) != NULL ||
		strncmp(shown, MARK, strlen(MARK)) != 0 ||
		strncmp(shown + strlen(MARK), work->generation,
				strlen(work->generation)) != 0 ||
		strlen(shown) <= length)
		return false;
	errno = 0;
	work->continuation.next_id = strtoi64(shown + length, &end, 10);
	return errno == 0 && *end == '\0';
}

/*
 * Begin at the first session, or where another rebuild has ended.
 */
static void
begin_rebuild(Maintenance *work, const Fold *fold)
{
	strlcpy(work->generation, fold->status.generation, GENERATION_SIZE);
	if (!find_mark(work, fold))
		work->continuation.next_id = PG_INT64_MIN;
	set_mark(work, fold);
	work->sessions = 0;
	work->lacking = 0;
	if (++work->beginnings > MAX_BEGINNINGS)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("store \"%s\" has been changed each time that its index was made anew",
						NameStr(fold->store->name)),
				 errhint("Call ekran_maintain() again when nobody truncates or restores its tables.")));
}

/*
 * Is everything as the last transaction left it?
 */
static bool
is_rebuild_to_go_on(const Maintenance *work, const Fold *fold)
{
	return strcmp(fold->status.generation, work->generation) == 0 &&
		generation_fault(fold->idle.relation, GetActiveSnapshot(), work->mark) == NULL &&
		generation_fault(fold->pending.relation, GetActiveSnapshot(), work->mark) == NULL;
}

/*
 * Make the next stretch anew; true when that was the last one.
 */
static bool
rebuild_stretch(Maintenance *work, const Fold *fold)
{
	if (work->mark[0] == '\0')
	{
		if (fold->status.gaps.state == DERIVED_OK)
			work->is_rebuild = false;	/* somebody else has made it anew */
		else
			begin_rebuild(work, fold);
		return false;
	}
	if (!is_rebuild_to_go_on(work, fold))
	{
		ereport(NOTICE,
				(errmsg("store \"%s\" has been changed meanwhile, beginning anew",
						NameStr(fold->store->name))));
		work->mark[0] = '\0';
		return false;
	}
	work->sessions += rebuild_sessions(fold, work->continuation.next_id,
									   ACTIVITIES_A_TRANSACTION,
									   &work->continuation, &work->lacking);
	if (work->continuation.is_at_end)
		set_generations(fold, work->generation);
	else
		set_mark(work, fold);
	return work->continuation.is_at_end;
}

/*
 * Fold the next stretch; true when that was the last one.
 */
static bool
fold_stretch(Maintenance *work, const Fold *fold)
{
	if (fold->status.gaps.state == DERIVED_RAW)
	{
		ereport(NOTICE,
				(errmsg("making the idle-gap index of store \"%s\" anew: %s",
						NameStr(fold->store->name), fold->status.gaps.reason)));
		work->is_rebuild = true;
		return false;
	}
	work->has_skipped |= fold->slices != ALL_SLICES;
	work->sessions += fold_sessions(fold, work->continuation.next_id,
									PENDING_A_TRANSACTION, &work->continuation);
	return work->continuation.is_at_end;
}

/*
 * Put the counts of sessions together, or count them anew where they can't be trusted:
 * in one transaction, for it is one pass over an index of session.
 */
static void
maintain_counts(Maintenance *work, const Store *store)
{
	CountFold	fold;

	if (!begin_count_fold(&fold, store, work->is_recount))
		return;
	if (fold.verdict.state == DERIVED_OK)
		compact_counts(&fold, PG_INT64_MAX);
	else if (work->is_recount)
	{
		recount_sessions(&fold);
		/* Sessions that were lost, the index may take for finished ones. */
		mark_loss(store, TABLE_PENDING, MARK_RECOUNTED);
	}
	else
		ereport(NOTICE,
				(errmsg("counting the sessions of store \"%s\" anew: %s",
						NameStr(store->name), fold.verdict.reason)));
	work->is_recount = !work->is_recount && fold.verdict.state != DERIVED_OK;
	end_count_fold(&fold);
}

/*
 * What one transaction does; true when there is no more to do.
 *
 * Locks are taken before the snapshot: to fold, those that can be had, to make anew,
 * all.
 */
static bool
maintain_stretch(Maintenance *work, const Store *store)
{
	bool		is_done;
	Fold		fold;

	if (!work->are_counted)
	{
		maintain_counts(work, store);
		work->are_counted = !work->is_recount;
		return false;
	}
	begin_fold(&fold, store, ALL_SLICES, work->is_rebuild);
	is_done = work->is_rebuild ?
		rebuild_stretch(work, &fold) : fold_stretch(work, &fold);
	end_fold(&fold);
	return is_done;
}

static void
tell_progress(Maintenance *work, const Store *store)
{
	TimestampTz now = GetCurrentTimestamp();

	if (now - work->noticed < NOTICE_EVERY || work->sessions == 0)
		return;
	work->noticed = now;
	ereport(NOTICE,
			(errmsg("store \"%s\": " INT64_FORMAT " sessions so far, up to session " INT64_FORMAT,
					NameStr(store->name), work->sessions,
					work->continuation.next_id)));
}

/*
 * ekran_maintain()
 *
 * Procedure.  Fold in what is pending, or make the derived tables anew where they
 * can't be trusted, committing after each stretch of sessions; tells every few
 * seconds how far it is.  Does nothing, and says so, while another is at it.
 * Errors: 2D000 inside of a transaction block or of a block that catches errors;
 * those of begin_maintenance(); 55000 if the store is broken, 25001 where READ
 * COMMITTED is not the default, 25006 on a standby or where it is read only.
 */
Datum
ekran_maintain(PG_FUNCTION_ARGS)
{
	Maintenance work = {.continuation = {.next_id = PG_INT64_MIN},.noticed = GetCurrentTimestamp()};
	Store		store;
	bool		is_done = false;

	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic || IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("ekran_maintain() can't run inside of a transaction block"),
				 errdetail("It commits after each stretch of sessions."),
				 errhint("Call it as a statement of its own, or ekran_refresh() in a transaction.")));

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	find_store(&store);
	refuse_views(&store);
	require_owner_rights(&store);
	/* On a standby, such a lock can't even be asked for. */
	require_writing("ekran_maintain()");
	work.schema = store.schema;
	work.pending = store.tables[TABLE_PENDING];
	if (!lock_maintenance(work.pending))
	{
		ereport(NOTICE,
				(errmsg("store \"%s\" is being maintained already",
						NameStr(store.name))));
		SPI_finish();
		PG_RETURN_VOID();
	}

	while (!is_done)
	{
		CallerRights caller;

		CHECK_FOR_INTERRUPTS();
		/* What calls us has a snapshot, from before the locks. */
		SPI_commit();
		require_writing("ekran_maintain()");
		if (why_not_fold() != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
					 errmsg("nothing can be folded: %s", why_not_fold()),
					 errhint("SET default_transaction_isolation = 'read committed'.")));
		caller = begin_maintenance_of(&store, work.schema);
		is_done = maintain_stretch(&work, &store);
		become_caller(&store, caller);
		if (!is_done)
			tell_progress(&work, &store);
	}
	SPI_commit();
	unlock_maintenance(work.pending);
	SPI_finish();

	warn_of_lacking_sessions(&store, work.lacking);
	if (work.has_skipped)
		ereport(NOTICE,
				(errmsg("some sessions were being folded by others, and left to them")));
	PG_RETURN_VOID();
}
