/*-------------------------------------------------------------------------
 *
 * timeline.c
 *	  One session as a line of time: from when to when it was active, in which
 *	  application, and when it was idle.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ekran_session_timeline);

/* Where the function has its arguments. */
enum
{
	ARG_SESSION_ID,
	ARG_WINDOW
};

/* Columns of ekran_session_timeline. */
enum
{
	TIMELINE_FROM_TIME,
	TIMELINE_TO_TIME,
	TIMELINE_STATE,
	TIMELINE_APPLICATION,
	NUM_TIMELINE_COLUMNS
};

/* The row on its way, which neighbours alike are a part of. */
typedef struct Row
{
	bool		is_some;
	Span		span;
	bool		is_active;
	text	   *application;
	MemoryContext context;		/* for that */
} Row;

static int64
get_session_id(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_SESSION_ID))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("session_id must not be null"),
				 errhint("Give the session_id of a session.")));
	return PG_GETARG_INT64(ARG_SESSION_ID);
}

/*
 * Find out until when a session has been running so far.
 */
static void
learn_finish(const Reader *reader, Session *session)
{
	Clipping   *clipping;

	if (session->span.is_finished)
		return;
	clipping = begin_clipping(&reader->store, &all_time, &reader->trust);
	clip_sessions(clipping, session, 1);
	(void) next_clipped(clipping);
	end_clipping(clipping);
}

static void
put_row(ReturnSetInfo *result, const Row *row)
{
	Datum		values[NUM_TIMELINE_COLUMNS];
	bool		nulls[NUM_TIMELINE_COLUMNS] = {false};
	text	   *state;

	if (!row->is_some)
		return;
	state = cstring_to_text(row->is_active ? "active" : "idle");
	values[TIMELINE_FROM_TIME] = TimestampTzGetDatum(row->span.from);
	values[TIMELINE_TO_TIME] = TimestampTzGetDatum(row->span.to);
	values[TIMELINE_STATE] = PointerGetDatum(state);
	values[TIMELINE_APPLICATION] = PointerGetDatum(row->application);
	nulls[TIMELINE_APPLICATION] = row->application == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	pfree(state);
}

static void
begin_row(Row *row, const Stretch *stretch)
{
	MemoryContext caller_context;

	MemoryContextReset(row->context);
	caller_context = MemoryContextSwitchTo(row->context);
	row->is_some = true;
	row->span = stretch->span;
	row->is_active = stretch->is_active;
	row->application = stretch->label == NULL ? NULL :
		DatumGetTextPCopy(PointerGetDatum(stretch->label));
	MemoryContextSwitchTo(caller_context);
}

static void
return_timeline(ReturnSetInfo *result, Reader *reader, const Clipped *clipped)
{
	Stretches	stretches;
	Stretch		stretch;
	Row			row = {false};

	row.context = AllocSetContextCreate(CurrentMemoryContext, "ekran_sessions row",
										ALLOCSET_SMALL_SIZES);
	begin_stretches(&stretches, &reader->rule);
	begin_stretches_of(&stretches, reader->activities, clipped);
	while (next_stretch(&stretches, &stretch))
	{
		if (row.is_some && row.is_active == stretch.is_active &&
			compare_names(row.application, stretch.label) == 0)
			row.span.to = stretch.span.to;
		else
		{
			put_row(result, &row);
			begin_row(&row, &stretch);
		}
	}
	put_row(result, &row);
}

/*
 * ekran_session_timeline(session_id bigint, start timestamptz, "end" timestamptz)
 *		returns table (from_time, to_time timestamptz, state text,
 *					   application text)
 *
 * What a session did in the window, in order, without gaps or overlaps; no rows if the
 * window does not select it, or leaves no time of it.  Errors: as ekran_sessions, and
 * 22023 if there is no such session.
 * Rule: rules.md, Statistics.
 */
Datum
ekran_session_timeline(PG_FUNCTION_ARGS)
{
	Reader		reader = {0};
	int64		session_id = get_session_id(fcinfo);
	Session		session;

	reader.window = get_window_arguments(fcinfo, ARG_WINDOW);
	reader.rule = idle_rule_setting();
	InitMaterializedSRF(fcinfo, 0);
	find_store(&reader.store);

	begin_reading(&reader);
	session = get_session(&reader.store, "session_id", session_id,
						  "Give the session_id of a session that ekran_sessions_all() returns.");
	learn_finish(&reader, &session);
	reader.clipping = begin_clipping(&reader.store, &reader.window, &reader.trust);
	reader.activities = begin_activities(&reader.store, APPLICATION_LABEL);
	if (is_selected(&session.span, &reader.window))
	{
		clip_sessions(reader.clipping, &session, 1);
		return_timeline((ReturnSetInfo *) fcinfo->resultinfo, &reader,
						next_clipped(reader.clipping));
	}
	end_reading(&reader);
	return (Datum) 0;
}
