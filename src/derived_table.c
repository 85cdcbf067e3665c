/*-------------------------------------------------------------------------
 *
 * derived_table.c
 *	  Writing to a derived table: straight to the relation, by OID.
 *
 * No SQL, so no name is looked up, no plan made, and nothing of the owner's runs:
 * rules, triggers, defaults and policies on these tables have no say in it.  What
 * has one, derived_table_fault() looks for: with plain indexes that aren't unique,
 * to append neither waits for anybody nor fails.
 *
 * Where the server decodes its log, for logical replication, nothing is sent of what we
 * write: these tables have no replica identity, and another server's store has its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Rows that one record of the log holds. */
#define ROWS_AT_A_TIME	100

/*
 * Open a derived table of a store to write to it.  It stays locked until the
 * transaction ends.
 *
 * Errors: 55000 if it is not as it was made, or of another generation than the trigger
 * that writes.
 */
void
open_derived_table(DerivedTable *table, const Store *store, StoreTable which)
{
	Oid			oid = store->tables[which];
	Relation	relation = OidIsValid(oid) ?
		try_table_open(oid, RowExclusiveLock) : NULL;
	const char *fault = relation == NULL ?
		psprintf("there is no table \"%s\"", table_names[which]) :
		derived_table_fault(relation, store, which);
	List	   *indexes;
	ListCell   *cell;

	if (fault == NULL && store->generation != NULL)
		fault = other_generation(relation, which, store->generation);
	if (fault != NULL)
		refuse_broken(store, fault);

	memset(table, 0, sizeof(*table));
	table->relation = relation;
	table->slot = table_slot_create(relation, NULL);

	indexes = RelationGetIndexList(relation);
	table->indexes = palloc((list_length(indexes) + 1) * sizeof(*table->indexes));
	foreach(cell, indexes)
	{
		DerivedIndex *index = &table->indexes[table->nindexes++];

		index->relation = index_open(lfirst_oid(cell), RowExclusiveLock);

		/*
		 * Again: one may have come since, and to build this may be to run
		 * what it holds.
		 */
		fault = derived_index_fault(relation, index->relation, which);
		if (fault != NULL)
			refuse_broken(store, fault);
		index->info = BuildIndexInfo(index->relation);
		index->is_by_reach = which == TABLE_SESSION_IDLE && is_by_reach(index->relation);
		/* Whatever has been remembered, nothing of the owner's is evaluated. */
		if (index->info->ii_Expressions != NIL ||
			(index->info->ii_Predicate != NIL && !index->is_by_reach) ||
			index->info->ii_ExclusionOps != NULL)
			refuse_broken(store, psprintf("\"%s\" is no plain index",
										  RelationGetRelationName(index->relation)));
	}
	list_free(indexes);
}

void
close_derived_table(DerivedTable *table)
{
	for (int i = 0; i < table->nindexes; i++)
	{
		INDEX_INSERT_CLEANUP(table->indexes[i].relation, table->indexes[i].info);
		index_close(table->indexes[i].relation, NoLock);
	}
	ExecDropSingleTupleTableSlot(table->slot);
	table_close(table->relation, NoLock);
}

static void
store_row(TupleTableSlot *slot, const DerivedRow *row)
{
	int			ncolumns = slot->tts_tupleDescriptor->natts;

	Assert(ncolumns <= MAX_DERIVED_COLUMNS);
	ExecClearTuple(slot);
	memcpy(slot->tts_values, row->values, ncolumns * sizeof(Datum));
	memcpy(slot->tts_isnull, row->nulls, ncolumns * sizeof(bool));
	ExecStoreVirtualTuple(slot);
}

static void
insert_index_entries(const DerivedTable *table, TupleTableSlot *slot,
					 TU_UpdateIndexes updated)
{
	for (int i = 0; i < table->nindexes; i++)
	{
		Relation	index = table->indexes[i].relation;
		IndexInfo  *info = table->indexes[i].info;
		Datum		values[INDEX_MAX_KEYS];
		bool		nulls[INDEX_MAX_KEYS];

		/* One that is being built without a lock may not want them yet. */
		if (!info->ii_ReadyForInserts || !UPDATE_CONCERNS(updated, info))
			continue;
		FormIndexDatum(info, slot, NULL, values, nulls);
		if (table->indexes[i].is_by_reach && nulls[0])
			continue;
		(void) index_insert(index, values, nulls, &slot->tts_tid,
							table->relation,
							info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
							false, info);
	}
}

