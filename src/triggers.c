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
 *	 session;
 * - under a snapshot that sees what others have committed by now, whatever
 *	 the isolation level, and with a key-share lock on the sessions, so that
 *	 no activity is left without its session by two who don't see each other.
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
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ekran_activity_trigger);
PG_FUNCTION_INFO_V1(ekran_session_trigger);

/* Sessions looked up at a time. */
#define SESSION_BATCH	1000

/* Whom to be again when the work with the owner's rights is done. */
typedef struct CallerRights
{
	Oid			user;
	int			security_context;
	int			guc_nest_level;
} CallerRights;

/* Distinct session ids in ascending order. */
typedef struct SessionIds
{
	int64	   *ids;
	int			count;
} SessionIds;

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
	HeapTuple	tuple;
	bool		is_sound = false;

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
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(other));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);

		is_sound = class->relowner == relation->rd_rel->relowner &&
			(class->relkind == RELKIND_RELATION ||
			 class->relkind == RELKIND_PARTITIONED_TABLE);
		ReleaseSysCache(tuple);
	}
	if (!is_sound)
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

/*
 * Take on the rights of a table's owner: no more row-level security than the
 * owner asked others to have, no lasting changes to the session, and a
 * search_path of which the caller has no part.
 */
static CallerRights
become_owner(Relation relation)
{
	CallerRights caller;

	GetUserIdAndSecContext(&caller.user, &caller.security_context);
	SetUserIdAndSecContext(relation->rd_rel->relowner,
						   caller.security_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_NOFORCE_RLS);
	caller.guc_nest_level = NewGUCNestLevel();
	pin_search_path();
	return caller;
}

static void
become_caller(CallerRights caller)
{
	AtEOXact_GUC(false, caller.guc_nest_level);
	SetUserIdAndSecContext(caller.user, caller.security_context);
}

