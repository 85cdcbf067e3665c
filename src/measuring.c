/*-------------------------------------------------------------------------
 *
 * measuring.c
 *	  What a window leaves of sessions: their clipped ends, duration and idle
 *	  time.
 *
 * Sessions are measured in groups, and a group in steps, each for all of it: their
 * gaps, brought up to date by what is pending, and the activities next to the window's
 * bounds where the gaps don't tell them.  Sessions without gaps that can be used are
 * measured from their raw activities, one by one.
 *
 * The index is read straight, for it is as we made it and the caller may read it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static const StoreQuery latest_activity_of_session = {
	.sql = "SELECT a.activity_date FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
	" ORDER BY a.activity_date DESC LIMIT 1",
	.parameters = {INT8OID},
	.columns = {{TIMESTAMPTZOID, NOT_NULL}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery activities_of_session = {
	.sql = "SELECT a.activity_date FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
	" AND a.activity_date OPERATOR(pg_catalog.>=) $2"
	" AND a.activity_date OPERATOR(pg_catalog.<=) $3"
	" ORDER BY a.activity_date",
	.parameters = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{TIMESTAMPTZOID, NOT_NULL}},
	.plan_options = PLAN_ONCE,
	.batch = ACTIVITY_BATCH
};

/*
 * Sessions measured at a time.  Few enough for what they take to be used again by the
 * next ones: memory given back to the system and asked for again, page by page, once
 * took a call as long as all its queries.
 */
#define GROUP_SIZE	100

/* What it takes to measure a session. */
typedef struct Work
{
	Session    *session;
	bool		has_gaps;
	Gaps		gaps;
	Ranges		pending;
	ClipBounds	bounds;
	TimestampTz first_activity; /* in bounds, or infinity */
	TimestampTz last_activity;	/* in bounds, or -infinity */
} Work;

struct Measuring
{
	const Store *store;
	const IdleRule *rule;
	const Window *window;
	bool		use_index;
	Relation	idle_table;
	Relation	pending_table;
	DerivedScan idle;
	DerivedScan pending;
	bool		has_pending;	/* anything at all? */
	Activities *activities;
	int			count;
	Work		work[GROUP_SIZE];	/* of the group in hand, in order */
	Work	   *by_id[GROUP_SIZE];
	MemoryContext context;		/* for what it takes */
};

/*
 * Begin to read the index; false if it can't be done after all.
 */
static bool
begin_index(Measuring *measuring)
{
	const Store *store = measuring->store;
	Snapshot	snapshot = GetActiveSnapshot();
	const char *reason;

	measuring->idle_table = open_sound_table(store, TABLE_SESSION_IDLE, &reason);
	if (measuring->idle_table == NULL)
		return false;
	measuring->pending_table = open_sound_table(store, TABLE_PENDING, &reason);
	if (measuring->pending_table == NULL)
	{
		table_close(measuring->idle_table, NoLock);
		return false;
	}
	if (begin_derived_scan(&measuring->idle, measuring->idle_table, snapshot, false))
	{
		if (begin_derived_scan(&measuring->pending, measuring->pending_table,
							   snapshot, false))
		{
			int64		first_id;

			measuring->has_pending = find_first_session(&measuring->pending, &first_id);
			measuring->activities = begin_activities(store);
			return true;
		}
		end_derived_scan(&measuring->idle);
	}
	table_close(measuring->idle_table, NoLock);
	table_close(measuring->pending_table, NoLock);
	return false;
}

/*
 * Begin to measure sessions under the active snapshot, in the current memory context.
 */
Measuring *
begin_measuring(const Store *store, const IdleRule *rule, const Window *window,
				const Trust *trust)
{
	Measuring  *measuring = palloc0(sizeof(Measuring));

	measuring->store = store;
	measuring->rule = rule;
	measuring->window = window;
	measuring->context = AllocSetContextCreate(CurrentMemoryContext,
											   "ekran_sessions measuring",
											   ALLOCSET_DEFAULT_SIZES);
	measuring->use_index = trust->not_by_index == NULL && begin_index(measuring);
	return measuring;
}

void
end_measuring(Measuring *measuring)
{
	if (!measuring->use_index)
		return;
	end_activities(measuring->activities);
	end_derived_scan(&measuring->idle);
	end_derived_scan(&measuring->pending);
	table_close(measuring->idle_table, NoLock);
	table_close(measuring->pending_table, NoLock);
}

