/*-------------------------------------------------------------------------
 *
 * triggers.c
 *	  What keeps activities and sessions together, and notes what is written.
 *
 * activity has no foreign key to session, since checking each row alone makes
 * bulk loads several times slower.  These statement triggers do a foreign
 * key's work, ON DELETE CASCADE included, once a statement for its distinct
 * sessions, and with the rights of the tables' owner, so that an agent needs
 * none on session or on derived tables.
 *
 * They also tell the derived tables.  All they do is append, before anything else: to
 * table pending for every session whose activities came or went, that has another
 * login, or runs no longer or again; to session_count by how many sessions a day has
 * more or fewer.  They read no derived row, change none, and need none to be there.
 * So nobody who writes waits or fails for their sake, and whoever sees the rows sees
 * what is told of them, for both are the same transaction's.
 *
 * The store is that of the table that fired the trigger, never the setting's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ekran_activity_changed);
PG_FUNCTION_INFO_V1(ekran_session_changed);

static const StoreQuery delete_activities = {
	.sql = "DELETE FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {INT8ARRAYOID},
	.mode = QUERY_WRITES_CHECKED,
	.plan_options = PLAN_ONCE
};

static const StoreQuery delete_activities_around = {
	.sql = "DELETE FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	" AND (a.activity_date OPERATOR(pg_catalog.<) $2"
	"  OR a.activity_date OPERATOR(pg_catalog.>=) $3)",
	.parameters = {INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.mode = QUERY_WRITES_CHECKED,
	.plan_options = PLAN_ONCE
};

static const StoreQuery any_activity_of = {
	.sql = "SELECT a.session_id FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	" LIMIT 1",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID, NOT_NULL}},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

static const StoreQuery any_activity = {
	.sql = "SELECT a.session_id FROM @store@.activity a LIMIT 1",
	.columns = {{INT8OID, NULLABLE}},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

/* What whose trigger is of no use is told. */
#define DROP_HINT \
	"Drop the trigger; ekran_create_store() makes those that a store needs."

/*
 * Refuse a trigger that is not attached as ekran_create_store() does.
 *
 * Errors: 39P01.
 */
pg_noreturn void
refuse_trigger(const TriggerData *trigger, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" on table \"%s\" is not as ekran_create_store() makes it",
					trigger->tg_trigger->tgname,
					RelationGetRelationName(trigger->tg_relation)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

static TriggerData *
get_trigger(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function of ekran_sessions was not called by a trigger"),
				 errhint("ekran_create_store() makes the triggers that call it.")));
	return (TriggerData *) fcinfo->context;
}

/*
 * Check that a trigger was fired as ekran_create_store() made it, and find its
 * store.
 *
 * The other table must be an ordinary one of the same owner: the function
 * goes to it with the owner's rights, and what somebody else has planted
 * there (a view, a trigger, a policy) would run with them.
 *
 * Errors: 39P01 if called otherwise, 55000 if the store is not whole.
 */
static void
find_store_of_trigger(const TriggerData *trigger, StoreTable table,
					  StoreTable other_table, Store *store)
{
	Relation	relation = trigger->tg_relation;
	bool		is_found = load_store(store, RelationGetNamespace(relation));

	store->generation = trigger_generation(trigger->tg_trigger);
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		store->tables[table] != RelationGetRelid(relation))
		refuse_trigger(trigger,
					   psprintf("The trigger must be fired after each statement on a table \"%s\".",
								table_names[table]),
					   DROP_HINT);

	if (!is_found ||
		!is_table_of(store->tables[other_table], relation->rd_rel->relowner, true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" must be a table in schema \"%s\" with the owner of table \"%s\"",
						table_names[other_table], NameStr(store->name),
						table_names[table]),
				 errdetail("Both are tables of one store, kept together with their owner's rights."),
				 errhint("Give both tables the same owner, or complete the store with ekran_create_store().")));
}

/*
 * Refuse to write where triggers are missing that would note it.
 *
 * Errors: 55000.
 */
static void
check_triggers(const TriggerData *trigger, const TriggerSet *set)
{
	Relation	table = trigger->tg_relation;
	const char *fault = triggers_fault(set, table, trigger->tg_trigger->tgfoid,
									   trigger_generation(trigger->tg_trigger));
	const char *other_fault = noted_table_fault(set, table);
	char		generation[GENERATION_SIZE];
	const char *reason;
	Store		store;

	if (fault == NULL && other_fault == NULL)
		return;
	if (fault != NULL && find_generation(set, table, generation, &reason))
		refuse_trigger(trigger, "The trigger is none of those that keep the derived tables, which are all there.",
					   DROP_HINT);
	if (!load_store(&store, RelationGetNamespace(table)) ||
		store.tables[set->table] != RelationGetRelid(table))
		refuse_trigger(trigger,
					   psprintf("The trigger must be fired by statements on a table \"%s\".",
								table_names[set->table]),
					   DROP_HINT);
	refuse_broken(&store, fault != NULL ? fault : other_fault);
}

