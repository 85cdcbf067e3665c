/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Mechanism: what a store is, the plans of queries over it, and the few
 *	  ways to run one.  The queries themselves stand where they are used.
 *
 * They run through SPI: privileges and row-level security of the store's
 * tables hold as for any query.  Three things about SPI are settled here, so
 * that nobody else has to think of them:
 *
 * - It leaves a memory context of its own behind.  Every function here gives
 *	 its caller's context back, so that what callers allocate lies where they
 *	 meant it to.
 *
 * - Whatever runs inside a query (policies, triggers, functions) can close or
 *	 move its cursors.  Those of ours are pinned, and watched.
 *
 * - Names in a saved plan are looked up again whenever the server sees fit, and
 *	 by then another role may have put a schema of the same name in the store's
 *	 place.  Every time that a query of ours is analyzed, a hook compares what
 *	 its names mean with the tables that the call began with, before anything
 *	 of it is planned, and so before any function in it could be called.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Stands in queries for the quoted name of the store's schema. */
#define STORE_MARK	"@store@"

const char *const table_names[NUM_STORE_TABLES] = {
	[TABLE_CLIENT] = "client",
	[TABLE_APP_USER] = "app_user",
	[TABLE_SESSION] = "session",
	[TABLE_ACTIVITY] = "activity",
	[TABLE_SESSION_IDLE] = "session_idle",
	[TABLE_PENDING] = "pending",
	[TABLE_SESSION_COUNT] = "session_count",
};

/*
 * Rows that a query without batches returns at the most, for none asks about more
 * keys at once than SESSION_BATCH.  More come where an owner has given up a key.
 */
#define MAX_ROWS_AT_ONCE	SESSION_BATCH

/* Plans kept in a backend; with so many, those not in use are forgotten. */
#define MAX_SAVED_PLANS	256

/*
 * What a plan was made for.  The server knows by itself which role it was made
 * for, but not whether forced policies were left out for that role.
 */
typedef struct PlanKey
{
	const StoreQuery *query;
	NameData	store;
	Oid			schema;
	Rights		rights;
	bool		is_unforced;
} PlanKey;

typedef struct SavedPlan
{
	PlanKey		key;
	char	   *sql;
	SPIPlanPtr	plan;			/* NULL until it is made */
	Oid			owner;			/* of the store */
	Oid			tables[NUM_STORE_TABLES];	/* what its names must mean */
	int			users;			/* calls that run it in this moment */
} SavedPlan;

/* The plan that is being run, innermost first; see guard_names(). */
static SavedPlan *running_plan = NULL;

static post_parse_analyze_hook_type previous_analyze_hook = NULL;

/*
 * Is a relation an ordinary table of an owner's, of one piece or, if that may
 * be, partitioned?  One from which others inherit is neither.
 */
bool
is_table_of(Oid relation, Oid owner, bool may_be_partitioned)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Form_pg_class class;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	class = (Form_pg_class) GETSTRUCT(tuple);
	result = class->relowner == owner &&
		(class->relkind == RELKIND_RELATION ||
		 (may_be_partitioned && class->relkind == RELKIND_PARTITIONED_TABLE));
	if (class->relkind == RELKIND_RELATION && class->relhassubclass)
		result = result && find_inheritance_children(relation, NoLock) == NIL;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * What makes a store one of views, or NULL: its owner has put something else than a
 * table in the place of session or activity.  Queries read through it as the server
 * does.  It has no triggers, so nothing is derived from it or maintained.
 */
const char *
why_of_views(const Store *store)
{
	static const StoreTable tables[] = {TABLE_SESSION, TABLE_ACTIVITY};

	for (size_t i = 0; i < lengthof(tables); i++)
	{
		Oid			table = store->tables[tables[i]];
		const char *kind = NULL;

		switch (OidIsValid(table) ? get_rel_relkind(table) : '\0')
		{
			case RELKIND_VIEW:
				kind = "a view";
				break;
			case RELKIND_MATVIEW:
				kind = "a materialized view";
				break;
			case RELKIND_FOREIGN_TABLE:
				kind = "a foreign table";
				break;
		}
		if (kind != NULL)
			return psprintf("\"%s\" is %s", table_names[tables[i]], kind);
	}
	return NULL;
}

/*
 * Refuse what takes a store of tables.
 *
 * Errors: 42809.
 */
