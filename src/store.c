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
#include "utils/builtins.h"
#include "utils/guc.h"
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
 */
#define ACROSS_START \
	" FROM @store@.session s" \
	" WHERE pg_catalog.tstzrange(s.login_date, s.logout_date)" \
	"       OPERATOR(pg_catalog.@>) $1" \
	" AND s.login_date OPERATOR(pg_catalog.<) $2" \
	" AND (s.logout_date IS NOT NULL" \
	"      OR EXISTS (SELECT FROM @store@.activity a" \
	"                 WHERE a.session_id OPERATOR(pg_catalog.=) s.session_id" \
	"                 AND a.activity_date OPERATOR(pg_catalog.>) $1))"

#define WITHIN_WINDOW \
	" FROM @store@.session s" \
	" WHERE s.login_date OPERATOR(pg_catalog.>) $1" \
	" AND s.login_date OPERATOR(pg_catalog.<) $2"

#define STORED_COLUMNS \
	"SELECT s.session_id, s.client_guid, s.user_id, s.login_date, s.logout_date"

/*
 * A page of sessions with their names and their finish: the logout, else the
 * latest counted activity, else the login.  Columns as in reading.c.
 */
#define PAGE_OF(across, within, limits) \
	"SELECT p.session_id, p.client_guid, c.client_name, p.user_id, u.user_name," \
	" p.login_date, p.logout_date," \
	" COALESCE(p.logout_date," \
	"          (SELECT a.activity_date FROM @store@.activity a" \
	"           WHERE a.session_id OPERATOR(pg_catalog.=) p.session_id" \
	"           AND a.activity_date OPERATOR(pg_catalog.>=) p.login_date" \
	"           ORDER BY a.activity_date DESC LIMIT 1)," \
	"          p.login_date)" \
	" FROM (SELECT * FROM (" across " UNION ALL " within ") q" \
	"       ORDER BY q.login_date, q.session_id" limits ") p" \
	" LEFT JOIN @store@.client c" \
	"   ON c.client_guid OPERATOR(pg_catalog.=) p.client_guid" \
	" LEFT JOIN @store@.app_user u" \
	"   ON u.user_id OPERATOR(pg_catalog.=) p.user_id" \
	" ORDER BY p.login_date, p.session_id"

#define BEYOND_POSITION \
	" AND (s.login_date, s.session_id) OPERATOR(pg_catalog.>) ($3, $4)"

#define MAX_PARAMETERS	5

typedef struct QueryText
{
	const char *sql;
	int			nparameters;
	Oid			parameters[MAX_PARAMETERS];
} QueryText;

static const QueryText query_texts[] = {
	[QUERY_PAGE] = {
		PAGE_OF(STORED_COLUMNS ACROSS_START, STORED_COLUMNS WITHIN_WINDOW,
				" OFFSET $3 LIMIT $4"),
		4, {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID}
	},
	[QUERY_KEYSET_PAGE] = {
		PAGE_OF(STORED_COLUMNS ACROSS_START BEYOND_POSITION,
				STORED_COLUMNS WITHIN_WINDOW BEYOND_POSITION,
				" LIMIT $5"),
		5, {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID}
	},
	[QUERY_KEYSET_POSITION] = {
		"SELECT s.login_date FROM @store@.session s"
		" WHERE s.session_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}
	},
	[QUERY_TOTAL_COUNT] = {
		"SELECT (SELECT pg_catalog.count(*)" ACROSS_START ")"
		" OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*)" WITHIN_WINDOW ")",
		2, {TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[QUERY_ACTIVITIES] = {
		"SELECT a.activity_date FROM @store@.activity a"
		" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
		" AND a.activity_date OPERATOR(pg_catalog.>=) $2"
		" AND a.activity_date OPERATOR(pg_catalog.<=) $3"
		" ORDER BY a.activity_date",
		3, {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	/* The lock a foreign key takes: no session goes while activities come. */
	[QUERY_LOCK_SESSIONS] = {
		"SELECT s.session_id FROM @store@.session s"
		" WHERE s.session_id OPERATOR(pg_catalog.=) ANY ($1)"
		" FOR KEY SHARE OF s",
		1, {INT8ARRAYOID}
	},
	[QUERY_DELETE_ACTIVITIES] = {
		"DELETE FROM @store@.activity a"
		" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}
	},
	[QUERY_ANY_ACTIVITY_OF] = {
		"SELECT a.session_id FROM @store@.activity a"
		" WHERE a.session_id OPERATOR(pg_catalog.=) ANY ($1)"
		" LIMIT 1",
		1, {INT8ARRAYOID}
	},
	[QUERY_ANY_ACTIVITY] = {
		"SELECT a.session_id FROM @store@.activity a LIMIT 1",
		0, {InvalidOid}
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

/*
 * Let built-in names mean built-in objects until the current nest level of
 * settings ends, for what runs with other rights than the caller's own or
 * can't name everything in full.
 */
void
pin_search_path(void)
{
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
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

	plan = SPI_prepare(sql.data, query->nparameters,
					   unconstify(Oid *, &query->parameters[0]));
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s",
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
