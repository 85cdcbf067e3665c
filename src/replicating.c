/*-------------------------------------------------------------------------
 *
 * replicating.c
 *	  What comes past the triggers of statements: from another server, or from who passes
 *	  for one by session_replication_role = replica; and what is written to a partition of
 *	  activity by its own name.
 *
 * A logical replication applies its changes row by row, and fires no triggers of
 * statements.  So the rows of session tell of themselves one by one, and those of
 * activity are gathered until their transaction ends: where a statement on the other
 * server told once of a session, so does this.  As long as some are gathered, and
 * wherever the role is that of a replica, readers read activities.
 *
 * What is written to a partition by its own name is gathered likewise, and checked as by a
 * foreign key: a new partition has the row triggers of the whole, and no others.
 *
 * Initial copies, and what a session of that role writes by SQL, are statements, noted
 * as ever.  Nothing is checked in either case, for a foreign key would check nothing,
 * and nothing is deleted along: the other server does that, and sends it.
 *
 * The derived tables are this store's own.  Where all tables are published, their rows
 * come as well, and are left out; and our own writes are so that nothing of them is
 * sent, see derived_table.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "ekran_sessions.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ekran_activity_replicated);
PG_FUNCTION_INFO_V1(ekran_derived_written);

/* Sessions of which activities are gathered before they are told of. */
#define MAX_GATHERED	10000

/* Activities of a store that have come, gone or moved, in this transaction. */
typedef struct GatheredRows
{
	MemoryContext context;		/* of all this */
	Store		store;			/* as it was then */
	List	   *written_to;		/* the table, or partitions */
	bool		is_open;		/* may others of a statement still be to come? */
	TouchedSet	touched;
	SubTransactionId gathered_in;	/* the outermost savepoint that some are
									 * of */
	SubTransactionId appended_in;	/* the one that has told of them, if any */
	struct GatheredRows *next;
} GatheredRows;

static GatheredRows *gathered = NULL;

/*
 * Are changes applied that have been checked and noted somewhere else?
 */
bool
is_replicating(void)
{
	return SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA;
}

/* What whose table is elsewhere is told. */
#define PLACE_HINT \
	"Put a table that was moved or renamed back, or drop the trigger or the table; ekran_create_store() makes what a store needs."

/*
 * Find the store of the table that a trigger's row belongs to, perhaps in a partition of
 * it, and hold its pending until the transaction ends, so that it is still the store's
 * when the row is seen.  Of the table itself, who writes to a partition by its own name
 * holds nothing: to wait for what alters the whole, which waits for its partitions, would
 * be a deadlock.  It may be moved to another store meanwhile, but not be completed there:
 * its triggers are replaced for that, those of the partition too.
 *
 * Errors: 39P01 if it is not that table of a store.
 */
static void
hold_store_of_row(const TriggerData *trigger, StoreTable which, Store *store)
{
	Oid			table = whole_table(trigger->tg_relation);
	Oid			held = InvalidOid;
	bool		is_found;

	/* To wait for it can be to be told that another one is in its place. */
	while ((is_found = load_store(store, get_rel_namespace(table))) &&
		   store->tables[TABLE_PENDING] != held)
	{
		held = store->tables[TABLE_PENDING];
		if (OidIsValid(held))
			LockRelationOid(held, RowExclusiveLock);
	}
	store->generation = trigger_generation(trigger->tg_trigger);

	if (!is_found || store->tables[which] != table ||
		!is_table_of(table, store->owner, true))
		refuse_trigger(trigger,
					   psprintf("The trigger must be fired by rows of a table \"%s\" of a store, with the store's owner.",
								table_names[which]),
					   PLACE_HINT);
}

/*
 * Of rows that come to an empty table, for no statement has asked for that.
 */
static void
note_lost_table(const TriggerData *trigger, StoreTable which)
{
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) &&
		!trigger->tg_relation->rd_rel->relispartition)
		note_lost_rows(trigger->tg_relation, which);
}

