/*-------------------------------------------------------------------------
 *
 * gaps.c
 *	  The idle-gap index of one session, as arithmetic: its long gaps, what
 *	  they answer, and how they are mended.  Nothing here reads a table.
 *
 * The gaps of a session are those stretches of time, longer than MINIMUM_GAP,
 * in which it has no activity, in ascending order.  The first comes before all
 * activity and begins at -infinity, the last comes after all and ends at
 * infinity; a session without activity has one gap from end to end.  So the
 * end of the first is the first activity, and the start of the last the last.
 *
 * Gaps know nothing of login and logout, which only choose a part of the
 * timeline: no change of a session changes its gaps.  Uncounted activities are
 * in the gaps too, and lie outside any part that is ever asked for.
 *
 * Between the moments S and E of a session, every idle gap is one of ours cut
 * off at S and E, whether S or E is an activity (then it ends one of ours, and
 * there is nothing to cut), or a login or logout amid one of ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "utils/array.h"

/*
 * The moments of an array column, or NULL if it is not such as we write it.
 */
static const TimestampTz *
array_moments(ArrayType *array, int *count)
{
	if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != TIMESTAMPTZOID)
		return NULL;
	*count = ARR_DIMS(array)[0];
	return (const TimestampTz *) ARR_DATA_PTR(array);
}

/*
 * Can these be the gaps of a session?  From end to end, ascending and apart, or
 * the searches below would not end well.
 */
bool
are_gaps(const Gaps *gaps)
{
	if (gaps->count == 0 || gaps->start[0] != DT_NOBEGIN ||
		gaps->end[gaps->count - 1] != DT_NOEND)
		return false;
	for (int i = 0; i < gaps->count; i++)
		if (gaps->start[i] >= gaps->end[i] ||
			(i > 0 && gaps->start[i] < gaps->end[i - 1]))
			return false;
	return true;
}

/*
 * Take the gaps from the columns gap_start and gap_end.
 *
 * The gaps point into the arrays.  False if these can't be gaps: somebody has
 * written there; then only the raw activities are to be trusted.
 */
bool
read_gaps(const Datum *columns, const bool *nulls, Gaps *gaps)
{
	int			nends;

	if (nulls[0] || nulls[1])
		return false;
	gaps->start = array_moments(DatumGetArrayTypeP(columns[0]), &gaps->count);
	gaps->end = array_moments(DatumGetArrayTypeP(columns[1]), &nends);
	return gaps->start != NULL && gaps->end != NULL &&
		gaps->count == nends && are_gaps(gaps);
}

/*
 * The values of the columns gap_start and gap_end.
 */
void
write_gaps(const Gaps *gaps, Datum *starts, Datum *ends)
{
	*starts = timestamptz_array(gaps->start, gaps->count);
	*ends = timestamptz_array(gaps->end, gaps->count);
}

bool
equal_gaps(const Gaps *a, const Gaps *b)
{
	return a->count == b->count &&
		memcmp(a->start, b->start, a->count * sizeof(TimestampTz)) == 0 &&
		memcmp(a->end, b->end, a->count * sizeof(TimestampTz)) == 0;
}

/*
 * The first gap that ends later than a moment; there is one unless the moment
 * is infinity.
 */