void
refuse_views(const Store *store)
{
	const char *reason = why_of_views(store);

	if (reason != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("store \"%s\" is one of views", NameStr(store->name)),
				 errdetail("In its schema, %s. Nothing is derived from what it shows, so there is nothing to maintain.",
						   reason),
				 errhint("For a store of tables, call ekran_create_store() with another schema, and insert into its tables what the views show.")));
}

/*
 * Look the store in a schema up; false if there is none.
 *
 * A store belongs to the owner of its table session.
 */
static bool
look_up_store(Store *store, Oid schema)
{
	char	   *name = get_namespace_name(schema);
	HeapTuple	tuple;

	memset(store, 0, sizeof(*store));
	if (name == NULL)
		return false;
	namestrcpy(&store->name, name);
	pfree(name);
	store->schema = schema;
	for (int i = 0; i < NUM_STORE_TABLES; i++)
		store->tables[i] = get_relname_relid(table_names[i], schema);

	tuple = SearchSysCache1(RELOID,
							ObjectIdGetDatum(store->tables[TABLE_SESSION]));
	if (!HeapTupleIsValid(tuple))
		return false;
	store->owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	store->rights = RIGHTS_OF_CALLER;
	return true;
}

/*
 * The store looked up last, if nothing has changed in the catalog since: who inserts
 * row by row asks for it each time.
 */
static Store known_store;
static bool is_store_known = false;
static uint64 catalog_changes = 0;	/* that this backend has been told of */

static void
forget_known_store(Datum arg, int cache, uint32 hash)
{
	(void) arg;
	(void) cache;
	(void) hash;
	is_store_known = false;
	catalog_changes++;
}

/*
 * Find out what the store in a schema is; false if there is none.
 */
bool
load_store(Store *store, Oid schema)
{
	if (!is_store_known || known_store.schema != schema)
	{
		uint64		changes = catalog_changes;
		Store		found;

		if (!look_up_store(&found, schema))
		{
			*store = found;
			return false;
		}
		/* To look it up can be the moment to be told of a change. */
		known_store = found;
		is_store_known = changes == catalog_changes;
	}
	*store = known_store;
	return true;
}

void
watch_catalog(void)
{
	CacheRegisterSyscacheCallback(RELOID, forget_known_store, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_known_store, (Datum) 0);
}

/*
 * Find the store that the setting names.
 *
 * Errors: 42P01 if there is no such store, 42501 without USAGE on its schema
 * (which a saved plan would not ask for again after SET ROLE).
 */
void
find_store(Store *store)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *setting = pstrdup(store_setting());
	Oid			schema;

	PG_TRY();
	{
		schema = LookupExplicitNamespace(setting, true);
	}
	PG_CATCH();
	{
		rethrow_with_grants(context, READER_GRANTS);
	}
	PG_END_TRY();
	if (!load_store(store, schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("store \"%s\" does not exist", setting),
				 errdetail("The setting ekran_sessions.store is \"%s\", a schema that is not there or has no table \"session\".",
						   setting),
				 errhint("Create a store with ekran_create_store(), or set ekran_sessions.store to the schema of an existing one.")));
	pfree(setting);
}

/*
 * Find the store in a schema.
 *
 * Errors: likewise.
 */
void
find_store_in(Store *store, Oid schema)
{
	if (!load_store(store, schema))
	{
		char	   *name = get_namespace_name(schema);

		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("store \"%s\" does not exist",
						name != NULL ? name : psprintf("%u", schema)),
				 errhint("Create a store with ekran_create_store().")));
	}
	if (!MAY_USE_SCHEMA(schema, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema %s", NameStr(store->name)),
				 errhint("%s", READER_GRANTS)));
}

/*
 * Is a relation that a query of ours names the one that the store had by that
 * name?  It is locked by now, so that its name and owner stay.
 *
 * Several names could have changed places, so the OID alone doesn't tell.  With
 * the owner's rights, it must still be a table of the owner's.
 */
static bool
is_as_named(const SavedPlan *saved, Oid relation)
{
	char	   *name = get_rel_name(relation);

	for (int i = 0; name != NULL && i < NUM_STORE_TABLES; i++)
		if (saved->tables[i] == relation)
			return strcmp(name, table_names[i]) == 0 &&
				get_rel_namespace(relation) == saved->key.schema &&
				(saved->key.rights == RIGHTS_OF_CALLER ||
				 is_table_of(relation, saved->owner, true));
	return false;
}

