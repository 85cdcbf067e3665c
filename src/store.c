/*-------------------------------------------------------------------------
 *
 * store.c
 *	  The tables of a store, as queries see them: which store a call reads,
 *	  the queries over it, and their plans.
 *
 * The queries name everything in full, operators too, so that the caller's
 * search_path has no say in what they mean.  They run through SPI: privileges
 * and row-level security of the store's tables hold as for any query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Stands in the queries below for the quoted name of the store's schema. */
#define STORE_MARK	"@store@"

/*
 * Sessions selected by the window ($1, $2), in two parts that exclude each
 * other and that an index finds each:
 *
 * - those that had begun by $1 and ran on: login <= $1 < logout is what the
 *	 range [login, logout) containing $1 says, and a session that still runs
 *	 has a range without end.  Such a session counts if an activity of it lies
 *	 beyond $1, since its latest moment is its finish.
 *
 * - those that began after $1: each has finish >= login > $1.
 *
 * All of the first come before all of the second in the order of logins.
 *
 * No more conditions than these may reach an index, or the planner, which does
 * not know the parameters, may go through the whole history: hence OFFSET 0,
 * which keeps the others from the few sessions across, and a position that
 * stands for $1, which gives the scan of those within one place to begin at.
 * LIMIT 1 stands in for EXISTS, which might be answered from a hash table of
 * all activities.
 */
#define ACROSS_START \
	" FROM (SELECT r.session_id, r.client_guid, r.user_id, r.login_date, r.logout_date" \
	"       FROM @store@.session r" \
	"       WHERE pg_catalog.tstzrange(r.login_date, r.logout_date)" \
	"             OPERATOR(pg_catalog.@>) $1 OFFSET 0) s" \
	" WHERE s.login_date OPERATOR(pg_catalog.<) $2" \
	" AND (s.logout_date IS NOT NULL" \
	"      OR (SELECT a.activity_date FROM @store@.activity a" \
	"          WHERE a.session_id OPERATOR(pg_catalog.=) s.session_id" \
	"          AND a.activity_date OPERATOR(pg_catalog.>) $1 LIMIT 1)" \
	"         IS NOT NULL)"

#define WITHIN_WINDOW \
	" FROM @store@.session s" \
	" WHERE s.login_date OPERATOR(pg_catalog.>) $1" \
	" AND s.login_date OPERATOR(pg_catalog.<) $2"

#define WITHIN_WINDOW_BEYOND_POSITION \
	" FROM @store@.session s" \
	" WHERE s.login_date OPERATOR(pg_catalog.<) $2" \
	BEYOND_POSITION

#define BEYOND_POSITION \
	" AND (s.login_date, s.session_id) OPERATOR(pg_catalog.>) ($3, $4)"

#define IN_ORDER \
	" ORDER BY s.login_date, s.session_id"

/* A running session's latest counted activity. */
#define LATEST_ACTIVITY_OF(session) \
	"(SELECT a.activity_date FROM @store@.activity a" \
	" WHERE a.session_id OPERATOR(pg_catalog.=) " session ".session_id" \
	" AND a.activity_date OPERATOR(pg_catalog.>=) " session ".login_date" \
	" ORDER BY a.activity_date DESC LIMIT 1)"

/* Sessions of a part, beyond a position; columns as in reading.c. */
#define PAGE_OF(part, limits) \
	"SELECT s.session_id, s.client_guid, s.user_id, s.login_date, s.logout_date" \
	part IN_ORDER limits

/*
 * For each session ($1), the activity next to a moment ($2) of it, on one side
 * up to a limit ($3).  The limit spares the scan the rest of the index page.
 */
#define ACTIVITIES_NEXT_TO(to_moment, to_limit, direction) \
	"SELECT (SELECT a.activity_date FROM @store@.activity a" \
	"        WHERE a.session_id OPERATOR(pg_catalog.=) r.session_id" \
	"        AND a.activity_date OPERATOR(pg_catalog." to_moment ") r.moment" \
	"        AND a.activity_date OPERATOR(pg_catalog." to_limit ") r.edge" \
	"        ORDER BY a.activity_date " direction " LIMIT 1)" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))" \
	"   WITH ORDINALITY AS r (session_id, moment, edge, place)" \
	" ORDER BY r.place"

