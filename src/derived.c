/*-------------------------------------------------------------------------
 *
 * derived.c
 *	  Whether the derived tables can be trusted.
 *
 * They can as long as nothing has been written that the triggers didn't note,
 * and what they noted is still there.  Two things tell:
 *
 * - The store is as it was made: the triggers of activity and session, and the
 *	 derived tables.  A store that isn't is broken: writers refuse, so that nothing is
 *	 written that would not be noted, and readers read activity and session.  This is
 *	 asked of the catalog as it is now, under locks that keep it so.
 *
 * - The derived tables hold the same generation that the triggers have as their
 *	 argument, in one row each, whose session_id, or day, is null.  Tables that were
 *	 emptied, rewritten or restored in part don't; nor do they under a snapshot
 *	 from before, since that is asked under the reader's own.  Such a store is
 *	 raw: it is written to and noted, and read from activity or session, until
 *	 ekran_maintain() or ekran_rebuild() has made the tables anew.
 *
 * The generation survives dumps and upgrades.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"
#include "nodes/readfuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Rows among which a mark is looked for. */
#define MANY_MARKS	100

/* The columns of the derived tables. */
static const struct
{
	const char *name;
	Oid			type;
	bool		has_nulls;
}			derived_columns[NUM_STORE_TABLES][MAX_DERIVED_COLUMNS] = {
	[TABLE_SESSION_IDLE] = {
		{"session_id", INT8OID, true},
		{"gap_start", TIMESTAMPTZARRAYOID, false},
		{"gap_end", TIMESTAMPTZARRAYOID, false},
		{"reach", TSTZRANGEOID, true},
		{"generation", TEXTOID, true},
	},
	[TABLE_PENDING] = {
		{"session_id", INT8OID, true},
		{"first_moment", TIMESTAMPTZOID, false},
		{"last_moment", TIMESTAMPTZOID, false},
		{"generation", TEXTOID, true},
	},
	[TABLE_SESSION_COUNT] = {
		{"day", DATEOID, true},
		{"sessions", INT8OID, false},
		{"generation", TEXTOID, true},
	},
};

static bool
is_on_gaps(Relation index)
{
	for (int i = 0; i < index->rd_index->indnatts; i++)
		if (index->rd_index->indkey.values[i] == DERIVED_FIRST ||
			index->rd_index->indkey.values[i] == DERIVED_LAST)
			return true;
	return false;
}

/*
 * Is this the index that finds sessions by their reach?  It holds those that have one.
 *
 * Its predicate is looked at as it is stored: the server's own ways to have it would
 * simplify it, and run functions of the owner's for that.
 */
bool
is_by_reach(Relation index)
{
	bool		isnull;
	Datum		predicate;
	char	   *stored;
	Node	   *condition;
	NullTest   *test;

	if (index->rd_rel->relam != GIST_AM_OID ||
		index->rd_index->indnatts != 1 ||
		index->rd_index->indkey.values[0] != IDLE_REACH)
		return false;
	predicate = SysCacheGetAttr(INDEXRELID, index->rd_indextuple,
								Anum_pg_index_indpred, &isnull);
	if (isnull)
		return false;
	stored = TextDatumGetCString(predicate);
	condition = stringToNode(stored);
	pfree(stored);
	/* Where there are several conditions, they are a list. */
	if (condition != NULL && IsA(condition, List) &&
		list_length((List *) condition) == 1)
		condition = linitial((List *) condition);
	if (condition == NULL || !IsA(condition, NullTest))
		return false;
	test = (NullTest *) condition;
	return test->nulltesttype == IS_NOT_NULL && IsA(test->arg, Var) &&
		((Var *) test->arg)->varattno == IDLE_REACH;
}

/*
 * Can sessions be looked up by an index, and rows without a session too?
 */
static bool
is_by_session(Relation table, Relation index)
{
	(void) table;
	return index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
		index->rd_indoption[0] == 0 &&
		index->rd_index->indkey.values[0] == DERIVED_SESSION_ID;
}

/*
 * What is wrong with an index of a derived table, or NULL.
 */
