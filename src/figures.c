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
#include "ekran_sessions.h"
#include "funcapi.h"
#include "utils/datetime.h"

PG_FUNCTION_INFO_V1(ekran_session_figures);

/* Columns of ekran_session_figures. */
enum
{
	FIGURE_LOGOUT_DATE,
	FIGURE_DURATION_SECONDS,
	FIGURE_ACTIVE_SECONDS,
	FIGURE_IDLE_SECONDS,
	FIGURE_DURATION_HOURS,
	FIGURE_ACTIVE_HOURS,
	FIGURE_IDLE_HOURS,
	FIGURE_LOGIN_DAY,
	FIGURE_LOGIN_WEEKDAY,
	FIGURE_LOGIN_HOUR,
	FIGURE_PRODUCTIVITY_RATIO,
	NUM_FIGURES
};

/* What calls of one query keep. */
typedef struct Calls
{
	OneByOne   *one;
	TupleDesc	columns;
	Days		days;
} Calls;

static Calls *
begin_calls(FunctionCallInfo fcinfo)
{
	MemoryContext query_context = fcinfo->flinfo->fn_mcxt;
	MemoryContext caller_context = MemoryContextSwitchTo(query_context);
	Calls	   *calls = palloc0(sizeof(Calls));

	if (get_call_result_type(fcinfo, NULL, &calls->columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	calls->columns = BlessTupleDesc(calls->columns);
	calls->one = make_one_by_one(query_context);
	MemoryContextSwitchTo(caller_context);
	return calls;
}

/*
 * The day, the weekday and the hour of a login in the caller's TimeZone.
 */
static void
put_local_time(Datum *values, Days *days, TimestampTz login)
{
	int			weekday;

	if (days->zone != session_timezone)
		begin_days(days, session_timezone);
	find_day(days, login);
	/* ISO's Sunday is 7. */
	weekday = j2day(days->date + POSTGRES_EPOCH_JDATE);
	values[FIGURE_LOGIN_DAY] = DateADTGetDatum(days->date);
	values[FIGURE_LOGIN_WEEKDAY] = Int32GetDatum(weekday == 0 ? 7 : weekday);
	values[FIGURE_LOGIN_HOUR] = Int32GetDatum((login - days->midnight) / USECS_PER_HOUR);
}

static Datum
in_seconds(int64 microseconds)
{
	return Float8GetDatum((double) microseconds / USECS_PER_SEC);
}

static Datum
in_hours(int64 microseconds)
{
	return Float8GetDatum((double) microseconds / USECS_PER_HOUR);
}

static Datum
form_figures(Calls *calls, const Session *session)
{
	const Measure *measure = &session->measure;
	int64		active = measure->duration - measure->idle;
	Datum		values[NUM_FIGURES];
	bool		nulls[NUM_FIGURES] = {false};

	values[FIGURE_LOGOUT_DATE] = TimestampTzGetDatum(measure->last);
	values[FIGURE_DURATION_SECONDS] = in_seconds(measure->duration);
	values[FIGURE_ACTIVE_SECONDS] = in_seconds(active);
	values[FIGURE_IDLE_SECONDS] = in_seconds(measure->idle);
	values[FIGURE_DURATION_HOURS] = in_hours(measure->duration);
	values[FIGURE_ACTIVE_HOURS] = in_hours(active);
	values[FIGURE_IDLE_HOURS] = in_hours(measure->idle);
	put_local_time(values, &calls->days, session->span.login);
	nulls[FIGURE_PRODUCTIVITY_RATIO] = measure->duration == 0;
	values[FIGURE_PRODUCTIVITY_RATIO] = measure->duration == 0 ? (Datum) 0 :
		Float8GetDatum((double) active / (double) measure->duration);
	return HeapTupleGetDatum(heap_form_tuple(calls->columns, values, nulls));
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
 * Rule: rules.md, Views of a store.
 */
Datum
ekran_session_figures(PG_FUNCTION_ARGS)
{
	Calls	   *calls = fcinfo->flinfo->fn_extra;
	const Clipped *clipped;
	Session		session;

	if (calls == NULL)
		calls = fcinfo->flinfo->fn_extra = begin_calls(fcinfo);
	begin_one(calls->one, fcinfo);
	clipped = clip_one(calls->one);
	measure_session(clipped, rule_of_one(calls->one));
	session = *clipped->session;
	end_one(calls->one);
	PG_RETURN_DATUM(form_figures(calls, &session));
}
