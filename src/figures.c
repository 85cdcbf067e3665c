/*-------------------------------------------------------------------------
 *
 * figures.c
 *	  One session in numbers that tools can chart: what the views of a store show of
 *	  each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type_d.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "utils/datetime.h"

PG_FUNCTION_INFO_V1(ekran_session_figures);

/* What a row of type ekran_session_figures holds. */
typedef struct Figures
{
	TimestampTz logout_date;
	double		duration_seconds;
	double		active_seconds;
	double		idle_seconds;
	double		duration_hours;
	double		active_hours;
	double		idle_hours;
	DateADT		login_day;
	int32		login_weekday;
	int32		login_hour;
	double		productivity_ratio; /* null for a duration of zero */
} Figures;

static const Oid figure_types[] = {
	TIMESTAMPTZOID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID,
	DATEOID, INT4OID, INT4OID, FLOAT8OID
};

#define RATIO_COLUMN	10

/* What calls of one query keep. */
typedef struct Calls
{
	OneByOne   *one;
	Days		days;
	HeapTuple	models[2];		/* rows to be filled: without a ratio, and
								 * with one */
} Calls;

static Calls *
begin_calls(FunctionCallInfo fcinfo)
{
	MemoryContext query_context = fcinfo->flinfo->fn_mcxt;
	MemoryContext caller_context = MemoryContextSwitchTo(query_context);
	Calls	   *calls = palloc0(sizeof(Calls));

	calls->models[false] = model_row(fcinfo, lengthof(figure_types), figure_types, RATIO_COLUMN);
	calls->models[true] = model_row(fcinfo, lengthof(figure_types), figure_types, -1);
	calls->one = make_one_by_one(query_context);
	MemoryContextSwitchTo(caller_context);
	return calls;
}

/*
 * The day, the weekday and the hour of a login in the caller's TimeZone.
 */
static void
put_local_time(Figures *figures, Days *days, TimestampTz login)
{
	int			weekday;

	begin_days(days, session_timezone);
	find_day(days, login);
	weekday = j2day(days->date + POSTGRES_EPOCH_JDATE);
	figures->login_day = days->date;
	figures->login_weekday = weekday == 0 ? 7 : weekday;	/* ISO's Sunday */
	figures->login_hour = (int32) ((login - days->midnight) / USECS_PER_HOUR);
}

static Datum
fill_row(Calls *calls, const Session *session)
{
	const Measure *measure = &session->measure;
	int64		active = measure->duration - measure->idle;
	bool		has_ratio = measure->duration != 0;
	HeapTuple	row = heap_copytuple(calls->models[has_ratio]);
	Figures    *figures = (Figures *) GETSTRUCT(row);

	figures->logout_date = measure->last;
	figures->duration_seconds = (double) measure->duration / USECS_PER_SEC;
	figures->active_seconds = (double) active / USECS_PER_SEC;
	figures->idle_seconds = (double) measure->idle / USECS_PER_SEC;
	figures->duration_hours = (double) measure->duration / USECS_PER_HOUR;
	figures->active_hours = (double) active / USECS_PER_HOUR;
	figures->idle_hours = (double) measure->idle / USECS_PER_HOUR;
	put_local_time(figures, &calls->days, session->span.login);
	if (has_ratio)
		figures->productivity_ratio = (double) active / (double) measure->duration;
	return HeapTupleGetDatum(row);
}

/*
 * ekran_session_figures(store regnamespace, session_id bigint,
 *						 login_date timestamptz, logout_date timestamptz)
 *		returns ekran_session_figures
 *
 * What the view session_overview of a store shows of a session, besides what is stored
 * of it; a null logout means that it runs.  Spans of time are in seconds and in hours.
 * Errors: 22004 for a null elsewhere, 22023 for times that are no session's, 22008 for
 * a duration out of range, 42P01 where there is no store in the schema, and what the
 * server has against the caller's reading.
 * Rule: rules.md, Views.
 */
Datum
ekran_session_figures(PG_FUNCTION_ARGS)
{
	Calls	   *calls = fcinfo->flinfo->fn_extra;
	const Clipped *clipped;
	const Session *session;

	if (calls == NULL)
		calls = fcinfo->flinfo->fn_extra = begin_calls(fcinfo);
	begin_one(calls->one, fcinfo);
	clipped = clip_one(calls->one);
	measure_session(clipped, rule_of_one(calls->one));
	session = clipped->session;
	end_one(calls->one);
	PG_RETURN_DATUM(fill_row(calls, session));
}