const char *
derived_index_fault(Relation table, Relation index, StoreTable which)
{
	const char *kind = NULL;

	if (index->rd_index->indisexclusion)
		kind = "an exclusion constraint";
	else if (!heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL))
		kind = "an index on expressions";
	else if (!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
			 !(which == TABLE_SESSION_IDLE && is_by_reach(index)))
		kind = "a partial index";
	else if (index->rd_index->indisunique &&
			 (which != TABLE_SESSION_IDLE ||
			  index->rd_index->indkey.values[0] != DERIVED_SESSION_ID))
		kind = "a unique index";
	else if (which == TABLE_SESSION_IDLE && is_on_gaps(index))
		kind = "an index on gaps, which may be too long for it,";
	if (kind == NULL)
		return NULL;
	return psprintf("\"%s\" is %s on table \"%s\"",
					RelationGetRelationName(index), kind,
					RelationGetRelationName(table));
}

/*
 * Its indexes must not wait for anybody, fail, or run code of the owner's when
 * rows come.  And what is missing that finds rows?
 */
static const char *
indexes_fault(Relation table, StoreTable which, const char **missing)
{
	List	   *indexes = RelationGetIndexList(table);
	const char *fault = NULL;
	bool		has_sessions = which == TABLE_SESSION_COUNT;
	bool		has_reach = which != TABLE_SESSION_IDLE;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (fault == NULL)
			fault = derived_index_fault(table, index, which);
		has_sessions |= is_by_session(table, index);
		has_reach |= which == TABLE_SESSION_IDLE && index->rd_index->indisvalid &&
			is_by_reach(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	*missing = !has_sessions ? "session_id" : !has_reach ? "reach" : NULL;
	return fault;
}

/*
 * What is wrong with a derived table, which is open and locked, or NULL, and which
 * column lacks its index.
 *
 * Its name and place are asked for too, for they may have changed between finding
 * it and locking it.  Rules, triggers and policies on it don't matter: we write to
 * it directly, and readers ask about policies.
 */
static const char *
misfit(Relation table, const Store *store, StoreTable which, const char **missing)
{
	Form_pg_class class = table->rd_rel;
	const char *name = table_names[which];
	TupleDesc	columns = RelationGetDescr(table);

	if (strcmp(NameStr(class->relname), name) != 0 ||
		class->relnamespace != store->schema)
		return psprintf("table \"%s\" has been replaced", name);
	if (class->relkind != RELKIND_RELATION || class->relispartition)
		return psprintf("\"%s\" is not a table of one piece", name);
	if (class->relowner != store->owner)
		return psprintf("table \"%s\" belongs to another role than the store",
						name);
	if (class->relam != HEAP_TABLE_AM_OID)
		return psprintf("table \"%s\" has another access method than heap",
						name);
	if (class->relhassubclass &&
		find_inheritance_children(RelationGetRelid(table), NoLock) != NIL)
		return psprintf("tables inherit from \"%s\"", name);

	if (columns->natts > MAX_DERIVED_COLUMNS ||
		(columns->natts < MAX_DERIVED_COLUMNS &&
		 derived_columns[which][columns->natts].name != NULL))
		return psprintf("table \"%s\" has other columns", name);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (column->attinhcount > 0)
			return psprintf("table \"%s\" inherits from another one", name);
		if (derived_columns[which][i].name == NULL || column->attisdropped ||
			column->atttypid != derived_columns[which][i].type ||
			column->attgenerated != '\0' ||
			strcmp(NameStr(column->attname), derived_columns[which][i].name) != 0)
			return psprintf("table \"%s\" has other columns", name);
		if (column->attnotnull && derived_columns[which][i].has_nulls)
			return psprintf("column \"%s\" of table \"%s\" does not allow nulls",
							NameStr(column->attname), name);
	}
	/* Who plans a query may rely on them, and we don't check them. */
	if (columns->constr != NULL && columns->constr->num_check > 0)
		return psprintf("table \"%s\" has a check constraint", name);
	return indexes_fault(table, which, missing);
}

/*
 * What is wrong with it that ekran_create_store() can't mend, or NULL.
 */
const char *
derived_table_misfit(Relation table, const Store *store, StoreTable which)
{
	const char *missing;

	return misfit(table, store, which, &missing);
}

/*
 * The derived tables that nothing was wrong with when they were looked at last, and
 * that have not been changed since.
 */
static struct
{
	Oid			table;			/* InvalidOid: not known */
	Oid			schema;
	Oid			owner;
}			sound_tables[NUM_STORE_TABLES];