static bool
check_relations(Node *node, void *context)
{
	const SavedPlan *saved = context;

	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *entry = (RangeTblEntry *) node;

		if (entry->rtekind == RTE_RELATION &&
			!is_as_named(saved, entry->relid))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("store \"%s\" has been replaced while it was in use",
							NameStr(saved->key.store)),
					 errdetail("\"%s.%s\" is another relation than at the beginning.",
							   NameStr(saved->key.store), get_rel_name(entry->relid)),
					 errhint("Repeat the statement once the store's schema and tables have their final names.")));
		return false;			/* the walker goes on into a subquery */
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, check_relations, context,
								 QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, check_relations, context);
}

/*
 * Called by the server when any query has been analyzed.  Ours, and it can only
 * be the innermost one that runs, must be about its store's tables.
 */
static void
guard_names(ParseState *pstate, Query *query, JUMBLE_STATE *jumble)
{
	if (previous_analyze_hook != NULL)
		previous_analyze_hook(pstate, query, jumble);
	if (running_plan != NULL && pstate->p_sourcetext != NULL &&
		strcmp(pstate->p_sourcetext, running_plan->sql) == 0)
		(void) check_relations((Node *) query, running_plan);
}

void
install_query_guard(void)
{
	previous_analyze_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = guard_names;
}

static char *
query_text(const StoreQuery *query, const char *store)
{
	const char *quoted_store = quote_identifier(store);
	const char *rest = query->sql;
	const char *mark;
	StringInfoData sql;

	initStringInfo(&sql);
	while ((mark = strstr(rest, STORE_MARK)) != NULL)
	{
		appendBinaryStringInfo(&sql, rest, (int) (mark - rest));
		appendStringInfoString(&sql, quoted_store);
		rest = mark + strlen(STORE_MARK);
	}
	appendStringInfoString(&sql, rest);
	return sql.data;
}

static HTAB *
create_plan_cache(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(PlanKey);
	control.entrysize = sizeof(SavedPlan);
	return hash_create("ekran_sessions plans", 64, &control,
					   HASH_ELEM | HASH_BLOBS);
}

static void
forget_plan(SavedPlan *saved)
{
	if (saved->plan != NULL)
		SPI_freeplan(saved->plan);
	saved->plan = NULL;
}

/*
 * Make room in the cache: stores that come and go would fill it for good.
 */
static void
forget_unused_plans(HTAB *plans)
{
	HASH_SEQ_STATUS status;
	SavedPlan  *saved;

	hash_seq_init(&status, plans);
	while ((saved = hash_seq_search(&status)) != NULL)
	{
		if (saved->users > 0)
			continue;
		forget_plan(saved);
		pfree(saved->sql);
		(void) hash_search(plans, &saved->key, HASH_REMOVE, NULL);
	}
}

/*
 * The place of a query's plan in the cache, which lasts as long as it is used.
 *
 * A plan made with the owner's rights, whom no policy holds back then, is never
 * one for callers.  The server makes a saved plan anew when the tables under it
 * change, or the role where row-level security depends on it.
 */
static SavedPlan *
find_saved_plan(const Store *store, const StoreQuery *query)
{
	static HTAB *plans = NULL;
	PlanKey		key;
	SavedPlan  *saved;

	if (plans == NULL)
		plans = create_plan_cache();

	memset(&key, 0, sizeof(key));	/* also what lies between the fields */
	key.query = query;
	namestrcpy(&key.store, NameStr(store->name));
	key.schema = store->schema;
	key.rights = store->rights;
	key.is_unforced = InNoForceRLSOperation();
	saved = hash_search(plans, &key, HASH_FIND, NULL);
	if (saved == NULL)
	{
		char	   *sql = query_text(query, NameStr(store->name));

		if (hash_get_num_entries(plans) >= MAX_SAVED_PLANS)
			forget_unused_plans(plans);
		sql = MemoryContextStrdup(TopMemoryContext, sql);
		saved = hash_search(plans, &key, HASH_ENTER, NULL);
		saved->sql = sql;
		saved->plan = NULL;
		saved->users = 0;
	}

	if (saved->plan != NULL &&
		(saved->owner != store->owner ||
		 memcmp(saved->tables, store->tables, sizeof(saved->tables)) != 0))
	{
		/* The tables have been made anew under the same names. */
		if (saved->users > 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("store \"%s\" has been replaced while it was in use",
							NameStr(store->name)),
					 errhint("Repeat the statement.")));
		forget_plan(saved);
	}
	return saved;
}

