/*-------------------------------------------------------------------------
 *
 * trigger_sets.c
 *	  The triggers that note what is written to activity and session: which they
 *	  are, and whether a table has them.
 *
 * All those of a store have the same argument, the generation.  It is new whenever
 * one of them is, or a derived table, so it stands for one unbroken time in which all
 * were there.
 *
 * They are fired also where another server's changes come, or a session passes itself
 * off as one that applies them, by session_replication_role.  A logical replication
 * fires those for rows alone: activity has one more for that, which is fired nowhere
 * else.  And the derived tables have some that let nobody else write to them unnoted.
 * These further ones are asked of stores whose generation says that they were made with
 * them.  Writers go on without; readers and folds don't, for nobody knows what has come
 * unnoted: ALTER TABLE ... ENABLE TRIGGER ALL, after triggers were disabled for a
 * restore, turns them into ordinary ones, and so tells.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "ekran_sessions.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/*
 * Two of each are never fired.  Since one names the columns that the derived tables
 * are made from, the server refuses to give these another type, which would rewrite
 * their values unnoted.  Since the other is a row's and has a transition table, the
 * server refuses to make the table a partition or a child.  It takes no such trigger on
 * a partitioned table, whose rows have one that sees to that.
 */
#define BEGIN_TRIGGER(what) \
	{"ekran_begin", TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | \
		TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE, \
		"BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE", "STATEMENT", NULL, NULL, false, false, false, \
		TRIGGER_FIRES_ALWAYS, \
	"Notes that a statement begins, whose " what " the derived tables do not know until it ends."}

#define TYPES_TRIGGER(columns) \
	{"ekran_types", TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE, \
		"AFTER UPDATE", "ROW", columns, " WHEN (false)", false, false, false, \
		TRIGGER_FIRES_ON_ORIGIN, \
	"Never fired: keeps these columns from getting another type, which would change them unnoted."}

#define ALONE_TRIGGER \
	{"ekran_alone", TRIGGER_TYPE_ROW | TRIGGER_TYPE_DELETE, \
		"AFTER DELETE", "ROW", NULL, " WHEN (false)", true, false, false, \
		TRIGGER_FIRES_ON_ORIGIN, \
	"Never fired: keeps the table from becoming a part of another one, by whose name it would be written to unnoted."}

#define PARTITION_TRIGGER \
	{"ekran_partition", TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | \
		TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE, \
		"BEFORE INSERT OR UPDATE OR DELETE", "ROW", NULL, NULL, false, false, true, \
		TRIGGER_FIRES_ON_ORIGIN, \
	"Refuses what is written to a partition directly (55000), which would go unnoted."}

static const StoreTrigger activity_triggers[] = {
	BEGIN_TRIGGER("activities"),
	{"ekran_insert", TRIGGER_TYPE_INSERT,
		"AFTER INSERT", "STATEMENT", NULL, NULL, false, true, false, TRIGGER_FIRES_ALWAYS,
	"Refuses activities of unknown sessions (23503), and keeps the idle-gap index."},
	{"ekran_update", TRIGGER_TYPE_UPDATE,
		"AFTER UPDATE", "STATEMENT", NULL, NULL, true, true, false, TRIGGER_FIRES_ALWAYS,
	"Refuses activities of unknown sessions (23503), and keeps the idle-gap index."},
	{"ekran_delete", TRIGGER_TYPE_DELETE,
		"AFTER DELETE", "STATEMENT", NULL, NULL, true, false, false, TRIGGER_FIRES_ALWAYS,
	"Keeps the idle-gap index."},
	{"ekran_truncate", TRIGGER_TYPE_TRUNCATE,
		"AFTER TRUNCATE", "STATEMENT", NULL, NULL, false, false, false, TRIGGER_FIRES_ALWAYS,
	"Keeps the idle-gap index."},
	TYPES_TRIGGER(" OF session_id, activity_date"),
	ALONE_TRIGGER,
	PARTITION_TRIGGER,
	{"ekran_moved", TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_DELETE,
		"AFTER INSERT OR DELETE", "ROW", NULL, NULL, false, false, true, TRIGGER_FIRES_ALWAYS,
	"Notes activities that come to a partition, or leave it."},
};

