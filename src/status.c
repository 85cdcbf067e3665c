/*-------------------------------------------------------------------------
 *
 * status.c
 *	  ekran_status(): how a store is, for whoever keeps it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ekran_status);

static const StoreQuery count_indexed = {
	.sql = "SELECT pg_catalog.count(i.session_id) FROM @store@.session_idle i",
	.columns = {{INT8OID, NOT_NULL}},
	.plan_options = CURSOR_OPT_PARALLEL_OK
};

static const StoreQuery count_pending = {
	.sql = "SELECT pg_catalog.count(p.session_id),"
	" pg_catalog.count(DISTINCT p.session_id) FROM @store@.pending p",
	.columns = {{INT8OID, NOT_NULL}, {INT8OID, NOT_NULL}},
	.plan_options = CURSOR_OPT_PARALLEL_OK
};

static const StoreQuery size_of_partitions = {
	.sql = "SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_total_relation_size(t.relid)), 0)::pg_catalog.int8"
	" FROM pg_catalog.pg_partition_tree($1) t",
	.parameters = {REGCLASSOID},
	.columns = {{INT8OID, NOT_NULL}},
	.plan_options = PLAN_ONCE
};

enum
{
	STATUS_STORE,
	STATUS_STATE,
	STATUS_REASON,
	STATUS_ANSWERED_BY,
	STATUS_COUNTED_BY,
	STATUS_INDEXED_SESSIONS,
	STATUS_PENDING_ROWS,
	STATUS_PENDING_SESSIONS,
	STATUS_DERIVED_BYTES,
	STATUS_ACTIVITY_BYTES,
	NUM_STATUS_COLUMNS
};

static const char *const state_names[] = {
	[DERIVED_OK] = "ok",
	[DERIVED_RAW] = "raw",
	[DERIVED_BROKEN] = "broken",
};

/* Of a store whose session or activity is no table. */
#define STATE_VIEWS	"views"

static bool
may_read(Oid table)
{
	return OidIsValid(table) &&
		pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/*
 * The size of a table with its indexes and partitions, in bytes; 0 if there is none.
 */
static int64
table_size(const Store *store, Oid table)
{
	Datum		parameters[] = {ObjectIdGetDatum(table)};
	Datum		size = Int64GetDatum(0);

	if (!OidIsValid(table))
		return 0;
	if (get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE)
		(void) read_row(store, &size_of_partitions, parameters, &size);
	else if (RELKIND_HAS_STORAGE(get_rel_relkind(table)))
		size = DirectFunctionCall1(pg_total_relation_size, parameters[0]);
	return DatumGetInt64(size);
}

/*
 * Count what the derived tables hold, as far as the caller may read them.
 *
 * Only where they are such as we make them: in their place, an owner could have put a
 * view, which would run with the rights of whoever asks how the store is.
 */
static void
count_rows(const Store *store, const Verdict *verdict, Datum *values,
		   bool *nulls)
{
	Datum		counts[2];

	nulls[STATUS_INDEXED_SESSIONS] = verdict->state == DERIVED_BROKEN ||
		!may_read(store->tables[TABLE_SESSION_IDLE]);
	if (!nulls[STATUS_INDEXED_SESSIONS])
		(void) read_row(store, &count_indexed, NULL,
						&values[STATUS_INDEXED_SESSIONS]);
	nulls[STATUS_PENDING_ROWS] = nulls[STATUS_PENDING_SESSIONS] =
		verdict->state == DERIVED_BROKEN ||
		!may_read(store->tables[TABLE_PENDING]);
	if (!nulls[STATUS_PENDING_ROWS] &&
		read_row(store, &count_pending, NULL, counts))
	{
		values[STATUS_PENDING_ROWS] = counts[0];
		values[STATUS_PENDING_SESSIONS] = counts[1];
	}
}

/*
 * How the derived tables of a store are, under the caller's snapshot; their counts too,
 * for who may read any of them.
 *
 * Who may read nothing of it can't keep others from it either.
 */
static DerivedStatus
store_status(const Store *store)
{
	Snapshot	snapshot = GetActiveSnapshot();
	bool		may_read_some = may_read(store->tables[TABLE_SESSION_IDLE]) ||
		may_read(store->tables[TABLE_PENDING]) ||
		may_read(store->tables[TABLE_SESSION_COUNT]);
	DerivedStatus status = derived_status(store, snapshot, may_read_some);

	if (status.counts.state == DERIVED_OK && may_read_some)
	{
		DayCounts	counts;

		status.counts = load_day_counts(store, snapshot, status.generation, &counts);
	}
	return status;
}

/*
 * ekran_status() returns one row: store name, state, reason, answered_by,
 *		counted_by text, indexed_sessions, pending_rows, pending_sessions,
 *		derived_bytes, activity_bytes bigint
 *
 * How the store that the setting names is, under the caller's snapshot: state ok, raw,
 * broken or, of a store of views, views, and why; what answers the caller, index or
 * activity, and what counts sessions for the caller, session_count or session, where
 * reason is null or says why not the former, or else that an older version has made it.  Counts of rows are null for who may not
 * read the table, and of a broken store or one of views, whose activities have no size
 * that could be told.
 * Errors: those of find_store().
 */
Datum
ekran_status(PG_FUNCTION_ARGS)
{
	Datum		values[NUM_STATUS_COLUMNS] = {0};
	bool		nulls[NUM_STATUS_COLUMNS] = {false};
	IdleRule	rule = idle_rule_setting();
	TupleDesc	columns;
	DerivedStatus status;
	Verdict		verdict;
	Trust		trust;
	const char *reason;
	bool		is_of_views;
	Store		store;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	find_store(&store);
	is_of_views = why_of_views(&store) != NULL;
	status = store_status(&store);
	verdict = status.counts.state > status.gaps.state ? status.counts : status.gaps;
	trust = trust_for_caller(&store, &rule, true);
	/* Whom the counts may answer may read them, so they have been loaded. */
	if (trust.not_by_counts == NULL)
		trust.not_by_counts = status.counts.reason;
	reason = verdict.state != DERIVED_OK ? verdict.reason :
		trust.not_by_index != NULL ? trust.not_by_index : trust.not_by_counts;
	if (reason == NULL && !is_guarded(status.generation))
		reason = "an older version has made the store: ALTER EXTENSION ekran_sessions UPDATE and ekran_create_store() complete it";

	values[STATUS_STORE] = NameGetDatum(&store.name);
	values[STATUS_STATE] =
		CStringGetTextDatum(is_of_views ? STATE_VIEWS : state_names[verdict.state]);
	nulls[STATUS_REASON] = reason == NULL;
	if (reason != NULL)
		values[STATUS_REASON] = CStringGetTextDatum(reason);
	values[STATUS_ANSWERED_BY] =
		CStringGetTextDatum(trust.not_by_index == NULL ? "index" : "activity");
	values[STATUS_COUNTED_BY] =
		CStringGetTextDatum(trust.not_by_counts == NULL ? "session_count" : "session");

	SPI_connect();
	count_rows(&store, &verdict, values, nulls);
	values[STATUS_DERIVED_BYTES] =
		Int64GetDatum(table_size(&store, store.tables[TABLE_SESSION_IDLE]) +
					  table_size(&store, store.tables[TABLE_PENDING]) +
					  table_size(&store, store.tables[TABLE_SESSION_COUNT]));
	nulls[STATUS_ACTIVITY_BYTES] = is_of_views;
	values[STATUS_ACTIVITY_BYTES] =
		Int64GetDatum(table_size(&store, store.tables[TABLE_ACTIVITY]));
	SPI_finish();

	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns),
													  values, nulls)));
}
