/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Reading the idle-gap index of a store: whether a caller may, and the
 *	  exact gaps of a session whatever has not been folded in yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

/*
 * Ranges as near as this are read as one: to read the activities in between
 * takes less time than another query.
 */
#define NEARBY	(USECS_PER_HOUR)

static const Oid timestamptz_type = TIMESTAMPTZOID;

/*
 * Is a relation an ordinary table of an owner's, of one piece or, if that may
 * be, partitioned?
 */
bool
is_table_of(Oid relation, Oid owner, bool may_be_partitioned)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Form_pg_class class;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	class = (Form_pg_class) GETSTRUCT(tuple);
	result = class->relowner == owner &&
		(class->relkind == RELKIND_RELATION ||
		 (may_be_partitioned && class->relkind == RELKIND_PARTITIONED_TABLE));
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Has the store in a schema an index?  One of version 1.0 has none until
 * ekran_create_store() completes it.
 *
 * Tables that somebody else has put there are none: they may say anything, and
 * their triggers would run with the rights of whoever writes to them.
 */
bool
schema_has_index(Oid schema)
{
	Oid			session = get_relname_relid("session", schema);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(session));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return false;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return is_table_of(get_relname_relid("session_idle", schema), owner, false) &&
		is_table_of(get_relname_relid("pending", schema), owner, false);
}

bool
store_has_index(const char *store)
{
	return schema_has_index(get_namespace_oid(store, false));
}

/*
 * Can the index answer for the caller?
 *
 * It can't for thresholds that gaps it leaves out would exceed, and in stores
 * that have none.  It must not where row-level security shows the caller only
 * some activities, for the gaps are those between all; nor where it hides what
 * is pending.  A caller who may not read the index reads what it is made from:
 * slower, and as exact.
 */
bool
index_is_usable(const char *store)
{
	Oid			schema = get_namespace_oid(store, false);
	Oid			activity = get_relname_relid("activity", schema);
	Oid			idle = get_relname_relid("session_idle", schema);
	Oid			pending = get_relname_relid("pending", schema);

	return ekran_idle_threshold * USECS_PER_SEC >= MINIMUM_GAP &&
		store_has_index(store) &&
		pg_class_aclcheck(idle, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		pg_class_aclcheck(pending, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(activity, InvalidOid, true) != RLS_ENABLED &&
		check_enable_rls(pending, InvalidOid, true) != RLS_ENABLED;
}

/*
 * Add a range, which must not begin before the one added last.
 */
void
add_range(Ranges *ranges, TimestampTz first, TimestampTz last)
{
	Range	   *previous;

	if (ranges->count > 0)
	{
		previous = &ranges->ranges[ranges->count - 1];
		Assert(previous->first <= first);
		if (previous->last == DT_NOEND ||
			first <= previous->last + NEARBY)
		{
			previous->last = Max(previous->last, last);
			return;
		}
	}
	if (ranges->count == ranges->allocated)
	{
		ranges->allocated = ranges->allocated == 0 ? 4 : ranges->allocated * 2;
		ranges->ranges = ranges->ranges == NULL ?
			palloc(ranges->allocated * sizeof(Range)) :
			repalloc(ranges->ranges, ranges->allocated * sizeof(Range));
	}
	ranges->ranges[ranges->count].first = first;
	ranges->ranges[ranges->count].last = last;
	ranges->count++;
}

/*
 * Read the activities of a range, the last before it and the first after it.
 */
void
read_region(const char *store, int64 session_id, const Range *range,
			Region *region)
{
	Datum		parameters[] = {
		Int64GetDatum(session_id),
		TimestampTzGetDatum(range->first),
		TimestampTzGetDatum(range->last)
	};
	Portal		activities = open_query(store, QUERY_ACTIVITIES_AROUND, parameters);
	uint64		fetched;

	begin_region(region);
	while ((fetched = fetch_batch(activities, ACTIVITY_BATCH)) > 0)
	{
		check_result_shape(store, 1, &timestamptz_type);
		for (uint64 i = 0; i < fetched; i++)
		{
			bool		isnull;
			Datum		moment = SPI_getbinval(SPI_tuptable->vals[i],
											   SPI_tuptable->tupdesc, 1,
											   &isnull);

			add_region_activity(region, DatumGetTimestampTz(moment),
								range->first);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	end_region(region, range->last);
	SPI_cursor_close(activities);
}

/*
 * The gaps of a session as they are under the current snapshot, from those
 * stored and what is pending under the same.
 */
Gaps
exact_gaps(const char *store, int64 session_id, const Gaps *stored,
		   const Ranges *pending)
{
	Gaps		gaps = *stored;

	for (int i = 0; i < pending->count; i++)
	{
		Region		region;

		read_region(store, session_id, &pending->ranges[i], &region);
		gaps = mend_gaps(&gaps, &region);
	}
	return gaps;
}