/*
 * A row that is written to a partition: as a part of a statement on the partitioned
 * table, which will note it, or by the partition's own name.  One of session not so.
 *
 * Errors: 55000.
 */
static HeapTuple
check_partition_row(const TriggerData *trigger, const TriggerSet *set)
{
	bool		is_alone = !is_in_statement_of(trigger);

	if (is_alone && set->table == TABLE_ACTIVITY)
		begin_alone(trigger);
	else if (is_alone)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot write to partition \"%s\" directly",
						RelationGetRelationName(trigger->tg_relation)),
				 errdetail("What is written would not be checked, nor noted in the derived tables."),
				 errhint("Write to the partitioned table \"%s\".",
						 table_names[set->table])));
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
		trigger->tg_newtuple : trigger->tg_trigtuple;
}

/*
 * Note a row that has come, gone or been updated, for the end of its statement.
 *
 * A key of the owner's can have the server fire a row's trigger at a time when the
 * statement has been ended already: then it begins again.
 */
static void
note_row(const TriggerData *trigger, StoreTable table)
{
	RowChanges *changes = changes_of_statement(trigger);
	bool		is_updating;

	if (table == TABLE_ACTIVITY)
	{
		if (changes != NULL)
			note_piece_row(changes, trigger);
		else if (!is_replicating())
			note_activity_alone(trigger);
		return;
	}
	is_updating = has_statement(trigger, TRIGGER_EVENT_UPDATE);
	if (changes == NULL && is_replicating())
	{
		note_replicated_session(trigger);
		return;
	}
	if (changes == NULL)
	{
		if (!trigger->tg_relation->rd_rel->relispartition)
			check_triggers(trigger, triggers_of(table));
		begin_statement(trigger);
		changes = changes_of_statement(trigger);
	}
	note_session_row(changes, trigger, is_updating);
}

/*
 * Refuse to write where session_idle is not as it was made.  Without waiting: while
 * somebody else has it, or an index of it, what is appended to pending waits as well.
 *
 * Errors: 55000.
 */
void
check_idle(const Store *store)
{
	Relation	idle;
	const char *fault;

	if (is_known_sound(store, TABLE_SESSION_IDLE))
		return;
	if (!OidIsValid(store->tables[TABLE_SESSION_IDLE]))
		refuse_broken(store, "there is no table \"session_idle\"");
	if (!lock_if_free(store, TABLE_SESSION_IDLE, AccessShareLock))
		return;
	idle = table_open(store->tables[TABLE_SESSION_IDLE], NoLock);
	fault = derived_table_fault(idle, store, TABLE_SESSION_IDLE);
	if (fault != NULL)
		refuse_broken(store, fault);
	table_close(idle, NoLock);
}

/*
 * Append to pending where activities came or went, or that all have gone, and end
 * the statement.
 *
 * Errors: 55000 if the derived tables are not as they were made.
 */
static void
note_activities(const TriggerData *trigger, const Store *store,
				const TouchedSessions *went, const TouchedSessions *came)
{
	DerivedTable pending;

	open_derived_table(&pending, store, TABLE_PENDING);
	check_idle(store);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		insert_generation(&pending, TABLE_PENDING, MARK_TRUNCATED);
	append_pending(&pending, went);
	append_pending(&pending, came);

	/* From here on, others in this transaction may go by what is pending. */
	end_statement(trigger);
	close_derived_table(&pending);
}

static void
end_activity_statement(const TriggerData *trigger)
{
	TriggerEvent event = trigger->tg_event;
	RowChanges *changes = take_changes(trigger);
	Store		store;
	TouchedSet	left = {0};
	TouchedSet	arrived = {0};
	TouchedSessions went;
	TouchedSessions came;

	find_store_of_trigger(trigger, TABLE_ACTIVITY, TABLE_SESSION, &store);
	if (TRIGGER_FIRED_BY_INSERT(event))
		touch_rows(&arrived, trigger, trigger->tg_newtable);
	else if (TRIGGER_FIRED_BY_UPDATE(event))
		touch_moved_rows(&left, &arrived, trigger);
	else if (TRIGGER_FIRED_BY_DELETE(event))
		touch_rows(&left, trigger, trigger->tg_oldtable);
	if (changes != NULL)
	{
		touch_all_of(&left, &changes->left);
		touch_all_of(&arrived, &changes->came);
		end_row_changes(changes);
	}
	sort_sessions(&left, &went);
	sort_sessions(&arrived, &came);

	note_activities(trigger, &store, &went, &came);
	if (is_replicating())
		return;
	lock_referenced_sessions(trigger->tg_relation, &store, &came);
	fold_by_chance(&store, &came);
}

