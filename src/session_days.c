/*-------------------------------------------------------------------------
 *
 * session_days.c
 *	  One session by the days that it has an instant in: what the view user_day of a
 *	  store adds up.
 *
 * A session is a closed range of instants, from its login to its finish.  It is cut at
 * the midnights of the caller's TimeZone, and where the clock is changed, as there its
 * date may go back: a day may come in several pieces.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type_d.h"
#include "ekran_sessions.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(ekran_session_days);

/* What a row of type ekran_session_day holds. */
typedef struct Piece
{
	DateADT		day;
	TimestampTz first_instant;
	TimestampTz last_instant;
	int32		sessions;
	int64		duration;
	int64		active;
} Piece;

static const Oid piece_types[] = {
	DATEOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID, INT8OID, INT8OID
};

/* What calls of one query keep. */
typedef struct Calls
{
	OneByOne   *one;
	Days		days;
	HeapTuple	model;			/* a row to be filled */
	/* The session in hand: */
	bool		is_amid;		/* is there one? */
	TimestampTz from;			/* where the next piece begins */
	TimestampTz finish;
	DateADT		first_day;		/* those told so far lie between */
	DateADT		last_day;
	Span	   *active;			/* in order */
	Size		nactive;
	Size		allocated;
	Size		next;			/* the first one that ends later than from */
	MemoryContext context;		/* for them */
} Calls;

static Calls *
begin_calls(FunctionCallInfo fcinfo)
{
	MemoryContext query_context = fcinfo->flinfo->fn_mcxt;
	MemoryContext caller_context = MemoryContextSwitchTo(query_context);
	Calls	   *calls = palloc0(sizeof(Calls));

	calls->model = model_row(fcinfo, lengthof(piece_types), piece_types, -1);
	calls->one = make_one_by_one(query_context);
	calls->context = AllocSetContextCreate(query_context, "ekran_sessions spans",
										   ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(caller_context);
	return calls;
}

static void
add_span(Calls *calls, const Span *span)
{
	if (calls->nactive == calls->allocated)
	{
		calls->allocated = Max(16, calls->allocated * 2);
		calls->active = calls->active == NULL ?
			MemoryContextAlloc(calls->context, calls->allocated * sizeof(Span)) :
			repalloc_huge(calls->active, calls->allocated * sizeof(Span));
	}
	calls->active[calls->nactive++] = *span;
}

/*
 * Take the session of a call, with all that is active of it: between this call and the
 * next, nothing is to be read.
 *
 * Errors: 22008 for a duration out of range.
 */
static void
take_one(Calls *calls, FunctionCallInfo fcinfo)
{
	const Clipped *clipped;
	ActiveSpans spans;
	Span		span;

	MemoryContextReset(calls->context);
	calls->active = NULL;
	calls->nactive = calls->allocated = calls->next = 0;
	begin_days(&calls->days, session_timezone);

	begin_one(calls->one, fcinfo);
	clipped = clip_one(calls->one);
	calls->from = clipped->session->span.login;
	calls->finish = clipped->session->span.finish;
	(void) elapsed(clipped->session->session_id, calls->from, calls->finish);
	begin_active_spans(&spans, rule_of_one(calls->one), clipped);
	while (next_active_span(&spans, &span))
		add_span(calls, &span);
	end_one(calls->one);

	find_day(&calls->days, calls->from);
	calls->first_day = calls->days.date + 1;
	calls->last_day = calls->days.date;
	calls->is_amid = true;
}

/*
 * Have a session forgotten of which nobody asks for all.
 */
static void
forget_one(Datum calls)
{
	((Calls *) DatumGetPointer(calls))->is_amid = false;
}

/*
 * What is active of the session in hand up to a moment, from where the last piece ended.
 */
static int64
active_until(Calls *calls, TimestampTz end)
{
	int64		active = 0;

	for (; calls->next < calls->nactive; calls->next++)
	{
		const Span *span = &calls->active[calls->next];

		if (span->from >= end)
			break;
		active += Min(span->to, end) - Max(span->from, calls->from);
		if (span->to > end)
			break;
	}
	return active;
}

/*
 * Is a day of a session told of for the first time?  Where a clock goes back over
 * midnight, a session comes to a day again.
 */
static bool
is_new_day(Calls *calls, DateADT day)
{
	bool		result = day < calls->first_day || day > calls->last_day;

	calls->first_day = Min(calls->first_day, day);
	calls->last_day = Max(calls->last_day, day);
	return result;
}

/*
 * The next piece of the session in hand.
 */
static Datum
next_piece(Calls *calls)
{
	HeapTuple	row = heap_copytuple(calls->model);
	Piece	   *piece = (Piece *) GETSTRUCT(row);
	TimestampTz end;

	find_day(&calls->days, calls->from);
	end = Min(calls->days.until, calls->finish);
	piece->day = calls->days.date;
	piece->first_instant = calls->from;
	piece->last_instant = Min(calls->days.until - 1, calls->finish);
	piece->sessions = is_new_day(calls, calls->days.date) ? 1 : 0;
	piece->duration = end - calls->from;
	piece->active = active_until(calls, end);
	calls->from = calls->days.until;
	return HeapTupleGetDatum(row);
}

/*
 * ekran_session_days(store regnamespace, session_id bigint,
 *					  login_date timestamptz, logout_date timestamptz)
 *		returns setof ekran_session_day
 *
 * What each day of the caller's TimeZone has of a session, in order; a null logout means
 * that it runs.  A day may come in pieces, of which the first one counts the session.
 * Spans of time are in microseconds.  Errors: as ekran_session_figures.
 * Rule: rules.md, Views.
 */
Datum
ekran_session_days(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Calls	   *calls = fcinfo->flinfo->fn_extra;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_ValuePerCall) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));

	CHECK_FOR_INTERRUPTS();
	if (calls == NULL)
		calls = fcinfo->flinfo->fn_extra = begin_calls(fcinfo);
	if (!calls->is_amid)
	{
		take_one(calls, fcinfo);
		RegisterExprContextCallback(result->econtext, forget_one, PointerGetDatum(calls));
	}
	if (calls->from <= calls->finish)
	{
		result->isDone = ExprMultipleResult;
		PG_RETURN_DATUM(next_piece(calls));
	}
	forget_one(PointerGetDatum(calls));
	UnregisterExprContextCallback(result->econtext, forget_one, PointerGetDatum(calls));
	result->isDone = ExprEndResult;
	PG_RETURN_NULL();
}
