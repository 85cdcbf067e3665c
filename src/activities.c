/*-------------------------------------------------------------------------
 *
 * activities.c
 *	  Activities of many sessions: of each those near some moment, or one after the
 *	  other, with what they were in.
 *
 * They are found by the index of activity, straight: to have the executor start
 * over for each session takes several times as long as the index does.  The caller's
 * right to read is asked for first.  Where a query has to do more than that, for
 * policies hold for the caller, or the table has partitions, one does it for all
 * sessions at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/itup.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/visibilitymap.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* Of sessions ($1), those from the last before a range ($2, $3) to the first
 * after it, which are looked for from $4 to $5: range by range, and in order, as a nested
 * loop finds them.  To be told to sort, the planner would do it all over again. */
static const StoreQuery activities_around = {
	.sql = "SELECT r.place, a.activity_date"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
	"   pg_catalog.unnest($4), pg_catalog.unnest($5))"
	"   WITH ORDINALITY AS r (session_id, first_moment, last_moment, from_moment, to_moment, place)"
	" CROSS JOIN LATERAL ("
	"  SELECT b.activity_date FROM @store@.activity b"
	"  WHERE b.session_id OPERATOR(pg_catalog.=) r.session_id"
	"  AND b.activity_date OPERATOR(pg_catalog.>=) COALESCE("
	"   (SELECT c.activity_date FROM @store@.activity c"
	"    WHERE c.session_id OPERATOR(pg_catalog.=) r.session_id"
	"    AND c.activity_date OPERATOR(pg_catalog.<) r.first_moment"
	"    AND c.activity_date OPERATOR(pg_catalog.>=) r.from_moment"
	"    ORDER BY c.activity_date DESC LIMIT 1), r.first_moment)"
	"  AND b.activity_date OPERATOR(pg_catalog.<=) COALESCE("
	"   (SELECT c.activity_date FROM @store@.activity c"
	"    WHERE c.session_id OPERATOR(pg_catalog.=) r.session_id"
	"    AND c.activity_date OPERATOR(pg_catalog.>) r.last_moment"
	"    AND c.activity_date OPERATOR(pg_catalog.<=) r.to_moment"
	"    ORDER BY c.activity_date LIMIT 1), r.last_moment)"
	"  ORDER BY b.activity_date OFFSET 0) a",
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID,
		TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NOT_NULL}},
	.plan_options = PLAN_ONCE,
	.batch = ACTIVITY_BATCH
};

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