/*
 * Those after an UPDATE or DELETE have a transition table, which they don't look at.
 * Where keys act in several rounds, each with rows of its own, the server tells of each
 * round's beginning only if the one before has been given such a table.
 */
static const StoreTrigger session_triggers[] = {
	BEGIN_TRIGGER("sessions"),
	{"ekran_row", TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
		TRIGGER_TYPE_DELETE,
		"AFTER INSERT OR UPDATE OR DELETE", "ROW", NULL, NULL, false, false, false, TRIGGER_FIRES_ALWAYS,
	"Notes which sessions a statement changes."},
	{"ekran_insert", TRIGGER_TYPE_INSERT,
		"AFTER INSERT", "STATEMENT", NULL, NULL, false, false, false, TRIGGER_FIRES_ALWAYS,
	"Keeps the counts of sessions."},
	{"ekran_update", TRIGGER_TYPE_UPDATE,
		"AFTER UPDATE", "STATEMENT", NULL, NULL, true, false, false, TRIGGER_FIRES_ALWAYS,
	"Refuses a new session_id where activities refer to the old one (23503), and keeps the derived tables."},
	{"ekran_delete", TRIGGER_TYPE_DELETE,
		"AFTER DELETE", "STATEMENT", NULL, NULL, true, false, false, TRIGGER_FIRES_ALWAYS,
	"Deletes the activities of deleted sessions, and keeps the counts of sessions."},
	{"ekran_truncate", TRIGGER_TYPE_TRUNCATE,
		"AFTER TRUNCATE", "STATEMENT", NULL, NULL, false, false, false, TRIGGER_FIRES_ALWAYS,
	"Refuses to truncate sessions whose activities stay (0A000), and keeps the counts of sessions."},
	TYPES_TRIGGER(" OF session_id, login_date, logout_date"),
	ALONE_TRIGGER,
	PARTITION_TRIGGER,
};

static const StoreTrigger activity_guards[] = {
	{"ekran_replicated", TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
		TRIGGER_TYPE_DELETE,
		"AFTER INSERT OR UPDATE OR DELETE", "ROW", NULL, NULL, false, false, false, TRIGGER_FIRES_ON_REPLICA,
	"Notes activities that a logical replication brings, changes or takes."},
	{"ekran_changed", TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE,
		"AFTER UPDATE", "ROW", NULL, NULL, false, false, true, TRIGGER_FIRES_ALWAYS,
	"Notes activities that are changed in a partition, in the midst of another statement."},
};

#define DERIVED_GUARDS(columns) \
	{"ekran_written", TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | \
		TRIGGER_TYPE_DELETE, \
		"BEFORE INSERT OR UPDATE OR DELETE", "STATEMENT", NULL, NULL, false, false, false, \
		TRIGGER_FIRES_ON_ORIGIN, \
	"Notes that somebody else than ekran_sessions writes to the table, so that it is made anew."}, \
	{"ekran_replicated", TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | \
		TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE, \
		"BEFORE INSERT OR UPDATE OR DELETE", "ROW", NULL, NULL, false, false, false, \
		TRIGGER_FIRES_ALWAYS, \
	"Leaves out what a logical replication brings: that is another store's."}, \
	TYPES_TRIGGER(columns), \
	ALONE_TRIGGER

static const StoreTrigger idle_guards[] = {
	DERIVED_GUARDS(" OF session_id, gap_start, gap_end, reach, generation"),
};

static const StoreTrigger pending_guards[] = {
	DERIVED_GUARDS(" OF session_id, first_moment, last_moment, generation"),
};

static const StoreTrigger count_guards[] = {
	DERIVED_GUARDS(" OF day, sessions, generation"),
};

