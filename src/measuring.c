/*-------------------------------------------------------------------------
 *
 * measuring.c
 *	  What a window leaves of sessions: their duration and idle time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "miscadmin.h"

/*
 * Measure a session by its gaps.
 */
static void
measure_by_gaps(const Clipped *clipped, const IdleRule *rule)
{
	Session    *session = clipped->session;
	Measure    *measure = &session->measure;

	measure->has_moment = clipped_ends(clipped, &measure->first, &measure->last);
	if (!measure->has_moment)
		return;
	measure->duration = elapsed(session->session_id, measure->first, measure->last);
	measure->idle = idle_between(&clipped->gaps, rule, measure->first, measure->last);
}

/*
 * Measure a session by its raw activities: the exact path for what the index
 * can't answer.  One pass in order, which never holds more than a batch.
 */
static void
measure_by_activities(const Clipped *clipped, const IdleRule *rule)
{
	Session    *session = clipped->session;
	Moments		moments;

	begin_measure(&session->measure);
	begin_moments(&moments, clipped->activities, clipped);
	while (next_moment(&moments))
		add_moment(&session->measure, rule, session->session_id,
				   moments.current.moment);
}

/*
 * Measure a session that has been clipped.
 *
 * Errors: 22008 for a duration out of range.
 * Rule: rules.md, the definitions.
 */
void
measure_session(const Clipped *clipped, const IdleRule *rule)
{
	if (clipped->has_gaps)
		measure_by_gaps(clipped, rule);
	else
		measure_by_activities(clipped, rule);
}

/*
 * Measure the sessions of a chunk.
 *
 * Errors: likewise.
 */
void
measure_sessions(Clipping *clipping, const IdleRule *rule, Chunk *chunk)
{
	const Clipped *clipped;

	clip_sessions(clipping, chunk->sessions, chunk->count);
	while ((clipped = next_clipped(clipping)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		measure_session(clipped, rule);
	}
}
