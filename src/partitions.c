/*-------------------------------------------------------------------------
 *
 * partitions.c
 *	  Activity in ranges of time: the partitions that there are, those that come next,
 *	  and the dropping of those whose sessions are all due to go.
 *
 * What is returned is a function of the activities that are there, so a partition is
 * never dropped under a session that stays.  Those that go with it are deleted first, as
 * ekran_purge() does it, but for the activities that the partition takes along.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ekran_drop_activity_before);

/* Days, and what is less, are counted from a Monday, so that weeks begin on one. */
#define FIRST_MONDAY	(2 * USECS_PER_DAY)

/*
 * How long a lock is waited for at a time, well below deadlock_timeout, and how often for
 * one on a partition, and then for those who read one.
 */
#define MOMENT			"100ms"
#define MAX_MOMENTS		9
#define MAX_LAST_MOMENTS	40

/* What a period may last. */
#define MAX_MONTHS		(100 * MONTHS_PER_YEAR)
#define MAX_DAYS		36524

/* Is there an activity in a range of time of a session that stays when those go? */
static const StoreQuery any_that_stays = {
	.sql = "SELECT a.session_id FROM @store@.activity a"
	" WHERE a.activity_date OPERATOR(pg_catalog.>=) $1"
	" AND a.activity_date OPERATOR(pg_catalog.<) $2"
	" AND EXISTS (SELECT FROM @store@.session s"
	"  WHERE s.session_id OPERATOR(pg_catalog.=) a.session_id"
	"  AND (s.login_date OPERATOR(pg_catalog.<) $3"
	"   AND s.logout_date OPERATOR(pg_catalog.<) $3) IS NOT TRUE)"
	" LIMIT 1",
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{INT8OID, NOT_NULL}},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_EACH_TIME
};

/* Activities in a range of time of sessions that have gone. */
static const StoreQuery delete_left = {
	.sql = "DELETE FROM @store@.activity a"
	" WHERE a.activity_date OPERATOR(pg_catalog.>=) $1"
	" AND a.activity_date OPERATOR(pg_catalog.<) $2"
	" AND NOT EXISTS (SELECT FROM @store@.session s"
	"  WHERE s.session_id OPERATOR(pg_catalog.=) a.session_id)",
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_EACH_TIME
};

/*
 * Is a table partitioned by ranges of activity_date, and of nothing else?
 */
static bool
is_ranged_by_time(Relation activity)
{
	PartitionKey key = activity->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
		RelationGetPartitionKey(activity) : NULL;

	return key != NULL && key->strategy == PARTITION_STRATEGY_RANGE &&
		key->partnatts == 1 && key->parttypid[0] == TIMESTAMPTZOID &&
		key->partattrs[0] == column_number(activity, "activity_date");
}

static TimestampTz
bound_of(PartitionBoundInfo bounds, int i)
{
	switch (bounds->kind[i][0])
	{
		case PARTITION_RANGE_DATUM_MINVALUE:
			return DT_NOBEGIN;
		case PARTITION_RANGE_DATUM_MAXVALUE:
			return DT_NOEND;
		default:
			return DatumGetTimestampTz(bounds->datums[i][0]);
	}
}

/*
 * The partitions of activity, but for the default one, in the order of time; false if it
 * is not ranged by time.  No level below counts.
 */
bool
time_partitions(Relation activity, TimePartitions *result)
{
	PartitionDesc partitions;
	PartitionBoundInfo bounds;

	memset(result, 0, sizeof(*result));
	if (!is_ranged_by_time(activity))
		return false;
	partitions = RelationGetPartitionDesc(activity, true);
	bounds = partitions->boundinfo;
	if (bounds == NULL)
		return true;
	result->has_default = partition_bound_has_default(bounds);
	result->partitions = palloc(Max(bounds->ndatums, 1) * sizeof(TimePartition));
	for (int i = 1; i < bounds->ndatums; i++)
	{
		TimePartition *partition = &result->partitions[result->count];

		/* Between two partitions there may be none. */
		if (bounds->indexes[i] < 0)
			continue;
		partition->oid = partitions->oids[bounds->indexes[i]];
		partition->from = bound_of(bounds, i - 1);
		partition->to = bound_of(bounds, i);
		result->count++;
	}
	return true;
}

/*
 * Refuse a period that partitions can't have.
 *
 * Errors: 22023.
 */
