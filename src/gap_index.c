/*-------------------------------------------------------------------------
 *
 * gap_index.c
 *	  The idle-gap index of a store, as it is read: whether it can answer a
 *	  caller, and the exact gaps of a session whatever is not folded in yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/rls.h"

/*
 * Ranges as near as this are read as one: to read the activities in between
 * takes less time than another query.
 */
#define NEARBY	(USECS_PER_HOUR)

/* Of sessions ($1), those from the last before a range ($2, $3) to the first
 * after it: range by range, and in order, as a nested loop finds them.  To be
 * told to sort, the planner would do it all over again. */
static const StoreQuery activities_around = {
	.sql = "SELECT r.place, a.activity_date"
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
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.columns = {{INT8OID}, {TIMESTAMPTZOID}},
	.plan_options = PLAN_ONCE,
	.batch = ACTIVITY_BATCH
};

static const Range whole_timeline = {DT_NOBEGIN, DT_NOEND};

/*
 * Can the index answer for the caller?
 *
 * It can't for thresholds that gaps it leaves out would exceed, and in stores
 * that have none.  It must not where row-level security shows the caller only
 * some activities, for the gaps are those between all; nor where it hides rows
 * of the index itself.  A caller who may not read the index reads what it is made from:
 * slower, and as exact.
 */
bool
index_is_usable(const Store *store, const IdleRule *rule)
{
	Oid			activity = store->tables[TABLE_ACTIVITY];
	Oid			idle = store->tables[TABLE_SESSION_IDLE];
	Oid			pending = store->tables[TABLE_PENDING];

	return rule->threshold >= MINIMUM_GAP &&
		store->has_index &&
		pg_class_aclcheck(idle, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		pg_class_aclcheck(pending, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(activity, InvalidOid, true) != RLS_ENABLED &&
		check_enable_rls(idle, InvalidOid, true) != RLS_ENABLED &&
		check_enable_rls(pending, InvalidOid, true) != RLS_ENABLED;
}

/*
 * Refuse to keep an index that isn't there.
 *
 * Errors: 42P01.
 */
void
require_index(const Store *store)
{
	if (!store->has_index)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("store \"%s\" has no idle-gap index",
						NameStr(store->name)),
				 errdetail("It needs both tables \"session_idle\" and \"pending\", of its owner."),
				 errhint("Complete the store with ekran_create_store().")));
}

/*
 * Add a range, which must not begin before the one added last.
 */
static void
add_range(Ranges *ranges, TimestampTz first, TimestampTz last)
{
	Range	   *previous;

	if (ranges->count > 0)
	{
		previous = &ranges->ranges[ranges->count - 1];
		Assert(previous->first <= first);
		if (previous->last == DT_NOEND ||
			first <= previous->last + NEARBY)
		{
			previous->last = Max(previous->last, last);
			return;
		}
	}
	if (ranges->count == ranges->allocated)
	{
		ranges->allocated = ranges->allocated == 0 ? 4 : ranges->allocated * 2;
		ranges->ranges = ranges->ranges == NULL ?
			palloc(ranges->allocated * sizeof(Range)) :
			repalloc(ranges->ranges, ranges->allocated * sizeof(Range));
	}
	ranges->ranges[ranges->count].first = first;
	ranges->ranges[ranges->count].last = last;
	ranges->count++;
}

/*
 * Add what a row of pending covers: its columns first_moment and last_moment.
 * Rows come in ascending order.
 *
 * False if that is no range: somebody has written there; then only the raw
 * activities are to be trusted.
 */
bool
add_pending_range(Ranges *ranges, const Datum *values, const bool *nulls)
{
	TimestampTz first = DatumGetTimestampTz(values[0]);
	TimestampTz last = DatumGetTimestampTz(values[1]);

	if (nulls[0] || nulls[1] || first > last)
		return false;
	add_range(ranges, first, last);
	return true;
}

/*
 * Read the regions around ranges of sessions: one query for all.
 */
void
read_regions(const Store *store, RegionRequest *requests, int count)
{
	int64	   *ids = palloc(count * sizeof(int64));
	TimestampTz *first = palloc(count * sizeof(TimestampTz));
	TimestampTz *last = palloc(count * sizeof(TimestampTz));
	Datum		parameters[3];
	Rows		activities;
	int			previous = 0;

	for (int i = 0; i < count; i++)
	{
		ids[i] = requests[i].session_id;
		first[i] = requests[i].range.first;
		last[i] = requests[i].range.last;
		begin_region(&requests[i].region);
	}
	parameters[0] = int8_array(ids, count);
	parameters[1] = timestamptz_array(first, count);
	parameters[2] = timestamptz_array(last, count);

	begin_rows(&activities, store, &activities_around, parameters);
	while (next_row(&activities))
	{
		int			place = (int) DatumGetInt64(activities.values[0]) - 1;
		TimestampTz moment = DatumGetTimestampTz(activities.values[1]);

		/* The query relies on the plan for this. */
		if (place < previous || moment < requests[place].region.last)
			elog(ERROR, "activities come out of order");
		previous = place;
		add_region_activity(&requests[place].region, moment,
							requests[place].range.first);
	}
	end_rows(&activities);

	for (int i = 0; i < count; i++)
		end_region(&requests[i].region, requests[i].range.last);
	pfree(ids);
	pfree(first);
	pfree(last);
	for (size_t i = 0; i < lengthof(parameters); i++)
		pfree(DatumGetPointer(parameters[i]));
}

/*
 * Put regions, in ascending order, in the place of what the gaps had there.  What
 * the gaps pointed to stays as it is.
 *
 * False where that makes no gaps, for the stored ones knew too little: something
 * was written past the triggers.  Only the raw activities are to be trusted then.
 */
bool
mend_regions(Gaps *gaps, const RegionRequest *requests, int count)
{
	for (int i = 0; i < count; i++)
	{
		Gaps		mended = mend_gaps(gaps, &requests[i].region);

		if (i > 0)
			free_gaps(gaps);
		*gaps = mended;
	}
	return are_gaps(gaps);
}

/*
 * Bring the stored gaps of a session up to what they are under the current
 * snapshot, by what is pending under the same; false if they can't be mended.
 */
bool
exact_gaps(const Store *store, int64 session_id, Gaps *gaps,
		   const Ranges *pending)
{
	RegionRequest *requests;
	bool		is_mended;

	if (pending->count == 0)
		return true;

	requests = palloc(pending->count * sizeof(RegionRequest));
	for (int i = 0; i < pending->count; i++)
	{
		requests[i].session_id = session_id;
		requests[i].range = pending->ranges[i];
	}
	read_regions(store, requests, pending->count);
	is_mended = mend_regions(gaps, requests, pending->count);
	pfree(requests);
	return is_mended;
}

/*
 * Read all gaps of a session from its activities.
 */
Gaps
raw_gaps(const Store *store, int64 session_id)
{
	RegionRequest request;
	Gaps		gaps;

	request.session_id = session_id;
	request.range = whole_timeline;
	read_regions(store, &request, 1);
	gaps.count = request.region.gaps.count;
	gaps.start = request.region.gaps.start;
	gaps.end = request.region.gaps.end;
	return gaps;
}