static void
append_touched(const Store *store, TouchedSet *set)
{
	TouchedSessions sessions;
	DerivedTable pending;

	sort_sessions(set, &sessions);
	if (sessions.count == 0)
		return;
	open_derived_table(&pending, store, TABLE_PENDING);
	append_pending(&pending, &sessions);
	close_derived_table(&pending);
}

/*
 * Are there rows that have been gathered, and not appended?
 */
bool
has_gathered(void)
{
	for (GatheredRows *rows = gathered; rows != NULL; rows = rows->next)
		if (rows->appended_in == InvalidSubTransactionId)
			return true;
	return false;
}

/*
 * What has been gathered of a store, as it is, and appended in some savepoint or in none.
 */
static GatheredRows *
find_gathered(const Store *store, SubTransactionId appended_in)
{
	GatheredRows *rows = gathered;

	while (rows != NULL &&
		   (rows->appended_in != appended_in ||
			rows->store.tables[TABLE_ACTIVITY] != store->tables[TABLE_ACTIVITY] ||
			rows->store.tables[TABLE_PENDING] != store->tables[TABLE_PENDING]))
		rows = rows->next;
	return rows;
}

static void
forget_gathered(GatheredRows **link)
{
	GatheredRows *rows = *link;

	Assert(rows != NULL);
	*link = rows->next;
	MemoryContextDelete(rows->context);
}

/*
 * The generation that is told where rows have been written to: false where none of it is
 * a part of activity any more, for then there is nothing to tell.  Not the one of then,
 * for this transaction may have made the triggers anew.  What savepoints have written
 * to that were taken back, we hold no lock on, and must not wait for.
 */
static bool
find_generation_written_to(const GatheredRows *rows, char *generation)
{
	bool		is_found = false;
	ListCell   *cell;

	foreach(cell, rows->written_to)
	{
		Relation	part = holds_lock(lfirst_oid(cell), RowExclusiveLock) ?
			try_table_open(lfirst_oid(cell), AccessShareLock) : NULL;

		if (part == NULL)
			continue;
		is_found = whole_table(part) == rows->store.tables[TABLE_ACTIVITY] &&
			find_told_generation(part, generation);
		table_close(part, NoLock);
		if (is_found)
			break;
	}
	return is_found;
}

/*
 * Append what has been gathered to the table pending of the store that the activities
 * are in: this transaction may have moved it since, and others may have made it, if there
 * was none.  Where there is none, to the one that there was, wherever it is, for it may
 * be put back.
 *
 * Errors: 55000 if that is not as it was made, or not there.
 */
static void
append_gathered_rows(GatheredRows *rows)
{
	Oid			activity = rows->store.tables[TABLE_ACTIVITY];
	char		generation[GENERATION_SIZE];
	Oid			schema;
	Store		store;

	AcceptInvalidationMessages();
	schema = get_rel_namespace(activity);
	/* With them gone, so is what there was to tell. */
	if (!OidIsValid(schema))
		return;
	if (!load_store(&store, schema) || store.tables[TABLE_ACTIVITY] != activity ||
		!OidIsValid(store.tables[TABLE_PENDING]))
	{
		store = rows->store;
		schema = get_rel_namespace(store.tables[TABLE_PENDING]);
		if (OidIsValid(schema))
			store.schema = schema;
	}
	if (find_generation_written_to(rows, generation))
		store.generation = generation;
	append_touched(&store, &rows->touched);
}

static void
note_written_to(GatheredRows *rows, Oid table)
{
	MemoryContext caller_context = MemoryContextSwitchTo(rows->context);

	rows->written_to = list_append_unique_oid(rows->written_to, table);
	MemoryContextSwitchTo(caller_context);
}

static void
merge_gathered(GatheredRows *rows, const GatheredRows *others)
{
	ListCell   *cell;

	foreach(cell, others->written_to)
		note_written_to(rows, lfirst_oid(cell));
	touch_all_of(&rows->touched, &others->touched);
	rows->gathered_in = Min(rows->gathered_in, others->gathered_in);
}