/* Changes of tables that this backend has been told of. */
static uint64 table_changes = 0;

static void
forget_sound_table(Datum arg, Oid relation)
{
	(void) arg;
	table_changes++;

	for (int i = 0; i < NUM_STORE_TABLES; i++)
		if (relation == InvalidOid || sound_tables[i].table == relation)
			sound_tables[i].table = InvalidOid;
}

/*
 * How many changes of tables this backend has been told of.
 */
uint64
changes_of_tables(void)
{
	return table_changes;
}

void
watch_tables(void)
{
	CacheRegisterRelcacheCallback(forget_sound_table, (Datum) 0);
}

/*
 * Is nothing wrong with a derived table of a store, as far as this backend has been
 * told?  Without a lock on it.
 */
bool
is_known_sound(const Store *store, StoreTable which)
{
	return OidIsValid(store->tables[which]) &&
		sound_tables[which].table == store->tables[which] &&
		sound_tables[which].schema == store->schema &&
		sound_tables[which].owner == store->owner;
}

/*
 * What is wrong with it at all, or NULL.
 */
const char *
derived_table_fault(Relation table, const Store *store, StoreTable which)
{
	const char *missing = NULL;
	uint64		changes;
	const char *fault;

	if (RelationGetRelid(table) == store->tables[which] &&
		is_known_sound(store, which))
		return NULL;

	/*
	 * To look at it can be to wait for a lock, then to be told that it has
	 * changed.
	 */
	for (int looks = 0; looks < 2; looks++)
	{
		changes = table_changes;
		fault = misfit(table, store, which, &missing);
		if (fault != NULL || changes == table_changes)
			break;
	}
	if (fault == NULL && missing != NULL)
		fault = psprintf("table \"%s\" lacks its index on %s",
						 table_names[which], missing);
	if (fault == NULL &&
		table->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		fault = psprintf("table \"%s\" is not logged", table_names[which]);
	if (fault == NULL && changes == table_changes)
	{
		sound_tables[which].table = RelationGetRelid(table);
		sound_tables[which].schema = store->schema;
		sound_tables[which].owner = store->owner;
	}
	return fault;
}

/*
 * Open a derived table to read it, if nothing is wrong with it; NULL, and why, if there
 * is.
 */
Relation
open_sound_table(const Store *store, StoreTable which, const char **reason)
{
	Oid			oid = store->tables[which];
	Relation	table = OidIsValid(oid) ? try_table_open(oid, AccessShareLock) : NULL;

	*reason = table == NULL ?
		psprintf("there is no table \"%s\"", table_names[which]) :
		derived_table_fault(table, store, which);
	if (table != NULL && *reason != NULL)
	{
		table_close(table, NoLock);
		table = NULL;
	}
	return table;
}

/*
 * Does this transaction hold a lock on a table, as strong as one or stronger?  That is
 * their order, but that who holds SHARE doesn't keep out what SHARE UPDATE EXCLUSIVE
 * would.
 */
bool
holds_lock(Oid table, LOCKMODE least)
{
	LOCKTAG		tag;
	bool		result = false;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, table);
	for (LOCKMODE mode = least; mode <= MaxLockMode && !result; mode++)
		result = HOLDS_LOCK(&tag, mode) &&
			!(least == ShareUpdateExclusiveLock && mode == ShareLock);
	return result;
}

/*
 * Lock a derived table and its indexes, for as long as the transaction, unless that
 * would be to wait for somebody.
 */
bool
lock_if_free(const Store *store, StoreTable which, LOCKMODE mode)
{
	Oid			oid = store->tables[which];
	Relation	table;
	List	   *indexes;
	ListCell   *cell;
	bool		result = true;

	if (!ConditionalLockRelationOid(oid, mode))
		return false;
	table = try_table_open(oid, NoLock);
	if (table == NULL)
		return false;
	indexes = RelationGetIndexList(table);
	foreach(cell, indexes)
		result = result && ConditionalLockRelationOid(lfirst_oid(cell), mode);
	list_free(indexes);
	table_close(table, NoLock);
	return result;
}

/*
 * Lock the partitions of a table that is locked, likewise.
 */
