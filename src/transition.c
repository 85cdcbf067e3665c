/*-------------------------------------------------------------------------
 *
 * transition.c
 *	  What a statement on activity touched, from its transition tables: the
 *	  sessions of the rows that came or went, and the range of the moments there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

/* A transition table, row by row. */
typedef struct TransitionScan
{
	Tuplestorestate *rows;
	int			read_pointer;
	TupleTableSlot *slot;
	int			id_column;
	int			date_column;
} TransitionScan;

static TransitionScan
begin_transition_scan(const TriggerData *trigger, Tuplestorestate *rows)
{
	TransitionScan scan;

	if (rows == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" lacks a transition table",
						trigger->tg_trigger->tgname,
						RelationGetRelationName(trigger->tg_relation)),
				 errhint("Drop the trigger; ekran_create_store() makes those that a store needs.")));

	scan.rows = rows;
	scan.id_column = require_column(trigger, "session_id", INT8OID);
	scan.date_column = require_column(trigger, "activity_date", TIMESTAMPTZOID);
	scan.slot = MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation),
										 &TTSOpsMinimalTuple);
	/* Others read the same table, so we need a place in it of our own. */
	scan.read_pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(rows, scan.read_pointer);
	tuplestore_rescan(rows);
	return scan;
}

/*
 * Read the next row; false, and the scan ended, if there is none.
 */
static bool
next_transition_row(TransitionScan *scan, Touched *row)
{
	CHECK_FOR_INTERRUPTS();
	tuplestore_select_read_pointer(scan->rows, scan->read_pointer);
	if (!tuplestore_gettupleslot(scan->rows, true, false, scan->slot))
	{
		ExecDropSingleTupleTableSlot(scan->slot);
		return false;
	}
	*row = activity_row(scan->slot, scan->id_column, scan->date_column);
	return true;
}

/*
 * Add the sessions of the rows of a transition table: activities that came, or went.
 */
void
touch_rows(TouchedSet *set, const TriggerData *trigger, Tuplestorestate *rows)
{
	TransitionScan scan = begin_transition_scan(trigger, rows);
	Touched		row;

	while (next_transition_row(&scan, &row))
		touch(set, &row);
}

/*
 * Add the sessions of activities that an UPDATE moved: where from, and where to.  Those
 * that stay in their session went, and came to none, for a foreign key asks for none.
 *
 * Other columns are none of our business.  Both tables have their rows in the
 * same order, but for those that a BEFORE trigger has dropped on their way to
 * another partition: they are in the old one alone.  What pairs off wrongly then
 * does no harm to what went, for a row taken for unmoved has its like in the other
 * table, and the two together move nothing; but any may have come to its session.
 * Those that a MERGE moves to another partition are in neither; a row's trigger has told
 * of them.
 */
void
touch_moved_rows(TouchedSet *went, TouchedSet *came, const TriggerData *trigger)
{
	TransitionScan old_scan = begin_transition_scan(trigger, trigger->tg_oldtable);
	TransitionScan new_scan = begin_transition_scan(trigger, trigger->tg_newtable);
	bool		has_old = true;
	bool		has_new = true;
	bool		are_paired = true;

	while (has_old || has_new)
	{
		Touched		old_row;
		Touched		new_row;

		has_old = has_old && next_transition_row(&old_scan, &old_row);
		has_new = has_new && next_transition_row(&new_scan, &new_row);
		if (has_old && has_new)
			touch_moved_row(went, came, &old_row, &new_row);
		else if (has_old)
			touch(went, &old_row);
		else if (has_new)
			touch(came, &new_row);
		are_paired = are_paired && has_old == has_new;
	}
	if (!are_paired)
		touch_rows(came, trigger, trigger->tg_newtable);
}