static HTAB *
create_id_set(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(int64);
	control.entrysize = sizeof(int64);
	control.hcxt = CurrentMemoryContext;
	return hash_create("session ids", 256, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Put the session ids in a transition table into a set, or take them out.
 */
static void
apply_transition_table(HTAB *set, HASHACTION action, TriggerData *trigger,
					   Tuplestorestate *rows)
{
	Relation	relation = trigger->tg_relation;
	TupleDesc	columns = RelationGetDescr(relation);
	int			column = SPI_fnumber(columns, "session_id");
	TupleTableSlot *slot;
	bool		is_first = true;
	int64		previous = 0;

	if (rows == NULL || column <= 0 ||
		TupleDescAttr(columns, column - 1)->atttypid != INT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" needs transition tables with a column \"session_id\" of type bigint",
						trigger->tg_trigger->tgname,
						RelationGetRelationName(relation)),
				 errhint("Drop the trigger; ekran_create_store() makes those that a store needs.")));

	/* Others read the same table, so we need a place in it of our own. */
	tuplestore_select_read_pointer(rows,
								   tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
	tuplestore_rescan(rows);

	slot = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		isnull;
		int64		id = DatumGetInt64(slot_getattr(slot, column, &isnull));

		CHECK_FOR_INTERRUPTS();

		/* Rows of a session mostly come together. */
		if (!is_first && id == previous)
			continue;
		is_first = false;
		previous = id;
		hash_search(set, &id, action, NULL);
	}
	ExecDropSingleTupleTableSlot(slot);
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

/*
 * The ids of a set in ascending order: that in which all lock them.
 */
static SessionIds
sorted_ids(HTAB *set)
{
	SessionIds	sorted = {0};
	HASH_SEQ_STATUS status;
	int64	   *id;

	sorted.ids = palloc_extended(hash_get_num_entries(set) * sizeof(int64),
								 MCXT_ALLOC_HUGE);
	hash_seq_init(&status, set);
	while ((id = hash_seq_search(&status)) != NULL)
		sorted.ids[sorted.count++] = *id;
	qsort(sorted.ids, sorted.count, sizeof(int64), compare_ids);
	return sorted;
}

/*
 * Run a query about a batch of sessions, or about all with none given.
 *
 * It sees what others have committed by now.  Where the transaction's own
 * snapshot is older, a row to be changed that the snapshot doesn't see is a
 * serialization failure.
 */
static void
run_query(const char *store, StoreQuery query, int expected_result,
		  const int64 *ids, int count)
{
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	ArrayType  *array = NULL;
	Datum		parameters[1] = {0};
	int			result;

	if (ids != NULL)
	{
		Datum	   *elements = palloc(count * sizeof(Datum));

		for (int i = 0; i < count; i++)
			elements[i] = Int64GetDatum(ids[i]);
		array = construct_array(elements, count, INT8OID,
								sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
		pfree(elements);
		parameters[0] = PointerGetDatum(array);
	}

	if (IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();
		snapshot = GetLatestSnapshot();
		crosscheck = GetTransactionSnapshot();
	}
	result = SPI_execute_snapshot(store_plan(store, query), parameters, NULL,
								  snapshot, crosscheck, false, true, 0);
	if (result != expected_result)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
	if (array != NULL)
		pfree(array);
}

/*
 * Refuse activities of sessions that don't exist; lock those that do.
 */
static void
check_sessions_exist(Relation activity, const char *store,
					 const int64 *ids, int count)
{
	int			found;
	int64	   *found_ids;

	run_query(store, QUERY_LOCK_SESSIONS, SPI_OK_SELECT, ids, count);
	found = (int) SPI_processed;
	if (found == count)
	{
		SPI_freetuptable(SPI_tuptable);
		return;
	}

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
 * Refuse to leave activities whose session went away under them.
 */
static void
check_no_activity_of(Relation session, const char *store,
					 const int64 *ids, int count)
{
	bool		isnull;
	int64		id;

	run_query(store, QUERY_ANY_ACTIVITY_OF, SPI_OK_SELECT, ids, count);
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
	run_query(store, QUERY_ANY_ACTIVITY, SPI_OK_SELECT, NULL, 0);
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
 * ekran_activity_trigger() returns trigger
 *
 * After INSERT and UPDATE of activity: 23503 if a session doesn't exist.
 */
Datum
ekran_activity_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger_call(fcinfo, "activity", "session");
	Relation	activity = trigger->tg_relation;
	CallerRights caller;
	const char *store;
	HTAB	   *set;
	SessionIds	sessions;

	SPI_connect();
	store = get_namespace_name(RelationGetNamespace(activity));
	set = create_id_set();
	apply_transition_table(set, HASH_ENTER, trigger, trigger->tg_newtable);
	sessions = sorted_ids(set);

	caller = become_owner(activity);
	for (int i = 0; i < sessions.count; i += SESSION_BATCH)
	{
		CHECK_FOR_INTERRUPTS();
		check_sessions_exist(activity, store, sessions.ids + i,
							 Min(SESSION_BATCH, sessions.count - i));
	}
	become_caller(caller);

	SPI_finish();
	return PointerGetDatum(NULL);
}

/*
 * ekran_session_trigger() returns trigger
 *
 * After DELETE of sessions: deletes their activities.  After UPDATE: 23503 if
 * activities refer to a session_id that is no more.  After TRUNCATE: 0A000 if
 * activities are left.
 */
Datum
ekran_session_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger_call(fcinfo, "session", "activity");
	Relation	session = trigger->tg_relation;
	CallerRights caller;
	const char *store;
	HTAB	   *set;
	SessionIds	sessions;

	SPI_connect();
	store = get_namespace_name(RelationGetNamespace(session));
	set = create_id_set();
	if (!TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		apply_transition_table(set, HASH_ENTER, trigger, trigger->tg_oldtable);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		apply_transition_table(set, HASH_REMOVE, trigger, trigger->tg_newtable);
	sessions = sorted_ids(set);

	caller = become_owner(session);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		check_no_activity(session, store);
	for (int i = 0; i < sessions.count; i += SESSION_BATCH)
	{
		const int64 *ids = sessions.ids + i;
		int			count = Min(SESSION_BATCH, sessions.count - i);

		CHECK_FOR_INTERRUPTS();
		if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
			run_query(store, QUERY_DELETE_ACTIVITIES, SPI_OK_DELETE, ids, count);
		else
			check_no_activity_of(session, store, ids, count);
	}
	become_caller(caller);

	SPI_finish();
	return PointerGetDatum(NULL);
}