/*
 * Give a session its gaps as they are stored.  Without a row it had no activity when it
 * was folded last, if ever; where an owner has given up the key, it may have several.
 */
static void
load_gaps(Measuring *measuring, Work *work)
{
	DerivedScan *idle = &measuring->idle;
	bool		is_first = true;

	work->has_gaps = true;
	work->gaps = no_activity_gaps();
	for (bool has_row = find_session_row(idle, work->session->session_id); has_row;
		 has_row = next_session_row(idle))
	{
		Datum		columns[2];
		bool		nulls[2];

		columns[0] = slot_getattr(idle->slot, DERIVED_FIRST, &nulls[0]);
		columns[1] = slot_getattr(idle->slot, DERIVED_LAST, &nulls[1]);
		for (int i = 0; i < 2; i++)
			if (!nulls[i])
				columns[i] = PointerGetDatum(DatumGetArrayTypePCopy(columns[i]));
		work->has_gaps = is_first && read_gaps(columns, nulls, &work->gaps);
		is_first = false;
	}
}

/*
 * Bring the gaps of sessions up to date by what is pending.
 */
static void
complete_gaps(Measuring *measuring)
{
	RegionRequest *requests;
	int			count = 0;
	int			next = 0;

	for (int i = 0; i < measuring->count; i++)
	{
		Work	   *work = measuring->by_id[i];

		if (!read_pending(&measuring->pending, work->session->session_id,
						  &work->pending))
			work->has_gaps = false;
		if (work->has_gaps)
			count += work->pending.count;
	}
	if (count == 0)
		return;

	requests = palloc(count * sizeof(RegionRequest));
	for (int i = 0; i < measuring->count; i++)
	{
		const Work *work = &measuring->work[i];

		for (int j = 0; work->has_gaps && j < work->pending.count; j++)
		{
			requests[next].session_id = work->session->session_id;
			requests[next++].range = work->pending.ranges[j];
		}
	}
	read_regions(measuring->activities, requests, count);

	next = 0;
	for (int i = 0; i < measuring->count; i++)
	{
		Work	   *work = &measuring->work[i];

		if (!work->has_gaps || work->pending.count == 0)
			continue;
		work->has_gaps = mend_regions(&work->gaps, &requests[next],
									  work->pending.count);
		next += work->pending.count;
	}
}

/*
 * Find when a running session finishes for now.
 */
static void
find_finish(const Store *store, Work *work)
{
	Session    *session = work->session;
	TimestampTz latest = DT_NOBEGIN;

	if (session->span.is_finished)
		return;

	if (work->has_gaps)
		latest = latest_activity(&work->gaps);
	else
	{
		Datum		parameters[] = {Int64GetDatum(session->session_id)};
		Datum		found;

		if (read_row(store, &latest_activity_of_session, parameters, &found))
			latest = DatumGetTimestampTz(found);
	}
	session->span.finish = Max(session->span.login, latest);
}

/*
 * Find the first activities in bounds, where sessions began before the window and
 * their logins don't settle it.  Were they further off than a minute, there would be a
 * gap to tell them; none at all would mean that the gaps are wrong.
 */
static void
find_clipped_starts(Measuring *measuring)
{
	ActivityProbe probes[GROUP_SIZE];
	Work	   *works[GROUP_SIZE];
	int			count = 0;

	for (int i = 0; i < measuring->count; i++)
	{
		Work	   *work = &measuring->work[i];

		if (!work->has_gaps ||
			work->bounds.first <= work->session->span.login ||
			find_first_activity(&work->gaps, work->bounds.first,
								&work->first_activity))
			continue;
		probes[count].session_id = work->session->session_id;
		probes[count].moment = work->bounds.first;
		works[count++] = work;
	}
	find_first_activities(measuring->activities, probes, count);
	for (int i = 0; i < count; i++)
		works[i]->first_activity = probes[i].is_found ? probes[i].found : DT_NOEND;
}

/*
 * Likewise the last ones, where sessions finished after it.
 */
static void
find_clipped_ends(Measuring *measuring)
{
	ActivityProbe probes[GROUP_SIZE];
	Work	   *works[GROUP_SIZE];
	int			count = 0;

	for (int i = 0; i < measuring->count; i++)
	{
		Work	   *work = &measuring->work[i];

		if (!work->has_gaps ||
			work->bounds.last >= work->session->span.finish ||
			find_last_activity(&work->gaps, work->bounds.last,
							   &work->last_activity))
			continue;
		probes[count].session_id = work->session->session_id;
		probes[count].moment = work->bounds.last;
		works[count++] = work;
	}
	find_last_activities(measuring->activities, probes, count);
	for (int i = 0; i < count; i++)
		works[i]->last_activity = probes[i].is_found ? probes[i].found : DT_NOBEGIN;
}

