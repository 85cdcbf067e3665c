/*-------------------------------------------------------------------------
 *
 * counting.c
 *	  The table session_count: how many sessions began on each day.
 *
 * It is a log.  The triggers of session append to it, for every statement, by how
 * many sessions it made a day longer or shorter, in the same transaction; so under
 * any snapshot the rows of a day add up to the sessions that the same snapshot shows
 * on it.  Now and then the rows of a day are put together to one: by who holds the one
 * lock for that, under a snapshot that it takes afterwards, so that none is put
 * together twice.
 *
 * The table has no index, for it is read as a whole; a few thousand days are a few
 * pages.  Among its rows is one without a day, which holds the generation.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* What the lock is for, in terms of part_lock_tag(). */
#define COUNTS_PART		1

/* In the order of pages: so it takes no memory, and no sort. */
static const StoreQuery logins = {
	.sql = "SELECT s.login_date FROM @store@.session s"
	" WHERE s.login_date IS NOT NULL ORDER BY s.login_date",
	.columns = {{TIMESTAMPTZOID, NOT_NULL}},
	.plan_options = PLAN_EACH_TIME,
	.batch = ACTIVITY_BATCH
};

/* A row of session_count, and where it is. */
typedef struct CountRow
{
	bool		is_generation;
	DateADT		day;
	int64		sessions;
	ItemPointerData place;
} CountRow;

typedef struct CountRows
{
	int64		count;
	int64		allocated;
	CountRow   *rows;
} CountRows;

static bool
take_row(TupleTableSlot *slot, CountRow *row)
{
	bool		no_day;
	bool		no_count;
	Datum		day = slot_getattr(slot, COUNT_DAY, &no_day);
	Datum		sessions = slot_getattr(slot, COUNT_SESSIONS, &no_count);

	row->is_generation = no_day;
	row->day = DatumGetDateADT(day);
	row->sessions = DatumGetInt64(sessions);
	row->place = slot->tts_tid;
	return !no_count;
}

/*
 * Read the counts that a snapshot shows.
 */
CountsFound
read_day_counts(Relation table, Snapshot snapshot, DayCounts *counts)
{
	/* A serializable one is to conflict with nobody over these few pages. */
	bool		quietly = IsolationIsSerializable();
	TableScanDesc scan = BEGIN_TABLE_SCAN(table, quietly ? SnapshotAny : snapshot);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	CountsFound found = {.is_sound = true};
	CountRow	row;

	memset(counts, 0, sizeof(*counts));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (quietly && !table_tuple_satisfies_snapshot(table, slot, snapshot))
			continue;
		found.is_sound &= take_row(slot, &row);
		if (row.is_generation)
		{
			if (!is_mark(found.generation))
				read_generation(slot, found.generation);
			found.generations++;
		}
		else
			add_to_day(counts, row.day, row.sessions);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);

	merge_days(counts);
	found.is_sound &= are_counts(counts);
	return found;
}

/*
 * Read how many sessions a snapshot shows on each day, and judge whether that can be
 * trusted as of a generation, on a store whose triggers are as they were made.
 *
 * What has run since the store was judged can have changed the table, so it is looked at
 * again.
 */
Verdict
load_day_counts(const Store *store, Snapshot snapshot, const char *generation,
				DayCounts *counts)
{
	Verdict		verdict = {DERIVED_BROKEN, NULL};
	Relation	table = open_sound_table(store, TABLE_SESSION_COUNT, &verdict.reason);
	CountsFound found;

	memset(counts, 0, sizeof(*counts));
	if (table == NULL)
		return verdict;
	found = read_day_counts(table, snapshot, counts);
	table_close(table, NoLock);

	verdict.state = DERIVED_RAW;
	verdict.reason = shown_fault("session_count", found.generations, found.generation,
								 generation);
	if (verdict.reason != NULL)
		return verdict;
	if (!found.is_sound)
		verdict.reason = "table \"session_count\" holds what counts no sessions";
	else if (counts->count > 0 && has_no_session(store, snapshot))
		verdict.reason = "sessions have been lost";
	else
		verdict.state = DERIVED_OK;
	return verdict;
}

/*
 * Append what a statement has changed.
 */
void
append_counts(const DerivedTable *table, const DayCounts *counts)
{
	for (Size i = 0; i < counts->count; i++)
	{
		DerivedRow	row = {.nulls = {false, false, true}};

		CHECK_FOR_INTERRUPTS();
		row.values[COUNT_DAY - 1] = DateADTGetDatum(counts->days[i].day);
		row.values[COUNT_SESSIONS - 1] = Int64GetDatum(counts->days[i].sessions);
		insert_derived_row(table, &row);
	}
	if (counts->count > 0)
		note_counts();
}

static void
add_row(CountRows *rows, const CountRow *row)
{
	if (rows->count == rows->allocated)
	{
		rows->allocated = rows->allocated == 0 ? 1024 : rows->allocated * 2;
		rows->rows = rows->rows == NULL ?
			palloc(rows->allocated * sizeof(CountRow)) :
			repalloc_huge(rows->rows, rows->allocated * sizeof(CountRow));
	}
	rows->rows[rows->count++] = *row;
}

static int
compare_rows(const void *a, const void *b)
{
	DateADT		left = ((const CountRow *) a)->day;
	DateADT		right = ((const CountRow *) b)->day;

	return (left > right) - (left < right);
}