/*
 * Insert a row, as of a command of the transaction's.  It is not decoded.
 */
static void
insert_row(const DerivedTable *table, const DerivedRow *row, CommandId command)
{
	store_row(table->slot, row);
	table_tuple_insert(table->relation, table->slot, command,
					   TABLE_INSERT_NO_LOGICAL, NULL);
	insert_index_entries(table, table->slot, TU_All);
}

void
insert_derived_row(const DerivedTable *table, const DerivedRow *row)
{
	insert_row(table, row, GetCurrentCommandId(true));
}

/*
 * Insert a row that makes the table one of a generation.
 */
void
insert_generation(const DerivedTable *table, StoreTable which,
				  const char *generation)
{
	DerivedRow	row = {.nulls = {true}};
	int			generation_column = RelationGetDescr(table->relation)->natts - 1;

	switch (which)
	{
		case TABLE_PENDING:
			row.values[DERIVED_FIRST - 1] = TimestampTzGetDatum(DT_NOBEGIN);
			row.values[DERIVED_LAST - 1] = TimestampTzGetDatum(DT_NOBEGIN);
			break;
		case TABLE_SESSION_IDLE:
			row.values[DERIVED_FIRST - 1] = timestamptz_array(NULL, 0);
			row.values[DERIVED_LAST - 1] = timestamptz_array(NULL, 0);
			row.nulls[IDLE_REACH - 1] = true;
			break;
		case TABLE_SESSION_COUNT:
			row.values[COUNT_SESSIONS - 1] = Int64GetDatum(0);
			break;
		default:
			elog(ERROR, "table \"%s\" holds no generation", table_names[which]);
	}
	row.values[generation_column] = CStringGetTextDatum(generation);
	insert_derived_row(table, &row);
}

/*
 * Append what has changed in sessions to pending.
 *
 * As of the transaction's first command: a cursor that was opened between the
 * statement and its trigger sees it too.  To be told of a change too early does no
 * harm.
 */
void
append_pending(const DerivedTable *pending, const TouchedSessions *sessions)
{
	TupleTableSlot *slots[ROWS_AT_A_TIME];
	int			nslots = Min(sessions->count, ROWS_AT_A_TIME);

	/* Many at a time would be decoded. */
	if (RelationIsLogicallyLogged(pending->relation))
		nslots = 1;
	for (int i = 0; nslots > 1 && i < nslots; i++)
		slots[i] = table_slot_create(pending->relation, NULL);

	/* The command's changes are to be seen by the next one, so count it. */
	(void) GetCurrentCommandId(true);

	for (int i = 0; i < sessions->count; i += ROWS_AT_A_TIME)
	{
		int			count = Min(sessions->count - i, ROWS_AT_A_TIME);
		DerivedRow	row = {.nulls = {false, false, false, true}};

		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < count; j++)
		{
			row.values[0] = Int64GetDatum(sessions->ids[i + j]);
			row.values[1] = TimestampTzGetDatum(sessions->first[i + j]);
			row.values[2] = TimestampTzGetDatum(sessions->last[i + j]);
			if (nslots > 1)
				store_row(slots[j], &row);
			else
				insert_row(pending, &row, FirstCommandId);
		}
		if (nslots == 1)
			continue;
		table_multi_insert(pending->relation, slots, count, FirstCommandId, 0,
						   NULL);
		for (int j = 0; j < count; j++)
			insert_index_entries(pending, slots[j], TU_All);
	}

	for (int i = 0; nslots > 1 && i < nslots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
}

