/*-------------------------------------------------------------------------
 *
 * clipping.c
 *	  Where a window clips sessions, and their gaps.
 *
 * Sessions are clipped in groups, and a group in steps, each for all of it: their
 * gaps, brought up to date by what is pending, and the activities next to the window's
 * bounds where the gaps don't tell them.  Of sessions without gaps that can be used,
 * whoever goes on reads the raw activities.
 *
 * The index is read straight, for it is as we made it and the caller may read it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * Sessions clipped at a time.  Few enough for what they take to be used again by the
 * next ones: memory given back to the system and asked for again, page by page, once
 * took a call as long as all its queries.
 */
#define GROUP_SIZE	100

struct Clipping
{
	const Store *store;
	const Window *window;
	bool		use_index;
	Relation	idle_table;
	Relation	pending_table;
	DerivedScan idle;
	DerivedScan pending;
	bool		has_pending;	/* anything at all? */
	Activities *activities;
	Session    *sessions;		/* those still to be clipped */
	int			nsessions;
	int			next;			/* of the group in hand */
	int			count;
	Clipped		group[GROUP_SIZE];	/* in order */
	Clipped    *by_id[GROUP_SIZE];
	MemoryContext context;		/* for the gaps of the group */
};

/*
 * Begin to read the index; false if it can't be done after all.
 */
static bool
begin_index(Clipping *clipping)
{
	const Store *store = clipping->store;
	Snapshot	snapshot = GetActiveSnapshot();
	const char *reason;

	clipping->idle_table = open_sound_table(store, TABLE_SESSION_IDLE, &reason);
	if (clipping->idle_table == NULL)
		return false;
	clipping->pending_table = open_sound_table(store, TABLE_PENDING, &reason);
	if (clipping->pending_table == NULL)
	{
		table_close(clipping->idle_table, NoLock);
		return false;
	}
	if (begin_derived_scan(&clipping->idle, clipping->idle_table, snapshot, false))
	{
		if (begin_derived_scan(&clipping->pending, clipping->pending_table,
							   snapshot, false))
		{
			int64		first_id;

			clipping->has_pending = find_first_session(&clipping->pending, &first_id);
			return true;
		}
		end_derived_scan(&clipping->idle);
	}
	table_close(clipping->idle_table, NoLock);
	table_close(clipping->pending_table, NoLock);
	return false;
}

/*
 * Begin to clip sessions under the active snapshot, in the current memory context.
 */
Clipping *
begin_clipping(const Store *store, const Window *window, const Trust *trust)
{
	Clipping   *clipping = palloc0(sizeof(Clipping));

	clipping->store = store;
	clipping->window = window;
	clipping->context = AllocSetContextCreate(CurrentMemoryContext,
											  "ekran_sessions gaps",
											  ALLOCSET_DEFAULT_SIZES);
	clipping->use_index = trust->not_by_index == NULL && begin_index(clipping);
	clipping->activities = begin_activities(store, NO_LABEL);
	return clipping;
}

/*
 * Is nothing read by queries?
 */
bool
is_clipped_straight(const Clipping *clipping)
{
	return is_read_straight(clipping->activities);
}

void
end_clipping(Clipping *clipping)
{
	end_activities(clipping->activities);
	if (!clipping->use_index)
		return;
	end_derived_scan(&clipping->idle);
	end_derived_scan(&clipping->pending);
	table_close(clipping->idle_table, NoLock);
	table_close(clipping->pending_table, NoLock);
}

/*
 * Give a session its gaps as they are stored.  Without a row it had no activity when it
 * was folded last, if ever; where an owner has given up the key, it may have several.
 */
static void
load_gaps(Clipping *clipping, Clipped *clipped)
{
	DerivedScan *idle = &clipping->idle;
	bool		is_first = true;

	clipped->has_gaps = true;
	clipped->gaps = no_activity_gaps();
	for (bool has_row = find_session_row(idle, clipped->session->session_id); has_row;
		 has_row = next_session_row(idle))
	{
		Datum		columns[2];
		bool		nulls[2];

		columns[0] = slot_getattr(idle->slot, DERIVED_FIRST, &nulls[0]);
		columns[1] = slot_getattr(idle->slot, DERIVED_LAST, &nulls[1]);
		for (int i = 0; i < 2; i++)
			if (!nulls[i])
				columns[i] = PointerGetDatum(DatumGetArrayTypePCopy(columns[i]));
		clipped->has_gaps = is_first && read_gaps(columns, nulls, &clipped->gaps);
		is_first = false;
	}
}

/*
 * Bring the gaps of sessions up to date by what is pending.
 */
static void
complete_gaps(Clipping *clipping)
{
	RegionRequest *requests;
	int			count = 0;
	int			next = 0;

	for (int i = 0; i < clipping->count; i++)
	{
		Clipped    *clipped = clipping->by_id[i];

		if (!read_pending(&clipping->pending, clipped->session->session_id,
						  &clipped->pending))
			clipped->has_gaps = false;
		if (clipped->has_gaps)
			count += clipped->pending.count;
	}
	if (count == 0)
		return;

	requests = palloc(count * sizeof(RegionRequest));
	for (int i = 0; i < clipping->count; i++)
	{
		const Clipped *clipped = &clipping->group[i];

		if (!clipped->has_gaps)
			continue;
		request_regions(&requests[next], clipped->session->session_id, &clipped->gaps,
						&clipped->pending);
		next += clipped->pending.count;
	}
	read_regions(clipping->activities, requests, count);

	next = 0;
	for (int i = 0; i < clipping->count; i++)
	{
		Clipped    *clipped = &clipping->group[i];

		if (!clipped->has_gaps || clipped->pending.count == 0)
			continue;
		clipped->has_gaps = mend_regions(&clipped->gaps, &requests[next],
										 clipped->pending.count);
		next += clipped->pending.count;
	}
}