bool
lock_pieces_if_free(const Store *store, StoreTable which)
{
	List	   *pieces = pieces_without_locks(store->tables[which]);
	ListCell   *cell;
	bool		result = true;

	foreach(cell, pieces)
		result = result && ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock);
	list_free(pieces);
	return result;
}

/*
 * The first index of a table that is of use, locked; NULL if there is none.
 */
Relation
open_index(Relation table, bool (*is_of_use) (Relation table, Relation index))
{
	List	   *indexes = RelationGetIndexList(table);
	Relation	result = NULL;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		result = index_open(lfirst_oid(cell), AccessShareLock);
		if (is_of_use(table, result))
			break;
		index_close(result, AccessShareLock);
		result = NULL;
	}
	list_free(indexes);
	return result;
}

/*
 * Begin to go through rows of a derived table under a snapshot.  False if its index has
 * just gone: a lock on the table keeps nobody from DROP INDEX CONCURRENTLY.
 *
 * Quietly, a serializable transaction doesn't conflict with those who append beside
 * what it looks for: it answers the same whatever it finds.  That takes SnapshotAny,
 * which predicate locks disregard.
 */
bool
begin_derived_scan(DerivedScan *scan, Relation table, Snapshot snapshot, bool quietly)
{
	scan->table = table;
	scan->snapshot = snapshot;
	scan->is_quiet = quietly;
	scan->context = CurrentMemoryContext;
	scan->is_ascending = false;
	scan->index = open_index(table, is_by_session);
	if (scan->index == NULL)
		return false;
	scan->slot = table_slot_create(table, NULL);
	scan->scan = BEGIN_INDEX_SCAN(table, scan->index,
								  quietly ? SnapshotAny : snapshot, 1);
	return true;
}

/*
 * Go to the rows that a key finds.
 *
 * What the index's access method allocates on its way belongs to the scan.
 */
static void
seek(DerivedScan *scan, ScanKey key)
{
	MemoryContext caller_context = MemoryContextSwitchTo(scan->context);

	index_rescan(scan->scan, key, 1, NULL, 0);
	MemoryContextSwitchTo(caller_context);
}

/*
 * Find the next of the rows gone to.  False at the end.
 */
bool
next_derived_row(DerivedScan *scan)
{
	MemoryContext caller_context = MemoryContextSwitchTo(scan->context);
	bool		is_found = false;

	while (!is_found &&
		   index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot))
	{
		CHECK_FOR_INTERRUPTS();
		is_found = !scan->is_quiet ||
			table_tuple_satisfies_snapshot(scan->table, scan->slot, scan->snapshot);
	}
	MemoryContextSwitchTo(caller_context);
	return is_found;
}

/*
 * Go on to the next row in the order of sessions; false if it is not one of the session
 * that was found last.
 */
bool
next_session_row(DerivedScan *scan)
{
	bool		isnull;

	scan->has_row = next_derived_row(scan);
	if (scan->has_row)
		scan->row_id = DatumGetInt64(slot_getattr(scan->slot, DERIVED_SESSION_ID,
												  &isnull));
	return scan->has_row && scan->row_id == scan->wanted_id;
}

static void
seek_from(DerivedScan *scan, int64 session_id, StrategyNumber strategy, Oid operator)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, strategy, operator, Int64GetDatum(session_id));
	seek(scan, &key);
	scan->is_ascending = true;
	scan->wanted_id = session_id;
	(void) next_session_row(scan);
}

/*
 * Find the first row of a session; false if there is none.  next_session_row() finds
 * further ones.
 *
 * Who asks for sessions in ascending order is told of those that are near to each
 * other, or not there, without a descent into the index for each.
 */
bool
find_session_row(DerivedScan *scan, int64 session_id)
{
	/* Ids apart by as much: to go on row by row takes as long as to descend. */
	const uint64 near = 4;

	if (scan->is_ascending && session_id > scan->wanted_id &&
		(!scan->has_row || scan->row_id >= session_id ||
		 (uint64) session_id - (uint64) scan->row_id <= near))
	{
		scan->wanted_id = session_id;
		while (scan->has_row && scan->row_id < session_id)
			(void) next_session_row(scan);
	}
	else
		seek_from(scan, session_id, BTGreaterEqualStrategyNumber, F_INT8GE);
	return scan->has_row && scan->row_id == session_id;
}