void
check_period(const Interval *period)
{
	bool		is_of_months = period->month > 0 && period->month <= MAX_MONTHS &&
		period->day == 0 && period->time == 0;
	bool		is_shorter = period->month == 0 && period->day >= 0 && period->day <= MAX_DAYS &&
		period->time >= 0 && period->time <= MAX_DAYS * USECS_PER_DAY &&
		period->day * USECS_PER_DAY + period->time >= USECS_PER_HOUR;

	if (!is_of_months && !is_shorter)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("partition_by must be months, or days and hours"),
				 errdetail("The partition_by given is %s.",
						   DatumGetCString(DirectFunctionCall1(interval_out,
															   IntervalPGetDatum(period)))),
				 errhint("Give an interval such as '1 month' or '7 days', from an hour to a hundred years.")));
}

/*
 * When the period of a number begins.  Months are counted from that of 2000.
 */
static TimestampTz
beginning_of_period(const Interval *period, int64 number)
{
	Interval	months = {0};

	if (period->month == 0)
		return FIRST_MONDAY + number * (period->day * USECS_PER_DAY + period->time);
	months.month = (int32) (number * period->month);
	/* Of UTC: what has no zone is counted so. */
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(0),
												 IntervalPGetDatum(&months)));
}

/*
 * The number of the period that a moment lies in.
 */
static int64
number_of_period(const Interval *period, TimestampTz moment)
{
	int64		length = period->month > 0 ?
		(int64) period->month * DAYS_PER_MONTH * USECS_PER_DAY :
		period->day * USECS_PER_DAY + period->time;
	int64		number = moment / length;

	while (beginning_of_period(period, number) > moment)
		number--;
	while (beginning_of_period(period, number + 1) <= moment)
		number++;
	return number;
}

/*
 * A moment in UTC, of which each number is told apart by others, as a format has it.
 */
static char *
written_moment(const char *format, TimestampTz moment)
{
	struct pg_tm tm;
	fsec_t		microseconds;

	if (timestamp2tm(moment, NULL, &tm, &microseconds, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return psprintf(format, tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min,
					tm.tm_sec);
}

/*
 * The partitions that are missing from the one of a moment on, so many periods ahead:
 * their names, and ranges as a command has them.
 *
 * Named as pg_partman names them.  Where one overlaps another that is there, it isn't
 * missing.
 */
List *
missing_partitions(const TimePartitions *present, const Interval *period,
				   TimestampTz moment, int ahead)
{
	int64		number = number_of_period(period, moment);
	bool		is_of_days = period->time % USECS_PER_DAY == 0;
	List	   *missing = NIL;

	for (int i = 0; i <= ahead; i++)
	{
		TimestampTz from = beginning_of_period(period, number + i);
		TimestampTz to = beginning_of_period(period, number + i + 1);
		bool		overlaps = false;
		MissingPartition *partition;

		for (int j = 0; j < present->count && !overlaps; j++)
			overlaps = present->partitions[j].from < to && present->partitions[j].to > from;
		if (overlaps)
			continue;
		partition = palloc(sizeof(MissingPartition));
		partition->name = written_moment(is_of_days ? "activity_p%04d%02d%02d" :
										 "activity_p%04d%02d%02d_%02d%02d%02d", from);
		partition->from = written_moment("'%04d-%02d-%02d %02d:%02d:%02d+00'", from);
		partition->to = written_moment("'%04d-%02d-%02d %02d:%02d:%02d+00'", to);
		missing = lappend(missing, partition);
	}
	return missing;
}

/*
 * Refuse to go on where what others have written would not be seen.
 *
 * Errors: 25001, 55000, 55006.
 */
static void
check_transaction(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("ekran_drop_activity_before() needs isolation level READ COMMITTED"),
				 errdetail("It looks once more at the activities after it has locked them."),
				 errhint("Begin the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.")));
	if (is_replicating())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("activities can't be dropped while session_replication_role is replica"),
				 errdetail("In that role, deleted sessions leave their activities, and nobody is told."),
				 errhint("Call ekran_drop_activity_before() in the role \"origin\".")));
	if (is_statement_in_progress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("activities can't be dropped while a statement on sessions or activities is in progress"),
				 errhint("Call ekran_drop_activity_before() as a statement of its own.")));
}

