/*-------------------------------------------------------------------------
 *
 * triggers.c
 *	  What keeps activities and sessions together.
 *
 * activity has no foreign key to session, since checking each row alone makes
 * bulk loads several times slower.  These statement triggers do a foreign
 * key's work, ON DELETE CASCADE included, once a statement for its distinct
 * sessions, and as the server's own triggers for foreign keys do it:
 *
 * - with the rights of the tables' owner, so that an agent needs none on
 *	 session or on derived tables;
 * - under a snapshot that sees what others have committed by now, whatever
 *	 the isolation level, and with a key-share lock on the sessions, so that
 *	 no activity is left without its session by two who don't see each other.
 *
 * They also keep the idle-gap index: what they change of it they append, to
 * table pending, so that nobody who writes waits for anybody else for its sake.
 *
 * The store is that of the table that fired the trigger, never the setting's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ekran_activity_trigger);
PG_FUNCTION_INFO_V1(ekran_session_trigger);

/* Sessions looked up at a time. */
#define SESSION_BATCH	1000

/* So many statements on a session's activities, on average, until a fold. */
#define FOLD_EVERY		128

static const Oid id_column_type = INT8OID;

/* A session that a statement touched, and the range of its moments there. */
typedef struct Touched
{
	int64		session_id;		/* the hash key */
	TimestampTz first;
	TimestampTz last;
} Touched;

/* Touched sessions in ascending order of their ids. */
typedef struct TouchedSessions
{
	int			count;
	int64	   *ids;
	TimestampTz *first;
	TimestampTz *last;
} TouchedSessions;

/* A transition table, row by row. */
typedef struct TransitionScan
{
	Tuplestorestate *rows;
	int			read_pointer;
	TupleTableSlot *slot;
	int			id_column;
	int			date_column;	/* 0 in a table session */
} TransitionScan;

/*
 * Check that a trigger function was fired as ekran_create_store() made it.
 *
 * The other table must be an ordinary one of the same owner: the function
 * goes to it with the owner's rights, and what somebody else has planted
 * there (a view, a trigger, a policy) would run with them.
 *
 * Errors: 39P01 if called otherwise, 55000 if the store is not whole.
 */
static TriggerData *
check_trigger_call(FunctionCallInfo fcinfo, const char *table,
				   const char *other_table)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	relation;
	Oid			other;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function of ekran_sessions was not called by a trigger"),
				 errhint("ekran_create_store() makes the triggers that call it.")));

	relation = trigger->tg_relation;
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		strcmp(RelationGetRelationName(relation), table) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" is not as ekran_create_store() makes it",
						trigger->tg_trigger->tgname,
						RelationGetRelationName(relation)),
				 errdetail("The trigger must be fired after each statement on a table \"%s\".",
						   table),
				 errhint("Drop the trigger; ekran_create_store() makes those that a store needs.")));

	other = get_relname_relid(other_table, RelationGetNamespace(relation));
	if (!is_table_of(other, relation->rd_rel->relowner, true))
	{
		const char *store = get_namespace_name(RelationGetNamespace(relation));

		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" must be a table in schema \"%s\" with the owner of table \"%s\"",
						other_table, store, table),
				 errdetail("Both are tables of one store, kept together with their owner's rights."),
				 errhint("Give both tables the same owner, or complete the store with ekran_create_store().")));
	}
	return trigger;
}

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
require_column(TriggerData *trigger, const char *name, Oid type)
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
begin_transition_scan(TriggerData *trigger, Tuplestorestate *rows,
					  bool has_dates)
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
	scan.date_column = has_dates ?
		require_column(trigger, "activity_date", TIMESTAMPTZOID) : 0;
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
	bool		isnull;

	CHECK_FOR_INTERRUPTS();
	tuplestore_select_read_pointer(scan->rows, scan->read_pointer);
	if (!tuplestore_gettupleslot(scan->rows, true, false, scan->slot))
	{
		ExecDropSingleTupleTableSlot(scan->slot);
		return false;
	}
	row->session_id = DatumGetInt64(slot_getattr(scan->slot, scan->id_column,
												 &isnull));
	row->first = row->last = scan->date_column == 0 ? 0 :
		DatumGetTimestampTz(slot_getattr(scan->slot, scan->date_column,
										 &isnull));
	return true;
}

static void
touch(HTAB *touched, const Touched *row)
{
	bool		found;
	Touched    *session = hash_search(touched, &row->session_id, HASH_ENTER,
									  &found);

	session->first = found ? Min(session->first, row->first) : row->first;
	session->last = found ? Max(session->last, row->last) : row->last;
}

/*
 * The sessions of the rows of a transition table.
 */