static GatheredRows *
begin_gathering(const Store *store)
{
	MemoryContext context = AllocSetContextCreate(TopTransactionContext,
												  "ekran_sessions gathered rows",
												  ALLOCSET_SMALL_SIZES);
	GatheredRows *rows = MemoryContextAllocZero(context, sizeof(GatheredRows));

	rows->context = context;
	rows->store = *store;
	rows->store.generation = NULL;
	rows->touched.context = context;
	rows->gathered_in = GetCurrentSubTransactionId();
	rows->next = gathered;
	gathered = rows;
	return rows;
}

/*
 * Go on to gather where rows have been appended.
 */
static void
reopen(GatheredRows *appended)
{
	GatheredRows *rows = begin_gathering(&appended->store);
	ListCell   *cell;

	foreach(cell, appended->written_to)
		note_written_to(rows, lfirst_oid(cell));
	rows->is_open = true;
}

/*
 * Append what has been gathered.  What a savepoint has taken back of it does no harm.
 * But a savepoint may take back what is appended under it, and not all that was gathered
 * before, which is kept for that: once for a store and savepoint.  Where a statement may
 * have written rows that have not been gathered yet, there is still where to.
 *
 * Errors: 55000 if the derived tables are not as they were made.
 */
void
append_gathered(void)
{
	GatheredRows **link = &gathered;

	while (*link != NULL)
	{
		GatheredRows *rows = *link;
		GatheredRows *others;

		if (rows->appended_in == InvalidSubTransactionId)
		{
			if (rows->is_open && count_touched(&rows->touched) == 0)
			{
				link = &rows->next;
				continue;
			}
			append_gathered_rows(rows);
			rows->appended_in = GetCurrentSubTransactionId();
			if (rows->is_open)
				reopen(rows);
			/* What is new comes first. */
			if (*link != rows)
				link = &(*link)->next;
		}
		others = find_gathered(&rows->store, rows->appended_in);
		if (others != rows)
			merge_gathered(others, rows);
		if (others != rows || rows->appended_in == TopSubTransactionId)
			forget_gathered(link);
		else
			link = &rows->next;
	}
}

/*
 * Where to gather activities of a store, of a table or partition of it.
 */
static GatheredRows *
open_gathered(const Store *store, Oid written_to)
{
	GatheredRows *rows = find_gathered(store, InvalidSubTransactionId);

	if (rows == NULL)
		rows = begin_gathering(store);
	note_written_to(rows, written_to);
	return rows;
}

/*
 * Where those of a partition are gathered by now, or NULL.  It may have been a part of
 * another table then.
 */
static GatheredRows *
find_opened(Relation partition)
{
	Oid			whole = whole_table(partition);

	for (GatheredRows *rows = gathered; rows != NULL; rows = rows->next)
		if (rows->appended_in == InvalidSubTransactionId &&
			rows->store.tables[TABLE_ACTIVITY] == whole &&
			list_member_oid(rows->written_to, RelationGetRelid(partition)))
			return rows;
	return NULL;
}

static void
gather(GatheredRows *rows, const TouchedSet *left, const TouchedSet *came)
{
	touch_all_of(&rows->touched, left);
	touch_all_of(&rows->touched, came);
	if (count_touched(&rows->touched) >= MAX_GATHERED &&
		GetCurrentSubTransactionId() == TopSubTransactionId)
		append_gathered();
}

static void
end_transaction(XactEvent event, void *arg)
{
	(void) arg;
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
	{
		if (gathered == NULL)
			return;
		/* The server wants one for whoever writes, and has none by now. */
		PushActiveSnapshot(GetTransactionSnapshot());
		append_gathered();
		PopActiveSnapshot();
	}
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
			 event == XACT_EVENT_PREPARE)
		gathered = NULL;
}