/*
 * The rows of days that the active snapshot shows, up to a number of them, in the order
 * of days.
 */
static void
read_rows(const DerivedTable *table, int64 limit, CountRows *rows)
{
	TableScanDesc scan = BEGIN_TABLE_SCAN(table->relation, GetActiveSnapshot());
	TupleTableSlot *slot = table_slot_create(table->relation, NULL);
	CountRow	row;

	memset(rows, 0, sizeof(*rows));
	while (rows->count < limit &&
		   table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		/* One without a count tells nothing, and is none of ours. */
		if (!take_row(slot, &row))
			row.sessions = 0;
		if (!row.is_generation)
			add_row(rows, &row);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	if (rows->count > 1)
		qsort(rows->rows, rows->count, sizeof(CountRow), compare_rows);
}

/*
 * Put one row that counts so many sessions in the place of those of a day.
 */
static void
write_day(const DerivedTable *table, DateADT day, int64 sessions,
		  CountRow *rows, int64 count)
{
	DerivedRow	row = {.nulls = {false, false, true}};
	int64		first = 0;

	if (count == 1 && rows[0].sessions == sessions && sessions != 0)
		return;
	if (sessions != 0)
	{
		row.values[COUNT_DAY - 1] = DateADTGetDatum(day);
		row.values[COUNT_SESSIONS - 1] = Int64GetDatum(sessions);
		if (count > 0)
			update_derived_row(table, &rows[first++].place, &row);
		else
			insert_derived_row(table, &row);
	}
	for (int64 i = first; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		delete_derived_row(table, &rows[i].place);
	}
}

/*
 * Begin to put counts together, as begin_fold() does for gaps: lock the tables, then
 * be the only one who does, then take a snapshot, which stays active until
 * end_count_fold().  False if somebody else is at it, and we don't wait.
 *
 * Errors: 55000 if the store is broken.
 */
bool
begin_count_fold(CountFold *fold, const Store *store, bool wait)
{
	LOCKTAG		tag = part_lock_tag(store->tables[TABLE_SESSION_COUNT], COUNTS_PART);
	DerivedStatus status;
	DayCounts	counts;

	fold->store = store;
	LockRelationOid(store->tables[TABLE_SESSION], AccessShareLock);
	open_derived_table(&fold->table, store, TABLE_SESSION_COUNT);
	if (LockAcquire(&tag, ExclusiveLock, false, !wait) == LOCKACQUIRE_NOT_AVAIL)
	{
		close_derived_table(&fold->table);
		return false;
	}
	note_fold();
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	status = derived_status(store, GetActiveSnapshot(), true);
	if (status.counts.state == DERIVED_BROKEN)
		refuse_broken(store, status.counts.reason);
	fold->verdict = status.counts;
	strlcpy(fold->generation, status.generation, GENERATION_SIZE);
	if (fold->verdict.state == DERIVED_OK)
		fold->verdict = load_day_counts(store, GetActiveSnapshot(),
										fold->generation, &counts);
	return true;
}

void
end_count_fold(CountFold *fold)
{
	PopActiveSnapshot();
	close_derived_table(&fold->table);
}

/*
 * Put the rows of each day together to one: of all rows, or of so many.
 */
void
compact_counts(const CountFold *fold, int64 limit)
{
	CountRows	rows;

	read_rows(&fold->table, limit, &rows);
	for (int64 i = 0; i < rows.count;)
	{
		DateADT		day = rows.rows[i].day;
		DayCounts	sum = {0};
		int64		first = i;

		for (; i < rows.count && rows.rows[i].day == day; i++)
			add_to_day(&sum, day, rows.rows[i].sessions);
		write_day(&fold->table, day, sum.days[0].sessions, &rows.rows[first], i - first);
		pfree(sum.days);
	}
	if (rows.rows != NULL)
		pfree(rows.rows);
}

/*
 * Count the sessions that the active snapshot shows, day by day.
 */
void
count_logins(const Store *store, DayCounts *counts)
{
	Rows		rows;

	memset(counts, 0, sizeof(*counts));
	begin_rows(&rows, store, &logins, NULL);
	while (next_row(&rows))
		add_to_day(counts, day_of(DatumGetTimestampTz(rows.values[0])), 1);
	end_rows(&rows);
	merge_days(counts);
}

/*
 * Make the counts anew from the sessions, and let them be trusted, as of the generation
 * of the triggers.  What is right already is left as it is.
 */
void
recount_sessions(const CountFold *fold)
{
	DayCounts	counts;
	CountRows	rows;
	int64		next = 0;

	count_logins(fold->store, &counts);
	read_rows(&fold->table, PG_INT64_MAX, &rows);
	for (Size i = 0; i < counts.count; i++)
	{
		const DayCount *day = &counts.days[i];
		int64		first;

		for (; next < rows.count && rows.rows[next].day < day->day; next++)
			delete_derived_row(&fold->table, &rows.rows[next].place);
		first = next;
		while (next < rows.count && rows.rows[next].day == day->day)
			next++;
		write_day(&fold->table, day->day, day->sessions, &rows.rows[first], next - first);
	}
	for (; next < rows.count; next++)
		delete_derived_row(&fold->table, &rows.rows[next].place);
	set_generation(&fold->table, TABLE_SESSION_COUNT, fold->generation);
}