static HTAB *
touched_by(TriggerData *trigger, Tuplestorestate *rows, bool has_dates)
{
	HTAB	   *touched = create_touched();
	TransitionScan scan = begin_transition_scan(trigger, rows, has_dates);
	Touched		row;

	while (next_transition_row(&scan, &row))
		touch(touched, &row);
	return touched;
}

/*
 * The activities that an UPDATE moved, where from and where to.
 *
 * Other columns are none of our business.  Both tables have their rows in the
 * same order; were it not so, a row taken for unmoved would have its like in
 * the other table, and the two together move nothing.
 */
static void
touched_by_update(TriggerData *trigger, HTAB **old_touched, HTAB **new_touched)
{
	TransitionScan old_scan = begin_transition_scan(trigger, trigger->tg_oldtable, true);
	TransitionScan new_scan = begin_transition_scan(trigger, trigger->tg_newtable, true);
	Touched		old_row;
	Touched		new_row;

	*old_touched = create_touched();
	*new_touched = create_touched();
	while (next_transition_row(&old_scan, &old_row))
	{
		if (!next_transition_row(&new_scan, &new_row))
			elog(ERROR, "transition tables of an update differ in length");
		if (old_row.session_id == new_row.session_id &&
			old_row.first == new_row.first)
			continue;
		touch(*old_touched, &old_row);
		touch(*new_touched, &new_row);
	}
	if (next_transition_row(&new_scan, &new_row))
		elog(ERROR, "transition tables of an update differ in length");
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
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
static TouchedSessions
sorted_sessions(HTAB *touched)
{
	TouchedSessions sessions = {0};
	long		count = hash_get_num_entries(touched);
	Touched   **entries;
	HASH_SEQ_STATUS status;
	Touched    *entry;

	entries = palloc_extended(Max(count, 1) * sizeof(Touched *), MCXT_ALLOC_HUGE);
	sessions.ids = palloc_extended(Max(count, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	sessions.first = palloc_extended(Max(count, 1) * sizeof(TimestampTz), MCXT_ALLOC_HUGE);
	sessions.last = palloc_extended(Max(count, 1) * sizeof(TimestampTz), MCXT_ALLOC_HUGE);

	hash_seq_init(&status, touched);
	while ((entry = hash_seq_search(&status)) != NULL)
		entries[sessions.count++] = entry;
	qsort(entries, sessions.count, sizeof(Touched *), compare_touched);
	for (int i = 0; i < sessions.count; i++)
	{
		sessions.ids[i] = entries[i]->session_id;
		sessions.first[i] = entries[i]->first;
		sessions.last[i] = entries[i]->last;
	}
	pfree(entries);
	return sessions;
}

/*
 * Run a query with the rights at hand, parameters never null.
 *
 * It sees what others have committed by now, whatever the isolation level.
 * With is_checked, a row to be changed that the transaction's own snapshot
 * doesn't see is a serialization failure.
 */
static void
run_query(const char *store, StoreQuery query, Datum *parameters,
		  bool is_checked)
{
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	int			result;

	if (IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();
		snapshot = GetLatestSnapshot();
		if (is_checked)
			crosscheck = GetTransactionSnapshot();
	}
	result = SPI_execute_snapshot(store_plan(store, query), parameters, NULL,
								  snapshot, crosscheck, false, true, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
}

static void
run_session_query(const char *store, StoreQuery query, const int64 *ids,
				  int count)
{
	Datum		parameters[] = {int8_array(ids, count)};

	run_query(store, query, parameters, query == QUERY_DELETE_ACTIVITIES);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * Lock sessions; refuse activities of those that don't exist.
 */
static void
check_sessions_exist(Relation activity, const char *store,
					   const int64 *ids, int count)
{
	int			found;
	int64	   *found_ids;

	run_session_query(store, QUERY_LOCK_SESSIONS, ids, count);
	check_result_shape(store, 1, &id_column_type);
	found = (int) SPI_processed;
	found_ids = palloc(Max(found, 1) * sizeof(int64));
	for (int i = 0; i < found; i++)
	{
		bool		isnull;

		found_ids[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
												   SPI_tuptable->tupdesc, 1,
												   &isnull));
	}
	qsort(found_ids, found, sizeof(int64), compare_ids);

	for (int i = 0; i < count; i++)
	{
		if (i < found && found_ids[i] == ids[i])
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("activity refers to session " INT64_FORMAT ", which is not in table \"%s.session\"",
						ids[i], store),
				 errdetail("Key (session_id)=(" INT64_FORMAT ") is not present in table \"session\".",
						   ids[i]),
				 errhint("Insert the session before its activities."),
				 errtable(activity)));
	}
}

/*
 * Append to pending what moments of a batch of sessions have changed.
 *
 * For new activities, lock their sessions in the same go, and refuse those of
 * sessions that don't exist.
 */
static void
add_pending(Relation activity, const char *store, bool are_new,
			const TouchedSessions *sessions, int from, int count)
{
	if (are_new && count == 1)
	{
		Datum		parameters[] = {
			Int64GetDatum(sessions->ids[from]),
			TimestampTzGetDatum(sessions->first[from]),
			TimestampTzGetDatum(sessions->last[from])
		};

		run_query(store, QUERY_LOCK_SESSION_ADD_PENDING, parameters, false);
	}
	else
	{
		Datum		parameters[] = {
			int8_array(sessions->ids + from, count),
			timestamptz_array(sessions->first + from, count),
			timestamptz_array(sessions->last + from, count)
		};

		run_query(store,
				  are_new ? QUERY_LOCK_SESSIONS_ADD_PENDING : QUERY_ADD_PENDING,
				  parameters, false);
		for (size_t i = 0; i < lengthof(parameters); i++)
			pfree(DatumGetPointer(parameters[i]));
	}
	if (are_new && SPI_processed < (uint64) count)
		check_sessions_exist(activity, store, sessions->ids + from, count);
}

/*
 * Note where activities came or went; check the sessions of those that came.
 */
static void
note_activities(Relation activity, const char *store, HTAB *touched,
				bool are_new)
{
	TouchedSessions sessions = sorted_sessions(touched);

	if (!schema_has_index(RelationGetNamespace(activity)))
	{
		for (int i = 0; are_new && i < sessions.count; i += SESSION_BATCH)
			check_sessions_exist(activity, store, sessions.ids + i,
								 Min(SESSION_BATCH, sessions.count - i));
		return;
	}

	for (int i = 0; i < sessions.count; i += SESSION_BATCH)
	{
		CHECK_FOR_INTERRUPTS();
		add_pending(activity, store, are_new, &sessions, i,
					Min(SESSION_BATCH, sessions.count - i));
	}

	/*
	 * Now and then, fold what is pending: by chance, for to count it would
	 * take longer than to add to it.  In other isolation levels a fold could
	 * fail, or show the transaction what its snapshot doesn't.
	 */
	if (are_new && !IsolationUsesXactSnapshot())
		for (int i = 0; i < sessions.count; i++)
			if (random_below(FOLD_EVERY) == 0)
				(void) fold_session(store, sessions.ids[i], FOLD_PENDING);
}

/*
 * Refuse to leave activities whose session went away under them.
 */
static void
check_no_activity_of(Relation session, const char *store,
					 const int64 *ids, int count)
{
	bool		isnull;
	int64		id;

	run_session_query(store, QUERY_ANY_ACTIVITY_OF, ids, count);
	check_result_shape(store, 1, &id_column_type);
	if (SPI_processed == 0)
		return;

	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									 SPI_tuptable->tupdesc, 1, &isnull));
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("session_id " INT64_FORMAT " can't change, activities in table \"%s.activity\" refer to it",
					id, store),
			 errdetail("Key (session_id)=(" INT64_FORMAT ") is still referenced from table \"activity\".",
					   id),
			 errhint("Insert a session with the new session_id, move the activities to it, then delete the old session."),
			 errtable(session)));
}