static void
end_savepoint(SubXactEvent event, SubTransactionId savepoint,
			  SubTransactionId parent, void *arg)
{
	bool		is_taken_back = event == SUBXACT_EVENT_ABORT_SUB;
	GatheredRows **link = &gathered;

	(void) arg;
	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	while (*link != NULL)
	{
		GatheredRows *rows = *link;
		bool		is_void = rows->gathered_in == savepoint && is_taken_back;

		if (rows->gathered_in == savepoint)
			rows->gathered_in = parent;
		if (rows->appended_in == savepoint)
			rows->appended_in = is_taken_back ? InvalidSubTransactionId : parent;
		if (is_void || rows->appended_in == TopSubTransactionId)
			forget_gathered(link);
		else
			link = &rows->next;
	}
}

void
watch_replication(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_savepoint, NULL);
}

/*
 * Note a row of session that came, went or was updated by itself.
 *
 * Errors: 55000 if the derived tables are not as they were made.
 */
void
note_replicated_session(const TriggerData *trigger)
{
	RowChanges *changes = begin_row_changes(CurrentMemoryContext);
	Store		store;
	DerivedTable table;

	hold_store_of_row(trigger, TABLE_SESSION, &store);
	note_lost_table(trigger, TABLE_SESSION);
	note_session_row(changes, trigger, false);
	merge_days(&changes->counts);
	if (changes->counts.count > 0)
	{
		open_derived_table(&table, &store, TABLE_SESSION_COUNT);
		append_counts(&table, &changes->counts);
		close_derived_table(&table);
	}
	append_touched(&store, &changes->changed);
	end_row_changes(changes);
}

/*
 * Refuse to be called otherwise than by a trigger of ours.
 *
 * Errors: 39P01.
 */
static const TriggerData *
get_trigger(FunctionCallInfo fcinfo, bool is_after)
{
	const TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		TRIGGER_FIRED_AFTER(trigger->tg_event) != is_after ||
		(is_after && !TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) ||
		TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function of ekran_sessions was not called by a trigger as ekran_create_store() makes it"),
				 errhint("ekran_create_store() makes the triggers that call it.")));
	return trigger;
}

/*
 * Before the first row that this transaction writes to a partition of activity by its own
 * name, outside of a statement on the whole: see that it can be noted.  From here on, the
 * transaction reads activities, for rows are there before they are gathered.
 *
 * Errors: 39P01 if it is no store's, 55000 if the derived tables or the partition's
 * triggers are not as they were made.
 */
void
begin_alone(const TriggerData *trigger)
{
	Relation	partition = trigger->tg_relation;
	GatheredRows *rows;
	const char *fault;
	DerivedTable pending;
	Store		store;

	rows = find_opened(partition);
	if (rows != NULL && rows->is_open)
		return;
	hold_store_of_row(trigger, TABLE_ACTIVITY, &store);
	fault = is_guarded(store.generation) ?
		guards_fault_of_piece(partition, TABLE_ACTIVITY, store.generation) :
		psprintf("an older version has made the triggers of partition \"%s\"",
				 RelationGetRelationName(partition));
	if (fault != NULL)
		refuse_broken(&store, fault);
	open_derived_table(&pending, &store, TABLE_PENDING);
	close_derived_table(&pending);
	check_idle(&store);
	note_lost_rows_of_whole(partition, &store);
	rows = open_gathered(&store, RelationGetRelid(partition));
	rows->is_open = true;
}

/*
 * Note a row of activity that came, went or was updated by itself: by a replication, in a
 * partition by its own name, or there after the statement in whose midst it was written,
 * when that has told of its own already.  What comes otherwise than by a replication is
 * checked for its session too.
 *
 * Errors: 39P01 if it is no store's, 55000 if the derived tables are not as they were
 * made, 23503 if its session doesn't exist.
 */
