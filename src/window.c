/*-------------------------------------------------------------------------
 *
 * window.c
 *	  The window rules: which moments of a session count, and what they add
 *	  up to.  Pure arithmetic; nothing here reads a table.
 *
 * A session has its moments: login L, the counted activities and logout O.
 * The window (start, end) excludes both its bounds, but it clips a session
 * only at a side where the session sticks out:
 *
 *		Start' = L if L >= start, else the first moment > start
 *		End'   = F if F <= end,   else the last moment < end
 *
 * Moments are whole microseconds, so "> start" is ">= start + 1", and both
 * lines say the same thing of a closed range [first, last] of instants: Start'
 * is the first moment in it and End' the last.  A session's login at 08:00,
 * activities at 08:01, 08:10, 08:40 and 09:05 and logout at 09:30 in the
 * window (08:05, 09:00): the range is [08:05:00.000001, 08:59:59.999999], the
 * moments in it are 08:10 and 08:40.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "ekran_sessions.h"

/* The window that leaves sessions whole. */
const Window all_time = {DT_NOBEGIN, DT_NOEND};

/*
 * Does a window select a session, whose finish is known?
 *
 * Rule: rules.md, Selected.
 */
bool
is_selected(const SessionSpan *span, const Window *window)
{
	return span->finish > window->start && span->login < window->end;
}

/*
 * The range of instants whose moments a window leaves of a session.
 *
 * The session must be selected by the window (finish > start, login < end),
 * which is also why nothing here overflows: a start below some finite finish
 * is no infinity, and an end above some finite login neither.  The range is
 * empty, first > last, where the window is narrower than two microseconds.
 * It lies within [login, finish], so it leaves out uncounted activities.
 *
 * Rule: rules.md, Start' and End'.
 */
ClipBounds
clip_bounds(const SessionSpan *span, const Window *window)
{
	ClipBounds	bounds;

	bounds.first = span->login >= window->start ?
		span->login : window->start + 1;
	bounds.last = span->finish <= window->end ?
		span->finish : window->end - 1;
	return bounds;
}

bool
contains_moment(const ClipBounds *bounds, TimestampTz moment)
{
	return bounds->first <= moment && moment <= bounds->last;
}

/*
 * What of a gap between two consecutive moments is idle time, in microseconds.
 *
 * Rule: rules.md, Idle time.
 */
int64
idle_part(const IdleRule *rule, int64 gap)
{
	if (gap <= rule->threshold)
		return 0;
	return rule->policy == IDLE_POLICY_WHOLE ? gap : gap - rule->threshold;
}

/*
 * The time from one moment of a session to a later one, in microseconds.
 *
 * Errors: 22008 if an interval can't hold it, or one of them is infinite, which is
 * in no table of a store, but maybe in a view.  No gap, and no sum of gaps, in between is longer, so that nothing
 * else can overflow.
 */
int64
elapsed(int64 session_id, TimestampTz first, TimestampTz last)
{
	int64		result;

	if (first == last)
		return 0;
	if (TIMESTAMP_NOT_FINITE(first) || TIMESTAMP_NOT_FINITE(last) ||
		pg_sub_s64_overflow(last, first, &result))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("duration of session " INT64_FORMAT " is out of range",
						session_id),
				 errdetail("An interval holds some 292 000 years."),
				 errhint("Correct the session's login_date and logout_date, or choose a narrower window.")));
	return result;
}

void
begin_measure(Measure *measure)
{
	memset(measure, 0, sizeof(*measure));
}

/*
 * Add the next moment, which must not be earlier than the one before.
 */
void
add_moment(Measure *measure, const IdleRule *rule, int64 session_id,
		   TimestampTz moment)
{
	if (!measure->has_moment)
	{
		measure->has_moment = true;
		measure->first = measure->last = moment;
		return;
	}

	Assert(moment >= measure->last);
	measure->duration = elapsed(session_id, measure->first, moment);
	measure->idle += idle_part(rule, moment - measure->last);
	measure->last = moment;
}