const TriggerSet trigger_sets[NUM_TRIGGER_SETS] = {
	{TABLE_SESSION, "ekran_session_changed", {"session_id", "login_date", "logout_date"},
	session_triggers, lengthof(session_triggers)},
	{TABLE_ACTIVITY, "ekran_activity_changed", {"session_id", "activity_date"},
	activity_triggers, lengthof(activity_triggers)},
};

const TriggerSet guard_sets[NUM_GUARD_SETS] = {
	{TABLE_ACTIVITY, "ekran_activity_replicated", {NULL},
	activity_guards, lengthof(activity_guards)},
	{TABLE_SESSION_IDLE, "ekran_derived_written", {NULL},
	idle_guards, lengthof(idle_guards)},
	{TABLE_PENDING, "ekran_derived_written", {NULL},
	pending_guards, lengthof(pending_guards)},
	{TABLE_SESSION_COUNT, "ekran_derived_written", {NULL},
	count_guards, lengthof(count_guards)},
};

/*
 * The triggers that a table of a store has; there are some of session and activity.
 */
const TriggerSet *
triggers_of(StoreTable table)
{
	for (int i = 0; i < NUM_TRIGGER_SETS; i++)
		if (trigger_sets[i].table == table)
			return &trigger_sets[i];
	elog(ERROR, "table \"%s\" has no triggers", table_names[table]);
}

/*
 * The table that one is a partition of, and whether it is on its way out of it, by
 * DETACH CONCURRENTLY; InvalidOid if it is none, as others may make it at any moment.
 */
static Oid
parent_of(Oid partition, bool *is_leaving)
{
	Relation	inherits;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	Oid			parent = InvalidOid;

	if (!get_rel_relispartition(partition))
		return InvalidOid;
	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(partition));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		parent = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent;
		*is_leaving |= ((Form_pg_inherits) GETSTRUCT(tuple))->inhdetachpending;
	}
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return parent;
}

/*
 * The table that a relation is a partition of, at the top; itself if it is none.
 *
 * Row triggers ask for each row, so the last answer is kept while no table changes.
 */
Oid
whole_table(Relation relation)
{
	static Oid	known_partition = InvalidOid;
	static Oid	known_whole = InvalidOid;
	static uint64 known_at = 0;
	Oid			oid = RelationGetRelid(relation);
	Oid			whole = oid;
	Oid			parent;
	uint64		changes;
	bool		is_leaving = false;

	if (!relation->rd_rel->relispartition)
		return oid;
	if (known_partition == oid && known_at == changes_of_tables())
		return known_whole;
	changes = changes_of_tables();

	/*
	 * One that is being detached concurrently is still written to by way of
	 * the whole, under snapshots from before.
	 */
	while (OidIsValid(parent = parent_of(whole, &is_leaving)))
		whole = parent;
	known_partition = oid;
	known_whole = whole;
	known_at = changes;
	return whole;
}

/*
 * A table and its partitions, at all levels.  Nobody waits for their locks, so they may
 * be gone by the time that they are looked at.
 */
List *
pieces_without_locks(Oid table)
{
	List	   *pieces = list_make1_oid(table);
	ListCell   *cell;

	/* Grows while it is gone through. */
	foreach(cell, pieces)
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_PARTITIONED_TABLE)
			pieces = list_concat(pieces, find_inheritance_children(lfirst_oid(cell), NoLock));
	}
	return pieces;
}

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

/*
 * Find a trigger that is fired when the wanted one is, and sees what that does.
 */
static const Trigger *
find_trigger(const TriggerDesc *triggers, const StoreTrigger *wanted,
			 Oid function)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == function &&
			trigger->tgtype == wanted->type &&
			!trigger->tgdeferrable && !OidIsValid(trigger->tgconstraint) &&
			(trigger->tgnattr > 0) == (wanted->columns != NULL) &&
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
is_wanted(const StoreTrigger *trigger, char kind)
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
 * Does a trigger name the columns that derived data is made from?  Their names may have
 * gone to others since.
 */
