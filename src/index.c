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

static const Oid region_column_types[] = {
	INT8OID, TIMESTAMPTZOID
};

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
 * Read the regions around ranges of sessions: one query for all.
 */
void
read_regions(const char *store, RegionRequest *requests, int count)
{
	int64	   *ids = palloc(count * sizeof(int64));
	TimestampTz *first = palloc(count * sizeof(TimestampTz));
	TimestampTz *last = palloc(count * sizeof(TimestampTz));
	Datum		parameters[3];
	Portal		activities;
	uint64		fetched;
	int			previous = 0;

	for (int i = 0; i < count; i++)
	{
		ids[i] = requests[i].session_id;
		first[i] = requests[i].range.first;
		last[i] = requests[i].range.last;
		begin_region(&requests[i].region);
	}
	parameters[0] = int8_array(ids, count);
	parameters[1] = timestamptz_array(first, count);
	parameters[2] = timestamptz_array(last, count);
	activities = open_query(store, QUERY_ACTIVITIES_AROUND, parameters);

	while ((fetched = fetch_batch(activities, ACTIVITY_BATCH)) > 0)
	{
		check_result_shape(store, lengthof(region_column_types),
						   region_column_types);
		for (uint64 i = 0; i < fetched; i++)
		{
			Datum		values[lengthof(region_column_types)];
			bool		nulls[lengthof(region_column_types)];
			TimestampTz moment;
			int			place;

			heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
							  values, nulls);
			place = (int) DatumGetInt64(values[0]) - 1;
			moment = DatumGetTimestampTz(values[1]);

			/* The query relies on the plan for this. */
			if (place < previous || moment < requests[place].region.last)
				elog(ERROR, "activities come out of order");
			previous = place;
			add_region_activity(&requests[place].region, moment,
								requests[place].range.first);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(activities);
	for (int i = 0; i < count; i++)
		end_region(&requests[i].region, requests[i].range.last);
	pfree(ids);
	pfree(first);
	pfree(last);
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
	RegionRequest *requests;

	if (pending->count == 0)
		return gaps;

	requests = palloc(pending->count * sizeof(RegionRequest));
	for (int i = 0; i < pending->count; i++)
	{
		requests[i].session_id = session_id;
		requests[i].range = pending->ranges[i];
	}
	read_regions(store, requests, pending->count);
	for (int i = 0; i < pending->count; i++)
		gaps = mend_gaps(&gaps, &requests[i].region);
	pfree(requests);
	return gaps;
}