static void
check_no_activity(Relation session, const char *store)
{
	run_query(store, QUERY_ANY_ACTIVITY, NULL, false);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot truncate table \"%s.session\" alone, activities refer to it",
						store),
				 errdetail("Table \"activity\" refers to \"session\"."),
				 errhint("Truncate table \"activity\" at the same time."),
				 errtable(session)));
}

/*
 * Forget the derived rows of sessions that are no more.
 *
 * Those that a fold holds in this moment stay, and in other isolation levels
 * than READ COMMITTED all of them, for a fold might have changed one since the
 * snapshot: all of such a session is pending then, so that they say nothing of
 * a new session with that id, and the next refresh finds and deletes them.
 */
static void
forget_sessions(const char *store, const int64 *ids, int count)
{
	uint64		deleted = 0;

	if (!IsolationUsesXactSnapshot())
	{
		run_session_query(store, QUERY_DELETE_PENDING, ids, count);
		run_session_query(store, QUERY_DELETE_IDLE, ids, count);
		deleted = SPI_processed;
	}
	if (deleted < (uint64) count)
		run_session_query(store, QUERY_ADD_PENDING_OF_IDLE, ids, count);
}

/*
 * Give new sessions their rows of the index.
 *
 * A row that is there is one that forget_sessions() has left.  A refresh may be
 * about to delete it: what is pending tells the next one to make another.
 */
