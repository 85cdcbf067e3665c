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

PG_FUNCTION_INFO_V1(ekran_part_timeline);
PG_FUNCTION_INFO_V1(ekran_session_timeline);

/* Where the function has its arguments. */
enum
{
	ARG_SESSION_ID,
	ARG_WINDOW
};

/* The row on its way, which neighbours alike are a part of. */
typedef struct Row
{
	bool		is_some;
	TimelineRow row;
	MemoryContext context;		/* for its application */
} Row;

/*
 * Get the argument session_id, the first.
 *
 * Errors: 22023 for null.
 */
int64
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
begin_row(Row *row, const Stretch *stretch)
{
	MemoryContext caller_context;

	MemoryContextReset(row->context);
	caller_context = MemoryContextSwitchTo(row->context);
	row->is_some = true;
	row->row.span = stretch->span;
	row->row.is_active = stretch->is_active;
	row->row.application = stretch->label == NULL ? NULL :
		DatumGetTextPCopy(PointerGetDatum(stretch->label));
	MemoryContextSwitchTo(caller_context);
}

static void
return_stretches(Reader *reader, const Clipped *clipped, PutTimeline put_row, void *result)
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
		if (row.is_some && row.row.is_active == stretch.is_active &&
			compare_names(row.row.application, stretch.label) == 0)
			row.row.span.to = stretch.span.to;
		else
		{
			if (row.is_some)
				put_row(result, &row.row);
			begin_row(&row, &stretch);
		}
	}
	if (row.is_some)
		put_row(result, &row.row);
}

/*
 * Return what a session did, as it has been begun to read.
 */
static void
return_timeline(Reader *reader, Session *session, PutTimeline put_row, void *result)
{
	learn_finish(reader, session);
	reader->clipping = begin_clipping(&reader->store, &reader->window, &reader->trust);
	reader->activities = begin_activities(&reader->store, APPLICATION_LABEL);
	if (is_selected(&session->span, &reader->window))
	{
		clip_sessions(reader->clipping, session, 1);
		return_stretches(reader, next_clipped(reader->clipping), put_row, result);
	}
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
	if (!find_session(&reader.store, session_id, &session))
		refuse_unknown_session(NameStr(reader.store.name), "session_id", session_id,
							   TIMELINE_HINT);
	return_timeline(&reader, &session, put_timeline_row, fcinfo->resultinfo);
	end_reading(&reader);
	return (Datum) 0;
}

/*
 * ekran_part_timeline(store name, idle_threshold int, idle_policy text, time_zone text,
 *					   start timestamptz, "end" timestamptz, users int[], clients uuid[],
 *					   or_no_user bool, or_no_client bool,
 *					   session_id bigint)
 *		returns setof bytea: from_time, to_time bigint, is_active int, application text
 *
 * What a shard tells a hub of a session that is here: a row of nulls, then those of
 * ekran_session_timeline; of another nothing.  Errors: likewise.
 */
Datum
ekran_part_timeline(PG_FUNCTION_ARGS)
{
	PartCall	call = begin_part_call(fcinfo, &timeline_shape);
	Reader	   *reader = &call.reader;
	Session		session;

	find_store(&reader->store);
	begin_reading(reader);
	if (find_session(&reader->store, PG_GETARG_INT64(NUM_PART_ARGUMENTS), &session))
	{
		put_part_timeline(&call.rows, NULL);
		return_timeline(reader, &session, put_part_timeline, &call.rows);
	}
	end_part_call(&call);
	return (Datum) 0;
}
