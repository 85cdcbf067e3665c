/*-------------------------------------------------------------------------
 *
 * hours.c
 *	  The hours and the days of a time zone.  Pure arithmetic; nothing here reads a
 *	  table.
 *
 * The hour of a moment is what the server's date_trunc('hour', moment) says: the
 * beginning of the clock's hour, by the offset from UTC that holds at the moment.  It
 * changes when an hour of the clock is over, and when the offset does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "utils/datetime.h"

/*
 * Begin with the hours of a time zone.
 */
void
begin_hours(Hours *hours, pg_tz *zone)
{
	memset(hours, 0, sizeof(*hours));
	hours->zone = zone;
}

/*
 * When the offset from UTC changes next after a moment: infinity if it doesn't.
 */
static TimestampTz
next_change(pg_tz *zone, TimestampTz moment)
{
	const int64 epoch = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	int64		seconds = moment / USECS_PER_SEC - (moment % USECS_PER_SEC < 0 ? 1 : 0);
	pg_time_t	now = seconds + epoch;
	pg_time_t	change;
	long		offset_before;
	long		offset_after;
	int			is_summer_before;
	int			is_summer_after;

	if (pg_next_dst_boundary(&now, &offset_before, &is_summer_before, &change,
							 &offset_after, &is_summer_after, zone) != 1 ||
		change - epoch > END_TIMESTAMP / USECS_PER_SEC)
		return DT_NOEND;
	return time_t_to_timestamptz(change);
}

pg_noreturn static void
refuse_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range")));
}

/* A moment by the clock of a time zone. */
typedef struct LocalTime
{
	DateADT		date;
	int			hour;
	int64		past_hour;		/* microseconds */
} LocalTime;

/*
 * Errors: 22008 for what lies before all dates.
 */
static LocalTime
local_time(pg_tz *zone, TimestampTz moment)
{
	struct pg_tm local;
	fsec_t		fraction;
	int			offset;
	LocalTime	result;

	if (timestamp2tm(moment, &offset, &local, &fraction, NULL, zone) != 0)
		refuse_out_of_range();
	result.date = date2j(local.tm_year, local.tm_mon, local.tm_mday) -
		POSTGRES_EPOCH_JDATE;
	result.hour = local.tm_hour;
	result.past_hour = fraction +
		(local.tm_min * SECS_PER_MINUTE + local.tm_sec) * USECS_PER_SEC;
	return result;
}

/*
 * Find the hour that a moment lies in.
 *
 * Errors: 22008 if it begins before all timestamps.
 * Rule: rules.md, Hours.
 */
void
find_hour(Hours *hours, TimestampTz moment)
{
	LocalTime	local;

	if (moment >= hours->from && moment < hours->until)
		return;
	local = local_time(hours->zone, moment);
	hours->begin = moment - local.past_hour;
	if (!IS_VALID_TIMESTAMP(hours->begin))
		refuse_out_of_range();
	hours->from = moment;
	hours->until = Min(hours->begin + USECS_PER_HOUR, next_change(hours->zone, moment));
	hours->date = local.date;
	hours->hour = local.hour;
}

/*
 * When a date begins in a time zone: its midnight or, where the clock has none, what
 * the server takes for it.
 */
TimestampTz
midnight_of(DateADT date, pg_tz *zone)
{
	struct pg_tm local = {0};
	int			offset;

	j2date(date + POSTGRES_EPOCH_JDATE, &local.tm_year, &local.tm_mon, &local.tm_mday);
	offset = DetermineTimeZoneOffset(&local, zone);
	return date * USECS_PER_DAY + offset * USECS_PER_SEC;
}

/*
 * Begin with the days of a time zone, or go on with them.
 */
void
begin_days(Days *days, pg_tz *zone)
{
	if (days->zone == zone)
		return;
	memset(days, 0, sizeof(*days));
	days->zone = zone;
}

/*
 * Find the day that a moment lies in, and from when to when it certainly goes on: from
 * midnight to midnight, or less where the clock is changed.
 *
 * Errors: 22008 for what lies before all dates.
 */
void
find_day(Days *days, TimestampTz moment)
{
	LocalTime	local;

	if (moment >= days->from && moment < days->until)
		return;
	local = local_time(days->zone, moment);
	days->midnight = moment - local.hour * USECS_PER_HOUR - local.past_hour;
	days->from = days->midnight;
	days->until = next_change(days->zone, days->from);
	if (days->until <= moment)
	{
		days->from = moment;
		days->until = next_change(days->zone, moment);
	}
	days->until = Min(days->until, days->midnight + USECS_PER_DAY);
	days->date = local.date;
}
