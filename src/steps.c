/*-------------------------------------------------------------------------
 *
 * steps.c
 *	  How deep the parts of an order are, as arithmetic.  Nothing here reads a table.
 *
 * A shard tells a hub in steps where its sessions lie in the order of logins: from
 * which to which so many.  A step may be a session, some that follow each other, or a
 * day.  The steps of all shards together say between which places a page lies.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"

/*
 * Put a step behind those before, together with the last one where both are no more than
 * the grain.
 */
static void
append_step(Steps *steps, const Step *step)
{
	if (steps->count > 0)
	{
		Step	   *last = &steps->steps[steps->count - 1];

		if (last->sessions + step->sessions <= steps->grain)
		{
			last->to = step->to;
			last->sessions += step->sessions;
			return;
		}
	}
	steps->steps[steps->count++] = *step;
}

/*
 * Halve the steps at least.
 */
static void
coarsen(Steps *steps)
{
	do
	{
		int			count = steps->count;

		steps->grain *= 2;
		steps->count = 0;
		for (int i = 0; i < count; i++)
		{
			Step		step = steps->steps[i];

			append_step(steps, &step);
		}
	} while (steps->count > MAX_STEPS / 2);
}

/*
 * Begin to collect steps; those of no more than the grain together are put together.
 */
void
begin_steps(Steps *steps, int64 grain)
{
	steps->count = 0;
	steps->grain = grain;
	steps->steps = palloc(MAX_STEPS * sizeof(Step));
}

/*
 * Add a step beyond all those before.
 */
void
add_step(Steps *steps, const Step *step)
{
	if (step->sessions == 0)
		return;
	if (steps->count == MAX_STEPS)
		coarsen(steps);
	append_step(steps, step);
}

static int
compare_begins(const Step *a, const Step *b)
{
	return compare_positions(&a->from, &b->from);
}

static int
compare_ends(const Step *a, const Step *b)
{
	return compare_positions(&a->to, &b->to);
}

/*
 * Sort steps, which are some runs in order, one of each shard, one after the other: by
 * merging neighbours until there is one run.
 */
static void
merge_runs(Step *steps, int count, int (*compare) (const Step *a, const Step *b))
{
	Step	   *merged = palloc(Max(count, 1) * sizeof(Step));
	int			runs;

	do
	{
		runs = 0;
		for (int begin = 0; begin < count; runs++)
		{
			int			middle = begin + 1;
			int			end;
			int			left = begin;
			int			right;

			while (middle < count && compare(&steps[middle - 1], &steps[middle]) <= 0)
				middle++;
			right = middle;
			end = Min(middle + 1, count);
			while (end < count && compare(&steps[end - 1], &steps[end]) <= 0)
				end++;
			for (int i = begin; i < end; i++)
				merged[i] = right == end ||
					(left < middle && compare(&steps[left], &steps[right]) <= 0) ?
					steps[left++] : steps[right++];
			begin = end;
		}
		memcpy(steps, merged, count * sizeof(Step));
	} while (runs > 1);
	pfree(merged);
}

/*
 * Narrow a range of the order, of which these are the steps on all shards, to what
 * surely has the sessions from one number up to another, counted from 0; the steps are
 * put in another order.
 *
 * In the midst of a step, nobody knows how many of its sessions lie before: between none
 * and all.
 */
void
narrow_range(OrderRange *range, Step *steps, int count, int64 first, int64 end)
{
	Step	   *begins = palloc(Max(count, 1) * sizeof(Step));
	OrderRange	narrowed = *range;
	int64		least = range->least_before;
	int64		most = range->most_before;
	int			begun = 0;

	memcpy(begins, steps, count * sizeof(Step));
	merge_runs(begins, count, compare_begins);
	merge_runs(steps, count, compare_ends);
	for (int i = 0; i < count; i++)
	{
		const Position *place = &steps[i].to;

		least += steps[i].sessions;
		while (begun < count && compare_positions(&begins[begun].from, place) <= 0)
			most += begins[begun++].sessions;
		if (most <= first)
		{
			narrowed.after = *place;
			narrowed.least_before = least;
			narrowed.most_before = most;
		}
		if (least >= end)
		{
			narrowed.until = *place;
			break;
		}
	}

	narrowed.is_exact = true;
	narrowed.sessions = 0;
	for (int i = 0; i < count; i++)
		if (compare_positions(&begins[i].to, &narrowed.after) > 0 &&
			compare_positions(&begins[i].from, &narrowed.until) <= 0)
		{
			narrowed.sessions += begins[i].sessions;
			narrowed.is_exact = narrowed.is_exact && begins[i].sessions == 1;
		}
	pfree(begins);
	*range = narrowed;
}