/*
 * What a trigger does that is fired for a row, or before a statement; false if it is to
 * end one.
 */
static bool
begin_or_check(const TriggerData *trigger, StoreTable table, Datum *result)
{
	const TriggerSet *set = triggers_of(table);
	TriggerEvent event = trigger->tg_event;

	*result = PointerGetDatum(NULL);
	if (TRIGGER_FIRED_FOR_ROW(event))
	{
		if (TRIGGER_FIRED_BEFORE(event))
			*result = PointerGetDatum(check_partition_row(trigger, set));
		else
			note_row(trigger, table);
		return true;
	}

	/* Once for both: the statement's own lock keeps the triggers as they are. */
	if (TRIGGER_FIRED_BEFORE(event) || !has_begun(trigger))
		check_triggers(trigger, set);
	if (!TRIGGER_FIRED_BEFORE(event))
		return false;
	note_lost_rows(trigger->tg_relation, table);
	begin_statement(trigger);
	return true;
}

/*
 * ekran_activity_changed('generation') returns trigger
 *
 * All triggers of activity.  Before a statement: notes that it is in progress.
 * After it: appends to pending where activities came or went, locks the sessions of
 * those that came.  23503 if one doesn't exist; 55000 if the store is broken, or a
 * partition is written to directly.
 */
Datum
ekran_activity_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = get_trigger(fcinfo);
	Datum		result;

	if (!begin_or_check(trigger, TABLE_ACTIVITY, &result))
		end_activity_statement(trigger);
	return result;
}

/*
 * Refuse to leave activities whose session went away under them.
 */
static void
check_no_activity_of(Relation session, const Store *store,
					 const int64 *ids, int count)
{
	Datum		parameters[] = {int8_array(ids, count)};
	Datum		id;

	if (read_row(store, &any_activity_of, parameters, &id))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("session_id " INT64_FORMAT " can't change, activities in table \"%s.activity\" refer to it",
						DatumGetInt64(id), NameStr(store->name)),
				 errdetail("Key (session_id)=(" INT64_FORMAT ") is still referenced from table \"activity\".",
						   DatumGetInt64(id)),
				 errhint("Insert a session with the new session_id, move the activities to it, then delete the old session."),
				 errtable(session)));
	pfree(DatumGetPointer(parameters[0]));
}

static void
check_no_activity(Relation session, const Store *store)
{
	if (run_query(store, &any_activity, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot truncate table \"%s.session\" alone, activities refer to it",
						NameStr(store->name)),
				 errdetail("Table \"activity\" refers to \"session\"."),
				 errhint("Truncate table \"activity\" at the same time."),
				 errtable(session)));
}

/* Activities that go with their partitions. */
static struct
{
	Oid			activity;		/* InvalidOid: none */
	TimestampTz from;
	TimestampTz to;
}			spared;

/*
 * Leave the activities of a table in a range of time where they are when their sessions
 * are deleted, for they are dropped in the same transaction.  Of no table: none.
 */
void
spare_in_cascades(Oid activity, TimestampTz from, TimestampTz to)
{
	spared.activity = activity;
	spared.from = from;
	spared.to = to;
}

/*
 * Append that all of the activities of sessions may have gone: of those that are spared,
 * nobody else tells.
 */
static void
append_whole(const Store *store, const TouchedSessions *sessions)
{
	TouchedSessions whole = *sessions;
	DerivedTable pending;

	whole.first = palloc_extended(whole.count * sizeof(TimestampTz), MCXT_ALLOC_HUGE);
	whole.last = palloc_extended(whole.count * sizeof(TimestampTz), MCXT_ALLOC_HUGE);
	for (int i = 0; i < whole.count; i++)
	{
		TIMESTAMP_NOBEGIN(whole.first[i]);
		TIMESTAMP_NOEND(whole.last[i]);
	}
	open_derived_table(&pending, store, TABLE_PENDING);
	append_pending(&pending, &whole);
	close_derived_table(&pending);
	pfree(whole.first);
	pfree(whole.last);
}