int
gap_ending_after(const Gaps *gaps, TimestampTz moment)
{
	int			low = 0;
	int			high = gaps->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (gaps->end[middle] > moment)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Find the first activity at a moment or later: infinity if there is none.
 * False if the gaps don't tell, for there is one within a minute.
 */
bool
find_first_activity(const Gaps *gaps, TimestampTz moment, TimestampTz *found)
{
	int			i = gap_ending_after(gaps, moment - 1);

	if (gaps->start[i] == moment)
		*found = moment;
	else if (gaps->start[i] < moment)
		*found = gaps->end[i];
	else
		return false;
	return true;
}

/*
 * Find the last activity at a moment or earlier: -infinity if there is none.
 * False if the gaps don't tell, for there is one within a minute.
 */
bool
find_last_activity(const Gaps *gaps, TimestampTz moment, TimestampTz *found)
{
	int			i = gap_ending_after(gaps, moment);

	if (i > 0 && gaps->end[i - 1] == moment)
		*found = moment;
	else if (gaps->start[i] <= moment)
		*found = gaps->start[i];
	else
		return false;
	return true;
}

TimestampTz
latest_activity(const Gaps *gaps)
{
	return gaps->start[gaps->count - 1];
}

/*
 * The gaps of a session without activity: one, from end to end.
 */
Gaps
no_activity_gaps(void)
{
	static const TimestampTz start[] = {DT_NOBEGIN};
	static const TimestampTz end[] = {DT_NOEND};
	Gaps		gaps = {1, start, end};

	return gaps;
}

/*
 * The idle time between two moments of a session, in microseconds.
 *
 * Exact for thresholds of MINIMUM_GAP and longer.
 * Rule: rules.md, Idle time.
 */
int64
idle_between(const Gaps *gaps, const IdleRule *rule,
			 TimestampTz first, TimestampTz last)
{
	int64		idle = 0;

	for (int i = gap_ending_after(gaps, first);
		 i < gaps->count && gaps->start[i] < last; i++)
		idle += idle_part(rule, Min(gaps->end[i], last) -
						  Max(gaps->start[i], first));
	return idle;
}

static void
append_gap(GapList *list, TimestampTz start, TimestampTz end)
{
	if (list->count == list->allocated)
	{
		list->allocated = list->allocated == 0 ? 32 : list->allocated * 2;
		if (list->start == NULL)
		{
			list->start = palloc(list->allocated * sizeof(TimestampTz));
			list->end = palloc(list->allocated * sizeof(TimestampTz));
		}
		else
		{
			list->start = repalloc_huge(list->start,
										list->allocated * sizeof(TimestampTz));
			list->end = repalloc_huge(list->end,
									  list->allocated * sizeof(TimestampTz));
		}
	}
	list->start[list->count] = start;
	list->end[list->count] = end;
	list->count++;
}

/*
 * Begin to read anew what happened from the last activity before a range to
 * the first one after it.
 */
void
begin_region(Region *region)
{
	memset(region, 0, sizeof(*region));
	region->first = region->last = DT_NOBEGIN;
	region->is_empty = true;
}

/*
 * Add the next activity of a region, which begins with the last one before the
 * range, if there is one.
 */
void
add_region_activity(Region *region, TimestampTz moment, TimestampTz range_start)
{
	if (region->is_empty && moment < range_start)
		region->first = moment;
	else if (region->last == DT_NOBEGIN ||
			 moment > region->last + MINIMUM_GAP)
		append_gap(&region->gaps, region->last, moment);
	region->last = moment;
	region->is_empty = false;
}

/*
 * End a region with the range it was read for.
 */
void
end_region(Region *region, TimestampTz range_end)
{
	if (region->is_empty || region->last <= range_end)
	{
		append_gap(&region->gaps, region->last, DT_NOEND);
		region->last = DT_NOEND;
	}
}

/*
 * The gaps in a region that has been ended.
 */
Gaps
region_gaps(const Region *region)
{
	Gaps		gaps;

	gaps.count = region->gaps.count;
	gaps.start = region->gaps.start;
	gaps.end = region->gaps.end;
	return gaps;
}

/*
 * Put a region in the place of what the gaps had there.
 *
 * Once the regions around all changes are in place, the gaps are right
 * everywhere.  A true gap that was not there has an activity at its end that is
 * new, or one inside it is gone; a gap that is no longer true has an activity
 * inside it that is new, or one at its end is gone.  Each of these activities
 * lies in some range, whose region covers the gap; and no region takes out a
 * true gap, for it begins and ends at activities.
 *
 * In between, what is returned may be no gaps, for a region can end at an activity
 * that only a later range tells of, amid the gap that it takes out.
 */
Gaps
mend_gaps(const Gaps *gaps, const Region *region)
{
	GapList		list = {0};
	int			i;
	Gaps		mended;

	for (i = 0; i < gaps->count && gaps->end[i] <= region->first; i++)
		append_gap(&list, gaps->start[i], gaps->end[i]);
	while (i < gaps->count && gaps->start[i] < region->last)
		i++;
	for (int j = 0; j < region->gaps.count; j++)
		append_gap(&list, region->gaps.start[j], region->gaps.end[j]);
	for (; i < gaps->count; i++)
		append_gap(&list, gaps->start[i], gaps->end[i]);

	mended.count = list.count;
	mended.start = list.start;
	mended.end = list.end;
	return mended;
}

/*
 * Free what mend_gaps() has made.
 */
void
free_gaps(Gaps *gaps)
{
	if (gaps->start != NULL)
	{
		pfree(unconstify(TimestampTz *, gaps->start));
		pfree(unconstify(TimestampTz *, gaps->end));
	}
	memset(gaps, 0, sizeof(*gaps));
}