void
note_activity_alone(const TriggerData *trigger)
{
	RowChanges *changes = begin_row_changes(CurrentMemoryContext);
	Oid			written_to = RelationGetRelid(trigger->tg_relation);
	GatheredRows *rows = is_replicating() ? NULL : find_opened(trigger->tg_relation);

	note_piece_row(changes, trigger);
	if (rows == NULL)
	{
		Store		store;

		hold_store_of_row(trigger, TABLE_ACTIVITY, &store);
		note_lost_table(trigger, TABLE_ACTIVITY);
		if (count_touched(&changes->left) + count_touched(&changes->came) > 0)
			rows = open_gathered(&store, written_to);
	}
	if (rows != NULL)
	{
		if (!is_replicating())
		{
			TouchedSessions came;

			sort_sessions(&changes->came, &came);
			lock_referenced_sessions(trigger->tg_relation, &rows->store, &came);
		}
		gather(rows, &changes->left, &changes->came);
	}
	end_row_changes(changes);
}

/*
 * ekran_activity_replicated() returns trigger
 *
 * After each row of activity, or of a partition: sees that pending is told where an
 * activity came or went by itself, in a session whose replication role is replica, and
 * which ones are changed in a partition.  Errors: 39P01 where it is not attached as
 * ekran_create_store() does, 55000 if the derived tables are not as they were made,
 * 23503 as a foreign key.
 */
Datum
ekran_activity_replicated(PG_FUNCTION_ARGS)
{
	const TriggerData *trigger = get_trigger(fcinfo, true);
	RowChanges *changes = changes_of_statement(trigger);

	/*
	 * Whatever the role is by now: it may have been another one when the row
	 * was written.
	 */
	if (changes == NULL)
		note_activity_alone(trigger);
	else if (trigger->tg_relation->rd_rel->relispartition &&
			 TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		note_piece_row(changes, trigger);
	/* Of the rest the statement tells itself, or trigger ekran_moved. */
	return PointerGetDatum(NULL);
}

/*
 * Let a derived table be trusted no more, once for a command.  Each of its rows asks for
 * it, since the role may have been another one when the statement began.
 */
static void
mark_once(const Store *store, StoreTable which)
{
	static Oid	marked_table = InvalidOid;
	static TransactionId marked_in = InvalidTransactionId;
	static CommandId marked_by = InvalidCommandId;
	TransactionId transaction = GetTopTransactionId();
	CommandId	command = GetCurrentCommandId(true);

	if (marked_table == store->tables[which] && marked_in == transaction &&
		marked_by == command)
		return;
	mark_loss(store, which, MARK_WRITTEN);
	marked_table = store->tables[which];
	marked_in = transaction;
	marked_by = command;
}

/*
 * ekran_derived_written() returns trigger
 *
 * Before a statement on a derived table, or a row of one: lets it be trusted no more,
 * until it is made anew, or leaves the row out, in a session whose replication role is
 * replica.  Errors: 39P01 where it is not attached as ekran_create_store() does, 55000 if
 * the table is not as it was made.
 */
Datum
ekran_derived_written(PG_FUNCTION_ARGS)
{
	const TriggerData *trigger = get_trigger(fcinfo, false);
	StoreTable	which = TABLE_SESSION_IDLE;
	Store		store;

	/* By another name it would be written to unnoted. */
	if (!load_store(&store, RelationGetNamespace(trigger->tg_relation)))
		which = NUM_STORE_TABLES;
	while (which < NUM_STORE_TABLES &&
		   store.tables[which] != RelationGetRelid(trigger->tg_relation))
		which++;
	if (which == NUM_STORE_TABLES)
		refuse_trigger(trigger, "The trigger must be fired on a derived table of a store, in its place and by its name.",
					   PLACE_HINT);

	if (is_replicating())
		return PointerGetDatum(NULL);
	mark_once(&store, which);
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		return PointerGetDatum(NULL);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
						   trigger->tg_newtuple : trigger->tg_trigtuple);
}
