/*-------------------------------------------------------------------------
 *
 * transition.c
 *	  What a statement touched, from its transition tables: the sessions of
 *	  the rows that came or went, and the range of the moments there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

/*
 * A session that a statement touched, and the range of its moments there; or a row of
 * session, from its login to its logout.
 */
typedef struct Touched
{
	int64		session_id;		/* the hash key */
	TimestampTz first;			/* -infinity if unknown */
	TimestampTz last;			/* infinity if unknown, or still running */
	bool		is_dated;		/* is first known? */
	bool		has_session;
} Touched;

/*
 * Sessions that a statement touched.  Most touch one, or one after the other: the
 * table of them is made when there is a second, and not asked for the same again.
 */
typedef struct TouchedSet
{
	Touched		single;
	bool		has_single;
	HTAB	   *many;			/* NULL: there is at most the single one */
	Touched    *latest;			/* touched last, or NULL */
} TouchedSet;

/* A transition table, row by row. */
typedef struct TransitionScan
{
	Tuplestorestate *rows;
	int			read_pointer;
	TupleTableSlot *slot;
	int			id_column;
	int			first_column;
	int			last_column;
} TransitionScan;

static HTAB *
create_touched(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(int64);
	control.entrysize = sizeof(Touched);
	control.hcxt = CurrentMemoryContext;
	return hash_create("touched sessions", 256, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * The number of a column that a trigger goes by.
 */
static int
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

static TransitionScan
begin_transition_scan(const TriggerData *trigger, Tuplestorestate *rows,
					  StoreTable table)
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
	scan.first_column = require_column(trigger, table == TABLE_SESSION ?
									   "login_date" : "activity_date",
									   TIMESTAMPTZOID);
	scan.last_column = table == TABLE_SESSION ?
		require_column(trigger, "logout_date", TIMESTAMPTZOID) : scan.first_column;
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
 *
 * Nulls come only where the owner has given up a constraint: a row without a
 * session is nobody's, one without a date may lie anywhere.
 */
static bool
next_transition_row(TransitionScan *scan, Touched *row)
{
	bool		isnull;
	Datum		date;

	CHECK_FOR_INTERRUPTS();
	tuplestore_select_read_pointer(scan->rows, scan->read_pointer);
	if (!tuplestore_gettupleslot(scan->rows, true, false, scan->slot))
	{
		ExecDropSingleTupleTableSlot(scan->slot);
		return false;
	}
	row->session_id = DatumGetInt64(slot_getattr(scan->slot, scan->id_column,
												 &isnull));
	row->has_session = !isnull;
	date = slot_getattr(scan->slot, scan->first_column, &isnull);
	row->is_dated = !isnull;
	row->first = isnull ? DT_NOBEGIN : DatumGetTimestampTz(date);
	date = slot_getattr(scan->slot, scan->last_column, &isnull);
	row->last = isnull ? DT_NOEND : DatumGetTimestampTz(date);
	return true;
}

static Touched *
enter(TouchedSet *set, const Touched *row, bool *is_known)
{
	if (!set->has_single)
	{
		set->has_single = true;
		*is_known = false;
		return &set->single;
	}
	if (set->many == NULL)
	{
		Touched    *first;

		set->many = create_touched();
		first = hash_search(set->many, &set->single.session_id, HASH_ENTER,
							is_known);
		*first = set->single;
	}
	return hash_search(set->many, &row->session_id, HASH_ENTER, is_known);
}

static void
touch(TouchedSet *set, const Touched *row)
{
	Touched    *session = set->latest;
	bool		is_known = true;

	if (!row->has_session)
		return;
	if (session == NULL || session->session_id != row->session_id)
		session = enter(set, row, &is_known);
	if (!is_known)
		*session = *row;
	session->first = Min(session->first, row->first);
	session->last = Max(session->last, row->last);
	set->latest = session;
}

/*
 * Take a session out of the set again.
 */
static void
forget(TouchedSet *set, int64 session_id)
{
	set->latest = NULL;
	if (set->many != NULL)
		(void) hash_search(set->many, &session_id, HASH_REMOVE, NULL);
	else if (set->has_single && set->single.session_id == session_id)
		set->has_single = false;
}

/*
 * Add the sessions of the rows of a transition table.
 */
static void
touch_all(TouchedSet *set, const TriggerData *trigger, Tuplestorestate *rows,
		  StoreTable table)
{
	TransitionScan scan = begin_transition_scan(trigger, rows, table);
	Touched		row;

	while (next_transition_row(&scan, &row))
		touch(set, &row);
}

static int
compare_touched(const void *a, const void *b)
{
	int64		left = (*(Touched *const *) a)->session_id;
	int64		right = (*(Touched *const *) b)->session_id;

	return (left > right) - (left < right);
}

/*
 * Touched sessions in the order of their ids, in which all lock them.
 */
static void
sort_sessions(TouchedSet *set, TouchedSessions *sessions)
{
	long		count = set->many != NULL ? hash_get_num_entries(set->many) :
		set->has_single ? 1 : 0;
	Touched   **entries;
	HASH_SEQ_STATUS status;
	Touched    *entry;

	memset(sessions, 0, sizeof(*sessions));
	if (count == 0)
		return;
	entries = palloc_extended(count * sizeof(Touched *), MCXT_ALLOC_HUGE);
	sessions->ids = palloc_extended(count * sizeof(int64), MCXT_ALLOC_HUGE);
	sessions->first = palloc_extended(count * sizeof(TimestampTz), MCXT_ALLOC_HUGE);
	sessions->last = palloc_extended(count * sizeof(TimestampTz), MCXT_ALLOC_HUGE);

	if (set->many == NULL)
		entries[sessions->count++] = &set->single;
	else
	{
		hash_seq_init(&status, set->many);
		while ((entry = hash_seq_search(&status)) != NULL)
			entries[sessions->count++] = entry;
		qsort(entries, sessions->count, sizeof(Touched *), compare_touched);
	}
	for (int i = 0; i < sessions->count; i++)
	{
		sessions->ids[i] = entries[i]->session_id;
		sessions->first[i] = entries[i]->first;
		sessions->last[i] = entries[i]->last;
	}
	pfree(entries);
}

/*
 * The activities that came or went.
 */
void
touched_activities(const TriggerData *trigger, Tuplestorestate *rows,
				   TouchedSessions *sessions)
{
	TouchedSet	set = {0};

	touch_all(&set, trigger, rows, TABLE_ACTIVITY);
	sort_sessions(&set, sessions);
}

static bool
is_same_session(const Touched *a, const Touched *b)
{
	return a->has_session == b->has_session &&
		(!a->has_session || a->session_id == b->session_id);
}

/*
 * The activities that an UPDATE moved, where from and where to.
 *
 * Other columns are none of our business.  Both tables have their rows in the
 * same order, but for those that a BEFORE trigger has dropped on their way to
 * another partition: they are in the old one alone.  What pairs off wrongly then
 * does no harm, for a row taken for unmoved has its like in the other table, and
 * the two together move nothing.
 */
void
moved_activities(const TriggerData *trigger, TouchedSessions *from,
				 TouchedSessions *to)
{
	TransitionScan old_scan = begin_transition_scan(trigger, trigger->tg_oldtable,
													 TABLE_ACTIVITY);
	TransitionScan new_scan = begin_transition_scan(trigger, trigger->tg_newtable,
													 TABLE_ACTIVITY);
	TouchedSet	went = {0};
	TouchedSet	came = {0};
	bool		has_old = true;
	bool		has_new = true;

	while (has_old || has_new)
	{
		Touched		old_row;
		Touched		new_row;

		has_old = has_old && next_transition_row(&old_scan, &old_row);
		has_new = has_new && next_transition_row(&new_scan, &new_row);
		if (has_old && has_new &&
			is_same_session(&old_row, &new_row) &&
			old_row.first == new_row.first)
			continue;
		if (has_old)
			touch(&went, &old_row);
		if (has_new)
			touch(&came, &new_row);
	}
	sort_sessions(&went, from);
	sort_sessions(&came, to);
}

/*
 * The sessions of one transition table of session that another doesn't have.
 */
void
touched_sessions(const TriggerData *trigger, Tuplestorestate *rows,
				 Tuplestorestate *without, TouchedSessions *sessions)
{
	TouchedSet	set = {0};

	touch_all(&set, trigger, rows, TABLE_SESSION);
	if (without != NULL)
	{
		TransitionScan scan = begin_transition_scan(trigger, without, TABLE_SESSION);
		Touched		row;

		while (next_transition_row(&scan, &row))
			if (row.has_session)
				forget(&set, row.session_id);
	}
	sort_sessions(&set, sessions);
}

/*
 * Count the session that a row's trigger is fired for.
 */
void
count_session(const TriggerData *trigger, DayCounts *counts)
{
	bool		isnull;
	Datum		login = slot_getattr(trigger->tg_trigslot,
									 require_column(trigger, "login_date", TIMESTAMPTZOID),
									 &isnull);

	if (!isnull)
		add_to_day(counts, day_of(DatumGetTimestampTz(login)), 1);
}

/*
 * Count the sessions of a transition table of session, by the day of their logins, as
 * so many each.
 */
void
count_sessions_of(const TriggerData *trigger, Tuplestorestate *rows, int each,
				  DayCounts *counts)
{
	TransitionScan scan = begin_transition_scan(trigger, rows, TABLE_SESSION);
	Touched		row;

	while (next_transition_row(&scan, &row))
		if (row.is_dated)
			add_to_day(counts, day_of(row.first), each);
}

/*
 * The sessions that an UPDATE of session gave another login, or a logout, or took it
 * from, with a range of no moment; and what that changes in the days.
 *
 * What pairs off wrongly, as in moved_activities(), does no harm here either: rows of
 * different sessions both count as changed.
 */
void
changed_sessions(const TriggerData *trigger, DayCounts *counts,
				 TouchedSessions *sessions)
{
	TransitionScan old_scan = begin_transition_scan(trigger, trigger->tg_oldtable,
													TABLE_SESSION);
	TransitionScan new_scan = begin_transition_scan(trigger, trigger->tg_newtable,
													TABLE_SESSION);
	TouchedSet	set = {0};
	bool		has_old = true;
	bool		has_new = true;

	while (has_old || has_new)
	{
		Touched		old_row;
		Touched		new_row;

		has_old = has_old && next_transition_row(&old_scan, &old_row);
		has_new = has_new && next_transition_row(&new_scan, &new_row);
		if (has_old && has_new &&
			is_same_session(&old_row, &new_row) &&
			old_row.is_dated == new_row.is_dated &&
			old_row.first == new_row.first &&
			(old_row.last == DT_NOEND) == (new_row.last == DT_NOEND))
			continue;
		if (has_old)
		{
			touch(&set, &old_row);
			if (old_row.is_dated)
				add_to_day(counts, day_of(old_row.first), -1);
		}
		if (has_new)
		{
			touch(&set, &new_row);
			if (new_row.is_dated)
				add_to_day(counts, day_of(new_row.first), 1);
		}
	}
	sort_sessions(&set, sessions);
	for (int i = 0; i < sessions->count; i++)
		sessions->first[i] = sessions->last[i] = DT_NOBEGIN;
}
