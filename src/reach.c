/*-------------------------------------------------------------------------
 *
 * reach.c
 *	  Running sessions that may be selected though they began by the window's start:
 *	  those of which an activity lies beyond it.
 *
 * A session that its agent left running for good began before every later window and
 * is in none.  So that not all of these are looked at each time, session_idle keeps the
 * reach of each running session: the range from its login to the hour that its latest
 * activity ends in.  Folds keep it; what has become of a session since is pending, be
 * it an activity, another login, a logout, or that it runs again.  So under any
 * snapshot the running sessions with an activity beyond a moment are among those whose
 * reach contains it, and those of which something is pending.  Activities that have no
 * session, which come past the triggers, reach back to the beginning of time.
 *
 * The reach ends with the hour, so that it doesn't change with every activity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

/* With so many sessions pending, to look at all that run is as quick. */
#define MAX_PENDING_SESSIONS	5000

static const StoreQuery sessions_reaching = {
	.sql = "SELECT i.session_id FROM @store@.session_idle i"
	" WHERE i.reach OPERATOR(pg_catalog.@>) $1 AND i.session_id IS NOT NULL",
	.parameters = {TIMESTAMPTZOID},
	.columns = {{INT8OID, NOT_NULL}},
	.plan_options = PLAN_ONCE,
	.batch = SESSION_BATCH
};

/* Ids of sessions, as many as come. */
typedef struct SessionIds
{
	int			count;
	int			allocated;
	int64	   *ids;
} SessionIds;

/*
 * The end of the hour that a moment lies in, or begins.
 */
static TimestampTz
end_of_hour(TimestampTz moment)
{
	int64		rest = moment % USECS_PER_HOUR;

	if (TIMESTAMP_NOT_FINITE(moment) || rest == 0)
		return moment;
	/* There is a last hour of time. */
	if (moment >= END_TIMESTAMP - USECS_PER_HOUR)
		return DT_NOEND;
	return moment - rest + (rest > 0 ? USECS_PER_HOUR : 0);
}

/*
 * The reach of a session of which something is known, and whose gaps are.  One that
 * isn't there may come when its activities are, and run.
 */
Reach
reach_of(const SessionFacts *session, const Gaps *gaps)
{
	Reach		reach = {0};

	if (session->is_running || !session->is_there)
	{
		reach.first = session->is_there ? session->login : DT_NOBEGIN;
		reach.last = end_of_hour(latest_activity(gaps));
		reach.is_some = reach.first < reach.last;
	}
	return reach;
}

/*
 * Does a reach contain all of another?
 */
bool
covers(const Reach *reach, const Reach *other)
{
	return !other->is_some ||
		(reach->is_some && reach->first <= other->first &&
		 reach->last >= other->last);
}

/*
 * Take what a row of session tells: its login, which is null unless it runs.
 */
SessionFacts
session_facts(Datum login, bool is_null)
{
	SessionFacts facts = {.is_there = true,.is_running = !is_null};

	facts.login = DatumGetTimestampTz(login);
	return facts;
}

bool
equal_reaches(const Reach *a, const Reach *b)
{
	return a->is_some == b->is_some &&
		(!a->is_some || (a->first == b->first && a->last == b->last));
}

/*
 * The value of the column reach; null if there is none.
 */
Datum
reach_datum(const Reach *reach, bool *is_null)
{
	TypeCacheEntry *type;
	RangeBound	lower = {0};
	RangeBound	upper = {0};

	*is_null = !reach->is_some;
	if (*is_null)
		return (Datum) 0;
	type = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
	lower.val = TimestampTzGetDatum(reach->first);
	lower.inclusive = true;
	lower.lower = true;
	upper.val = TimestampTzGetDatum(reach->last);
	return RangeTypePGetDatum(MAKE_RANGE(type, &lower, &upper));
}

/*
 * Take a reach from the lower and upper bound of the column.
 */
Reach
read_reach(const Datum *bounds, const bool *nulls)
{
	Reach		reach = {0};

	reach.is_some = !nulls[0] && !nulls[1];
	if (reach.is_some)
	{
		reach.first = DatumGetTimestampTz(bounds[0]);
		reach.last = DatumGetTimestampTz(bounds[1]);
	}
	return reach;
}

static bool
is_key(Relation session, Relation index)
{
	return index->rd_index->indisunique && index->rd_index->indisvalid &&
		index->rd_index->indimmediate && index->rd_index->indnkeyatts == 1 &&
		index->rd_index->indkey.values[0] == column_number(session, "session_id") &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

/*
 * Does each session have an id of its own?  One with another's would bring none of the
 * reach of its activities with it.
 */
bool
has_session_key(const Store *store)
{
	Relation	session = table_open(store->tables[TABLE_SESSION], AccessShareLock);
	Relation	key = open_index(session, is_key);

	if (key != NULL)
		index_close(key, AccessShareLock);
	table_close(session, AccessShareLock);
	return key != NULL;
}

static void
add_id(SessionIds *list, int64 id)
{
	if (list->count == list->allocated)
	{
		list->allocated = list->allocated == 0 ? 256 : list->allocated * 2;
		list->ids = list->ids == NULL ?
			palloc(list->allocated * sizeof(int64)) :
			repalloc_huge(list->ids, list->allocated * sizeof(int64));
	}
	list->ids[list->count++] = id;
}

/*
 * Add the sessions that something is pending for; false if they are too many.
 */
static bool
add_pending_sessions(const Store *store, SessionIds *list)
{
	const char *reason;
	Relation	pending = open_sound_table(store, TABLE_PENDING, &reason);
	DerivedScan scan;
	bool		are_few = false;

	if (pending == NULL)
		return false;
	if (begin_derived_scan(&scan, pending, GetActiveSnapshot(), false))
	{
		int64		id;
		bool		is_found = find_first_session(&scan, &id);

		while (is_found && list->count < MAX_PENDING_SESSIONS)
		{
			CHECK_FOR_INTERRUPTS();
			add_id(list, id);
			is_found = find_session_after(&scan, id, &id);
		}
		are_few = !is_found;
		end_derived_scan(&scan);
	}
	table_close(pending, NoLock);
	return are_few;
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

/*
 * Find the running sessions that may have an activity beyond a moment, as an array of
 * their ids and perhaps others; false if it takes as long to look at all of them.
 */
bool
find_reaching(const Store *store, TimestampTz moment, Datum *ids)
{
	Datum		parameters[] = {TimestampTzGetDatum(moment)};
	SessionIds	list = {0};
	int			count = 0;
	Rows		rows;

	if (!add_pending_sessions(store, &list))
		return false;
	begin_rows(&rows, store, &sessions_reaching, parameters);
	while (next_row(&rows))
		add_id(&list, DatumGetInt64(rows.values[0]));
	end_rows(&rows);

	if (list.count > 1)
		qsort(list.ids, list.count, sizeof(int64), compare_ids);
	for (int i = 0; i < list.count; i++)
		if (count == 0 || list.ids[count - 1] != list.ids[i])
			list.ids[count++] = list.ids[i];
	*ids = int8_array(list.ids, count);
	return true;
}