pg_noreturn static void
refuse_meddling(const DerivedTable *table, TM_Result result)
{
	ereport(ERROR,
			(errcode(result == TM_BeingModified || result == TM_WouldBlock ?
					 ERRCODE_LOCK_NOT_AVAILABLE : ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("rows of table \"%s\" have been changed by somebody else",
					RelationGetRelationName(table->relation)),
			 errdetail("Whoever folds a session's gaps has its derived rows to themselves."),
			 errhint("Leave the derived tables to the functions of ekran_sessions.")));
}

/*
 * Lock a row that the active snapshot sees, if nobody else has: this transaction may have,
 * in SQL, or a savepoint of it that it has taken back.  To wait for such a lock is not to
 * wait.
 */
static TM_Result
lock_at_once(const DerivedTable *table, ItemPointer place, LockTupleMode mode)
{
	TM_FailureData failure;

	return table_tuple_lock(table->relation, place, GetActiveSnapshot(), table->slot,
							GetCurrentCommandId(true), mode, LockWaitSkip, 0,
							&failure);
}

static TM_Result
delete_row(const DerivedTable *table, ItemPointer place, bool wait)
{
	TM_FailureData failure;

	return DELETE_ROW(table->relation, place, GetCurrentCommandId(true),
					  GetActiveSnapshot(), wait, &failure);
}

/*
 * Delete a row that the active snapshot sees.  Waits for nobody.
 *
 * Errors: 55P03, 40001 if somebody else writes to the table, past our functions.
 */
void
delete_derived_row(const DerivedTable *table, ItemPointer place)
{
	TM_Result	result = delete_row(table, place, false);

	if (result == TM_BeingModified &&
		lock_at_once(table, place, LockTupleExclusive) == TM_Ok)
		result = delete_row(table, place, true);
	if (result != TM_Ok)
		refuse_meddling(table, result);
}

/*
 * Put another row in the place of one that the active snapshot sees.  Likewise.
 */
void
update_derived_row(const DerivedTable *table, ItemPointer place,
				   const DerivedRow *row)
{
	TM_FailureData failure;
	LockTupleMode lock_mode;
	TU_UpdateIndexes updated = TU_None;
	TM_Result	result;

	/* An update would be decoded, and refused by who receives it. */
	if (RelationIsLogicallyLogged(table->relation))
	{
		delete_derived_row(table, place);
		insert_derived_row(table, row);
		return;
	}
	/* An update that waits for nobody is nothing that the server knows. */
	result = lock_at_once(table, place, LockTupleNoKeyExclusive);
	if (result == TM_Ok)
	{
		store_row(table->slot, row);
		result = UPDATE_ROW(table->relation, place, table->slot,
							GetCurrentCommandId(true), GetActiveSnapshot(),
							&failure, &lock_mode, &updated);
	}
	if (result != TM_Ok)
		refuse_meddling(table, result);
	if (updated != TU_None)
		insert_index_entries(table, table->slot, updated);
}

/* What set_generation() has found of rows with a generation. */
typedef struct Generations
{
	const DerivedTable *table;
	const char *wanted;
	bool		is_there;
} Generations;

static void
keep_or_delete(Generations *generations, TupleTableSlot *row)
{
	char		shown[GENERATION_SIZE];

	read_generation(row, shown);
	if (!generations->is_there && strcmp(shown, generations->wanted) == 0)
		generations->is_there = true;
	else
		delete_derived_row(generations->table, &row->tts_tid);
}

static void
find_by_index(Generations *generations)
{
	Relation	relation = generations->table->relation;
	DerivedScan scan;

	if (!begin_generation_scan(&scan, relation, GetActiveSnapshot()))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index on session_id of table \"%s\" has been dropped meanwhile",
						RelationGetRelationName(relation)),
				 errhint("Complete the store with ekran_create_store().")));
	while (next_derived_row(&scan))
		keep_or_delete(generations, scan.slot);
	end_derived_scan(&scan);
}

static void
find_among_counts(Generations *generations)
{
	Relation	relation = generations->table->relation;
	TableScanDesc scan = BEGIN_TABLE_SCAN(relation, GetActiveSnapshot());
	TupleTableSlot *slot = table_slot_create(relation, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (slot_attisnull(slot, COUNT_DAY))
			keep_or_delete(generations, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
}

/*
 * Delete the rows with a generation that the active snapshot sees, and put one in
 * their place, unless that is what is there.
 */
void
set_generation(const DerivedTable *table, StoreTable which,
			   const char *generation)
{
	Generations generations = {table, generation, false};

	if (which == TABLE_SESSION_COUNT)
		find_among_counts(&generations);
	else
		find_by_index(&generations);
	if (!generations.is_there)
		insert_generation(table, which, generation);
}
