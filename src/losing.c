/*-------------------------------------------------------------------------
 *
 * losing.c
 *	  Activities or sessions that were lost, all of them, by ways that leave no
 *	  trace: a restore without them, or a crash of the server while their table
 *	  was not logged.
 *
 * Readers of an empty table don't ask the derived ones.  When the first rows come, these
 * must not be trusted either, unless they know that the others are gone: of activities
 * that were deleted, pending tells, and the counts of sessions add up to none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "partitioning/partdesc.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Pages that are looked through for a row, before every statement of a small table. */
#define FEW_PAGES	8

/* Sessions that are looked at, before every statement on an empty one. */
#define FEW_SESSIONS	1000

/*
 * Find the next row of a scan by SnapshotAny that a snapshot shows.  So, for the
 * reason that begin_derived_scan() has: who writes to a small table is not to conflict
 * with everybody else who does.
 */
static bool
next_shown(TableScanDesc scan, TupleTableSlot *slot, Snapshot snapshot)
{
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (table_tuple_satisfies_snapshot(scan->rs_rd, slot, snapshot))
			return true;
	}
	return false;
}

/*
 * The partitions of a table; NULL if it has none.  They stay what they are for as long
 * as it is open, whatever comes and goes meanwhile.
 */
static PartitionDesc
pieces_of(Relation table)
{
	return table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
		RelationGetPartitionDesc(table, true) : NULL;
}

static bool
has_row(Relation table, Snapshot snapshot)
{
	PartitionDesc pieces = pieces_of(table);
	bool		is_found = false;

	check_stack_depth();
	for (int i = 0; pieces != NULL && i < pieces->nparts && !is_found; i++)
	{
		Relation	piece = try_table_open(pieces->oids[i], AccessShareLock);

		if (piece == NULL)
			continue;
		is_found = has_row(piece, snapshot);
		table_close(piece, AccessShareLock);
	}
	if (table->rd_rel->relkind == RELKIND_RELATION)
	{
		TableScanDesc scan = BEGIN_TABLE_SCAN(table, SnapshotAny);
		TupleTableSlot *slot = table_slot_create(table, NULL);

		is_found = next_shown(scan, slot, snapshot);
		ExecDropSingleTupleTableSlot(slot);
		table_endscan(scan);
	}
	return is_found;
}

/*
 * Take the pages of a table off those that may be looked through; false if there are
 * more.  Of partitions, begin with the given one, and say which had too many.
 */
static bool
are_few(Relation table, int64 *pages, int *first_piece)
{
	PartitionDesc pieces = pieces_of(table);
	BlockNumber target;

	check_stack_depth();
	for (int i = 0; pieces != NULL && i < pieces->nparts; i++)
	{
		int			place = (*first_piece + i) % pieces->nparts;
		int			first_of_piece = 0;
		Relation	piece = try_table_open(pieces->oids[place], AccessShareLock);
		bool		result;

		if (piece == NULL)
			continue;
		result = are_few(piece, pages, &first_of_piece);
		table_close(piece, AccessShareLock);
		if (!result)
		{
			*first_piece = place;
			return false;
		}
	}
	if (pieces != NULL)
		return true;
	if (table->rd_rel->relkind != RELKIND_RELATION)
		return false;
	/* Who inserts knows without asking for the size. */
	target = RelationGetTargetBlock(table);
	if (target != InvalidBlockNumber && target >= FEW_PAGES)
		return false;
	*pages -= RelationGetNumberOfBlocks(table);
	return *pages >= 0;
}

/*
 * Is it a table that is soon looked through?
 */
static bool
has_few_pages(Relation table)
{
	/* Where it was seen last that it isn't, for who writes asks every time. */
	static Oid	known_table = InvalidOid;
	static int	known_piece = 0;
	int64		pages = FEW_PAGES;

	if (known_table != RelationGetRelid(table))
	{
		known_table = RelationGetRelid(table);
		known_piece = 0;
	}
	return are_few(table, &pages, &known_piece);
}

/*
 * Is a table empty under a snapshot, as far as a few pages tell?
 */
bool
is_empty(Relation table, Snapshot snapshot)
{
	return has_few_pages(table) && !has_row(table, snapshot);
}

/*
 * Is there no session in a store under a snapshot, likewise?
 */
bool
has_no_session(const Store *store, Snapshot snapshot)
{
	Relation	session = try_table_open(store->tables[TABLE_SESSION], AccessShareLock);
	bool		result = session != NULL && is_empty(session, snapshot);

	if (session != NULL)
		table_close(session, NoLock);
	return result;
}

/*
 * Do stored gaps, mended by what is pending, tell of no activity where there is none?
 */
static bool
become_none(Gaps *gaps, const Ranges *pending)
{
	RegionRequest *requests = palloc0(Max(pending->count, 1) * sizeof(RegionRequest));

	for (int i = 0; i < pending->count; i++)
	{
		begin_region(&requests[i].region);
		end_region(&requests[i].region, pending->ranges[i].last);
	}
	return mend_regions(gaps, requests, pending->count) && gaps->count == 1;
}

/*
 * Does a row of session_idle, with what is pending under a snapshot, tell of activity?
 */
static bool
tells_of_activity(TupleTableSlot *row, DerivedScan *pending)
{
	bool		isnull;
	int64		session_id = DatumGetInt64(slot_getattr(row, DERIVED_SESSION_ID, &isnull));
	Datum		columns[2];
	bool		nulls[2];
	Ranges		ranges;
	Gaps		gaps;

	if (isnull)
		return false;
	columns[0] = slot_getattr(row, DERIVED_FIRST, &nulls[0]);
	columns[1] = slot_getattr(row, DERIVED_LAST, &nulls[1]);
	return !read_gaps(columns, nulls, &gaps) ||
		!read_pending(pending, session_id, &ranges) ||
		!become_none(&gaps, &ranges);
}