static void
prepare(SavedPlan *saved, const Store *store)
{
	const StoreQuery *query = saved->key.query;
	int			nparameters = 0;
	SPIPlanPtr	plan;

	while (OidIsValid(query->parameters[nparameters]))
		nparameters++;
	saved->owner = store->owner;
	memcpy(saved->tables, store->tables, sizeof(saved->tables));
	plan = SPI_prepare_cursor(saved->sql, nparameters,
							  unconstify(Oid *, &query->parameters[0]),
							  query->plan_options);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	saved->plan = plan;
}

static void
execute(SPIPlanPtr plan, const StoreQuery *query, Datum *parameters)
{
	QueryMode	mode = query->mode;
	bool		has_rows = OidIsValid(query->columns[0].type);
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	int			result;

	if (mode >= QUERY_WRITES_LATEST && IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();
		snapshot = GetLatestSnapshot();
		if (mode == QUERY_WRITES_CHECKED)
			crosscheck = GetTransactionSnapshot();
	}
	result = SPI_execute_snapshot(plan, parameters, NULL, snapshot, crosscheck,
								  mode == QUERY_READS, true,
								  has_rows ? MAX_ROWS_AT_ONCE + 1 : 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
	if (has_rows && SPI_processed > MAX_ROWS_AT_ONCE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a table of the store has many rows of one key"),
				 errdetail("The query that found them is: %s",
						   running_plan->sql),
				 errhint("One row a key is what each table of a store has, by the keys that ekran_create_store() makes.")));
}

static void
run_plan(SavedPlan *saved, const Store *store, Datum *parameters,
		 Portal *portal)
{
	MemoryContext caller_context = CurrentMemoryContext;
	SavedPlan  *outer_plan = running_plan;

	running_plan = saved;
	saved->users++;
	PG_TRY();
	{
		if (saved->plan == NULL)
			prepare(saved, store);
		if (portal != NULL)
			*portal = SPI_cursor_open(NULL, saved->plan, parameters, NULL, true);
		else
			execute(saved->plan, saved->key.query, parameters);
	}
	PG_CATCH();
	{
		running_plan = outer_plan;
		saved->users--;
		if (store->rights == RIGHTS_OF_CALLER)
			rethrow_with_grants(caller_context, READER_GRANTS);
		PG_RE_THROW();
	}
	PG_END_TRY();
	running_plan = outer_plan;
	saved->users--;
}

/*
 * Run a query, or open a portal on it.  Its parameters are never null.
 */
static void
start_query(const Store *store, const StoreQuery *query,
			const Datum *parameters, Portal *portal)
{
	MemoryContext caller_context = CurrentMemoryContext;

	Assert(portal == NULL || query->mode == QUERY_READS);
	run_plan(find_saved_plan(store, query), store,
			 unconstify(Datum *, parameters), portal);
	MemoryContextSwitchTo(caller_context);
}

/*
 * Check that a result has the columns that its query declares.
 *
 * The tables belong to their owner, who may have altered them, or put a rule in a
 * query's place, which leaves no result, or one of its own.
 */
static void
check_result_shape(const Store *store, const StoreQuery *query, TupleDesc result)
{
	int			ncolumns = 0;

	while (OidIsValid(query->columns[ncolumns].type))
		ncolumns++;
	if (result == NULL || result->natts != ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a rule has replaced what store \"%s\" is asked for",
						NameStr(store->name)),
				 errhint("Drop the rules on the store's tables.")));
	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute column = TupleDescAttr(result, i);

		if (column->atttypid != query->columns[i].type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of store \"%s\" must be of type %s, not %s",
							NameStr(column->attname), NameStr(store->name),
							format_type_be(query->columns[i].type),
							format_type_be(column->atttypid)),
					 errhint("Give the store's tables the shape that ekran_create_store() makes, or its views such columns.")));
	}
}

/*
 * Begin to read the result of a query, whose parameters are never null.
 *
 * Errors: 42804 if a column has another type than the query declares, 55000 if a
 * rule has replaced the query, or a key has many rows.
 */