static bool
names_columns(const TriggerSet *set, Relation table, const Trigger *trigger)
{
	int			count = 0;

	while (count < MAX_NAMED_COLUMNS && set->columns[count] != NULL)
	{
		if (count >= trigger->tgnattr ||
			trigger->tgattr[count] != column_number(table, set->columns[count]))
			return false;
		count++;
	}
	return trigger->tgnattr == count;
}

/*
 * What is wrong with the triggers of a table, or NULL: all must be there and enabled,
 * call one function, have one argument, and be the only ones that do.
 */
const char *
triggers_fault(const TriggerSet *set, Relation table, Oid function,
			   const char *generation)
{
	const char *name = table_names[set->table];
	int			surplus = 0;

	for (int i = 0; table->trigdesc != NULL && i < table->trigdesc->numtriggers; i++)
		if (table->trigdesc->triggers[i].tgfoid == function)
			surplus++;

	for (int i = 0; i < set->count; i++)
	{
		const StoreTrigger *wanted = &set->triggers[i];
		const Trigger *trigger;

		if (!is_wanted(wanted, table->rd_rel->relkind))
			continue;
		trigger = find_trigger(table->trigdesc, wanted, function);
		if (trigger == NULL)
			return psprintf("table \"%s\" lacks its trigger \"%s\"", name,
							wanted->name);
		if (trigger->tgenabled != TRIGGER_FIRES_ON_ORIGIN &&
			trigger->tgenabled != TRIGGER_FIRES_ALWAYS)
			return psprintf("trigger \"%s\" of table \"%s\" is disabled",
							trigger->tgname, name);
		if (generation[0] == '\0' ||
			strcmp(trigger_generation(trigger), generation) != 0)
			return psprintf("trigger \"%s\" of table \"%s\" has another argument than the others",
							trigger->tgname, name);
		if (wanted->columns != NULL && !names_columns(set, table, trigger))
			return psprintf("columns of table \"%s\" have been renamed, or trigger \"%s\" replaced",
							name, trigger->tgname);
		surplus--;
	}
	return surplus > 0 ?
		psprintf("table \"%s\" has more triggers than it should", name) : NULL;
}

/*
 * What else is wrong with a table that has such triggers, or NULL: nobody may write to
 * it by another table's name, which fires other triggers, and its rows must be as safe
 * as what is told of them.
 */
const char *
noted_table_fault(const TriggerSet *set, Relation table)
{
	const char *name = table_names[set->table];
	TupleDesc	columns;

	if (table->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		return psprintf("table \"%s\" is not logged", name);
	if (table->rd_rel->relispartition)
		return psprintf("table \"%s\" is a partition of another one", name);
	if (table->rd_rel->relkind == RELKIND_RELATION &&
		table->rd_rel->relhassubclass &&
		find_inheritance_children(RelationGetRelid(table), NoLock) != NIL)
		return psprintf("tables inherit from \"%s\"", name);
	columns = RelationGetDescr(table);
	for (int i = 0; i < columns->natts; i++)
		if (TupleDescAttr(columns, i)->attinhcount > 0)
			return psprintf("table \"%s\" inherits from another one", name);
	return NULL;
}

/*
 * Is this the function that the triggers of a set call?  Only superusers make
 * functions in C, so its symbol tells.
 */
static bool
is_function_of(const TriggerSet *set, Oid function)
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

			result = strcmp(name, set->symbol) == 0;
			pfree(name);
		}
		ReleaseSysCache(tuple);
	}
	return result;
}

/*
 * The function that triggers of a set on a table call, one of a type or any if that is 0;
 * InvalidOid if there are none.
 *
 * To look up a function may take in what others have changed, and free what pointed at
 * the table's triggers.
 */
