/*-------------------------------------------------------------------------
 *
 * derived.c
 *	  Whether the derived tables can be trusted.
 *
 * They can as long as nothing has been written that the triggers didn't note,
 * and what they noted is still there.  Two things tell:
 *
 * - The store is as it was made: the triggers of activity, and both tables.  A
 *	 store that isn't is broken: writers refuse, so that nothing is written that
 *	 would not be noted, and readers read activity.  This is asked of the catalog
 *	 as it is now, under locks that keep it so.
 *
 * - Both tables hold the same generation that the triggers have as their
 *	 argument, in one row each, whose session_id is null.  Tables that were
 *	 emptied, rewritten or restored in part don't; nor do they under a snapshot
 *	 from before, since that is asked under the reader's own.  Such a store is
 *	 raw: it is written to and noted, and read from activity, until
 *	 ekran_maintain() or ekran_rebuild() has made the tables anew.
 *
 * The generation is new whenever a trigger is, so it stands for one unbroken
 * time in which the triggers were there.  It survives dumps and upgrades.
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
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* The columns of the derived tables. */
static const struct
{
	const char *name;
	Oid			type;
}			derived_columns[][NUM_DERIVED_COLUMNS] = {
	[TABLE_SESSION_IDLE] = {
		{"session_id", INT8OID},
		{"gap_start", TIMESTAMPTZARRAYOID},
		{"gap_end", TIMESTAMPTZARRAYOID},
		{"generation", TEXTOID},
	},
	[TABLE_PENDING] = {
		{"session_id", INT8OID},
		{"first_moment", TIMESTAMPTZOID},
		{"last_moment", TIMESTAMPTZOID},
		{"generation", TEXTOID},
	},
};

/*
 * The triggers that note what is written to activity.  All have the same function
 * and the same argument.
 *
 * Two are never fired.  Since one names the columns that the derived tables are made
 * from, the server refuses to give these another type, which would rewrite their
 * values unnoted.  Since the other is a row's and has a transition table, the server
 * refuses to make the table a partition or a child.  It takes no such trigger on a
 * partitioned table, whose rows have one that sees to that.
 */
const ActivityTrigger activity_triggers[] = {
	{"ekran_begin", TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
		TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE,
		"BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE", "STATEMENT", NULL, NULL, false, false, false,
	"Notes that a statement begins, whose activities the idle-gap index does not know until it ends."},
	{"ekran_insert", TRIGGER_TYPE_INSERT,
		"AFTER INSERT", "STATEMENT", NULL, NULL, false, true, false,
	"Refuses activities of unknown sessions (23503), and keeps the idle-gap index."},
	{"ekran_update", TRIGGER_TYPE_UPDATE,
		"AFTER UPDATE", "STATEMENT", NULL, NULL, true, true, false,
	"Refuses activities of unknown sessions (23503), and keeps the idle-gap index."},
	{"ekran_delete", TRIGGER_TYPE_DELETE,
		"AFTER DELETE", "STATEMENT", NULL, NULL, true, false, false,
	"Keeps the idle-gap index."},
	{"ekran_truncate", TRIGGER_TYPE_TRUNCATE,
		"AFTER TRUNCATE", "STATEMENT", NULL, NULL, false, false, false,
	"Keeps the idle-gap index."},
	{"ekran_types", TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE,
		"AFTER UPDATE", "ROW", " OF session_id, activity_date", " WHEN (false)", false, false, false,
	"Never fired: keeps both columns from getting another type, which would change them unnoted."},
	{"ekran_alone", TRIGGER_TYPE_ROW | TRIGGER_TYPE_DELETE,
		"AFTER DELETE", "ROW", NULL, " WHEN (false)", true, false, false,
	"Never fired: keeps the table from becoming a part of another one, by whose name it would be written to unnoted."},
	{"ekran_partition", TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT |
		TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE,
		"BEFORE INSERT OR UPDATE OR DELETE", "ROW", NULL, NULL, false, false, true,
	"Refuses what is written to a partition directly (55000), which would go unnoted."},
};

const int	num_activity_triggers = lengthof(activity_triggers);

/*
 * The generation that a trigger of ours has as its argument; empty if it has none.
 */
const char *
trigger_generation(const Trigger *trigger)
{
	if (trigger->tgnargs != 1 ||
		strlen(trigger->tgargs[0]) >= GENERATION_SIZE)
		return "";
	return trigger->tgargs[0];
}

static const Trigger *
find_trigger(const TriggerDesc *triggers, const ActivityTrigger *wanted,
			 Oid function)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == function &&
			trigger->tgtype == wanted->type &&
			(trigger->tgqual != NULL) == (wanted->condition != NULL) &&
			(trigger->tgoldtable != NULL) == wanted->has_old_rows &&
			(trigger->tgnewtable != NULL) == wanted->has_new_rows)
			return trigger;
	}
	return NULL;
}

