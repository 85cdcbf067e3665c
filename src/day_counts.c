/*-------------------------------------------------------------------------
 *
 * day_counts.c
 *	  Sessions by the day of their logins, as arithmetic.  Nothing here reads a
 *	  table.
 *
 * Days are those of UTC, whatever the caller's TimeZone: they only divide the
 * history into stretches that are counted once and for all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "ekran_sessions.h"
#include "utils/memutils.h"

/*
 * The day that a moment lies on.
 */
DateADT
day_of(TimestampTz moment)
{
	int64		day;

	if (moment == DT_NOBEGIN)
		return DATEVAL_NOBEGIN;
	if (moment == DT_NOEND)
		return DATEVAL_NOEND;
	day = moment / USECS_PER_DAY;
	if (moment % USECS_PER_DAY < 0)
		day--;
	return (DateADT) day;
}

/*
 * The moment that a day begins at.
 */
TimestampTz
beginning_of_day(DateADT day)
{
	if (day == DATEVAL_NOBEGIN)
		return DT_NOBEGIN;
	if (day == DATEVAL_NOEND)
		return DT_NOEND;
	return (TimestampTz) day * USECS_PER_DAY;
}

static int
compare_days(const void *a, const void *b)
{
	DateADT		left = ((const DayCount *) a)->day;
	DateADT		right = ((const DayCount *) b)->day;

	return (left > right) - (left < right);
}

/*
 * Add sessions to a count, which may be nonsense that somebody has written.
 */
static void
add_sessions(DayCounts *counts, int64 *count, int64 sessions)
{
	if (pg_add_s64_overflow(*count, sessions, count))
		counts->is_absurd = true;
}

/*
 * Put the days in order, each of them once, and leave those out that come to nothing.
 */
void
merge_days(DayCounts *counts)
{
	Size		merged = 0;

	if (counts->count == 0)
		return;
	qsort(counts->days, counts->count, sizeof(DayCount), compare_days);
	for (Size i = 0; i < counts->count;)
	{
		DayCount	day = counts->days[i++];

		while (i < counts->count && counts->days[i].day == day.day)
			add_sessions(counts, &day.sessions, counts->days[i++].sessions);
		if (day.sessions != 0)
			counts->days[merged++] = day;
	}
	counts->count = merged;
}

static void
make_room(DayCounts *counts)
{
	if (counts->days == NULL)
	{
		counts->allocated = 64;
		counts->days = MemoryContextAlloc(counts->context != NULL ?
										  counts->context : CurrentMemoryContext,
										  counts->allocated * sizeof(DayCount));
		return;
	}
	merge_days(counts);
	if (counts->count <= counts->allocated / 2)
		return;
	counts->allocated *= 2;
	counts->days = repalloc_huge(counts->days, counts->allocated * sizeof(DayCount));
}

/*
 * Add so many sessions to a day.  Until merge_days() has put them in order, a day may
 * occur several times.
 */
void
add_to_day(DayCounts *counts, DateADT day, int64 sessions)
{
	if (counts->count > 0 && counts->days[counts->count - 1].day == day)
	{
		add_sessions(counts, &counts->days[counts->count - 1].sessions, sessions);
		return;
	}
	if (counts->count == counts->allocated)
		make_room(counts);
	counts->days[counts->count].day = day;
	counts->days[counts->count++].sessions = sessions;
}

/*
 * How many sessions of merged days began on a day.
 */
int64
sessions_on(const DayCounts *counts, DateADT day)
{
	DayCount	wanted = {.day = day};
	const DayCount *found = counts->count == 0 ? NULL :
		bsearch(&wanted, counts->days, counts->count, sizeof(DayCount), compare_days);

	return found == NULL ? 0 : found->sessions;
}

/*
 * Can merged days count sessions?  Each some, on days that there are, and not more than
 * a bigint holds.
 */
bool
are_counts(DayCounts *counts)
{
	int64		sum = 0;

	for (Size i = 0; i < counts->count; i++)
	{
		DateADT		day = counts->days[i].day;

		if (counts->days[i].sessions <= 0 ||
			(!DATE_NOT_FINITE(day) &&
			 (day < day_of(MIN_TIMESTAMP) || day > day_of(END_TIMESTAMP - 1))))
			return false;
		add_sessions(counts, &sum, counts->days[i].sessions);
	}
	return !counts->is_absurd;
}