static const StoreQuery first_activities = {
	.sql = ACTIVITIES_NEXT_TO(">=", "<=", "ASC"),
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.columns = {{TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery last_activities = {
	.sql = ACTIVITIES_NEXT_TO("<=", ">=", "DESC"),
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.columns = {{TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

/*
 * Of a session ($1) from its login ($2) on, before which no partition is looked at; a null
 * is found, and refused.
 */
static const StoreQuery latest_activity_query = {
	.sql = "SELECT a.activity_date FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
	" AND (a.activity_date OPERATOR(pg_catalog.>=) $2 OR a.activity_date IS NULL)"
	" ORDER BY a.activity_date DESC LIMIT 1",
	.parameters = {INT8OID, TIMESTAMPTZOID},
	.columns = {{TIMESTAMPTZOID, NOT_NULL}},
	.plan_options = PLAN_ONCE
};

/* Those of a session ($1) from one moment ($2) to another ($3), in order. */
#define A_DATE				{{TIMESTAMPTZOID, NOT_NULL}}
#define A_DATE_AND_A_LABEL	{{TIMESTAMPTZOID, NOT_NULL}, {TEXTOID, NULLABLE}}

#define ACTIVITIES_BETWEEN(label, or_more, result) { \
	.sql = "SELECT a.activity_date" label " FROM @store@.activity a" \
	" WHERE a.session_id OPERATOR(pg_catalog.=) $1" \
	" AND a.activity_date OPERATOR(pg_catalog.>=) $2" \
	" AND a.activity_date OPERATOR(pg_catalog.<=) $3" \
	" ORDER BY a.activity_date" or_more, \
	.parameters = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}, \
	.columns = result, \
	.plan_options = PLAN_ONCE, \
	.batch = ACTIVITY_BATCH}

#define ACTIVITIES_WITH_LABELS(or_more) { \
	[NO_LABEL] = ACTIVITIES_BETWEEN("", "", A_DATE), \
	[APPLICATION_LABEL] = ACTIVITIES_BETWEEN(", a.application", or_more, A_DATE_AND_A_LABEL), \
	[URL_LABEL] = ACTIVITIES_BETWEEN(", a.url", or_more, A_DATE_AND_A_LABEL)}

static const StoreQuery activities_between[NUM_LABELS] =
	ACTIVITIES_WITH_LABELS(", a.activity_id");

/* A view may lack the ids, and say nothing of the order of what happened at once. */
static const StoreQuery activities_without_ids[NUM_LABELS] = ACTIVITIES_WITH_LABELS("");

static const char *const label_columns[NUM_LABELS] = {
	[APPLICATION_LABEL] = "application",
	[URL_LABEL] = "url",
};

/* Of each scan: the session, and the first and the last moment. */
#define SCAN_KEYS	3

struct Activities
{
	const Store *store;
	LabelKind	kind;
	const StoreQuery *query;	/* those of a session */
	Relation	table;			/* NULL: by queries */
	Relation	index;
	IndexScanDesc scan;
	ScanDirection direction;	/* of the seek in hand */
	TupleTableSlot *slot;
	Buffer		map;			/* a page of the visibility map */
	AttrNumber	date_column;	/* with labels: where in the table they are */
	AttrNumber	label_column;
	Rows		rows;			/* of a session, without a table */
	MemoryContext context;		/* for the scan's own */
	MemoryContext label_context;	/* for a label that is stored apart */
};

/*
 * Does an index tell the truth under our snapshots?  One that was made while rows changed
 * may hold only what they are since.
 */
static bool
is_old_enough(Relation index)
{
	return !index->rd_index->indcheckxmin ||
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							  TransactionXmin);
}

/*
 * Does an index of activities find those of a session in the order of time?
 */
static bool
is_by_session_and_date(Relation activity, Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
		is_old_enough(index) &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
		index->rd_index->indnkeyatts >= 2 &&
		(index->rd_indoption[0] | index->rd_indoption[1]) == 0 &&
		index->rd_opcintype[0] == INT8OID &&
		index->rd_opcintype[1] == TIMESTAMPTZOID &&
		index->rd_index->indkey.values[0] == column_number(activity, "session_id") &&
		index->rd_index->indkey.values[1] == column_number(activity, "activity_date");
}

/*
 * And those at one time in the order of their ids?
 */
static bool
is_in_order(Relation activity, Relation index)
{
	return is_by_session_and_date(activity, index) &&
		index->rd_index->indnkeyatts >= 3 && index->rd_indoption[2] == 0 &&
		index->rd_opcintype[2] == INT8OID &&
		index->rd_index->indkey.values[2] == column_number(activity, "activity_id");
}

static bool
may_read_column(Oid table, const char *name)
{
	AttrNumber	column = get_attnum(table, name);

	return column != InvalidAttrNumber &&
		pg_attribute_aclcheck(table, column, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static bool
may_read_columns(Oid activity, LabelKind kind)
{
	return may_read_column(activity, "session_id") &&
		may_read_column(activity, "activity_date") &&
		(kind == NO_LABEL ||
		 (may_read_column(activity, "activity_id") &&
		  may_read_column(activity, label_columns[kind])));
}

/*
 * May the caller read what happened in the sessions, of a table of one piece, straight?
 */
static bool
may_read_straight(const Store *store, LabelKind kind)
{
	Oid			activity = store->tables[TABLE_ACTIVITY];

	return is_table_of(activity, store->owner, false) &&
		(pg_class_aclcheck(activity, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		 may_read_columns(activity, kind)) &&
		check_enable_rls(activity, InvalidOid, true) != RLS_ENABLED;
}

/*
 * Choose the query for activities of a session.  A view may also lack the labels: then
 * there are none, and what is said of the kind from here on goes by that.
 */
static void
choose_query(Activities *activities)
{
	Oid			activity = activities->store->tables[TABLE_ACTIVITY];
	LabelKind	kind = activities->kind;

	activities->query = &activities_between[kind];
	if (kind == NO_LABEL || why_of_views(activities->store) == NULL)
		return;
	if (get_attnum(activity, label_columns[kind]) == InvalidAttrNumber)
		activities->kind = NO_LABEL;
	activities->query = get_attnum(activity, "activity_id") == InvalidAttrNumber ?
		&activities_without_ids[activities->kind] : &activities_between[activities->kind];
}

/*
 * Find the columns of an activity with its label; false if it has no such.
 */
static bool
find_columns(Activities *activities)
{
	Relation	table = activities->table;
	AttrNumber	label;

	if (activities->kind == NO_LABEL)
		return true;
	label = column_number(table, label_columns[activities->kind]);
	activities->label_column = label;
	activities->date_column = column_number(table, "activity_date");
	return label != InvalidAttrNumber &&
		TupleDescAttr(RelationGetDescr(table), label - 1)->atttypid == TEXTOID;
}

/*
 * Begin to read activities of a store under the active snapshot; with labels, one after
 * the other.
 */
Activities *
begin_activities(const Store *store, LabelKind kind)
{
	Activities *activities = palloc0(sizeof(Activities));

	activities->store = store;
	activities->kind = kind;
	activities->map = InvalidBuffer;
	activities->context = CurrentMemoryContext;
	choose_query(activities);
	if (activities->kind != NO_LABEL)
		activities->label_context = AllocSetContextCreate(CurrentMemoryContext,
														  "ekran_sessions label",
														  ALLOCSET_SMALL_SIZES);
	if (!may_read_straight(store, activities->kind))
		return activities;

	activities->table = table_open(store->tables[TABLE_ACTIVITY], AccessShareLock);
	if (activities->table->rd_rel->relam == HEAP_TABLE_AM_OID && find_columns(activities))
		activities->index = open_index(activities->table,
									   activities->kind == NO_LABEL ?
										   is_by_session_and_date : is_in_order);
	if (activities->index == NULL)
	{
		table_close(activities->table, NoLock);
		activities->table = NULL;
		return activities;
	}
	activities->slot = table_slot_create(activities->table, NULL);
	activities->scan = BEGIN_INDEX_SCAN(activities->table, activities->index,
										GetActiveSnapshot(), SCAN_KEYS);
	activities->scan->xs_want_itup = activities->kind == NO_LABEL;
	return activities;
}

/*
 * Are they read without queries?
 */
bool
is_read_straight(const Activities *activities)
{
	return activities->table != NULL;
}

void
end_activities(Activities *activities)
{
	if (activities->table == NULL)
		return;
	index_endscan(activities->scan);
	if (BufferIsValid(activities->map))
		ReleaseBuffer(activities->map);
	ExecDropSingleTupleTableSlot(activities->slot);
	index_close(activities->index, NoLock);
	table_close(activities->table, NoLock);
}

/*
 * Go to the activities of a session from one moment to another, forward from the
 * first of them or backward from the last.
 */
static void
seek(Activities *activities, int64 session_id, TimestampTz first,
	 TimestampTz last, ScanDirection direction)
{
	MemoryContext caller_context = MemoryContextSwitchTo(activities->context);
	ScanKeyData keys[SCAN_KEYS];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(session_id));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(first));
	ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(last));
	index_rescan(activities->scan, keys, SCAN_KEYS, NULL, 0);
	MemoryContextSwitchTo(caller_context);
	activities->direction = direction;
}

/*
 * Does the snapshot see the activity that the index has found in a place?
 */
static bool
is_visible(Activities *activities, ItemPointer place)
{
	IndexScanDesc scan = activities->scan;
	BlockNumber block = ItemPointerGetBlockNumber(place);

	if (!VM_ALL_VISIBLE(activities->table, block, &activities->map))
		return index_fetch_heap(scan, activities->slot);
	PredicateLockPage(activities->table, block, scan->xs_snapshot);
	return true;
}

/*
 * Find the next of them; false at the end.
 */
static bool
next_activity(Activities *activities, TimestampTz *moment)
{
	MemoryContext caller_context = MemoryContextSwitchTo(activities->context);
	IndexScanDesc scan = activities->scan;
	bool		isnull = true;
	ItemPointer place;

	while (isnull &&
		   (place = index_getnext_tid(scan, activities->direction)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_visible(activities, place))
			*moment = DatumGetTimestampTz(index_getattr(scan->xs_itup, 2,
														scan->xs_itupdesc,
														&isnull));
	}
	MemoryContextSwitchTo(caller_context);
	return !isnull;
}

static void
query_neighbours(const Activities *activities, const StoreQuery *query,
				 ActivityProbe *probes, int count, int64 reach)
{
	int64	   *ids = palloc(count * sizeof(int64));
	TimestampTz *moments = palloc(count * sizeof(TimestampTz));
	TimestampTz *limits = palloc(count * sizeof(TimestampTz));
	Datum		parameters[3];
	Rows		rows;

	for (int i = 0; i < count; i++)
	{
		ids[i] = probes[i].session_id;
		moments[i] = probes[i].moment;
		limits[i] = probes[i].moment + reach;
	}
	parameters[0] = int8_array(ids, count);
	parameters[1] = timestamptz_array(moments, count);
	parameters[2] = timestamptz_array(limits, count);
	begin_rows(&rows, activities->store, query, parameters);
	for (int i = 0; i < count && next_row(&rows); i++)
	{
		probes[i].is_found = !rows.nulls[0];
		probes[i].found = DatumGetTimestampTz(rows.values[0]);
	}
	end_rows(&rows);
}

/*
 * Find for each probe the first activity of its session at its moment or later,
 * within MINIMUM_GAP.
 */
void
find_first_activities(Activities *activities, ActivityProbe *probes, int count)
{
	if (count == 0)
		return;
	if (activities->table == NULL)
	{
		query_neighbours(activities, &first_activities, probes, count, MINIMUM_GAP);
		return;
	}
	for (int i = 0; i < count; i++)
	{
		seek(activities, probes[i].session_id, probes[i].moment,
			 probes[i].moment + MINIMUM_GAP, ForwardScanDirection);
		probes[i].is_found = next_activity(activities, &probes[i].found);
	}
}

/*
 * Find for each probe the last one at its moment or earlier, likewise.
 */
void
find_last_activities(Activities *activities, ActivityProbe *probes, int count)
{
	if (count == 0)
		return;
	if (activities->table == NULL)
	{
		query_neighbours(activities, &last_activities, probes, count, -MINIMUM_GAP);
		return;
	}
	for (int i = 0; i < count; i++)
	{
		seek(activities, probes[i].session_id, probes[i].moment - MINIMUM_GAP,
			 probes[i].moment, BackwardScanDirection);
		probes[i].is_found = next_activity(activities, &probes[i].found);
	}
}

/*
 * The latest activity of a session by the index, or -infinity.
 *
 * Errors: 22004 for one without a date.
 */
static TimestampTz
seek_latest(Activities *activities, int64 session_id)
{
	MemoryContext caller_context = MemoryContextSwitchTo(activities->context);
	IndexScanDesc scan = activities->scan;
	ScanKeyData keys[SCAN_KEYS];
	ItemPointer place;
	bool		isnull;
	TimestampTz latest = DT_NOBEGIN;

	/* The scan takes so many keys, be they the same. */
	for (int i = 0; i < SCAN_KEYS; i++)
		ScanKeyInit(&keys[i], 1, BTEqualStrategyNumber, F_INT8EQ,
					Int64GetDatum(session_id));
	index_rescan(scan, keys, SCAN_KEYS, NULL, 0);
	while ((place = index_getnext_tid(scan, BackwardScanDirection)) != NULL &&
		   !is_visible(activities, place))
		CHECK_FOR_INTERRUPTS();
	if (place != NULL)
	{
		/* Of a table that has given up its key, nulls come last. */
		latest = DatumGetTimestampTz(index_getattr(scan->xs_itup, 2,
												   scan->xs_itupdesc, &isnull));
		if (isnull)
			refuse_null_column(activities->store, "activity_date");
	}
	MemoryContextSwitchTo(caller_context);
	return latest;
}

/*
 * Likewise by a query, where that must be.
 */
TimestampTz
latest_activity_of(Activities *activities, int64 session_id, TimestampTz login)
{
	Datum		parameters[] = {Int64GetDatum(session_id), TimestampTzGetDatum(login)};
	Datum		found;

	if (activities->table != NULL)
		return seek_latest(activities, session_id);
	return read_row(activities->store, &latest_activity_query, parameters, &found) ?
		DatumGetTimestampTz(found) : DT_NOBEGIN;
}

/*
 * Add an activity to a region.  Queries rely on their plans for the order.
 */
static void
add_next_activity(RegionRequest *request, TimestampTz moment)
{
	if (moment < request->region.last)
		elog(ERROR, "activities come out of order");
	add_region_activity(&request->region, moment, request->range.first);
}

static void
query_regions(const Activities *activities, RegionRequest *requests, int count)
{
	int64	   *ids = palloc(count * sizeof(int64));
	TimestampTz *first = palloc(count * sizeof(TimestampTz));
	TimestampTz *last = palloc(count * sizeof(TimestampTz));
	TimestampTz *from = palloc(count * sizeof(TimestampTz));
	TimestampTz *to = palloc(count * sizeof(TimestampTz));
	Datum		parameters[5];
	Rows		rows;

	for (int i = 0; i < count; i++)
	{
		ids[i] = requests[i].session_id;
		first[i] = requests[i].range.first;
		last[i] = requests[i].range.last;
		from[i] = requests[i].reach.first;
		to[i] = requests[i].reach.last;
	}
	parameters[0] = int8_array(ids, count);
	parameters[1] = timestamptz_array(first, count);
	parameters[2] = timestamptz_array(last, count);
	parameters[3] = timestamptz_array(from, count);
	parameters[4] = timestamptz_array(to, count);

	begin_rows(&rows, activities->store, &activities_around, parameters);
	while (next_row(&rows))
		add_next_activity(&requests[DatumGetInt64(rows.values[0]) - 1],
						  DatumGetTimestampTz(rows.values[1]));
	end_rows(&rows);
	pfree(ids);
	pfree(first);
	pfree(last);
	pfree(from);
	pfree(to);
	for (size_t i = 0; i < lengthof(parameters); i++)
		pfree(DatumGetPointer(parameters[i]));
}

static void
seek_region(Activities *activities, RegionRequest *request)
{
	const Range *range = &request->range;
	TimestampTz moment;

	if (range->first != DT_NOBEGIN)
	{
		seek(activities, request->session_id, DT_NOBEGIN, range->first - 1,
			 BackwardScanDirection);
		if (next_activity(activities, &moment))
			add_next_activity(request, moment);
	}
	seek(activities, request->session_id, range->first, DT_NOEND,
		 ForwardScanDirection);
	while (next_activity(activities, &moment))
	{
		add_next_activity(request, moment);
		if (moment > range->last)
			break;
	}
}

/*
 * Read the regions around ranges of sessions: from the last activity before a range
 * to the first one after it.  What an index finds at once is looked for everywhere.
 */
void
read_regions(Activities *activities, RegionRequest *requests, int count)
{
	bool		is_limited = activities->table == NULL;

	for (int i = 0; i < count; i++)
		begin_region(&requests[i].region);
	if (is_limited)
		query_regions(activities, requests, count);
	for (int i = 0; i < count; i++)
	{
		RegionRequest *request = &requests[i];

		if (!is_limited)
			seek_region(activities, request);
		end_region(&request->region, request->range.last);
		request->is_lost = is_limited &&
			((request->has_before && request->region.first == DT_NOBEGIN) ||
			 (request->has_after && request->region.last == DT_NOEND));
	}
}

static void
take_label(Activities *activities, Activity *activity, Datum label, bool isnull)
{
	MemoryContext caller_context;

	activity->label = NULL;
	if (isnull)
		return;
	MemoryContextReset(activities->label_context);
	caller_context = MemoryContextSwitchTo(activities->label_context);
	activity->label = DatumGetTextPP(label);
	MemoryContextSwitchTo(caller_context);
}

/*
 * Find the next activity with its label; false at the end.
 */
static bool
next_labelled(Activities *activities, Activity *activity)
{
	MemoryContext caller_context = MemoryContextSwitchTo(activities->context);
	TupleTableSlot *slot = activities->slot;
	bool		is_found = index_getnext_slot(activities->scan, ForwardScanDirection,
											  slot);

	CHECK_FOR_INTERRUPTS();
	if (is_found)
	{
		bool		isnull;
		Datum		label;

		/* a key of the index, so never null */
		activity->moment = DatumGetTimestampTz(slot_getattr(slot, activities->date_column,
															&isnull));
		label = slot_getattr(slot, activities->label_column, &isnull);
		take_label(activities, activity, label, isnull);
	}
	MemoryContextSwitchTo(caller_context);
	return is_found;
}

/*
 * Begin to read the activities of a session from one moment to another, in the order of
 * time, and with labels of their ids.
 */
void
begin_session(Activities *activities, int64 session_id, TimestampTz first,
			  TimestampTz last)
{
	Datum		parameters[] = {
		Int64GetDatum(session_id),
		TimestampTzGetDatum(first),
		TimestampTzGetDatum(last)
	};

	if (activities->table != NULL)
		seek(activities, session_id, first, last, ForwardScanDirection);
	else
		begin_rows(&activities->rows, activities->store, activities->query, parameters);
}

/*
 * Read the next of them; false at the end.  Its label is valid until the next call.
 */
bool
next_in_session(Activities *activities, Activity *activity)
{
	Rows	   *rows = &activities->rows;

	activity->label = NULL;
	if (activities->table != NULL)
		return activities->kind == NO_LABEL ?
			next_activity(activities, &activity->moment) :
			next_labelled(activities, activity);

	if (!next_row(rows))
		return false;
	activity->moment = DatumGetTimestampTz(rows->values[0]);
	if (activities->kind != NO_LABEL)
		take_label(activities, activity, rows->values[1], rows->nulls[1]);
	return true;
}

void
end_session(Activities *activities)
{
	if (activities->table == NULL)
		end_rows(&activities->rows);
}

/*
 * How many activities of a session from a moment on an index of a table finds, up to a
 * number.  Whether they are there still isn't asked, which would take longer.
 */
static int
count_by_index(Relation activity, Relation index, int64 session_id,
			   TimestampTz first, int limit)
{
	IndexScanDesc scan = BEGIN_INDEX_SCAN(activity, index, SnapshotAny, 2);
	ScanKeyData keys[2];
	int			count = 0;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(session_id));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(first));
	index_rescan(scan, keys, 2, NULL, 0);
	while (count < limit && index_getnext_tid(scan, ForwardScanDirection) != NULL)
		count++;
	index_endscan(scan);
	return count;
}

/*
 * Likewise of a table that may have no such index: then they are as many as can be.
 */
static int
count_in_piece(Oid table, int64 session_id, TimestampTz first, int limit)
{
	Relation	activity = table_open(table, AccessShareLock);
	int			count = 0;

	if (RELKIND_HAS_STORAGE(activity->rd_rel->relkind))
	{
		Relation	index = open_index(activity, is_by_session_and_date);

		count = limit;
		if (index != NULL)
		{
			count = count_by_index(activity, index, session_id, first, limit);
			index_close(index, NoLock);
		}
	}
	table_close(activity, NoLock);
	return count;
}

/*
 * About how many activities a session has from a moment on, in all partitions, up to a
 * number.
 */
int
count_activities(const Store *store, int64 session_id, TimestampTz first, int limit)
{
	List	   *pieces = find_all_inheritors(store->tables[TABLE_ACTIVITY],
											 AccessShareLock, NULL);
	int			count = 0;
	ListCell   *cell;

	foreach(cell, pieces)
	{
		if (count < limit)
			count += count_in_piece(lfirst_oid(cell), session_id, first,
									limit - count);
	}
	list_free(pieces);
	return count;
}