static Oid
function_of(const TriggerSet *set, Relation table, int16 type)
{
	for (int i = 0; table->trigdesc != NULL && i < table->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &table->trigdesc->triggers[i];
		Oid			function = trigger->tgfoid;

		if ((type == 0 || trigger->tgtype == type) && is_function_of(set, function))
			return function;
	}
	return InvalidOid;
}

/*
 * The generation of a table whose triggers are all there; false, and why, if they
 * aren't.
 */
bool
find_generation(const TriggerSet *set, Relation table, char *generation,
				const char **reason)
{
	Oid			function = function_of(set, table, set->triggers[0].type);
	const Trigger *leading = find_trigger(table->trigdesc, &set->triggers[0], function);

	generation[0] = '\0';
	if (leading == NULL)
		*reason = psprintf("table \"%s\" lacks its trigger \"%s\"",
						   table_names[set->table], set->triggers[0].name);
	else
	{
		strlcpy(generation, trigger_generation(leading), GENERATION_SIZE);
		*reason = triggers_fault(set, table, function, generation);
	}
	return *reason == NULL;
}

static bool
is_enabled(const Trigger *trigger, const StoreTrigger *wanted)
{
	return trigger->tgenabled == wanted->fires ||
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
}

/*
 * Does a table have a trigger, or a partition, which has those for rows of the whole?
 */
static bool
has_trigger(Relation table, const StoreTrigger *wanted)
{
	if (table->rd_rel->relispartition)
		return TRIGGER_FOR_ROW(wanted->type) && is_wanted(wanted, RELKIND_PARTITIONED_TABLE);
	return is_wanted(wanted, table->rd_rel->relkind);
}

/*
 * What is wrong with the triggers of a set on a table, and when they are fired, or NULL.
 */
static const char *
firing_fault(const TriggerSet *set, Relation table, const char *generation)
{
	const char *name = RelationGetRelationName(table);
	Oid			function = function_of(set, table, 0);

	for (int i = 0; i < set->count; i++)
	{
		const StoreTrigger *wanted = &set->triggers[i];
		const Trigger *trigger;

		if (!has_trigger(table, wanted))
			continue;
		trigger = find_trigger(table->trigdesc, wanted, function);
		if (trigger == NULL)
			return psprintf("table \"%s\" lacks its trigger \"%s\"", name,
							wanted->name);
		if (!is_enabled(trigger, wanted))
			return psprintf("trigger \"%s\" of table \"%s\" has been disabled, or enabled otherwise than it was",
							trigger->tgname, name);
		if (strcmp(trigger_generation(trigger), generation) != 0)
			return psprintf("trigger \"%s\" of table \"%s\" has another argument than the others",
							trigger->tgname, name);
		/* Those that name columns of a derived table name them all. */
		if (wanted->columns != NULL && set->columns[0] == NULL &&
			trigger->tgnattr != RelationGetNumberOfAttributes(table))
			return psprintf("trigger \"%s\" of table \"%s\" has been replaced",
							trigger->tgname, name);
	}
	return NULL;
}

/*
 * What is wrong with them on a table alone, or a partition, or NULL.
 */