/*
 * Does a table of a kind have a trigger?  Row by row, those of one piece and partitioned
 * ones have different ones.
 */
bool
is_wanted(const ActivityTrigger *trigger, char kind)
{
	bool		is_partitioned = kind == RELKIND_PARTITIONED_TABLE;

	if (trigger->is_for_partitions)
		return is_partitioned;
	return !is_partitioned || !TRIGGER_FOR_ROW(trigger->type) ||
		!(trigger->has_old_rows || trigger->has_new_rows);
}

/*
 * The number of a table's column of some name, or 0.
 */
AttrNumber
column_number(Relation table, const char *name)
{
	TupleDesc	columns = RelationGetDescr(table);

	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped && strcmp(NameStr(column->attname), name) == 0)
			return column->attnum;
	}
	return 0;
}

/*
 * Does a trigger name the columns that the index is made from?  Their names may have
 * gone to others since.
 */
static bool
names_columns(Relation activity, const Trigger *trigger)
{
	return trigger->tgnattr == 2 &&
		trigger->tgattr[0] == column_number(activity, "session_id") &&
		trigger->tgattr[1] == column_number(activity, "activity_date");
}

/*
 * What is wrong with the triggers of activity, or NULL: all must be there and
 * enabled, call one function, have one argument, and be the only ones that do.
 */
const char *
activity_triggers_fault(Relation activity, Oid function, const char *generation)
{
	int			surplus = 0;

	for (int i = 0; activity->trigdesc != NULL && i < activity->trigdesc->numtriggers; i++)
		if (activity->trigdesc->triggers[i].tgfoid == function)
			surplus++;

	for (int i = 0; i < num_activity_triggers; i++)
	{
		const ActivityTrigger *wanted = &activity_triggers[i];
		const Trigger *trigger;

		if (!is_wanted(wanted, activity->rd_rel->relkind))
			continue;
		trigger = find_trigger(activity->trigdesc, wanted, function);
		if (trigger == NULL)
			return psprintf("table \"activity\" lacks its trigger \"%s\"",
							wanted->name);
		if (trigger->tgenabled != TRIGGER_FIRES_ON_ORIGIN &&
			trigger->tgenabled != TRIGGER_FIRES_ALWAYS)
			return psprintf("trigger \"%s\" of table \"activity\" is disabled",
							trigger->tgname);
		if (generation[0] == '\0' ||
			strcmp(trigger_generation(trigger), generation) != 0)
			return psprintf("trigger \"%s\" of table \"activity\" has another argument than the others",
							trigger->tgname);
		if (wanted->columns != NULL && !names_columns(activity, trigger))
			return psprintf("columns of table \"activity\" have been renamed, or trigger \"%s\" replaced",
							trigger->tgname);
		surplus--;
	}
	return surplus > 0 ? "table \"activity\" has more triggers than it should" : NULL;
}

/*
 * What else is wrong with activity, or NULL: nobody may write to it by another table's
 * name, which fires other triggers, and its rows must be as safe as what is told of
 * them.
 */
const char *
activity_fault(Relation activity)
{
	TupleDesc	columns = RelationGetDescr(activity);

	if (activity->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		return "table \"activity\" is not logged";
	if (activity->rd_rel->relispartition)
		return "table \"activity\" is a partition of another one";
	if (activity->rd_rel->relkind == RELKIND_RELATION &&
		activity->rd_rel->relhassubclass &&
		find_inheritance_children(RelationGetRelid(activity), NoLock) != NIL)
		return "tables inherit from \"activity\"";
	for (int i = 0; i < columns->natts; i++)
		if (TupleDescAttr(columns, i)->attinhcount > 0)
			return "table \"activity\" inherits from another one";
	return NULL;
}

/*
 * Is this the function that our triggers on activity call?  Only superusers make
 * functions in C, so its symbol tells.
 */
static bool
is_activity_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		symbol = SysCacheGetAttr(PROCOID, tuple,
											 Anum_pg_proc_prosrc, &isnull);

		if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId && !isnull)
		{
			char	   *name = TextDatumGetCString(symbol);

			result = strcmp(name, ACTIVITY_TRIGGER_SYMBOL) == 0;
			pfree(name);
		}
		ReleaseSysCache(tuple);
	}
	return result;
}

/*
 * The trigger of activity that speaks for all of ours; NULL if there is none.
 */
static const Trigger *
leading_trigger(Relation activity)
{
	const TriggerDesc *triggers = activity->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgtype == activity_triggers[0].type &&
			is_activity_function(triggers->triggers[i].tgfoid))
			return &triggers->triggers[i];
	return NULL;
}

/*
 * The generation of a store whose triggers are all there; false, and why, if they
 * aren't.
 */
