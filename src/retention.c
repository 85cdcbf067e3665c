/*-------------------------------------------------------------------------
 *
 * retention.c
 *	  Keeping a store in order: sessions that are due to go, and sessions
 *	  whose agents have gone silent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ekran_purge);
PG_FUNCTION_INFO_V1(ekran_close_sessions);

/* In the order in which all lock sessions, from one batch to the next. */
static const StoreQuery finished_sessions = {
	.sql = "SELECT s.session_id FROM @store@.session s"
	" WHERE s.login_date OPERATOR(pg_catalog.<) $1"
	" AND s.logout_date OPERATOR(pg_catalog.<) $1"
	" ORDER BY s.session_id",
	.parameters = {TIMESTAMPTZOID},
	.columns = {{INT8OID, NOT_NULL}},
	.plan_options = PLAN_EACH_TIME,
	.batch = SESSION_BATCH
};

/* Locked in that order too: a DELETE by itself locks as its plan finds them. */
static const StoreQuery purge_sessions = {
	.sql = "DELETE FROM @store@.session s"
	" USING (SELECT q.session_id FROM @store@.session q"
	"  WHERE q.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	"  AND q.login_date OPERATOR(pg_catalog.<) $2"
	"  AND q.logout_date OPERATOR(pg_catalog.<) $2"
	"  ORDER BY q.session_id FOR UPDATE OF q) l"
	" WHERE s.session_id OPERATOR(pg_catalog.=) l.session_id"
	" AND s.login_date OPERATOR(pg_catalog.<) $2"
	" AND s.logout_date OPERATOR(pg_catalog.<) $2",
	.parameters = {INT8ARRAYOID, TIMESTAMPTZOID},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_ONCE
};

static const StoreQuery running_sessions = {
	.sql = "SELECT s.session_id FROM @store@.session s"
	" WHERE s.logout_date IS NULL",
	.columns = {{INT8OID, NOT_NULL}},
	.plan_options = PLAN_EACH_TIME,
	.batch = SESSION_BATCH
};

/*
 * The latest moment of a session q up to as_of ($3): activities after that are
 * stamped by a clock that is wrong, and don't keep it running.
 */
#define LATEST_MOMENT \
	"COALESCE(" \
	" (SELECT a.activity_date FROM @store@.activity a" \
	"  WHERE a.session_id OPERATOR(pg_catalog.=) q.session_id" \
	"  AND a.activity_date OPERATOR(pg_catalog.>=) q.login_date" \
	"  AND a.activity_date OPERATOR(pg_catalog.<=) $3" \
	"  ORDER BY a.activity_date DESC LIMIT 1), q.login_date)"

/*
 * Of sessions ($1), lock those that seem silent since a moment ($2), but for those
 * which activities are on their way to, for these hold them KEY SHARE.  From here on,
 * who brings activities for one waits for us.  Who changes the date of one that it has
 * holds no lock on it, as with a foreign key, and comes after us.
 */
static const StoreQuery lock_silent_sessions = {
	.sql = "SELECT q.session_id FROM @store@.session q"
	" WHERE q.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	" AND q.logout_date IS NULL"
	" AND " LATEST_MOMENT " OPERATOR(pg_catalog.<) $2"
	" FOR UPDATE OF q SKIP LOCKED",
	.parameters = {INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{INT8OID, NOT_NULL}},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_ONCE
};

/* Under a snapshot from after that: activities may have come before the lock. */
static const StoreQuery close_sessions = {
	.sql = "UPDATE @store@.session s SET logout_date = r.latest"
	" FROM (SELECT q.session_id, " LATEST_MOMENT " AS latest"
	"       FROM @store@.session q"
	"       WHERE q.session_id OPERATOR(pg_catalog.=) ANY ($1)) r"
	" WHERE s.session_id OPERATOR(pg_catalog.=) r.session_id"
	" AND s.logout_date IS NULL"
	" AND r.latest OPERATOR(pg_catalog.<) $2"
	" RETURNING s.session_id, s.login_date, s.logout_date",
	.parameters = {INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{INT8OID, NOT_NULL}, {TIMESTAMPTZOID, NOT_NULL}, {TIMESTAMPTZOID, NOT_NULL}},
	.mode = QUERY_WRITES_CHECKED,
	.plan_options = PLAN_ONCE
};

/*
 * Errors: 22023.
 */