static void
add_idle_rows(const char *store, const int64 *ids, int count)
{
	run_session_query(store, QUERY_ADD_IDLE, ids, count);
	if (SPI_processed < (uint64) count)
		run_session_query(store, QUERY_ADD_PENDING_OF_IDLE, ids, count);
}

/*
 * ekran_activity_trigger() returns trigger
 *
 * After every statement on activity: appends to pending where activities came
 * or went.  23503 if a session of theirs doesn't exist.
 */
Datum
ekran_activity_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger_call(fcinfo, "activity", "session");
	TriggerEvent event = trigger->tg_event;
	Relation	activity = trigger->tg_relation;
	bool		has_index;
	const char *store;
	HTAB	   *came = NULL;
	HTAB	   *went = NULL;
	CallerRights caller;

	SPI_connect();
	store = get_namespace_name(RelationGetNamespace(activity));
	has_index = schema_has_index(RelationGetNamespace(activity));
	if (TRIGGER_FIRED_BY_INSERT(event))
		came = touched_by(trigger, trigger->tg_newtable, true);
	else if (TRIGGER_FIRED_BY_UPDATE(event) && !has_index)
		came = touched_by(trigger, trigger->tg_newtable, true);
	else if (TRIGGER_FIRED_BY_UPDATE(event))
		touched_by_update(trigger, &went, &came);
	else if (TRIGGER_FIRED_BY_DELETE(event))
		went = touched_by(trigger, trigger->tg_oldtable, true);

	caller = become_owner(activity);
	if (TRIGGER_FIRED_BY_TRUNCATE(event) && has_index)
		run_query(store, QUERY_ALL_PENDING, NULL, false);
	if (went != NULL)
		note_activities(activity, store, went, false);
	if (came != NULL)
		note_activities(activity, store, came, true);
	become_caller(caller);

	SPI_finish();
	return PointerGetDatum(NULL);
}

/*
 * The sessions of one transition table that the other doesn't have.
 */
static TouchedSessions
sessions_without(TriggerData *trigger, Tuplestorestate *rows,
				 Tuplestorestate *other_rows)
{
	HTAB	   *touched = touched_by(trigger, rows, false);

	if (other_rows != NULL)
	{
		TransitionScan scan = begin_transition_scan(trigger, other_rows, false);
		Touched		row;

		while (next_transition_row(&scan, &row))
			(void) hash_search(touched, &row.session_id, HASH_REMOVE, NULL);
	}
	return sorted_sessions(touched);
}

/*
 * ekran_session_trigger() returns trigger
 *
 * After every statement on session.  New sessions get their row of the index;
 * of those that went, the activities and derived rows are deleted.  23503 if
 * activities refer to a session_id that an UPDATE has changed, 0A000 if a
 * TRUNCATE would leave activities.
 */
Datum
ekran_session_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger_call(fcinfo, "session", "activity");
	TriggerEvent event = trigger->tg_event;
	Relation	session = trigger->tg_relation;
	bool		has_index;
	const char *store;
	TouchedSessions came = {0};
	TouchedSessions went = {0};
	CallerRights caller;

	SPI_connect();
	store = get_namespace_name(RelationGetNamespace(session));
	has_index = schema_has_index(RelationGetNamespace(session));
	if (TRIGGER_FIRED_BY_INSERT(event) || TRIGGER_FIRED_BY_UPDATE(event))
		came = sessions_without(trigger, trigger->tg_newtable,
								trigger->tg_oldtable);
	if (TRIGGER_FIRED_BY_DELETE(event) || TRIGGER_FIRED_BY_UPDATE(event))
		went = sessions_without(trigger, trigger->tg_oldtable,
								trigger->tg_newtable);

	caller = become_owner(session);
	if (TRIGGER_FIRED_BY_TRUNCATE(event))
	{
		check_no_activity(session, store);
		if (has_index)
			run_query(store, QUERY_ALL_PENDING, NULL, false);
	}
	for (int i = 0; i < went.count; i += SESSION_BATCH)
	{
		const int64 *ids = went.ids + i;
		int			count = Min(SESSION_BATCH, went.count - i);

		CHECK_FOR_INTERRUPTS();
		if (TRIGGER_FIRED_BY_DELETE(event))
			run_session_query(store, QUERY_DELETE_ACTIVITIES, ids, count);
		else
			check_no_activity_of(session, store, ids, count);
		if (has_index)
			forget_sessions(store, ids, count);
	}
	for (int i = 0; has_index && i < came.count; i += SESSION_BATCH)
	{
		CHECK_FOR_INTERRUPTS();
		add_idle_rows(store, came.ids + i,
					  Min(SESSION_BATCH, came.count - i));
	}
	become_caller(caller);

	SPI_finish();
	return PointerGetDatum(NULL);
}