const char *
guards_fault_of_piece(Relation table, StoreTable which, const char *generation)
{
	const char *fault = NULL;

	/* The whole is looked at as often as it is written to. */
	if (table->rd_rel->relispartition &&
		table->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		return psprintf("partition \"%s\" is not logged", RelationGetRelationName(table));
	for (int i = 0; fault == NULL && i < NUM_TRIGGER_SETS; i++)
		if (trigger_sets[i].table == which)
			fault = firing_fault(&trigger_sets[i], table, generation);
	for (int i = 0; fault == NULL && i < NUM_GUARD_SETS; i++)
		if (guard_sets[i].table == which)
			fault = firing_fault(&guard_sets[i], table, generation);
	return fault;
}

/*
 * What is wrong with the triggers of a store's table, and its partitions, that see what
 * comes by other ways than ordinary statements; NULL if nothing is.
 */
const char *
guards_fault(Relation table, StoreTable which, const char *generation)
{
	/* Those that nothing was wrong with, as of some change of tables. */
	static struct
	{
		Oid			table;
		uint64		changes;
	}			guarded[NUM_STORE_TABLES];
	Oid			oid = RelationGetRelid(table);
	uint64		changes = changes_of_tables();
	List	   *pieces;
	ListCell   *cell;
	const char *fault;

	if (guarded[which].table == oid && guarded[which].changes == changes)
		return NULL;
	fault = guards_fault_of_piece(table, which, generation);
	pieces = pieces_without_locks(oid);
	foreach(cell, pieces)
	{
		Relation	piece = fault == NULL && lfirst_oid(cell) != oid ?
			try_table_open(lfirst_oid(cell), AccessShareLock) : NULL;

		if (piece == NULL)
			continue;
		fault = guards_fault_of_piece(piece, which, generation);
		table_close(piece, AccessShareLock);
	}
	list_free(pieces);
	if (fault == NULL)
	{
		guarded[which].table = oid;
		guarded[which].changes = changes;
	}
	return fault;
}

/*
 * The generation that a table's triggers of a set tell, or a partition's; false if there
 * are none.  Only those that the set has are asked: an owner may have made others that
 * call its function, and a partition may have been a table by itself.
 */
static bool
is_generation_told(Relation table, const TriggerSet *set, char *generation)
{
	Oid			function = function_of(set, table, 0);

	for (int i = 0; i < set->count; i++)
	{
		const StoreTrigger *wanted = &set->triggers[i];
		const Trigger *trigger = has_trigger(table, wanted) ?
			find_trigger(table->trigdesc, wanted, function) : NULL;

		if (trigger != NULL && is_our_format(trigger_generation(trigger)))
		{
			strlcpy(generation, trigger_generation(trigger), GENERATION_SIZE);
			return true;
		}
	}
	return false;
}

static bool
is_leaving_whole(Relation partition)
{
	bool		is_leaving = false;
	Oid			table = RelationGetRelid(partition);

	while (OidIsValid(table = parent_of(table, &is_leaving)))
		;
	return is_leaving;
}

/*
 * The generation that the triggers of activity, or of a partition of it, tell; false if
 * they tell none.  A partition that is being detached may have older ones: those of the
 * whole are replaced without it.
 */
bool
find_told_generation(Relation table, char *generation)
{
	bool		is_told = false;

	if (is_leaving_whole(table))
		return false;
	for (int i = 0; !is_told && i < NUM_TRIGGER_SETS; i++)
		if (trigger_sets[i].table == TABLE_ACTIVITY)
			is_told = is_generation_told(table, &trigger_sets[i], generation);
	return is_told;
}

/*
 * Is a derived table one of another generation than the triggers that would append to
 * it, and so of another store, or of another time?  Then why, or NULL.  Its own triggers
 * tell; older versions made none.
 */
const char *
other_generation(Relation table, StoreTable which, const char *generation)
{
	char		other[GENERATION_SIZE];

	/*
	 * An older version that completes a store leaves what tells of a newer
	 * one.
	 */
	if (!is_guarded(generation))
		return NULL;
	for (int i = 0; i < NUM_GUARD_SETS; i++)
		if (guard_sets[i].table == which &&
			is_generation_told(table, &guard_sets[i], other) &&
			strcmp(other, generation) != 0)
			return psprintf("the triggers of table \"%s\" have another argument than the others",
							table_names[which]);
	return NULL;
}

static bool
has_format(const char *generation, const char *format)
{
	size_t		length = strlen(format);

	return strncmp(generation, format, length) == 0 && generation[length] == '-';
}

/*
 * Is it of triggers that see what comes by other ways than ordinary statements, too?
 */
bool
is_guarded(const char *generation)
{
	return has_format(generation, GENERATION_FORMAT);
}

/*
 * Is this a generation of derived tables as we keep them?
 */
bool
is_our_format(const char *generation)
{
	return is_guarded(generation) || has_format(generation, UNGUARDED_FORMAT);
}
