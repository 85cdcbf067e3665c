/*-------------------------------------------------------------------------
 *
 * gap_index.c
 *	  The idle-gap index of a store, as it is read: the exact gaps of a session,
 *	  whatever is not folded in yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"

/*
 * Ranges as near as this are read as one: to read the activities in between
 * takes less time than another query.
 */
#define NEARBY	(USECS_PER_HOUR)

/* All activities of sessions ($1): session by session, and in order, as a nested loop
 * finds them. */
static const StoreQuery activities_of_sessions = {
	.sql = "SELECT r.place, a.activity_date"
	" FROM pg_catalog.unnest($1) WITH ORDINALITY AS r (session_id, place)"
	" CROSS JOIN LATERAL ("
	"  SELECT b.activity_date FROM @store@.activity b"
	"  WHERE b.session_id OPERATOR(pg_catalog.=) r.session_id"
	"  AND b.activity_date IS NOT NULL"
	"  ORDER BY b.activity_date OFFSET 0) a",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NOT_NULL}},
	.plan_options = PLAN_ONCE,
	.batch = ACTIVITY_BATCH
};

/*
 * Add a range, which must not begin before the one added last.
 */
static void
add_range(Ranges *ranges, TimestampTz first, TimestampTz last)
{
	if (ranges->count > 0)
	{
		Range	   *previous = &ranges->ranges[ranges->count - 1];

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
 * Rows come in ascending order.  One that covers nothing only says that the session
 * itself has changed.
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
	if (last != DT_NOBEGIN)
		add_range(ranges, first, last);
	return true;
}

static int
compare_ranges(const void *a, const void *b)
{
	TimestampTz first = ((const Range *) a)->first;
	TimestampTz other = ((const Range *) b)->first;

	return first < other ? -1 : first > other;
}

/*
 * Read what is pending for a session, in order.  False if some of it tells no range.
 */
bool
read_pending(DerivedScan *pending, int64 session_id, Ranges *ranges)
{
	bool		is_sound = true;
	Range	   *found = NULL;
	int			count = 0;
	int			allocated = 0;

	memset(ranges, 0, sizeof(*ranges));
	for (bool has_row = find_session_row(pending, session_id); has_row && is_sound;
		 has_row = next_session_row(pending))
	{
		bool		first_isnull;
		bool		last_isnull;
		Datum		first = slot_getattr(pending->slot, DERIVED_FIRST, &first_isnull);
		Datum		last = slot_getattr(pending->slot, DERIVED_LAST, &last_isnull);

		if (count == allocated)
		{
			allocated = allocated == 0 ? 8 : allocated * 2;
			found = found == NULL ? palloc(allocated * sizeof(Range)) :
				repalloc_huge(found, allocated * sizeof(Range));
		}
		is_sound = !first_isnull && !last_isnull;
		found[count].first = DatumGetTimestampTz(first);
		found[count++].last = DatumGetTimestampTz(last);
	}

	/* An index of the owner's may have them in another order. */
	if (count > 1)
		qsort(found, count, sizeof(Range), compare_ranges);
	for (int i = 0; is_sound && i < count; i++)
	{
		Datum		values[] = {TimestampTzGetDatum(found[i].first),
			TimestampTzGetDatum(found[i].last)};
		bool		nulls[] = {false, false};

		is_sound = add_pending_range(ranges, values, nulls);
	}
	if (found != NULL)
		pfree(found);
	return is_sound;
}

/*
 * Add an activity to a region.  Queries rely on their plans for the order.
 */
static void
add_next_activity(Region *region, TimestampTz moment, TimestampTz range_start)
{
	if (moment < region->last)
		elog(ERROR, "activities come out of order");
	add_region_activity(region, moment, range_start);
}

/*
 * Limit where the last activity before a range is looked for, with the one before that is
 * asked for likewise.
 *
 * Outside of the ranges are the activities that the gaps were made of.  Gaps tell which
 * was the last one, or that it was within a minute; or that there was none, so that it
 * can only be in another range.  If that activity may lie in another range, and so be
 * gone, the last one is no further off than that range's own.
 */
static void
limit_before(RegionRequest *request, const RegionRequest *previous, const Gaps *gaps,
			 TimestampTz first_of_all)
{
	TimestampTz first = request->range.first;
	TimestampTz stored;

	request->reach.first = first_of_all;
	request->has_before = false;
	if (first == DT_NOBEGIN)
		return;
	stored = gaps->start[gap_ending_after(gaps, first - 1)];
	if (stored == DT_NOBEGIN)
		return;
	if (stored >= first)
		stored = first - MINIMUM_GAP;
	if (previous == NULL || stored > previous->range.last)
	{
		request->reach.first = stored;
		request->has_before = true;
	}
	else
	{
		request->reach.first = previous->reach.first;
		request->has_before = previous->has_before;
	}
}

/*
 * The same of the first one after a range.
 */
static void
limit_after(RegionRequest *request, const RegionRequest *next, const Gaps *gaps,
			TimestampTz last_of_all)
{
	TimestampTz last = request->range.last;
	TimestampTz stored;
	int			i;

	request->reach.last = last_of_all;
	request->has_after = false;
	if (last == DT_NOEND)
		return;
	i = gap_ending_after(gaps, last);
	stored = gaps->start[i] <= last ? gaps->end[i] : last + MINIMUM_GAP;
	if (stored == DT_NOEND)
		return;
	if (next == NULL || stored < next->range.first)
	{
		request->reach.last = stored;
		request->has_after = true;
	}
	else
	{
		request->reach.last = next->reach.last;
		request->has_after = next->has_after;
	}
}

/*
 * Ask for what lies around the pending ranges of a session with some stored gaps: in
 * limits, so that few partitions are looked at.
 */
void
request_regions(RegionRequest *requests, int64 session_id, const Gaps *gaps,
				const Ranges *pending)
{
	int			count = pending->count;

	for (int i = 0; i < count; i++)
	{
		requests[i].session_id = session_id;
		requests[i].range = pending->ranges[i];
		limit_before(&requests[i], i > 0 ? &requests[i - 1] : NULL, gaps,
					 pending->ranges[0].first);
	}
	for (int i = count - 1; i >= 0; i--)
		limit_after(&requests[i], i < count - 1 ? &requests[i + 1] : NULL, gaps,
					pending->ranges[count - 1].last);
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
	bool		is_lost = false;

	for (int i = 0; i < count; i++)
	{
		Gaps		mended = mend_gaps(gaps, &requests[i].region);

		if (i > 0)
			free_gaps(gaps);
		*gaps = mended;
		is_lost |= requests[i].is_lost;
	}
	return !is_lost && are_gaps(gaps);
}

/*
 * Bring the stored gaps of a session up to what they are under the current
 * snapshot, by what is pending under the same; false if they can't be mended.
 */
bool
exact_gaps(Activities *activities, int64 session_id, Gaps *gaps,
		   const Ranges *pending)
{
	RegionRequest *requests;
	bool		is_mended;

	if (pending->count == 0)
		return true;

	requests = palloc(pending->count * sizeof(RegionRequest));
	request_regions(requests, session_id, gaps, pending);
	read_regions(activities, requests, pending->count);
	is_mended = mend_regions(gaps, requests, pending->count);
	pfree(requests);
	return is_mended;
}

/*
 * Read all gaps of sessions from their activities: one query for all.
 */
void
raw_gaps_of(const Store *store, const int64 *ids, int count, Gaps *gaps)
{
	Datum		parameters[] = {int8_array(ids, count)};
	Region	   *regions = palloc(count * sizeof(Region));
	Rows		activities;

	for (int i = 0; i < count; i++)
		begin_region(&regions[i]);
	begin_rows(&activities, store, &activities_of_sessions, parameters);
	while (next_row(&activities))
		add_next_activity(&regions[DatumGetInt64(activities.values[0]) - 1],
						  DatumGetTimestampTz(activities.values[1]), DT_NOBEGIN);
	end_rows(&activities);

	for (int i = 0; i < count; i++)
	{
		end_region(&regions[i], DT_NOEND);
		gaps[i] = region_gaps(&regions[i]);
	}
	pfree(regions);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * Read all gaps of a session from its activities.
 */
Gaps
raw_gaps(const Store *store, int64 session_id)
{
	Gaps		gaps;

	raw_gaps_of(store, &session_id, 1, &gaps);
	return gaps;
}
