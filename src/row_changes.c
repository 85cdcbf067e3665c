/*-------------------------------------------------------------------------
 *
 * row_changes.c
 *	  What a statement changes, as its row triggers tell.
 *
 * Those of session tell all of it, row by row: for a single session that is quicker
 * than transition tables, and right for every command.  Those of activity's partitions
 * tell of the rows that an UPDATE moves from one to another, for the server puts these
 * into no transition table where a MERGE does it, and of those that are written to a
 * partition by its own name in the midst of a statement.
 *
 * A row that moves so is deleted from one partition and inserted in another.  What the
 * server leaves in its old place tells that it has moved.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/*
 * The number of a column that a trigger goes by.
 */
int
require_column(const TriggerData *trigger, const char *name, Oid type)
{
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(columns, name);

	if (column <= 0 || TupleDescAttr(columns, column - 1)->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" needs a column \"%s\" of type %s",
						trigger->tg_trigger->tgname,
						RelationGetRelationName(trigger->tg_relation),
						name, format_type_be(type)),
				 errhint("Drop the trigger; ekran_create_store() makes those that a store needs.")));
	return column;
}

/*
 * A row of activity: of a session, at a moment.
 *
 * Nulls come only where the owner has given up a constraint: a row without a
 * session is nobody's, one without a date may lie anywhere.
 */
Touched
activity_row(TupleTableSlot *slot, int id_column, int date_column)
{
	Touched		row = {.first = DT_NOBEGIN,.last = DT_NOEND};
	bool		isnull;
	Datum		value = slot_getattr(slot, id_column, &isnull);

	row.has_session = !isnull;
	row.session_id = DatumGetInt64(value);
	value = slot_getattr(slot, date_column, &isnull);
	if (!isnull)
		row.first = row.last = DatumGetTimestampTz(value);
	return row;
}

/* A row of session. */
typedef struct SessionRow
{
	Touched		touched;		/* a range of no moment */
	bool		has_login;
	TimestampTz login;			/* valid only if has_login */
	bool		is_running;
} SessionRow;

static SessionRow
session_row(const TriggerData *trigger, TupleTableSlot *slot)
{
	SessionRow	row = {.touched = {.first = DT_NOBEGIN,.last = DT_NOBEGIN}};
	bool		isnull;
	Datum		value;

	value = slot_getattr(slot, require_column(trigger, "session_id", INT8OID),
						 &isnull);
	row.touched.has_session = !isnull;
	row.touched.session_id = DatumGetInt64(value);
	value = slot_getattr(slot, require_column(trigger, "login_date", TIMESTAMPTZOID),
						 &isnull);
	row.has_login = !isnull;
	row.login = DatumGetTimestampTz(value);
	(void) slot_getattr(slot, require_column(trigger, "logout_date", TIMESTAMPTZOID),
						&isnull);
	row.is_running = isnull;
	return row;
}

/*
 * Begin to note changes, in a memory context of their own under another.
 */
RowChanges *
begin_row_changes(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent,
												  "ekran_sessions row changes",
												  ALLOCSET_SMALL_SIZES);
	RowChanges *changes = MemoryContextAllocZero(context, sizeof(RowChanges));

	changes->context = context;
	changes->deleted.context = context;
	changes->left.context = context;
	changes->came.context = context;
	changes->changed.context = context;
	changes->counts.context = context;
	return changes;
}

void
end_row_changes(RowChanges *changes)
{
	MemoryContextDelete(changes->context);
}

static void
count_row(RowChanges *changes, const SessionRow *row, int sessions)
{
	if (row->has_login)
		add_to_day(&changes->counts, day_of(row->login), sessions);
}

/*
 * Has an UPDATE moved a deleted row to another partition?  Of a partition of another
 * kind than the server's own heaps we can't tell, and rather refuse to leave activities
 * behind than delete them.
 */
static bool
is_moved_away(const TriggerData *trigger, bool is_updating)
{
	if (!is_updating || !trigger->tg_relation->rd_rel->relispartition)
		return false;
	return trigger->tg_relation->rd_rel->relam != HEAP_TABLE_AM_OID ||
		HeapTupleHeaderIndicatesMovedPartitions(trigger->tg_trigtuple->t_data);
}

static void
note_updated_session(RowChanges *changes, const SessionRow *old, const SessionRow *new)
{
	bool		is_same = is_same_session(&old->touched, &new->touched);
	bool		is_moved = old->has_login != new->has_login ||
		(new->has_login && old->login != new->login);

	if (!is_same && !is_replicating())
	{
		touch(&changes->left, &old->touched);
		touch(&changes->came, &new->touched);
	}
	if (!is_same || is_moved || old->is_running != new->is_running)
	{
		touch(&changes->changed, &old->touched);
		touch(&changes->changed, &new->touched);
	}
	if (is_moved)
	{
		count_row(changes, old, -1);
		count_row(changes, new, 1);
	}
}

/*
 * Note a row of session that came, went or was updated.  Which ones came matters only
 * where an UPDATE takes ids away, that of a partition moves rows too.
 */
void
note_session_row(RowChanges *changes, const TriggerData *trigger, bool is_updating)
{
	SessionRow	row = session_row(trigger, trigger->tg_trigslot);

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		if (is_updating)
			touch(&changes->came, &row.touched);
		/* It may be another one that has the id then, and its activities. */
		if (is_updating && trigger->tg_relation->rd_rel->relispartition)
			touch(&changes->changed, &row.touched);
		count_row(changes, &row, 1);
	}
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		/*
		 * Activities may stay, or come meanwhile, past the triggers, and a
		 * session of that id after them.
		 */
		touch(&changes->changed, &row.touched);
		if (!is_replicating())
			touch(is_moved_away(trigger, is_updating) ? &changes->left :
				  &changes->deleted, &row.touched);
		count_row(changes, &row, -1);
	}
	else
	{
		SessionRow	new = session_row(trigger, trigger->tg_newslot);

		note_updated_session(changes, &row, &new);
	}
}

/*
 * Note a row of activity that came to a partition, went from it, or was updated there.
 *
 * All of them, for in the midst of a statement on the whole table, a function or another
 * part of the same query can write to a partition by its own name, and nothing tells
 * whose row it is.  No transition table has that; to note others twice does no harm.
 */
void
note_piece_row(RowChanges *changes, const TriggerData *trigger)
{
	int			id_column = require_column(trigger, "session_id", INT8OID);
	int			date_column = require_column(trigger, "activity_date", TIMESTAMPTZOID);
	Touched		row = activity_row(trigger->tg_trigslot, id_column, date_column);

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		touch(&changes->came, &row);
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		touch(&changes->left, &row);
	else
	{
		Touched		new_row = activity_row(trigger->tg_newslot, id_column, date_column);

		touch_moved_row(&changes->left, &changes->came, &row, &new_row);
	}
}

/*
 * What became of sessions: those that were deleted, those whose ids are no more for
 * they got others, and those of which login or logout changed.
 */
void
sum_up_sessions(RowChanges *changes, TouchedSessions *deleted,
				TouchedSessions *renamed, TouchedSessions *changed)
{
	forget_all_of(&changes->left, &changes->came);
	sort_sessions(&changes->deleted, deleted);
	sort_sessions(&changes->left, renamed);
	sort_sessions(&changes->changed, changed);
}