/* What ekran_drop_activity_before() has in hand. */
typedef struct Dropping
{
	Store		store;
	TimestampTz before;
	int64		purged;			/* sessions */
	TimePartitions gone;		/* to be dropped */
	TimePartitions kept;		/* as old, with activities of sessions that
								 * stay */
} Dropping;

static Relation
open_activity(const Store *store)
{
	Oid			activity = store->tables[TABLE_ACTIVITY];

	return table_open(activity, RowExclusiveLock);
}

/*
 * Has a partition an activity of a session that is there, and won't go for it has finished
 * before a moment?
 */
static bool
has_any_that_stays(const Dropping *dropping, const TimePartition *partition,
				   TimestampTz before)
{
	Datum		parameters[] = {
		TimestampTzGetDatum(partition->from),
		TimestampTzGetDatum(partition->to),
		TimestampTzGetDatum(before)
	};
	Datum		session_id;

	return read_row(&dropping->store, &any_that_stays, parameters, &session_id);
}

static void
add_partition(TimePartitions *partitions, const TimePartition *partition)
{
	partitions->partitions[partitions->count++] = *partition;
}

/*
 * Tell the partitions that end before the moment apart.
 *
 * Errors: 42809 if activity is not ranged by time.
 */
static void
sort_partitions(Dropping *dropping)
{
	Relation	activity = open_activity(&dropping->store);
	TimePartitions all;

	if (!time_partitions(activity, &all))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s.activity\" is not partitioned by ranges of activity_date",
						NameStr(dropping->store.name)),
				 errhint("ekran_purge() deletes sessions and their activities from any store.")));
	dropping->gone.partitions = palloc(Max(all.count, 1) * sizeof(TimePartition));
	dropping->kept.partitions = palloc(Max(all.count, 1) * sizeof(TimePartition));
	for (int i = 0; i < all.count && all.partitions[i].to <= dropping->before; i++)
	{
		/*
		 * Those of the present and the future are not old, whatever goes with
		 * it.
		 */
		if (all.partitions[i].to > GetCurrentTransactionStartTimestamp())
			break;
		CHECK_FOR_INTERRUPTS();
		add_partition(has_any_that_stays(dropping, &all.partitions[i], dropping->before) ?
					  &dropping->kept : &dropping->gone, &all.partitions[i]);
	}
	table_close(activity, NoLock);
}

/*
 * Delete what lies between the partitions that go and has lost its session: in others that
 * stay, or the default one.
 */
static void
delete_between(const Dropping *dropping)
{
	const TimePartitions *gone = &dropping->gone;

	for (int i = 1; i < gone->count; i++)
	{
		Datum		parameters[] = {
			TimestampTzGetDatum(gone->partitions[i - 1].to),
			TimestampTzGetDatum(gone->partitions[i].from)
		};

		CHECK_FOR_INTERRUPTS();
		if (gone->partitions[i - 1].to < gone->partitions[i].from)
			(void) run_query(&dropping->store, &delete_left, parameters);
	}
}

/*
 * Delete the sessions that are due, and their activities, but for those between the first
 * and the last partition that goes.
 */
static void
purge_around(Dropping *dropping)
{
	const TimePartitions *gone = &dropping->gone;

	PG_TRY();
	{
		if (gone->count > 0)
			spare_in_cascades(dropping->store.tables[TABLE_ACTIVITY],
							  gone->partitions[0].from, gone->partitions[gone->count - 1].to);
		dropping->purged = purge_before(&dropping->store, dropping->before);
	}
	PG_CATCH();
	{
		spare_in_cascades(InvalidOid, 0, 0);
		PG_RE_THROW();
	}
	PG_END_TRY();
	spare_in_cascades(InvalidOid, 0, 0);
	delete_between(dropping);
}

pg_noreturn static void
refuse_used_partitions(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("partitions that are to be dropped are in use"),
			 errdetail("%s", detail),
			 errhint("Repeat the call. Nothing has been deleted or dropped.")));
}

/* A lock that is wanted. */
typedef struct WantedLock
{
	Oid			relation;
	LOCKMODE	lock;
} WantedLock;

static void
wait_a_moment(void *argument)
{
	WantedLock *wanted = argument;

	pin_setting("lock_timeout", MOMENT);
	LockRelationOid(wanted->relation, wanted->lock);
}

/*
 * Wait for a lock for a moment; false if it was not to be had.
 *
 * In a subtransaction, for the server ends such a wait by an error.
 */
