/*-------------------------------------------------------------------------
 *
 * moments.c
 *	  The moments of a session that a window leaves: login, counted activities and
 *	  logout, in order, as far as they lie within Start' and End'.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"

/*
 * Begin to read the moments of a session, whose activities are read from what is given
 * until there is no next moment.
 *
 * Rule: rules.md, moments, Start' and End'.
 */
void
begin_moments(Moments *moments, Activities *activities, const Clipped *clipped)
{
	moments->activities = activities;
	moments->clipped = clipped;
	moments->stage = clipped->bounds.first <= clipped->bounds.last ?
		MOMENTS_LOGIN : MOMENTS_END;
	moments->current.moment = clipped->bounds.first;
	moments->current.label = NULL;
}

/*
 * Refuse a moment that the rules leave no place for.
 *
 * Tables have none, by the conditions of our queries; but a view that shows something
 * else each time has, and what is built upon the order must hold all the same.
 *
 * Errors: 55000.
 */
static void
check_moment(const Moments *moments, TimestampTz previous)
{
	TimestampTz moment = moments->current.moment;

	if (moment < previous || !contains_moment(&moments->clipped->bounds, moment))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("activities of session " INT64_FORMAT " come out of order",
						moments->clipped->session->session_id),
				 errhint("Let the store's view \"activity\" show the same rows throughout a query.")));
}

static bool
take_end(Moments *moments, TimestampTz moment)
{
	moments->current.moment = moment;
	moments->current.label = NULL;
	return contains_moment(&moments->clipped->bounds, moment);
}

/*
 * Go to the next moment; false at the end.  Bounds lie within login and finish, so that
 * all activities between them count.
 *
 * Errors: 55000 for activities out of order.
 */
bool
next_moment(Moments *moments)
{
	const Clipped *clipped = moments->clipped;
	const SessionSpan *span = &clipped->session->span;

	if (moments->stage == MOMENTS_LOGIN)
	{
		moments->stage = MOMENTS_ACTIVITIES;
		begin_session(moments->activities, clipped->session->session_id,
					  clipped->bounds.first, clipped->bounds.last);
		if (take_end(moments, span->login))
			return true;
		moments->current.moment = clipped->bounds.first;
	}
	if (moments->stage == MOMENTS_ACTIVITIES)
	{
		TimestampTz previous = moments->current.moment;

		if (next_in_session(moments->activities, &moments->current))
		{
			check_moment(moments, previous);
			return true;
		}
		end_session(moments->activities);
		moments->stage = MOMENTS_LOGOUT;
	}
	if (moments->stage == MOMENTS_LOGOUT)
	{
		moments->stage = MOMENTS_END;
		return span->is_finished && take_end(moments, span->finish);
	}
	return false;
}