bool
find_generation(Relation activity, char *generation, const char **reason)
{
	const Trigger *leading = leading_trigger(activity);

	generation[0] = '\0';
	if (leading == NULL)
		*reason = psprintf("table \"activity\" lacks its trigger \"%s\"",
						   activity_triggers[0].name);
	else
	{
		strlcpy(generation, trigger_generation(leading), GENERATION_SIZE);
		*reason = activity_triggers_fault(activity, leading->tgfoid, generation);
	}
	return *reason == NULL;
}

static bool
is_on_gaps(Relation index)
{
	for (int i = 0; i < index->rd_index->indnatts; i++)
		if (index->rd_index->indkey.values[i] != DERIVED_SESSION_ID &&
			index->rd_index->indkey.values[i] != DERIVED_GENERATION)
			return true;
	return false;
}

/*
 * Can sessions be looked up by an index, and rows without a session too?
 */
static bool
is_by_session(Relation table, Relation index)
{
	(void) table;
	return index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
		index->rd_index->indkey.values[0] == DERIVED_SESSION_ID;
}

static const char *
index_fault(Relation table, Relation index, StoreTable which)
{
	const char *kind = NULL;

	if (index->rd_index->indisexclusion)
		kind = "an exclusion constraint";
	else if (!heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL))
		kind = "an index on expressions";
	else if (!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
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
 * rows come.  Does one find sessions?
 */
static const char *
indexes_fault(Relation table, StoreTable which, bool *has_lookup)
{
	List	   *indexes = RelationGetIndexList(table);
	const char *fault = NULL;
	bool		is_found = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (fault == NULL)
			fault = index_fault(table, index, which);
		is_found |= is_by_session(table, index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	*has_lookup = is_found;
	return fault;
}

/*
 * What is wrong with a derived table, which is open and locked, or NULL, and whether an
 * index finds sessions in it.
 *
 * Its name and place are asked for too, for they may have changed between finding
 * it and locking it.  Rules, triggers and policies on it don't matter: we write to
 * it directly, and readers ask about policies.
 */
static const char *
misfit(Relation table, const Store *store, StoreTable which, bool *has_lookup)
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

	if (columns->natts != NUM_DERIVED_COLUMNS)
		return psprintf("table \"%s\" has other columns", name);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (column->attisdropped ||
			column->atttypid != derived_columns[which][i].type ||
			strcmp(NameStr(column->attname), derived_columns[which][i].name) != 0)
			return psprintf("table \"%s\" has other columns", name);
	}
	return indexes_fault(table, which, has_lookup);
}

/*
 * What is wrong with it that ekran_create_store() can't mend, or NULL.
 */
const char *
derived_table_misfit(Relation table, const Store *store, StoreTable which)
{
	bool		has_lookup;

	return misfit(table, store, which, &has_lookup);
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
	bool		has_lookup = true;
	uint64		changes;
	const char *fault;

	if (RelationGetRelid(table) == store->tables[which] &&
		is_known_sound(store, which))
		return NULL;
	/* To look at it can be to wait for a lock, then to be told that it has changed. */
	for (int looks = 0; looks < 2; looks++)
	{
		changes = table_changes;
		fault = misfit(table, store, which, &has_lookup);
		if (fault != NULL || changes == table_changes)
			break;
	}
	if (fault == NULL && !has_lookup)
		fault = psprintf("table \"%s\" lacks its index on session_id",
						 table_names[which]);
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
 * Go to the rows of a session.
 */
void
seek_session(DerivedScan *scan, int64 session_id)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(session_id));
	seek(scan, &key);
}