/*
 * Measure a session by its gaps.
 *
 * An activity beyond the logout, or before the login, is none that counts: the
 * logout, or the login, is the moment next to the bound then.
 */
static void
measure_by_gaps(Work *work, const IdleRule *rule)
{
	Measure    *measure = &work->session->measure;
	const SessionSpan *span = &work->session->span;

	measure->first = span->login;
	if (work->bounds.first > span->login)
		measure->first = Min(work->first_activity, span->finish);
	measure->last = span->finish;
	if (work->bounds.last < span->finish)
		measure->last = Max(work->last_activity, span->login);

	measure->has_moment = measure->first <= measure->last;
	if (!measure->has_moment)
		return;
	measure->duration = elapsed(work->session->session_id, measure->first,
								measure->last);
	measure->idle = idle_between(&work->gaps, rule, measure->first,
								 measure->last);
}

/*
 * Measure a session by its raw activities: the exact path for what the index
 * can't answer.  One pass in order, which never holds more than a batch.
 */
static void
measure_by_activities(const Store *store, Work *work,
					  const IdleRule *rule)
{
	Measure    *measure = &work->session->measure;
	const SessionSpan *span = &work->session->span;
	const ClipBounds *bounds = &work->bounds;
	Datum		parameters[] = {
		Int64GetDatum(work->session->session_id),
		TimestampTzGetDatum(bounds->first),
		TimestampTzGetDatum(bounds->last)
	};
	Rows		activities;

	begin_measure(measure);
	if (bounds->first > bounds->last)
		return;
	if (contains_moment(bounds, span->login))
		add_moment(measure, rule, work->session->session_id, span->login);

	begin_rows(&activities, store, &activities_of_session, parameters);
	while (next_row(&activities))
		add_moment(measure, rule, work->session->session_id,
				   DatumGetTimestampTz(activities.values[0]));
	end_rows(&activities);

	if (span->is_finished && contains_moment(bounds, span->finish))
		add_moment(measure, rule, work->session->session_id, span->finish);
}

static int
compare_session_ids(const void *a, const void *b)
{
	int64		left = (*(Work *const *) a)->session->session_id;
	int64		right = (*(Work *const *) b)->session->session_id;

	return (left > right) - (left < right);
}

static void
measure_group(Measuring *measuring, Session *sessions, int count)
{
	measuring->count = count;
	memset(measuring->work, 0, count * sizeof(Work));
	for (int i = 0; i < count; i++)
	{
		measuring->work[i].session = &sessions[i];
		measuring->by_id[i] = &measuring->work[i];
	}
	qsort(measuring->by_id, count, sizeof(Work *), compare_session_ids);
	for (int i = 0; measuring->use_index && i < count; i++)
		load_gaps(measuring, measuring->by_id[i]);
	if (measuring->use_index && measuring->has_pending)
		complete_gaps(measuring);

	for (int i = 0; i < count; i++)
	{
		Work	   *work = &measuring->work[i];

		CHECK_FOR_INTERRUPTS();
		find_finish(measuring->store, work);
		work->bounds = clip_bounds(&work->session->span, measuring->window);
	}
	if (measuring->use_index)
	{
		find_clipped_starts(measuring);
		find_clipped_ends(measuring);
	}
	for (int i = 0; i < count; i++)
	{
		Work	   *work = &measuring->work[i];

		CHECK_FOR_INTERRUPTS();
		if (work->has_gaps)
			measure_by_gaps(work, measuring->rule);
		else
			measure_by_activities(measuring->store, work, measuring->rule);
	}
}

/*
 * Measure the sessions of a chunk.
 *
 * Errors: 22008 for a duration out of range.
 * Rule: rules.md, the definitions.
 */
void
measure_sessions(Measuring *measuring, Chunk *chunk)
{
	MemoryContext caller_context = MemoryContextSwitchTo(measuring->context);

	for (int i = 0; i < chunk->count; i += GROUP_SIZE)
	{
		measure_group(measuring, &chunk->sessions[i],
					  Min(GROUP_SIZE, chunk->count - i));
		MemoryContextReset(measuring->context);
	}
	MemoryContextSwitchTo(caller_context);
}