/*
 * Does the index tell of activity under a snapshot, as far as a few sessions tell?
 */
static bool
has_activity_by_index(Relation idle, Relation pending, Snapshot snapshot)
{
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext session_context;
	TableScanDesc scan;
	TupleTableSlot *slot;
	DerivedScan pending_scan;
	bool		is_found = false;
	int			seen = 0;

	if (!begin_derived_scan(&pending_scan, pending, snapshot, true))
		return true;
	scan = BEGIN_TABLE_SCAN(idle, SnapshotAny);
	slot = table_slot_create(idle, NULL);
	session_context = AllocSetContextCreate(CurrentMemoryContext,
											"ekran_sessions lost activities",
											ALLOCSET_DEFAULT_SIZES);
	while (!is_found && next_shown(scan, slot, snapshot))
	{
		MemoryContextSwitchTo(session_context);
		is_found = seen++ == FEW_SESSIONS ||
			tells_of_activity(slot, &pending_scan);
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(session_context);
	}
	MemoryContextDelete(session_context);
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	end_derived_scan(&pending_scan);
	return is_found;
}

/*
 * Does the index of a store?  The worst is assumed where a derived table can't be had
 * without waiting, or is not as it was made: then the index will be made anew, or the
 * statement refused.
 */
static bool
index_tells_of_activity(const Store *store, Snapshot snapshot)
{
	Relation	idle;
	Relation	pending;
	bool		result;

	if (!OidIsValid(store->tables[TABLE_SESSION_IDLE]) ||
		!OidIsValid(store->tables[TABLE_PENDING]) ||
		!lock_if_free(store, TABLE_SESSION_IDLE, AccessShareLock) ||
		!lock_if_free(store, TABLE_PENDING, AccessShareLock))
		return true;
	idle = table_open(store->tables[TABLE_SESSION_IDLE], NoLock);
	pending = table_open(store->tables[TABLE_PENDING], NoLock);
	result = derived_table_fault(idle, store, TABLE_SESSION_IDLE) != NULL ||
		derived_table_fault(pending, store, TABLE_PENDING) != NULL ||
		has_activity_by_index(idle, pending, snapshot);
	table_close(idle, NoLock);
	table_close(pending, NoLock);
	return result;
}

static bool
counts_tell_of_sessions(const Store *store, Snapshot snapshot)
{
	Relation	table;
	DayCounts	counts;
	bool		result = true;

	if (!OidIsValid(store->tables[TABLE_SESSION_COUNT]) ||
		!lock_if_free(store, TABLE_SESSION_COUNT, AccessShareLock))
		return true;
	table = table_open(store->tables[TABLE_SESSION_COUNT], NoLock);
	if (derived_table_fault(table, store, TABLE_SESSION_COUNT) == NULL)
	{
		read_day_counts(table, snapshot, &counts);
		result = counts.count > 0;
	}
	table_close(table, NoLock);
	return result;
}

/*
 * Let a derived table be trusted no more, until it is made anew, and say why.
 *
 * Errors: 55000 if it is not as it was made.
 */
void
mark_loss(const Store *store, StoreTable which, const char *mark)
{
	DerivedTable table;

	open_derived_table(&table, store, which);
	insert_generation(&table, which, mark);
	close_derived_table(&table);
}

/*
 * Before a statement on activity or session: if the derived tables tell of rows where
 * there are none, let them be trusted no more.
 *
 * Both are asked under one snapshot, as late as can be, for whoever commits rows
 * afterwards has asked the same.
 *
 * Errors: 55000 if a derived table is not as it was made.
 */
void
note_lost_rows(Relation table, StoreTable which)
{
	Snapshot	snapshot;
	bool		are_lost;
	Store		store;

	/* Who is inside of another statement sees what that hasn't told yet. */
	if (is_statement_in_progress() || !has_few_pages(table))
		return;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	are_lost = !has_row(table, snapshot) &&
		load_store(&store, RelationGetNamespace(table)) &&
		(which == TABLE_SESSION ? counts_tell_of_sessions(&store, snapshot) :
		 index_tells_of_activity(&store, snapshot));
	UnregisterSnapshot(snapshot);
	if (!are_lost)
		return;
	/* The index knows which sessions run. */
	mark_loss(&store, TABLE_PENDING, MARK_LOST);
	if (which == TABLE_SESSION)
		mark_loss(&store, TABLE_SESSION_COUNT, MARK_LOST);
}

/*
 * The same before a row is written to a partition of activity by its own name.  Whoever
 * holds that partition must not wait for the whole; if that is not to be had, the worst is
 * assumed.
 *
 * Errors: 55000 if a derived table is not as it was made.
 */
void
note_lost_rows_of_whole(Relation partition, const Store *store)
{
	Oid			whole = store->tables[TABLE_ACTIVITY];
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		may_be_lost = !is_statement_in_progress() && is_empty(partition, snapshot);
	Relation	table;

	UnregisterSnapshot(snapshot);
	if (!may_be_lost)
		return;
	if (!ConditionalLockRelationOid(whole, AccessShareLock))
	{
		mark_loss(store, TABLE_PENDING, MARK_LOST);
		return;
	}
	table = table_open(whole, NoLock);
	note_lost_rows(table, TABLE_ACTIVITY);
	table_close(table, AccessShareLock);
}
