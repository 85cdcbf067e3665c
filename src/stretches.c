/*-------------------------------------------------------------------------
 *
 * stretches.c
 *	  The active and the idle parts of a session in a window.
 *
 * Activity by activity, with what each was in; or, where it only matters that
 * there was activity, by the gaps of the session alone.
 *
 * What is idle of a gap between two moments lies at its end: the active part, if there
 * is one, belongs to the activity that the gap begins with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "miscadmin.h"

/*
 * Begin to read stretches of sessions, in the current memory context.
 */
void
begin_stretches(Stretches *stretches, const IdleRule *rule)
{
	memset(stretches, 0, sizeof(*stretches));
	stretches->rule = rule;
	stretches->allocated = 256;
	stretches->label = palloc(stretches->allocated);
}

/*
 * Begin to read those of a session, to the end.
 */
void
begin_stretches_of(Stretches *stretches, Activities *activities, const Clipped *clipped)
{
	begin_moments(&stretches->moments, activities, clipped);
	stretches->has_begun = false;
	stretches->is_label_new = true;
}

/*
 * Keep the label of the moment in hand, of which the next one takes the place.
 */
static void
keep_label(Stretches *stretches)
{
	const text *label = stretches->moments.current.label;
	Size		size = label == NULL ? 0 : VARSIZE_ANY(label);

	if (stretches->has_label == (label != NULL) &&
		(label == NULL ||
		 (VARSIZE_ANY(stretches->label) == size &&
		  memcmp(stretches->label, label, size) == 0)))
		return;
	if (size > stretches->allocated)
	{
		stretches->allocated = Max(size, stretches->allocated * 2);
		stretches->label = repalloc_huge(stretches->label, stretches->allocated);
	}
	if (label != NULL)
		memcpy(stretches->label, label, size);
	stretches->has_label = label != NULL;
	stretches->is_label_new = true;
}

/*
 * Read the next stretch, in order; false at the end.
 *
 * Errors: 22008 for one that no interval holds.
 * Rule: rules.md, Stretches.
 */
bool
next_stretch(Stretches *stretches, Stretch *stretch)
{
	const Activity *current = &stretches->moments.current;
	TimestampTz active_until;

	if (!stretches->has_begun)
	{
		if (!next_moment(&stretches->moments))
			return false;
		stretches->has_begun = true;
		stretches->told = current->moment;
	}
	while (stretches->told == current->moment)
	{
		CHECK_FOR_INTERRUPTS();
		keep_label(stretches);
		stretches->previous = current->moment;
		if (!next_moment(&stretches->moments))
			return false;
	}

	active_until = current->moment -
		idle_part(stretches->rule,
				  elapsed(stretches->moments.clipped->session->session_id,
						  stretches->previous, current->moment));
	stretch->is_active = stretches->told < active_until;
	stretch->span.from = stretches->told;
	stretch->span.to = stretch->is_active ? active_until : current->moment;
	stretch->label = NULL;
	if (stretch->is_active)
	{
		if (stretches->has_label)
			stretch->label = (const text *) stretches->label;
		stretch->is_label_new = stretches->is_label_new;
		stretches->is_label_new = false;
	}
	stretches->told = stretch->span.to;
	return true;
}

/*
 * Begin to read what is active of a session: by its gaps, or by its activities where it
 * has none that can be used.
 */
void
begin_active_spans(ActiveSpans *spans, const IdleRule *rule, const Clipped *clipped)
{
	spans->rule = rule;
	spans->clipped = clipped;
	if (clipped->has_gaps)
	{
		spans->is_at_end = !clipped_ends(clipped, &spans->from, &spans->last);
		if (!spans->is_at_end)
			spans->gap = gap_ending_after(&clipped->gaps, spans->from);
		return;
	}
	begin_moments(&spans->moments, clipped->activities, clipped);
	spans->is_at_end = !next_moment(&spans->moments);
	spans->from = spans->last = spans->moments.current.moment;
}

/*
 * Find the next gap, cut off at the ends of the session; false if there is none.
 */
static bool
next_gap(ActiveSpans *spans, Span *gap)
{
	const Gaps *gaps = &spans->clipped->gaps;

	if (spans->gap >= gaps->count || gaps->start[spans->gap] >= spans->last)
		return false;
	gap->from = Max(gaps->start[spans->gap], spans->from);
	gap->to = Min(gaps->end[spans->gap], spans->last);
	spans->gap++;
	return true;
}

/*
 * Likewise what lies between two moments.
 */
static bool
next_raw_gap(ActiveSpans *spans, Span *gap)
{
	gap->from = spans->last;
	if (!next_moment(&spans->moments))
		return false;
	gap->to = spans->last = spans->moments.current.moment;
	return true;
}

/*
 * Read the next active span, in order; false at the end.
 *
 * Errors: 22008 for a gap that no interval holds.
 * Rule: rules.md, Stretches.
 */
bool
next_active_span(ActiveSpans *spans, Span *span)
{
	Span		gap;

	while (!spans->is_at_end)
	{
		CHECK_FOR_INTERRUPTS();
		span->from = spans->from;
		if (spans->clipped->has_gaps ? next_gap(spans, &gap) : next_raw_gap(spans, &gap))
		{
			int64		idle = idle_part(spans->rule,
										 elapsed(spans->clipped->session->session_id,
												 gap.from, gap.to));

			if (idle == 0)
				continue;
			span->to = gap.to - idle;
			spans->from = gap.to;
		}
		else
		{
			span->to = spans->last;
			spans->is_at_end = true;
		}
		if (span->from < span->to)
			return true;
	}
	return false;
}