/*
 * Delete the activities of deleted sessions.
 */
static void
cascade(Store *store, const TouchedSessions *sessions)
{
	bool		is_any_spared = spared.activity == store->tables[TABLE_ACTIVITY];
	CallerRights caller = become_owner(store, OWNER_CASCADES);

	if (is_any_spared)
		append_whole(store, sessions);
	for (int i = 0; i < sessions->count; i += SESSION_BATCH)
	{
		Datum		parameters[] = {
			int8_array(sessions->ids + i,
					   Min(SESSION_BATCH, sessions->count - i)),
			TimestampTzGetDatum(spared.from),
			TimestampTzGetDatum(spared.to)
		};

		CHECK_FOR_INTERRUPTS();
		(void) run_query(store, is_any_spared ? &delete_activities_around : &delete_activities,
						 parameters);
		pfree(DatumGetPointer(parameters[0]));
	}
	become_caller(store, caller);
}

/*
 * Append by how much days have changed, and which sessions have, or that all have gone,
 * and end the statement.
 *
 * Errors: 55000 if the derived tables are not as they were made.
 */
static void
note_sessions(const TriggerData *trigger, const Store *store, DayCounts *counts,
			  const TouchedSessions *changed)
{
	bool		is_truncate = TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event);
	DerivedTable table;

	merge_days(counts);
	if (is_truncate || counts->count > 0)
	{
		open_derived_table(&table, store, TABLE_SESSION_COUNT);
		if (is_truncate)
			insert_generation(&table, TABLE_SESSION_COUNT, MARK_TRUNCATED);
		append_counts(&table, counts);
		close_derived_table(&table);
	}
	if (is_truncate || changed->count > 0)
	{
		open_derived_table(&table, store, TABLE_PENDING);
		/* The index knows which sessions run. */
		if (is_truncate)
			insert_generation(&table, TABLE_PENDING, MARK_TRUNCATED);
		append_pending(&table, changed);
		close_derived_table(&table);
	}
	/* From here on, others in this transaction may go by that. */
	end_statement(trigger);
}

/*
 * Refuse what leaves activities of sessions that are no more.
 */
static void
check_activities(Relation session, Store *store, bool is_truncate,
				 const TouchedSessions *renamed)
{
	CallerRights caller = become_owner(store, OWNER_KEEPS);

	if (is_truncate)
		check_no_activity(session, store);
	for (int i = 0; i < renamed->count; i += SESSION_BATCH)
	{
		CHECK_FOR_INTERRUPTS();
		check_no_activity_of(session, store, renamed->ids + i,
							 Min(SESSION_BATCH, renamed->count - i));
	}
	become_caller(store, caller);
}

/*
 * Note what a statement has done to sessions, and do to activities what becomes of
 * them.
 */
static void
end_session_statement(const TriggerData *trigger)
{
	bool		is_truncate = TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event);
	RowChanges *changes = take_changes(trigger);
	TouchedSessions deleted = {0};
	TouchedSessions renamed = {0};
	TouchedSessions changed = {0};
	DayCounts	no_counts = {0};
	Store		store;

	find_store_of_trigger(trigger, TABLE_SESSION, TABLE_ACTIVITY, &store);
	if (changes != NULL)
		sum_up_sessions(changes, &deleted, &renamed, &changed);
	note_sessions(trigger, &store, changes != NULL ? &changes->counts : &no_counts,
				  &changed);

	if (is_replicating())
		is_truncate = false;
	if (deleted.count > 0 || renamed.count > 0 || is_truncate)
	{
		SPI_connect();
		if (deleted.count > 0)
			cascade(&store, &deleted);
		if (renamed.count > 0 || is_truncate)
			check_activities(trigger->tg_relation, &store, is_truncate, &renamed);
		SPI_finish();
	}
	if (changes != NULL && changes->counts.count > 0)
		compact_by_chance(&store);
	if (changes != NULL)
		end_row_changes(changes);
}

/*
 * ekran_session_changed('generation') returns trigger
 *
 * All triggers of session.  Before a statement: notes that it is in progress.  After
 * it: appends to session_count and pending what has changed; deletes the activities of
 * deleted sessions.  23503 if activities refer to a session_id that an UPDATE has
 * changed, 0A000 if a TRUNCATE would leave activities; 55000 if the store is broken,
 * or a partition is written to directly.
 */
Datum
ekran_session_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = get_trigger(fcinfo);
	Datum		result;

	if (!begin_or_check(trigger, TABLE_SESSION, &result))
		end_session_statement(trigger);
	return result;
}