/*
 * Find when a running session finishes for now.
 */
static void
find_finish(Clipping *clipping, Clipped *clipped)
{
	Session    *session = clipped->session;
	TimestampTz latest;

	if (session->span.is_finished)
		return;
	latest = clipped->has_gaps ? latest_activity(&clipped->gaps) :
		latest_activity_of(clipping->activities, session->session_id, session->span.login);
	session->span.finish = Max(session->span.login, latest);
}

/*
 * Find the first activities in bounds, where sessions began before the window and
 * their logins don't settle it.  Were they further off than a minute, there would be a
 * gap to tell them; none at all would mean that the gaps are wrong.
 */
static void
find_clipped_starts(Clipping *clipping)
{
	ActivityProbe probes[GROUP_SIZE];
	Clipped    *asked[GROUP_SIZE];
	int			count = 0;

	for (int i = 0; i < clipping->count; i++)
	{
		Clipped    *clipped = &clipping->group[i];

		if (!clipped->has_gaps ||
			clipped->bounds.first <= clipped->session->span.login ||
			find_first_activity(&clipped->gaps, clipped->bounds.first,
								&clipped->first_activity))
			continue;
		probes[count].session_id = clipped->session->session_id;
		probes[count].moment = clipped->bounds.first;
		asked[count++] = clipped;
	}
	find_first_activities(clipping->activities, probes, count);
	for (int i = 0; i < count; i++)
		asked[i]->first_activity = probes[i].is_found ? probes[i].found : DT_NOEND;
}

/*
 * Likewise the last ones, where sessions finished after it.
 */
static void
find_clipped_ends(Clipping *clipping)
{
	ActivityProbe probes[GROUP_SIZE];
	Clipped    *asked[GROUP_SIZE];
	int			count = 0;

	for (int i = 0; i < clipping->count; i++)
	{
		Clipped    *clipped = &clipping->group[i];

		if (!clipped->has_gaps ||
			clipped->bounds.last >= clipped->session->span.finish ||
			find_last_activity(&clipped->gaps, clipped->bounds.last,
							   &clipped->last_activity))
			continue;
		probes[count].session_id = clipped->session->session_id;
		probes[count].moment = clipped->bounds.last;
		asked[count++] = clipped;
	}
	find_last_activities(clipping->activities, probes, count);
	for (int i = 0; i < count; i++)
		asked[i]->last_activity = probes[i].is_found ? probes[i].found : DT_NOBEGIN;
}

static int
compare_session_ids(const void *a, const void *b)
{
	int64		left = (*(Clipped *const *) a)->session->session_id;
	int64		right = (*(Clipped *const *) b)->session->session_id;

	return (left > right) - (left < right);
}

static void
clip_group(Clipping *clipping, Session *sessions, int count)
{
	clipping->count = count;
	memset(clipping->group, 0, count * sizeof(Clipped));
	for (int i = 0; i < count; i++)
	{
		clipping->group[i].session = &sessions[i];
		clipping->group[i].activities = clipping->activities;
		clipping->by_id[i] = &clipping->group[i];
	}
	qsort(clipping->by_id, count, sizeof(Clipped *), compare_session_ids);
	for (int i = 0; clipping->use_index && i < count; i++)
		load_gaps(clipping, clipping->by_id[i]);
	if (clipping->use_index && clipping->has_pending)
		complete_gaps(clipping);

	for (int i = 0; i < count; i++)
	{
		Clipped    *clipped = &clipping->group[i];

		CHECK_FOR_INTERRUPTS();
		find_finish(clipping, clipped);
		clipped->bounds = clip_bounds(&clipped->session->span, clipping->window);
	}
	if (clipping->use_index)
	{
		find_clipped_starts(clipping);
		find_clipped_ends(clipping);
	}
}

/*
 * Find Start' and End' of a session by its gaps; false if no moment lies in the window.
 *
 * An activity beyond the logout, or before the login, is none that counts: the
 * logout, or the login, is the moment next to the bound then.
 */
bool
clipped_ends(const Clipped *clipped, TimestampTz *first, TimestampTz *last)
{
	const SessionSpan *span = &clipped->session->span;

	Assert(clipped->has_gaps);
	*first = span->login;
	if (clipped->bounds.first > span->login)
		*first = Min(clipped->first_activity, span->finish);
	*last = span->finish;
	if (clipped->bounds.last < span->finish)
		*last = Max(clipped->last_activity, span->login);
	return *first <= *last;
}

/*
 * Clip some sessions, which the window selects: next_clipped() returns them.
 */
void
clip_sessions(Clipping *clipping, Session *sessions, int count)
{
	clipping->sessions = sessions;
	clipping->nsessions = count;
	clipping->next = clipping->count = 0;
}

/*
 * The next of them, in order; NULL at the end.
 *
 * Its gaps are valid until the next call.
 * Rule: rules.md, Start' and End'.
 */
const Clipped *
next_clipped(Clipping *clipping)
{
	if (clipping->next == clipping->count)
	{
		int			count = Min(GROUP_SIZE, clipping->nsessions);
		MemoryContext caller_context;

		if (count == 0)
			return NULL;
		MemoryContextReset(clipping->context);
		caller_context = MemoryContextSwitchTo(clipping->context);
		clip_group(clipping, clipping->sessions, count);
		MemoryContextSwitchTo(caller_context);
		clipping->sessions += count;
		clipping->nsessions -= count;
		clipping->next = 0;
	}
	return &clipping->group[clipping->next++];
}