pg_noreturn void
refuse_null(const char *argument, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must not be null", argument),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

/*
 * Refuse to change sessions while triggers are missing that would tell of it, and take
 * their activities along.  They stay until the transaction ends, for the tables are locked
 * as for what follows.
 *
 * Errors: 55000.
 */
void
require_triggers(const Store *store)
{
	DerivedStatus status;

	LockRelationOid(store->tables[TABLE_SESSION], RowExclusiveLock);
	LockRelationOid(store->tables[TABLE_ACTIVITY], RowExclusiveLock);
	status = derived_status(store, GetActiveSnapshot(), false);
	refuse_if_broken(store, &status);
}

/*
 * The next sessions of a list, as an array for a query that deals with them: so
 * many at a time, for what a statement and its triggers keep of its rows grows
 * with them.  False at the end.
 */
static bool
next_sessions(Rows *sessions, Datum *ids)
{
	int64		batch[SESSION_BATCH];
	int			count = 0;

	CHECK_FOR_INTERRUPTS();
	while (count < SESSION_BATCH && next_row(sessions))
		batch[count++] = DatumGetInt64(sessions->values[0]);
	*ids = int8_array(batch, count);
	return count > 0;
}

/*
 * Delete the sessions that finished before a moment; how many they were.
 */
int64
purge_before(const Store *store, TimestampTz before)
{
	Rows		sessions;
	Datum		parameters[] = {(Datum) 0, TimestampTzGetDatum(before)};
	int64		purged = 0;

	begin_rows(&sessions, store, &finished_sessions, &parameters[1]);
	while (next_sessions(&sessions, &parameters[0]))
	{
		purged += (int64) run_query(store, &purge_sessions, parameters);
		pfree(DatumGetPointer(parameters[0]));
	}
	end_rows(&sessions);
	return purged;
}

/*
 * ekran_purge(before timestamptz) returns bigint
 *
 * Delete the sessions that finished before a moment, with all that hangs on
 * them; how many they were.  Running sessions have not finished.  Errors: 22023
 * for null, 55000 if the store is broken, and those of begin_maintenance().
 */
Datum
ekran_purge(PG_FUNCTION_ARGS)
{
	Store		store;
	CallerRights caller;
	int64		purged;

	if (PG_ARGISNULL(0))
		refuse_null("before", "The before given is null, and what it would delete is not left to a default.",
					"Give the moment before which sessions that finished are deleted.");

	caller = begin_maintenance(&store);
	require_writing("ekran_purge()");
	SPI_connect();
	require_triggers(&store);
	purged = purge_before(&store, PG_GETARG_TIMESTAMPTZ(0));
	SPI_finish();
	become_caller(&store, caller);
	PG_RETURN_INT64(purged);
}

/*
 * Give those of some sessions that are silent a logout, and return them.
 */
static void
close_silent(const Store *store, Datum *parameters, ReturnSetInfo *result)
{
	Rows		silent;
	Rows		closed;
	bool		has_some;

	begin_rows(&silent, store, &lock_silent_sessions, parameters);
	has_some = next_sessions(&silent, &parameters[0]);
	end_rows(&silent);
	if (!has_some)
		return;

	begin_rows(&closed, store, &close_sessions, parameters);
	while (next_row(&closed))
		tuplestore_putvalues(result->setResult, result->setDesc,
							 closed.values, closed.nulls);
	end_rows(&closed);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * ekran_close_sessions(silent_for interval, as_of timestamptz)
 *		returns table (session_id bigint, login_date timestamptz,
 *					   logout_date timestamptz)
 *
 * Give running sessions whose latest moment up to as_of lies more than
 * silent_for before it a logout at that moment, and return them.  Leaves those alone
 * whose activities are on their way, or that somebody else has locked.  Errors: 22023
 * for null, a negative interval or an infinite moment, 55000 if the store is broken, and
 * those of begin_maintenance().
 */
Datum
ekran_close_sessions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Store		store;
	CallerRights caller;
	Rows		sessions;
	Interval   *silent_for;
	TimestampTz as_of;
	TimestampTz latest;
	Datum		parameters[3];

	if (PG_ARGISNULL(0))
		refuse_null("silent_for", "The silent_for given is null, and what it would close is not left to a default.",
					"Give the time without activity after which a running session is taken for crashed.");
	if (PG_ARGISNULL(1))
		refuse_null("as_of", "The as_of given is null, and nothing goes by the server's clock unasked.",
					"Give the moment up to which activities have arrived, such as now().");

	silent_for = PG_GETARG_INTERVAL_P(0);
	as_of = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of must be finite, not %s", timestamptz_to_str(as_of)),
				 errdetail("The as_of given is %s, before or after everything: sessions would be silent all alike.",
						   timestamptz_to_str(as_of)),
				 errhint("Give the moment up to which activities have arrived, such as now().")));
	latest = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
													 TimestampTzGetDatum(as_of),
													 IntervalPGetDatum(silent_for)));
	if (latest > as_of)
	{
		char	   *given = DatumGetCString(DirectFunctionCall1(interval_out,
																IntervalPGetDatum(silent_for)));

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("silent_for must be 0 or more, not %s", given),
				 errdetail("The silent_for given is %s, as seen from as_of: it would begin after as_of.",
						   given),
				 errhint("Give an interval such as '8 hours'.")));
	}

	parameters[1] = TimestampTzGetDatum(latest);
	parameters[2] = TimestampTzGetDatum(as_of);

	InitMaterializedSRF(fcinfo, 0);
	caller = begin_maintenance(&store);
	require_writing("ekran_close_sessions()");
	SPI_connect();
	require_triggers(&store);
	begin_rows(&sessions, &store, &running_sessions, NULL);
	while (next_sessions(&sessions, &parameters[0]))
	{
		Datum		ids = parameters[0];

		close_silent(&store, parameters, result);
		pfree(DatumGetPointer(ids));
	}
	end_rows(&sessions);
	SPI_finish();
	become_caller(&store, caller);
	return (Datum) 0;
}