static bool
lock_within_moment(Oid relation, LOCKMODE lock)
{
	WantedLock	wanted = {relation, lock};
	ErrorData  *error = run_in_subtransaction(wait_a_moment, &wanted);

	if (error == NULL)
		return true;
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

/*
 * Does anybody wait for this transaction: for a lock that it holds, or for its end?
 */
static bool
is_waited_for(void)
{
	LockData   *locks = GetLockStatusData();
	bool		result = false;

	for (int i = 0; i < locks->nelements && !result; i++)
	{
		const		LockInstanceData *waiting = &locks->locks[i];

		if (waiting->waitLockMode == NoLock || waiting->pid == MyProcPid)
			continue;
		for (int j = 0; j < locks->nelements && !result; j++)
		{
			const		LockInstanceData *held = &locks->locks[j];

			if (held->pid != MyProcPid ||
				memcmp(&held->locktag, &waiting->locktag, sizeof(LOCKTAG)) != 0)
				continue;
			for (LOCKMODE mode = AccessShareLock; mode <= AccessExclusiveLock; mode++)
				result |= (held->holdMask & LOCKBIT_ON(mode)) != 0 &&
					DoLockModesConflict(mode, waiting->waitLockMode);
		}
	}
	pfree(locks->locks);
	pfree(locks);
	return result;
}

/*
 * Lock the partitions that go, and theirs, against writers.  One could come to another that
 * isn't locked yet, so they are looked up until there is none that isn't.
 */
static List *
lock_pieces(const Dropping *dropping)
{
	const TimePartitions *gone = &dropping->gone;
	List	   *locked = NIL;
	int			moments = 0;
	bool		is_complete;

	do
	{
		is_complete = true;
		for (int i = 0; i < gone->count; i++)
		{
			ListCell   *cell;

			foreach(cell, pieces_without_locks(gone->partitions[i].oid))
			{
				if (list_member_oid(locked, lfirst_oid(cell)))
					continue;
				is_complete = false;
				while (!lock_within_moment(lfirst_oid(cell), ShareLock))
					if (++moments == MAX_MOMENTS || is_waited_for())
						refuse_used_partitions("Others are writing to one.");
				locked = lappend_oid(locked, lfirst_oid(cell));
			}
		}
	} while (!is_complete);
	return locked;
}

/* All that a drop locks: the whole first. */
static void
lock_all_for_drop(void *argument)
{
	const List *relations = argument;
	ListCell   *cell;

	pin_setting("lock_timeout", MOMENT);
	LockRelationOid(linitial_oid(relations), AccessExclusiveLock);
	/* With that in hand, nobody is kept waiting for the others. */
	for_each_from(cell, relations, 1)
		if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessExclusiveLock))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("could not obtain lock")));
}

/*
 * Lock all that the server locks for the drops, the default partition too, which it must
 * not wait for while it keeps everybody out of the whole.
 *
 * Errors: 40001.
 */
static void
lock_for_drop(const Dropping *dropping, const List *pieces)
{
	Relation	activity = open_activity(&dropping->store);
	PartitionDesc partitions = RelationGetPartitionDesc(activity, true);
	List	   *relations = list_concat(list_make1_oid(RelationGetRelid(activity)), pieces);
	ErrorData  *error;
	int			moments = 0;

	if (partitions->boundinfo != NULL && partition_bound_has_default(partitions->boundinfo))
		relations = lappend_oid(relations,
								partitions->oids[partitions->boundinfo->default_index]);
	table_close(activity, NoLock);
	while ((error = run_in_subtransaction(lock_all_for_drop, relations)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_OBJECT_IN_USE)
			ReThrowError(error);
		if (is_waited_for())
			refuse_used_partitions("Others wait to write to one, or for a session that would be deleted.");
		if (error->sqlerrcode == ERRCODE_OBJECT_IN_USE && ++moments == MAX_LAST_MOMENTS)
			refuse_used_partitions("Others are reading one, or use the default partition.");
		FreeErrorData(error);
		pg_usleep(USECS_PER_SEC / 20);
	}
}

/*
 * Keep others from writing to the partitions that go, and see that what has been written
 * meanwhile is none of a session that stays; then keep them from the whole.
 *
 * Who waits for this transaction may hold what it wants next, a lock on the whole as a
 * rule: the server would end one of the two, and agents come first.  So no wait is so long
 * that it is looked at, and in between others are.
 *
 * Errors: 40001.
 */