void
begin_rows(Rows *rows, const Store *store, const StoreQuery *query,
		   const Datum *parameters)
{
	memset(rows, 0, sizeof(*rows));
	rows->store = store;
	rows->query = query;
	if (query->batch > 0)
	{
		start_query(store, query, parameters, &rows->portal);
		PinPortal(rows->portal);
		check_result_shape(store, query, rows->portal->tupDesc);
	}
	else
	{
		start_query(store, query, parameters, NULL);
		rows->tuples = SPI_tuptable;
		rows->count = SPI_processed;
		check_result_shape(store, query,
						   rows->tuples == NULL ? NULL : rows->tuples->tupdesc);
	}
}

static bool
fetch_batch(Rows *rows)
{
	MemoryContext caller_context = CurrentMemoryContext;

	if (rows->portal == NULL ||
		(rows->tuples != NULL && rows->count < (uint64) rows->query->batch))
		return false;

	CHECK_FOR_INTERRUPTS();
	if (rows->portal->portalPos != rows->portal_position)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_STATE),
				 errmsg("cursor \"%s\" over store \"%s\" has been moved by somebody else",
						rows->portal->name, NameStr(rows->store->name)),
				 errdetail("A function, policy or trigger that runs inside the query has fetched from it."),
				 errhint("Let functions leave cursors alone that they have not opened.")));
	if (rows->tuples != NULL)
		SPI_freetuptable(rows->tuples);
	rows->tuples = NULL;
	SPI_cursor_fetch(rows->portal, true, rows->query->batch);
	rows->tuples = SPI_tuptable;
	rows->count = SPI_processed;
	rows->next = 0;
	rows->portal_position = rows->portal->portalPos;
	MemoryContextSwitchTo(caller_context);
	return rows->count > 0;
}

/*
 * Refuse a null where a store must have none.
 *
 * Errors: 22004.
 */
void
refuse_null_column(const Store *store, const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("column \"%s\" of store \"%s\" must not be null",
					column, NameStr(store->name)),
			 errhint("Give the store's tables the shape that ekran_create_store() makes, or its views such columns.")));
}

/*
 * Read the next row into values and nulls; false at the end.
 *
 * Values by reference stay until end_rows(), with batches only as long as the
 * batch.
 *
 * Errors: 22004 for a null where the query declares none.
 */
bool
next_row(Rows *rows)
{
	TupleDesc	columns;

	if (rows->next == rows->count && !fetch_batch(rows))
		return false;

	columns = rows->tuples->tupdesc;
	heap_deform_tuple(rows->tuples->vals[rows->next++], columns,
					  rows->values, rows->nulls);
	for (int i = 0; i < columns->natts; i++)
		if (rows->nulls[i] && !rows->query->columns[i].may_be_null)
			refuse_null_column(rows->store, NameStr(TupleDescAttr(columns, i)->attname));
	return true;
}

void
end_rows(Rows *rows)
{
	MemoryContext caller_context = CurrentMemoryContext;

	if (rows->tuples != NULL)
		SPI_freetuptable(rows->tuples);
	rows->tuples = NULL;
	if (rows->portal != NULL)
	{
		UnpinPortal(rows->portal);
		SPI_cursor_close(rows->portal);
		rows->portal = NULL;
	}
	MemoryContextSwitchTo(caller_context);
}

/*
 * Read the first row of a query, whose values are all passed by value; false if
 * there is none.
 */
bool
read_row(const Store *store, const StoreQuery *query, const Datum *parameters,
		 Datum *values)
{
	Rows		rows;
	bool		found;

	begin_rows(&rows, store, query, parameters);
	found = next_row(&rows);
	for (int i = 0; found && OidIsValid(query->columns[i].type); i++)
		values[i] = rows.values[i];
	end_rows(&rows);
	return found;
}

/*
 * Run a query for what it does; the number of rows that it returned or touched.
 */
uint64
run_query(const Store *store, const StoreQuery *query, const Datum *parameters)
{
	uint64		processed;

	start_query(store, query, parameters, NULL);
	processed = SPI_processed;
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	return processed;
}

/* Both types of values below are an int64 inside. */
static Datum
array_of(Oid type, const int64 *values, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));
	ArrayType  *array;

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(values[i]);
	array = construct_array(elements, count, type,
							sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	pfree(elements);
	return PointerGetDatum(array);
}

/*
 * Values as an array, for queries about many sessions.
 */
Datum
int8_array(const int64 *values, int count)
{
	return array_of(INT8OID, values, count);
}

Datum
timestamptz_array(const TimestampTz *values, int count)
{
	return array_of(TIMESTAMPTZOID, values, count);
}