/*
 * Find the first row of the first session; false if there is none.
 */
bool
find_first_session(DerivedScan *scan, int64 *session_id)
{
	(void) find_session_row(scan, PG_INT64_MIN);
	*session_id = scan->row_id;
	return scan->has_row;
}

/*
 * Likewise of the first one that has a higher id than another.
 */
bool
find_session_after(DerivedScan *scan, int64 session_id, int64 *next_id)
{
	seek_from(scan, session_id, BTGreaterStrategyNumber, F_INT8GT);
	*next_id = scan->row_id;
	return scan->has_row;
}

/*
 * Go to the rows that hold a generation: those without a session.
 */
static void
seek_generations(DerivedScan *scan)
{
	ScanKeyData key;

	ScanKeyEntryInitialize(&key, SK_ISNULL | SK_SEARCHNULL, 1,
						   InvalidStrategy, InvalidOid, InvalidOid,
						   InvalidOid, (Datum) 0);
	seek(scan, &key);
	scan->is_ascending = false;
}

/*
 * Begin to go through those rows of a derived table that hold a generation.  False if
 * its index has just gone.
 */
bool
begin_generation_scan(DerivedScan *scan, Relation table, Snapshot snapshot)
{
	if (!begin_derived_scan(scan, table, snapshot, true))
		return false;
	seek_generations(scan);
	return true;
}

/*
 * What generation a row of a derived table holds, in its last column: of
 * GENERATION_SIZE at the most, or an empty text if that is none of ours.
 */
void
read_generation(TupleTableSlot *row, char *generation)
{
	bool		isnull;
	Datum		shown = slot_getattr(row, row->tts_tupleDescriptor->natts, &isnull);

	generation[0] = '\0';
	if (!isnull && toast_raw_datum_size(shown) - VARHDRSZ < GENERATION_SIZE)
		text_to_cstring_buffer(DatumGetTextPP(shown), generation,
							   GENERATION_SIZE);
}

/*
 * Find the next of them, and what it holds.
 */
bool
next_generation(DerivedScan *scan, char *generation)
{
	if (!next_derived_row(scan))
		return false;
	read_generation(scan->slot, generation);
	return true;
}

void
end_derived_scan(DerivedScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, AccessShareLock);
}

/*
 * Is it one of the marks that stand in the place of a generation?
 */
bool
is_mark(const char *generation)
{
	return strcmp(generation, MARK_TRUNCATED) == 0 ||
		strcmp(generation, MARK_LOST) == 0 ||
		strcmp(generation, MARK_WRITTEN) == 0 ||
		strcmp(generation, MARK_RECOUNTED) == 0;
}

/*
 * How many rows of a derived table hold a generation under a snapshot, 2 standing for
 * more; and what one of these holds, a mark if there is one.  -1 if its index has just
 * gone.
 */
int
show_generation(Relation table, Snapshot snapshot, char *generation)
{
	DerivedScan scan;
	int			count = 0;

	if (!begin_generation_scan(&scan, table, snapshot))
		return -1;
	while (count < MANY_MARKS && (count == 0 || !is_mark(generation)) &&
		   next_generation(&scan, generation))
		count++;
	end_derived_scan(&scan);
	return Min(count, 2);
}

/*
 * What is wrong with so many rows of a table's that hold a generation, and what one of
 * them shows, or NULL.
 */
const char *
shown_fault(const char *name, int count, const char *shown, const char *generation)
{
	if (count == 0)
		return psprintf("table \"%s\" has been emptied, restored in part, or not made yet", name);
	if (strcmp(shown, MARK_TRUNCATED) == 0)
		return "activities or sessions have been truncated";
	if (strcmp(shown, MARK_LOST) == 0)
		return "activities or sessions have been lost";
	if (strcmp(shown, MARK_WRITTEN) == 0)
		return psprintf("table \"%s\" has been written to by others than ekran_sessions", name);
	if (strcmp(shown, MARK_RECOUNTED) == 0)
		return "sessions have been counted anew, whose changes may have gone unnoted";
	if (count > 1)
		return psprintf("table \"%s\" has been restored twice", name);
	if (strcmp(shown, generation) != 0)
		return psprintf("table \"%s\" is of another generation than the triggers", name);
	return NULL;
}

/*
 * What is wrong with the generation that a derived table shows under a snapshot,
 * or NULL.
 */