static void
seek_null(DerivedScan *scan, int how)
{
	ScanKeyData key;

	ScanKeyEntryInitialize(&key, SK_ISNULL | how, 1, InvalidStrategy,
						   InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
	seek(scan, &key);
}

/*
 * Go to the first row of any session; false if there is none.
 */
bool
seek_first_session(DerivedScan *scan)
{
	seek_null(scan, SK_SEARCHNOTNULL);
	return next_derived_row(scan);
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
 * Begin to go through those rows of a derived table that hold a generation.  False if
 * its index has just gone.
 */
bool
begin_generation_scan(DerivedScan *scan, Relation table, Snapshot snapshot)
{
	if (!begin_derived_scan(scan, table, snapshot, true))
		return false;
	seek_null(scan, SK_SEARCHNULL);
	return true;
}

/*
 * Find the next of them, and what it holds, of GENERATION_SIZE at the most, or an empty
 * text if that is none of ours.
 */
bool
next_generation(DerivedScan *scan, char *generation)
{
	bool		isnull;
	Datum		shown;

	if (!next_derived_row(scan))
		return false;
	shown = slot_getattr(scan->slot, DERIVED_GENERATION, &isnull);
	generation[0] = '\0';
	if (!isnull && toast_raw_datum_size(shown) - VARHDRSZ < GENERATION_SIZE)
		text_to_cstring_buffer(DatumGetTextPP(shown), generation,
							   GENERATION_SIZE);
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
 * How many rows of a derived table hold a generation under a snapshot, 2 standing for
 * more; and what the last of these holds.  -1 if its index has just gone.
 */
int
show_generation(Relation table, Snapshot snapshot, char *generation)
{
	DerivedScan scan;
	int			count = 0;

	if (!begin_generation_scan(&scan, table, snapshot))
		return -1;
	while (count < 2 && next_generation(&scan, generation))
		count++;
	end_derived_scan(&scan);
	return count;
}

/*
 * What is wrong with the generation that a derived table shows under a snapshot,
 * or NULL.
 */
const char *
generation_fault(Relation table, Snapshot snapshot, const char *generation)
{
	const char *name = RelationGetRelationName(table);
	char		shown[GENERATION_SIZE];
	int			count = show_generation(table, snapshot, shown);

	if (count < 0)
		return psprintf("table \"%s\" lacks its index on session_id", name);
	if (count == 0)
		return psprintf("table \"%s\" has been emptied, restored in part, or not made yet", name);
	if (count > 1)
		return psprintf("activities have been truncated or lost, or table \"%s\" restored twice", name);
	if (strcmp(shown, generation) != 0)
		return psprintf("table \"%s\" is of another generation than the triggers", name);
	return NULL;
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
rewrite_fault(Relation table, Snapshot snapshot, LOCKMODE mode)
{
	List	   *pieces = list_make1_oid(RelationGetRelid(table));
	bool		are_seen = true;
	ListCell   *cell;

	if (table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		pieces = find_all_inheritors(RelationGetRelid(table), mode, NULL);
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
 * Is this a generation of derived tables as we keep them?
 */
bool
is_our_format(const char *generation)
{
	const char *format = GENERATION_FORMAT "-";

	return strncmp(generation, format, strlen(format)) == 0;
}

static const char *
making_fault(const Store *store, const Relation *tables, char *generation)
{
	const char *fault;

	for (StoreTable which = TABLE_ACTIVITY; which <= TABLE_PENDING; which++)
		if (tables[which] == NULL)
			return psprintf("there is no table \"%s\"", table_names[which]);
	fault = activity_fault(tables[TABLE_ACTIVITY]);
	if (fault != NULL)
		return fault;
	if (tables[TABLE_ACTIVITY]->rd_rel->relowner != store->owner)
		return "table \"activity\" belongs to another role than the store";
	if (has_superclass(store->tables[TABLE_ACTIVITY]))
		return "table \"activity\" inherits from another one";
	for (StoreTable which = TABLE_SESSION_IDLE; which <= TABLE_PENDING; which++)
	{
		fault = derived_table_fault(tables[which], store, which);
		if (fault != NULL)
			return fault;
	}
	(void) find_generation(tables[TABLE_ACTIVITY], generation, &fault);
	return fault;
}

/*
 * Can the derived tables be trusted under a snapshot, and if not, why?
 *
 * For whoever goes on to use them, the tables stay locked: until the transaction
 * ends, nobody can change what has been looked at here, but for making triggers
 * anew, which keeps nobody from reading the old generation under an old snapshot.
 */
DerivedStatus
derived_status(const Store *store, Snapshot snapshot, bool keep_locked)
{
	DerivedStatus status = {.state = DERIVED_BROKEN};
	Relation	tables[NUM_STORE_TABLES] = {NULL};

	for (StoreTable which = TABLE_ACTIVITY; which <= TABLE_PENDING; which++)
		tables[which] = open_for_status(store, which);
	AcceptInvalidationMessages();

	status.reason = making_fault(store, tables, status.generation);
	if (status.reason == NULL && !is_our_format(status.generation))
		status.reason = "the derived tables are of another version of ekran_sessions";
	if (status.reason == NULL)
	{
		status.state = DERIVED_RAW;
		for (StoreTable which = TABLE_SESSION_IDLE;
			 status.reason == NULL && which <= TABLE_PENDING; which++)
			status.reason = generation_fault(tables[which], snapshot,
											 status.generation);
		for (StoreTable which = TABLE_ACTIVITY;
			 status.reason == NULL && which <= TABLE_PENDING; which++)
			status.reason = rewrite_fault(tables[which], snapshot,
										  keep_locked ? AccessShareLock : NoLock);
	}
	if (status.reason == NULL)
	{
		status.state = DERIVED_OK;
		status.is_empty = is_empty(tables[TABLE_ACTIVITY], snapshot);
	}

	for (StoreTable which = TABLE_ACTIVITY; which <= TABLE_PENDING; which++)
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
			 errdetail("Nothing is written to its activities or folded until it is as ekran_create_store() makes it; they can be read."),
			 errhint("Complete the store with ekran_create_store().")));
}