/* What the index leaves open of a session from end to end. */
#define WHOLE_TIMELINE \
	"'-infinity'::pg_catalog.timestamptz, 'infinity'::pg_catalog.timestamptz"

/* New rows of pending: sessions ($1) and their ranges ($2, $3). */
#define ADD_PENDING \
	"INSERT INTO @store@.pending (session_id, first_moment, last_moment)" \
	" SELECT s.session_id, n.first_moment, n.last_moment" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))" \
	"   AS n (session_id, first_moment, last_moment)" \
	" JOIN @store@.session s ON s.session_id OPERATOR(pg_catalog.=) n.session_id"

#define MAX_PARAMETERS	6

typedef struct QueryText
{
	const char *sql;
	int			nparameters;
	Oid			parameters[MAX_PARAMETERS];
	int			options;		/* of SPI_prepare_cursor */
} QueryText;

/*
 * What runs often is planned once: planning takes longer than a page does, and
 * there is one good way by the keys, whatever the parameters.  What runs over
 * whole tables is planned for the tables as they are.
 */
#define PLAN_ONCE		CURSOR_OPT_GENERIC_PLAN
#define PLAN_EACH_TIME	CURSOR_OPT_CUSTOM_PLAN

static const QueryText query_texts[] = {
	[QUERY_PAGE_ACROSS] = {
		PAGE_OF(ACROSS_START BEYOND_POSITION, " LIMIT $5 OFFSET $6"),
		6, {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID},
		PLAN_ONCE
	},
	[QUERY_PAGE_WITHIN] = {
		PAGE_OF(WITHIN_WINDOW_BEYOND_POSITION, " LIMIT $5"),
		5, {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID},
		PLAN_ONCE
	},
	[QUERY_CLIENT_NAMES] = {
		"SELECT c.client_guid, c.client_name FROM @store@.client c"
		" WHERE c.client_guid OPERATOR(pg_catalog.=) ANY ($1)",
		1, {UUIDARRAYOID}, PLAN_ONCE
	},
	[QUERY_USER_NAMES] = {
		"SELECT u.user_id, u.user_name FROM @store@.app_user u"
		" WHERE u.user_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT4ARRAYOID}, PLAN_ONCE
	},
	[QUERY_GAPS] = {
		"SELECT i.session_id, i.gap_start, i.gap_end"
		" FROM @store@.session_idle i"
		" WHERE i.session_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	[QUERY_COUNT_ACROSS] = {
		"SELECT pg_catalog.count(*)" ACROSS_START,
		2, {TIMESTAMPTZOID, TIMESTAMPTZOID}, PLAN_ONCE
	},
	/* of the index alone, so that an offset is no more than a walk along it */
	[QUERY_POSITION_WITHIN] = {
		"SELECT s.login_date, s.session_id" WITHIN_WINDOW IN_ORDER
		" LIMIT 1 OFFSET $3",
		3, {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}, PLAN_ONCE
	},
	[QUERY_KEYSET_POSITION] = {
		"SELECT s.login_date FROM @store@.session s"
		" WHERE s.session_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, PLAN_ONCE
	},
	[QUERY_TOTAL_COUNT] = {
		"SELECT (SELECT pg_catalog.count(*)" ACROSS_START ")"
		" OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*)" WITHIN_WINDOW ")",
		2, {TIMESTAMPTZOID, TIMESTAMPTZOID}, CURSOR_OPT_PARALLEL_OK
	},
	[QUERY_ACTIVITIES] = {
		"SELECT a.activity_date FROM @store@.activity a"
		" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
		" AND a.activity_date OPERATOR(pg_catalog.>=) $2"
		" AND a.activity_date OPERATOR(pg_catalog.<=) $3"
		" ORDER BY a.activity_date",
		3, {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}, PLAN_ONCE
	},
	[QUERY_LATEST_ACTIVITY] = {
		"SELECT a.activity_date FROM @store@.activity a"
		" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
		" ORDER BY a.activity_date DESC LIMIT 1",
		1, {INT8OID}, PLAN_ONCE
	},
	[QUERY_ANY_PENDING] = {
		"SELECT p.session_id FROM @store@.pending p LIMIT 1",
		0, {InvalidOid}, PLAN_ONCE
	},
	[QUERY_PENDING] = {
		"SELECT p.session_id, p.first_moment, p.last_moment"
		" FROM @store@.pending p"
		" WHERE p.session_id OPERATOR(pg_catalog.=) ANY ($1)"
		" ORDER BY p.session_id, p.first_moment",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	/* Of sessions ($1), those from the last before a range ($2, $3) to the
	 * first after it: range by range, and in order, as a nested loop finds
	 * them.  To be told to sort, the planner would do it all over again. */
	[QUERY_ACTIVITIES_AROUND] = {
		"SELECT r.place, a.activity_date"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
		"   WITH ORDINALITY AS r (session_id, first_moment, last_moment, place)"
		" CROSS JOIN LATERAL ("
		"  SELECT b.activity_date FROM @store@.activity b"
		"  WHERE b.session_id OPERATOR(pg_catalog.=) r.session_id"
		"  AND b.activity_date OPERATOR(pg_catalog.>=) COALESCE("
		"   (SELECT c.activity_date FROM @store@.activity c"
		"    WHERE c.session_id OPERATOR(pg_catalog.=) r.session_id"
		"    AND c.activity_date OPERATOR(pg_catalog.<) r.first_moment"
		"    ORDER BY c.activity_date DESC LIMIT 1), r.first_moment)"
		"  AND b.activity_date OPERATOR(pg_catalog.<=) COALESCE("
		"   (SELECT c.activity_date FROM @store@.activity c"
		"    WHERE c.session_id OPERATOR(pg_catalog.=) r.session_id"
		"    AND c.activity_date OPERATOR(pg_catalog.>) r.last_moment"
		"    ORDER BY c.activity_date LIMIT 1), r.last_moment)"
		"  ORDER BY b.activity_date OFFSET 0) a",
		3, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}, PLAN_ONCE
	},
	[QUERY_FIRST_ACTIVITIES] = {
		ACTIVITIES_NEXT_TO(">=", "<=", "ASC"),
		3, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}, PLAN_ONCE
	},
	[QUERY_LAST_ACTIVITIES] = {
		ACTIVITIES_NEXT_TO("<=", ">=", "DESC"),
		3, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}, PLAN_ONCE
	},

	/* The lock a foreign key takes: no session goes while activities come. */
	[QUERY_LOCK_SESSIONS] = {
		"SELECT s.session_id FROM @store@.session s"
		" WHERE s.session_id OPERATOR(pg_catalog.=) ANY ($1)"
		" FOR KEY SHARE OF s",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	[QUERY_LOCK_SESSIONS_ADD_PENDING] = {
		ADD_PENDING " FOR KEY SHARE OF s",
		3, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}, PLAN_ONCE
	},
	/* For one session, which every planner finds by its key. */
	[QUERY_LOCK_SESSION_ADD_PENDING] = {
		"INSERT INTO @store@.pending (session_id, first_moment, last_moment)"
		" SELECT s.session_id, $2, $3 FROM @store@.session s"
		" WHERE s.session_id OPERATOR(pg_catalog.=) $1"
		" FOR KEY SHARE OF s",
		3, {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}, PLAN_ONCE
	},
	[QUERY_ADD_PENDING] = {
		ADD_PENDING,
		3, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}, PLAN_ONCE
	},
	[QUERY_ALL_PENDING] = {
		"INSERT INTO @store@.pending (session_id, first_moment, last_moment)"
		" SELECT i.session_id, " WHOLE_TIMELINE " FROM @store@.session_idle i",
		0, {InvalidOid}, PLAN_EACH_TIME
	},
	/* A row that is there is of a session deleted before; all of it is pending.
	 * Whoever folds it in this moment is not waited for, as ON CONFLICT would. */
	[QUERY_ADD_IDLE] = {
		"INSERT INTO @store@.session_idle (session_id, gap_start, gap_end)"
		" SELECT n.session_id, '{-infinity}', '{infinity}'"
		" FROM pg_catalog.unnest($1) AS n (session_id)"
		" WHERE NOT EXISTS (SELECT FROM @store@.session_idle j"
		"  WHERE j.session_id OPERATOR(pg_catalog.=) n.session_id)"
		" ON CONFLICT DO NOTHING",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	[QUERY_DELETE_ACTIVITIES] = {
		"DELETE FROM @store@.activity a"
		" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	/* Whoever folds a session in this moment is not waited for. */
	[QUERY_DELETE_PENDING] = {
		"DELETE FROM @store@.pending p USING ("
		"  SELECT q.ctid AS place FROM @store@.pending q"
		"  WHERE q.session_id OPERATOR(pg_catalog.=) ANY ($1)"
		"  FOR UPDATE OF q SKIP LOCKED) l"
		" WHERE p.ctid OPERATOR(pg_catalog.=) l.place",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	[QUERY_DELETE_IDLE] = {
		"DELETE FROM @store@.session_idle i USING ("
		"  SELECT j.session_id FROM @store@.session_idle j"
		"  WHERE j.session_id OPERATOR(pg_catalog.=) ANY ($1)"
		"  FOR UPDATE OF j SKIP LOCKED) l"
		" WHERE i.session_id OPERATOR(pg_catalog.=) l.session_id",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	[QUERY_ADD_PENDING_OF_IDLE] = {
		"INSERT INTO @store@.pending (session_id, first_moment, last_moment)"
		" SELECT i.session_id, " WHOLE_TIMELINE
		" FROM @store@.session_idle i"
		" WHERE i.session_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	[QUERY_ANY_ACTIVITY_OF] = {
		"SELECT a.session_id FROM @store@.activity a"
		" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)"
		" LIMIT 1",
		1, {INT8ARRAYOID}, PLAN_ONCE
	},
	[QUERY_ANY_ACTIVITY] = {
		"SELECT a.session_id FROM @store@.activity a LIMIT 1",
		0, {InvalidOid}, PLAN_ONCE
	},

	[QUERY_PENDING_SESSIONS] = {
		"SELECT DISTINCT p.session_id FROM @store@.pending p"
		" ORDER BY p.session_id",
		0, {InvalidOid}, PLAN_EACH_TIME
	},
	[QUERY_ALL_SESSIONS] = {
		"SELECT s.session_id FROM @store@.session s ORDER BY s.session_id",
		0, {InvalidOid}, PLAN_EACH_TIME
	},
	[QUERY_TRY_LOCK_IDLE] = {
		"SELECT i.session_id FROM @store@.session_idle i"
		" WHERE i.session_id OPERATOR(pg_catalog.=) $1"
		" FOR UPDATE OF i SKIP LOCKED",
		1, {INT8OID}, PLAN_ONCE
	},
	[QUERY_LOCK_IDLE] = {
		"SELECT i.session_id FROM @store@.session_idle i"
		" WHERE i.session_id OPERATOR(pg_catalog.=) $1"
		" FOR UPDATE OF i",
		1, {INT8OID}, PLAN_ONCE
	},
	/* The order and the limit make the planner take a plain index scan, which
	 * marks what it finds dead, so that the next one doesn't look at it. */
	[QUERY_PENDING_OF_SESSION] = {
		"SELECT p.first_moment, p.last_moment, p.ctid"
		" FROM @store@.pending p"
		" WHERE p.session_id OPERATOR(pg_catalog.=) $1"
		" ORDER BY p.first_moment LIMIT $2",
		2, {INT8OID, INT8OID}, PLAN_ONCE
	},
	[QUERY_IDLE] = {
		"SELECT i.gap_start, i.gap_end,"
		" EXISTS (SELECT FROM @store@.session s"
		"         WHERE s.session_id OPERATOR(pg_catalog.=) i.session_id)"
		" FROM @store@.session_idle i"
		" WHERE i.session_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, PLAN_ONCE
	},
	[QUERY_WRITE_IDLE] = {
		"UPDATE @store@.session_idle i SET gap_start = $2, gap_end = $3"
		" WHERE i.session_id OPERATOR(pg_catalog.=) $1",
		3, {INT8OID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}, PLAN_ONCE
	},
	[QUERY_DELETE_FOLDED] = {
		"DELETE FROM @store@.pending p"
		" WHERE p.ctid OPERATOR(pg_catalog.=) ANY ($1)"
		" AND p.session_id OPERATOR(pg_catalog.=) $2",
		2, {TIDARRAYOID, INT8OID}, PLAN_ONCE
	},
	[QUERY_DELETE_IDLE_OF_NONE] = {
		"DELETE FROM @store@.session_idle i WHERE NOT EXISTS"
		" (SELECT FROM @store@.session s"
		"  WHERE s.session_id OPERATOR(pg_catalog.=) i.session_id)",
		0, {InvalidOid}, PLAN_EACH_TIME
	},
	[QUERY_DELETE_PENDING_OF_NONE] = {
		"DELETE FROM @store@.pending p WHERE NOT EXISTS"
		" (SELECT FROM @store@.session s"
		"  WHERE s.session_id OPERATOR(pg_catalog.=) p.session_id)",
		0, {InvalidOid}, PLAN_EACH_TIME
	},
	[QUERY_SESSIONS_TO_CHECK] = {
		"SELECT s.session_id, i.gap_start, i.gap_end"
		" FROM @store@.session s LEFT JOIN @store@.session_idle i"
		"   ON i.session_id OPERATOR(pg_catalog.=) s.session_id"
		" ORDER BY s.session_id",
		0, {InvalidOid}, PLAN_EACH_TIME
	},
	[QUERY_ORPHANS] = {
		"SELECT a.session_id, pg_catalog.count(*) FROM @store@.activity a"
		" WHERE NOT EXISTS (SELECT FROM @store@.session s"
		"  WHERE s.session_id OPERATOR(pg_catalog.=) a.session_id)"
		" GROUP BY a.session_id ORDER BY a.session_id",
		0, {InvalidOid}, PLAN_EACH_TIME
	},

	[QUERY_PURGE] = {
		"DELETE FROM @store@.session s"
		" WHERE s.login_date OPERATOR(pg_catalog.<) $1"
		" AND s.logout_date OPERATOR(pg_catalog.<) $1",
		1, {TIMESTAMPTZOID}, PLAN_EACH_TIME
	},
	/* A range that holds infinity is that of a running session. */
	[QUERY_CLOSE_SESSIONS] = {
		"UPDATE @store@.session s SET logout_date = r.latest"
		" FROM (SELECT q.session_id,"
		"         COALESCE(" LATEST_ACTIVITY_OF("q") ", q.login_date) AS latest"
		"       FROM @store@.session q"
		"       WHERE pg_catalog.tstzrange(q.login_date, q.logout_date)"
		"         OPERATOR(pg_catalog.@>) 'infinity'::pg_catalog.timestamptz) r"
		" WHERE s.session_id OPERATOR(pg_catalog.=) r.session_id"
		" AND s.logout_date IS NULL"
		" AND r.latest OPERATOR(pg_catalog.<) $1"
		" RETURNING s.session_id, s.login_date, s.logout_date",
		1, {TIMESTAMPTZOID}, PLAN_EACH_TIME
	},
};

/*
 * The store that the setting names.
 *
 * Errors: 42P01 if there is no such store, 42501 without USAGE on its schema
 * (which a saved plan would not ask for again after SET ROLE).
 */
const char *
current_store(void)
{
	Oid			schema = LookupExplicitNamespace(ekran_store, true);

	if (!OidIsValid(schema) ||
		!OidIsValid(get_relname_relid("session", schema)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("store \"%s\" does not exist", ekran_store),
				 errdetail("The setting ekran_sessions.store is \"%s\", a schema without a table \"session\".",
						   ekran_store),
				 errhint("Create a store with ekran_create_store(), or set ekran_sessions.store to the schema of an existing one.")));
	return ekran_store;
}

static SPIPlanPtr
prepare_query(const char *store, const QueryText *query)
{
	const char *quoted_store = quote_identifier(store);
	const char *rest = query->sql;
	const char *mark;
	StringInfoData sql;
	SPIPlanPtr	plan;

	initStringInfo(&sql);
	while ((mark = strstr(rest, STORE_MARK)) != NULL)
	{
		appendBinaryStringInfo(&sql, rest, mark - rest);
		appendStringInfoString(&sql, quoted_store);
		rest = mark + strlen(STORE_MARK);
	}
	appendStringInfoString(&sql, rest);

	plan = SPI_prepare_cursor(sql.data, query->nparameters,
							  unconstify(Oid *, &query->parameters[0]),
							  query->options);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s",
			 SPI_result_code_string(SPI_result));
	pfree(sql.data);
	return plan;
}

/*
 * The plan of a query over a store, made once a backend.
 *
 * The server makes a saved plan anew when the tables under it change, or the
 * role where row-level security depends on it.  Needs an SPI connection.
 */
SPIPlanPtr
store_plan(const char *store, StoreQuery query)
{
	static HTAB *plans = NULL;
	struct PlanKey
	{
		NameData	store;
		StoreQuery	query;
	}			key;
	struct PlanEntry
	{
		struct PlanKey key;
		SPIPlanPtr	plan;
	}		   *entry;
	SPIPlanPtr	plan;

	if (plans == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(struct PlanKey);
		control.entrysize = sizeof(struct PlanEntry);
		plans = hash_create("ekran_sessions plans", 16, &control,
							HASH_ELEM | HASH_BLOBS);
	}

	memset(&key, 0, sizeof(key));
	namestrcpy(&key.store, store);
	key.query = query;

	entry = hash_search(plans, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->plan;

	/* The entry comes last, so that no error leaves one without a plan. */
	plan = prepare_query(store, &query_texts[query]);
	entry = hash_search(plans, &key, HASH_ENTER, NULL);
	entry->plan = plan;
	SPI_keepplan(plan);
	return plan;
}

/*
 * Run a query whose parameters are never null, under the current snapshot.
 * The result is in SPI_tuptable.
 */
void
read_query(const char *store, StoreQuery query, Datum *parameters)
{
	int			result = SPI_execute_plan(store_plan(store, query),
										  parameters, NULL, true, 0);

	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
}

/*
 * Open such a query, to fetch its rows batch by batch.
 */
Portal
open_query(const char *store, StoreQuery query, Datum *parameters)
{
	return SPI_cursor_open(NULL, store_plan(store, query), parameters, NULL,
						   true);
}

/*
 * Fetch the next rows of a query, so many at most, and 0 at its end.  They are
 * in SPI_tuptable, which the caller frees.
 */
uint64
fetch_batch(Portal portal, int size)
{
	CHECK_FOR_INTERRUPTS();
	SPI_cursor_fetch(portal, true, size);
	return SPI_processed;
}

/*
 * Check that the columns of SPI's latest result have the given types.
 *
 * The tables belong to their owner, who may have altered them.
 *
 * Errors: 42804 if a column has another type.
 */
void
check_result_shape(const char *store, int ncolumns, const Oid *types)
{
	TupleDesc	columns = SPI_tuptable->tupdesc;

	Assert(columns->natts == ncolumns);
	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (column->atttypid != types[i])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of store \"%s\" must be of type %s, not %s",
							NameStr(column->attname), store,
							format_type_be(types[i]),
							format_type_be(column->atttypid)),
					 errhint("Give the store's tables the shape that ekran_create_store() makes.")));
	}
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
