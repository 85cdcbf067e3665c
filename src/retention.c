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
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ekran_purge);
PG_FUNCTION_INFO_V1(ekran_close_sessions);

static const Oid closed_column_types[] = {
	INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID
};

pg_noreturn static void
refuse_null(const char *argument, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must not be null", argument),
			 errdetail("The %s given is null.", argument),
			 errhint("%s", hint)));
}

static void
run_on_store(const char *store, StoreQuery query, TimestampTz moment)
{
	Datum		parameters[] = {TimestampTzGetDatum(moment)};
	int			result = SPI_execute_plan(store_plan(store, query),
										  parameters, NULL, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
}

/*
 * ekran_purge(before timestamptz) returns bigint
 *
 * Delete the sessions that finished before a moment, with all that hangs on
 * them; how many they were.  Running sessions have not finished.  Errors: 22023
 * for null, and what the server has against the caller's deleting.
 */
Datum
ekran_purge(PG_FUNCTION_ARGS)
{
	const char *store;
	int64		purged;

	if (PG_ARGISNULL(0))
		refuse_null("before", "Give the moment before which sessions that finished are deleted.");

	store = current_store();
	SPI_connect();
	run_on_store(store, QUERY_PURGE, PG_GETARG_TIMESTAMPTZ(0));
	purged = (int64) SPI_processed;
	SPI_finish();
	PG_RETURN_INT64(purged);
}

/*
 * ekran_close_sessions(silent_for interval, as_of timestamptz)
 *		returns table (session_id bigint, login_date timestamptz,
 *					   logout_date timestamptz)
 *
 * Give running sessions whose latest moment lies more than silent_for before
 * as_of a logout at that moment, and return them.  Errors: 22023 for null, a
 * negative interval or an infinite moment, and what the server has against the
 * caller's updating.
 */
Datum
ekran_close_sessions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *store;
	Interval   *silent_for;
	TimestampTz as_of;
	TimestampTz latest;

	if (PG_ARGISNULL(0))
		refuse_null("silent_for", "Give the time without activity after which a running session is taken for crashed.");
	if (PG_ARGISNULL(1))
		refuse_null("as_of", "Give the moment up to which activities have arrived, such as now().");

	silent_for = PG_GETARG_INTERVAL_P(0);
	as_of = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of must be finite, not %s", timestamptz_to_str(as_of)),
				 errdetail("The as_of given is %s.", timestamptz_to_str(as_of)),
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
				 errdetail("The silent_for given is %s.", given),
				 errhint("Give an interval of 0 or more.")));
	}

	store = current_store();
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	run_on_store(store, QUERY_CLOSE_SESSIONS, latest);
	check_result_shape(store, lengthof(closed_column_types),
					   closed_column_types);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
	return (Datum) 0;
}
