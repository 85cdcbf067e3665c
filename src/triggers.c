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

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ekran_activity_trigger);
PG_FUNCTION_INFO_V1(ekran_session_trigger);

/* New rows of pending: sessions ($1) and their ranges ($2, $3). */
#define ADD_PENDING \
	"INSERT INTO @store@.pending (session_id, first_moment, last_moment)" \
	" SELECT s.session_id, n.first_moment, n.last_moment" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))" \
	"   AS n (session_id, first_moment, last_moment)" \
	" JOIN @store@.session s ON s.session_id OPERATOR(pg_catalog.=) n.session_id"

static const StoreQuery add_pending = {
	.sql = ADD_PENDING,
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

static const StoreQuery lock_sessions_add_pending = {
	.sql = ADD_PENDING " FOR KEY SHARE OF s",
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

/* For one session, which every planner finds by its key. */
static const StoreQuery lock_session_add_pending = {
	.sql = "INSERT INTO @store@.pending (session_id, first_moment, last_moment)"
	" SELECT s.session_id, $2, $3 FROM @store@.session s"
	" WHERE s.session_id OPERATOR(pg_catalog.=) $1"
	" FOR KEY SHARE OF s",
	.parameters = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

static const StoreQuery add_pending_of_all = {
	.sql = "INSERT INTO @store@.pending (session_id, first_moment, last_moment)"
	" SELECT i.session_id, '-infinity'::pg_catalog.timestamptz, 'infinity'::pg_catalog.timestamptz"
	" FROM @store@.session_idle i",
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_EACH_TIME
};

/* The lock a foreign key takes: no session goes while activities come. */
static const StoreQuery lock_sessions = {
	.sql = "SELECT s.session_id FROM @store@.session s"
	" WHERE s.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	" FOR KEY SHARE OF s",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID}},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

static const StoreQuery delete_activities = {
	.sql = "DELETE FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {INT8ARRAYOID},
	.mode = QUERY_WRITES_CHECKED,
	.plan_options = PLAN_ONCE
};

static const StoreQuery any_activity_of = {
	.sql = "SELECT a.session_id FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	" LIMIT 1",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID}},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

static const StoreQuery any_activity = {
	.sql = "SELECT a.session_id FROM @store@.activity a LIMIT 1",
	.columns = {{INT8OID, NULLABLE}},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

/*
 * Check that a trigger function was fired as ekran_create_store() made it, and
 * find its store.
 *
 * The other table must be an ordinary one of the same owner: the function
 * goes to it with the owner's rights, and what somebody else has planted
 * there (a view, a trigger, a policy) would run with them.
 *
 * Errors: 39P01 if called otherwise, 55000 if the store is not whole.
 */
static TriggerData *
check_trigger_call(FunctionCallInfo fcinfo, StoreTable table,
				   StoreTable other_table, Store *store)
{
	const char *name = table == TABLE_SESSION ? "session" : "activity";
	const char *other_name = table == TABLE_SESSION ? "activity" : "session";
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	relation;
	bool		is_found;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function of ekran_sessions was not called by a trigger"),
				 errhint("ekran_create_store() makes the triggers that call it.")));

	relation = trigger->tg_relation;
	is_found = load_store(store, RelationGetNamespace(relation));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		store->tables[table] != RelationGetRelid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" is not as ekran_create_store() makes it",
						trigger->tg_trigger->tgname,
						RelationGetRelationName(relation)),
				 errdetail("The trigger must be fired after each statement on a table \"%s\".",
						   name),
				 errhint("Drop the trigger; ekran_create_store() makes those that a store needs.")));

	if (!is_found ||
		!is_table_of(store->tables[other_table], relation->rd_rel->relowner, true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" must be a table in schema \"%s\" with the owner of table \"%s\"",
						other_name, NameStr(store->name), name),
				 errdetail("Both are tables of one store, kept together with their owner's rights."),
				 errhint("Give both tables the same owner, or complete the store with ekran_create_store().")));
	return trigger;
}

/*
 * Lock those of some sessions that exist, and list them.
 */
void
lock_existing_sessions(const Store *store, const int64 *ids, int count,
					   Rows *rows)
{
	Datum		parameters[] = {int8_array(ids, count)};

	begin_rows(rows, store, &lock_sessions, parameters);
	pfree(DatumGetPointer(parameters[0]));
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

/*
 * Lock sessions; refuse activities of those that don't exist.  The ids ascend.
 */
static void
check_sessions_exist(Relation activity, const Store *store,
					 const int64 *ids, int count)
{
	bool	   *exists = palloc0(count * sizeof(bool));
	Rows		rows;

	lock_existing_sessions(store, ids, count, &rows);
	while (next_row(&rows))
	{
		int64		id = DatumGetInt64(rows.values[0]);
		const int64 *found = bsearch(&id, ids, count, sizeof(int64),
									 compare_ids);

		if (found != NULL)
			exists[found - ids] = true;
	}
	end_rows(&rows);

	for (int i = 0; i < count; i++)
	{
		if (exists[i])
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("activity refers to session " INT64_FORMAT ", which is not in table \"%s.session\"",
						ids[i], NameStr(store->name)),
				 errdetail("Key (session_id)=(" INT64_FORMAT ") is not present in table \"session\".",
						   ids[i]),
				 errhint("Insert the session before its activities."),
				 errtable(activity)));
	}
	pfree(exists);
}

/*
 * Append to pending what moments of a batch of sessions have changed.
 *
 * For new activities, lock their sessions in the same go, and refuse those of
 * sessions that don't exist.
 */