static void
lock_partitions(const Dropping *dropping)
{
	const TimePartitions *gone = &dropping->gone;
	List	   *pieces = lock_pieces(dropping);

	for (int i = 0; i < gone->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* One that has finished just now has not been deleted. */
		if (has_any_that_stays(dropping, &gone->partitions[i], DT_NOBEGIN))
			refuse_used_partitions(psprintf("Activities of a session that stays have come to \"%s\".",
											get_rel_name(gone->partitions[i].oid)));
	}
	lock_for_drop(dropping, pieces);
}

static bool
is_same_partition(const TimePartition *a, const TimePartition *b)
{
	return a->oid == b->oid && a->from == b->from && a->to == b->to;
}

/*
 * Are the partitions that go still what they were?  Nobody has changed them since they were
 * locked, but before.
 */
static void
check_partitions(const Dropping *dropping)
{
	Relation	activity = open_activity(&dropping->store);
	TimePartitions all;
	int			found = 0;

	if (time_partitions(activity, &all))
		for (int i = 0; i < all.count && found < dropping->gone.count; i++)
			if (is_same_partition(&all.partitions[i], &dropping->gone.partitions[found]))
				found++;
	table_close(activity, NoLock);
	if (found < dropping->gone.count)
		refuse_used_partitions("One has been detached, or given other bounds.");
}

static char *
name_of(Oid partition)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(partition)),
									  get_rel_name(partition));
}

/*
 * As an array of text.
 */
static Datum
names_of(const TimePartitions *partitions)
{
	Datum	   *names = palloc(Max(partitions->count, 1) * sizeof(Datum));

	for (int i = 0; i < partitions->count; i++)
		names[i] = CStringGetTextDatum(name_of(partitions->partitions[i].oid));
	return PointerGetDatum(construct_array(names, partitions->count, TEXTOID, -1,
										   false, TYPALIGN_INT));
}

static void
drop_partitions(const Dropping *dropping)
{
	for (int i = 0; i < dropping->gone.count; i++)
	{
		Oid			partition = dropping->gone.partitions[i].oid;
		Oid			schema = get_rel_namespace(partition);

		pin_schema(schema, get_namespace_name(schema));
		run_sql(psprintf("DROP TABLE %s", name_of(partition)));
	}
}

/*
 * ekran_drop_activity_before(before timestamptz)
 *		returns record (sessions bigint, dropped text[], kept text[])
 *
 * Delete the sessions that finished before a moment, with all that hangs on them, and drop
 * the partitions of activity that end by then and have activities of no others: how many
 * sessions there were, the partitions dropped, and those as old that sessions which stay
 * have activities in.  Writers are kept out of these partitions for as long as it takes to
 * look through them, and readers of activity out for as long as the drops take.  Errors:
 * 22023 for null, 42809 if activity is not partitioned by ranges of activity_date, 25001
 * outside of READ COMMITTED, 40001 where others write to what is to go, 55000 if the store
 * is broken or a statement is in progress, the server's own where something depends on a
 * partition or it is somebody else's; and those of begin_maintenance().  On error nothing
 * changes.
 */
Datum
ekran_drop_activity_before(PG_FUNCTION_ARGS)
{
	Dropping	dropping = {0};
	CallerRights caller;
	MemoryContext context = CurrentMemoryContext;
	TupleDesc	columns;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (PG_ARGISNULL(0))
		refuse_null("before", "The before given is null, and what it would delete is not left to a default.",
					"Give the moment before which sessions that finished are deleted.");
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	dropping.before = PG_GETARG_TIMESTAMPTZ(0);

	caller = begin_maintenance(&dropping.store);
	require_writing("ekran_drop_activity_before()");
	check_transaction();
	SPI_connect();
	require_triggers(&dropping.store);
	sort_partitions(&dropping);
	purge_around(&dropping);
	if (dropping.gone.count > 0)
	{
		lock_partitions(&dropping);
		check_partitions(&dropping);
	}
	MemoryContextSwitchTo(context);
	values[0] = Int64GetDatum(dropping.purged);
	values[1] = names_of(&dropping.gone);
	values[2] = names_of(&dropping.kept);
	drop_partitions(&dropping);
	SPI_finish();
	become_caller(&dropping.store, caller);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}