const char *
generation_fault(Relation table, Snapshot snapshot, const char *generation)
{
	const char *name = RelationGetRelationName(table);
	char		shown[GENERATION_SIZE] = "";
	int			count = show_generation(table, snapshot, shown);

	return count < 0 ? psprintf("table \"%s\" lacks its index on session_id", name) :
		shown_fault(name, count, shown, generation);
}

/*
 * Does a snapshot see the last change of a table's entry in the catalog?
 *
 * TRUNCATE leaves the table empty for snapshots from before it too, and what rewrites
 * a table, if it is the snapshot's own transaction, shows it rows from after it.
 */
static bool
is_seen(Oid table, Snapshot snapshot)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		TransactionId changed = HeapTupleHeaderGetXmin(tuple->t_data);

		if (TransactionIdIsCurrentTransactionId(changed))
			result = !IsolationUsesXactSnapshot() &&
				HeapTupleHeaderGetCmin(tuple->t_data) < snapshot->curcid;
		else
			result = !XidInMVCCSnapshot(changed, snapshot);
		ReleaseSysCache(tuple);
	}
	return result;
}

static const char *
rewrite_fault(Relation table, bool is_derived, Snapshot snapshot, LOCKMODE mode)
{
	List	   *pieces = list_make1_oid(RelationGetRelid(table));
	bool		are_seen = true;
	ListCell   *cell;

	if (table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		pieces = find_all_inheritors(RelationGetRelid(table), mode, NULL);

	/*
	 * Who makes an index anew knows of no snapshot of a standby: rows that
	 * are dead by then may be missing from it.
	 */
	if (is_derived && RecoveryInProgress())
		pieces = list_concat(pieces, RelationGetIndexList(table));
	foreach(cell, pieces)
		are_seen &= is_seen(lfirst_oid(cell), snapshot);
	list_free(pieces);
	return are_seen ? NULL :
		psprintf("table \"%s\" has been changed since the snapshot was taken",
				 RelationGetRelationName(table));
}

/*
 * A table of a store's, locked against what would change its making; NULL if there
 * is none.
 */
static Relation
open_for_status(const Store *store, StoreTable which)
{
	Oid			oid = store->tables[which];
	char		kind = OidIsValid(oid) ? get_rel_relkind(oid) : '\0';

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		return NULL;
	return try_table_open(oid, AccessShareLock);
}

/*
 * What is wrong with the making of a table that triggers note, and of the derived
 * tables that are made from it, or NULL; and the generation of its triggers.
 */
static const char *
making_fault(const Store *store, const Relation *tables, StoreTable noted,
			 StoreTable first, StoreTable last, char *generation)
{
	const TriggerSet *set = triggers_of(noted);
	const char *fault;

	if (tables[noted] == NULL)
		return psprintf("there is no table \"%s\"", table_names[noted]);
	for (StoreTable which = first; which <= last; which++)
		if (tables[which] == NULL)
			return psprintf("there is no table \"%s\"", table_names[which]);
	fault = noted_table_fault(set, tables[noted]);
	if (fault != NULL)
		return fault;
	if (tables[noted]->rd_rel->relowner != store->owner)
		return psprintf("table \"%s\" belongs to another role than the store",
						table_names[noted]);
	if (has_superclass(store->tables[noted]))
		return psprintf("table \"%s\" inherits from another one", table_names[noted]);
	for (StoreTable which = first; which <= last; which++)
	{
		fault = derived_table_fault(tables[which], store, which);
		if (fault != NULL)
			return fault;
	}
	if (find_generation(set, tables[noted], generation, &fault) &&
		!is_our_format(generation))
		fault = "the derived tables are of another version of ekran_sessions";
	if (fault != NULL || !is_guarded(generation))
		return fault;
	fault = guards_fault(tables[noted], noted, generation);
	for (StoreTable which = first; fault == NULL && which <= last; which++)
		fault = guards_fault(tables[which], which, generation);
	return fault;
}

static Verdict
judge_gaps(const Relation *tables, Snapshot snapshot, const char *generation,
		   LOCKMODE mode)
{
	Verdict		verdict = {DERIVED_OK, NULL};

	for (StoreTable which = TABLE_SESSION_IDLE;
		 verdict.reason == NULL && which <= TABLE_PENDING; which++)
		verdict.reason = generation_fault(tables[which], snapshot, generation);
	for (StoreTable which = TABLE_ACTIVITY;
		 verdict.reason == NULL && which <= TABLE_PENDING; which++)
		verdict.reason = rewrite_fault(tables[which], which != TABLE_ACTIVITY,
									   snapshot, mode);
	if (verdict.reason != NULL)
		verdict.state = DERIVED_RAW;
	return verdict;
}

static Verdict
judge_counts(const Relation *tables, Snapshot snapshot, LOCKMODE mode)
{
	Verdict		verdict = {DERIVED_OK, NULL};

	verdict.reason = rewrite_fault(tables[TABLE_SESSION], false, snapshot, mode);
	if (verdict.reason == NULL)
		verdict.reason = rewrite_fault(tables[TABLE_SESSION_COUNT], true, snapshot, mode);
	if (verdict.reason != NULL)
		verdict.state = DERIVED_RAW;
	return verdict;
}

/*
 * Can the derived tables be trusted under a snapshot, and if not, why?
 *
 * Whether the counts hold the generation shows when they are read, see
 * load_day_counts(): that takes all of them.
 *
 * For whoever goes on to use them, the tables stay locked: until the transaction
 * ends, nobody can change what has been looked at here, but for making triggers
 * anew, which keeps nobody from reading the old generation under an old snapshot.
 */
DerivedStatus
derived_status(const Store *store, Snapshot snapshot, bool keep_locked)
{
	DerivedStatus status = {.gaps = {DERIVED_BROKEN, NULL},.counts = {DERIVED_BROKEN, NULL}};
	char		counts_generation[GENERATION_SIZE] = "";
	Relation	tables[NUM_STORE_TABLES] = {NULL};
	LOCKMODE	mode = keep_locked ? AccessShareLock : NoLock;

	/* Derived tables that have been left beside views tell nothing of these. */
	status.gaps.reason = status.counts.reason = why_of_views(store);
	if (status.gaps.reason != NULL)
		return status;

	for (StoreTable which = TABLE_SESSION; which < NUM_STORE_TABLES; which++)
		tables[which] = open_for_status(store, which);
	AcceptInvalidationMessages();

	status.gaps.reason = making_fault(store, tables, TABLE_ACTIVITY,
									  TABLE_SESSION_IDLE, TABLE_PENDING,
									  status.generation);
	if (status.gaps.reason == NULL)
		status.gaps = judge_gaps(tables, snapshot, status.generation, mode);
	status.counts.reason = making_fault(store, tables, TABLE_SESSION,
										TABLE_SESSION_COUNT, TABLE_SESSION_COUNT,
										counts_generation);
	if (status.generation[0] == '\0')
		strlcpy(status.generation, counts_generation, GENERATION_SIZE);
	if (status.counts.reason == NULL &&
		strcmp(status.generation, counts_generation) != 0)
		status.counts.reason = "the triggers of tables \"session\" and \"activity\" are not of one generation";
	if (status.counts.reason == NULL)
		status.counts = judge_counts(tables, snapshot, mode);

	if (status.gaps.state == DERIVED_OK)
		status.is_empty = is_empty(tables[TABLE_ACTIVITY], snapshot);
	for (StoreTable which = TABLE_SESSION; which < NUM_STORE_TABLES; which++)
		if (tables[which] != NULL)
			table_close(tables[which], keep_locked ? NoLock : AccessShareLock);
	return status;
}

/*
 * Refuse to keep derived tables that are not as they were made.
 *
 * Errors: 55000.
 */
void
refuse_broken(const Store *store, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("store \"%s\" is broken: %s",
					NameStr(store->name), reason),
			 errdetail("What could not be noted is refused, and nothing is folded, until the store is as ekran_create_store() makes it; it can be read."),
			 errhint("Complete the store with ekran_create_store().")));
}

/*
 * The same, if either the index or the counts are so.
 *
 * Errors: 55000.
 */
void
refuse_if_broken(const Store *store, const DerivedStatus *status)
{
	if (status->gaps.state == DERIVED_BROKEN)
		refuse_broken(store, status->gaps.reason);
	if (status->counts.state == DERIVED_BROKEN)
		refuse_broken(store, status->counts.reason);
}