static void
append_pending(Relation activity, const Store *store, bool are_new,
			   const TouchedSessions *sessions, int from, int count)
{
	uint64		appended;

	if (are_new && count == 1)
	{
		Datum		parameters[] = {
			Int64GetDatum(sessions->ids[from]),
			TimestampTzGetDatum(sessions->first[from]),
			TimestampTzGetDatum(sessions->last[from])
		};

		appended = run_query(store, &lock_session_add_pending, parameters);
	}
	else
	{
		Datum		parameters[] = {
			int8_array(sessions->ids + from, count),
			timestamptz_array(sessions->first + from, count),
			timestamptz_array(sessions->last + from, count)
		};

		appended = run_query(store,
							 are_new ? &lock_sessions_add_pending : &add_pending,
							 parameters);
		for (size_t i = 0; i < lengthof(parameters); i++)
			pfree(DatumGetPointer(parameters[i]));
	}
	if (are_new && appended < (uint64) count)
		check_sessions_exist(activity, store, sessions->ids + from, count);
}

/*
 * Note where activities came or went; check the sessions of those that came.
 */
static void
note_activities(Relation activity, const Store *store,
				const TouchedSessions *sessions, bool are_new)
{
	for (int i = 0; i < sessions->count; i += SESSION_BATCH)
	{
		int			count = Min(SESSION_BATCH, sessions->count - i);

		CHECK_FOR_INTERRUPTS();
		if (store->has_index)
			append_pending(activity, store, are_new, sessions, i, count);
		else if (are_new)
			check_sessions_exist(activity, store, sessions->ids + i, count);
	}
	if (are_new && store->has_index)
		fold_by_chance(store, sessions);
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
	Store		store;
	TriggerData *trigger = check_trigger_call(fcinfo, TABLE_ACTIVITY,
											  TABLE_SESSION, &store);
	TriggerEvent event = trigger->tg_event;
	Relation	activity = trigger->tg_relation;
	TouchedSessions came = {0};
	TouchedSessions went = {0};
	CallerRights caller;

	SPI_connect();
	if (TRIGGER_FIRED_BY_INSERT(event))
		came = touched_activities(trigger, trigger->tg_newtable);
	else if (TRIGGER_FIRED_BY_UPDATE(event))
		moved_activities(trigger, &went, &came);
	else if (TRIGGER_FIRED_BY_DELETE(event))
		went = touched_activities(trigger, trigger->tg_oldtable);

	caller = become_owner(&store, OWNER_KEEPS);
	if (TRIGGER_FIRED_BY_TRUNCATE(event) && store.has_index)
		(void) run_query(&store, &add_pending_of_all, NULL);
	note_activities(activity, &store, &went, false);
	note_activities(activity, &store, &came, true);
	become_caller(&store, caller);

	SPI_finish();
	return PointerGetDatum(NULL);
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

/*
 * Delete the activities of deleted sessions.
 */
static void
cascade(Store *store, const TouchedSessions *sessions)
{
	CallerRights caller = become_owner(store, OWNER_CASCADES);

	for (int i = 0; i < sessions->count; i += SESSION_BATCH)
	{
		Datum		parameters[] = {
			int8_array(sessions->ids + i,
					   Min(SESSION_BATCH, sessions->count - i))
		};

		CHECK_FOR_INTERRUPTS();
		(void) run_query(store, &delete_activities, parameters);
		pfree(DatumGetPointer(parameters[0]));
	}
	become_caller(store, caller);
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
	Store		store;
	TriggerData *trigger = check_trigger_call(fcinfo, TABLE_SESSION,
											  TABLE_ACTIVITY, &store);
	TriggerEvent event = trigger->tg_event;
	Relation	session = trigger->tg_relation;
	TouchedSessions came = {0};
	TouchedSessions went = {0};
	CallerRights caller;

	SPI_connect();
	if (TRIGGER_FIRED_BY_INSERT(event) || TRIGGER_FIRED_BY_UPDATE(event))
		came = touched_sessions(trigger, trigger->tg_newtable,
								trigger->tg_oldtable);
	if (TRIGGER_FIRED_BY_DELETE(event) || TRIGGER_FIRED_BY_UPDATE(event))
		went = touched_sessions(trigger, trigger->tg_oldtable,
								trigger->tg_newtable);
	if (TRIGGER_FIRED_BY_DELETE(event))
		cascade(&store, &went);

	caller = become_owner(&store, OWNER_KEEPS);
	if (TRIGGER_FIRED_BY_TRUNCATE(event))
	{
		check_no_activity(session, &store);
		if (store.has_index)
			(void) run_query(&store, &add_pending_of_all, NULL);
	}
	for (int i = 0; i < went.count; i += SESSION_BATCH)
	{
		int			count = Min(SESSION_BATCH, went.count - i);

		CHECK_FOR_INTERRUPTS();
		if (TRIGGER_FIRED_BY_UPDATE(event))
			check_no_activity_of(session, &store, went.ids + i, count);
		if (store.has_index)
			forget_sessions(&store, went.ids + i, count);
	}
	for (int i = 0; store.has_index && i < came.count; i += SESSION_BATCH)
	{
		CHECK_FOR_INTERRUPTS();
		add_idle_rows(&store, came.ids + i,
					  Min(SESSION_BATCH, came.count - i));
	}
	become_caller(&store, caller);

	SPI_finish();
	return PointerGetDatum(NULL);
}
