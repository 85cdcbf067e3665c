/*-------------------------------------------------------------------------
 *
 * parts.c
 *	  What a shard tells a hub of its sessions: its part of an answer that other shards
 *	  have parts of too.
 *
 * A shard is an ordinary store.  These functions take the hub's settings as arguments
 * and return rows, packed, which take no setting to be read: moments are microseconds
 * since the beginning of 2000 in UTC, infinities the least and the greatest bigint, spans
 * of time microseconds.  All that one of them returns holds at one moment, that of its
 * snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ekran_part_login);
PG_FUNCTION_INFO_V1(ekran_part_sessions);
PG_FUNCTION_INFO_V1(ekran_part_steps);
PG_FUNCTION_INFO_V1(ekran_part_total_count);

/* Where the functions have what they don't have all. */
enum
{
	ARG_AFTER_LOGIN = NUM_PART_ARGUMENTS,
	ARG_AFTER_SESSION_ID,
	ARG_UNTIL_LOGIN,
	ARG_UNTIL_SESSION_ID,
	ARG_WANTED,
	ARG_IS_NAMED,
	ARG_IS_RANKED,
	ARG_IS_COUNTED
};

#define ARG_SESSION_ID	NUM_PART_ARGUMENTS

/* Few sessions are told as fine as so many steps are. */
#define FINE_STEPS		64

static int64
get_wanted(FunctionCallInfo fcinfo)
{
	int64		wanted = PG_GETARG_INT64(ARG_WANTED);

	if (wanted < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("wanted must be 0 or more, not " INT64_FORMAT, wanted)));
	return wanted;
}

static void
require_arguments(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && i != PART_USERS && i != PART_CLIENTS)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %d must not be null", i + 1),
					 errdetail("The function is for a hub to call, which gives all but users and clients.")));
}

/*
 * Take a hub's request, with its settings for as long as the call lasts.
 *
 * Errors: 22004 for a null, 22023 for what a setting can't be, and those of
 * take_request().
 */
PartCall
begin_part_call(FunctionCallInfo fcinfo, const PartShape *shape)
{
	PartCall	call;

	require_arguments(fcinfo);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	memset(&call, 0, sizeof(call));
	begin_part_rows(&call.rows, (ReturnSetInfo *) fcinfo->resultinfo, shape);
	call.guc_nest_level = NewGUCNestLevel();
	pin_setting("ekran_sessions.store", NameStr(*PG_GETARG_NAME(PART_STORE)));
	pin_setting("ekran_sessions.idle_threshold",
				psprintf("%ds", PG_GETARG_INT32(PART_IDLE_THRESHOLD)));
	pin_setting("ekran_sessions.idle_policy",
				text_to_cstring(PG_GETARG_TEXT_PP(PART_IDLE_POLICY)));
	pin_setting("TimeZone", text_to_cstring(PG_GETARG_TEXT_PP(PART_TIME_ZONE)));
	take_request_at(&call.reader, fcinfo, PART_START, PART_USERS);
	call.reader.filters.users.has_null |= PG_GETARG_BOOL(PART_OR_NO_USER);
	call.reader.filters.clients.has_null |= PG_GETARG_BOOL(PART_OR_NO_CLIENT);
	return call;
}

void
end_part_call(PartCall *call)
{
	end_reading(&call->reader);
	end_part_rows(&call->rows);
	AtEOXact_GUC(false, call->guc_nest_level);
}

static Position
get_position(FunctionCallInfo fcinfo, int first)
{
	Position	position = {PG_GETARG_INT64(first), PG_GETARG_INT64(first + 1)};

	return position;
}

/*
 * How many of the sessions selected lie up to a place, which may be one of them.
 */
static int64
count_up_to(const Reader *reader, const Position *position)
{
	const Window *window = &reader->window;
	Window		before = {window->start, Min(window->end, position->login)};
	Position	beyond = {position->login - 1, PG_INT64_MAX};
	Selection  *selection;
	int64		count;
	int64		wanted = 1;

	if (position->login == DT_NOBEGIN)
		return 0;
	selection = begin_selection(&reader->store, &before, &reader->filters, &reader->trust);
	count = count_selected(selection);
	if (position->login >= window->end)
		return count;

	/* Seldom do sessions begin at the same microsecond. */
	for (;;)
	{
		Chunk	   *chunk;

		selection = begin_selection(&reader->store, window, &reader->filters,
									&reader->trust);
		select_beyond(selection, &beyond, wanted);
		if ((chunk = next_chunk(selection)) == NULL)
			return count;
		for (; chunk != NULL; chunk = next_chunk(selection))
			for (int i = 0; i < chunk->count; i++)
			{
				beyond = position_of(&chunk->sessions[i]);
				if (compare_positions(&beyond, position) > 0)
				{
					end_selection(selection);
					return count;
				}
				count++;
			}
		wanted = Min(wanted * 4, MAX_PAGE_SIZE);
	}
}

static void
put_part_session(PartRows *rows, const Session *session)
{
	const Measure *measure = &session->measure;
	Datum		values[NUM_PART_COLUMNS];
	bool		nulls[NUM_PART_COLUMNS] = {false};

	values[PART_SESSION_ID] = session->stored[SESSION_SESSION_ID];
	values[PART_CLIENT_GUID] = session->stored[SESSION_CLIENT_GUID];
	nulls[PART_CLIENT_GUID] = session->is_null[SESSION_CLIENT_GUID];
	values[PART_CLIENT_NAME] = session->client_name;
	nulls[PART_CLIENT_NAME] = !session->has_client_name;
	values[PART_USER_ID] = session->stored[SESSION_USER_ID];
	nulls[PART_USER_ID] = session->is_null[SESSION_USER_ID];
	values[PART_USER_NAME] = session->user_name;
	nulls[PART_USER_NAME] = !session->has_user_name;
	values[PART_LOGIN] = Int64GetDatum(session->span.login);
	values[PART_FIRST_MOMENT] = Int64GetDatum(measure->first);
	nulls[PART_FIRST_MOMENT] = !measure->has_moment;
	values[PART_LAST_MOMENT] = Int64GetDatum(measure->last);
	nulls[PART_LAST_MOMENT] = !measure->has_moment;
	values[PART_IDLE] = Int64GetDatum(measure->idle);
	nulls[PART_PRECEDING] = nulls[PART_TOTAL] = true;
	put_part_row(rows, values, nulls);
}

/*
 * Put what is known of all sessions, in a row of its own.
 */
static void
put_part_numbers(PartRows *rows, int64 preceding, int64 total)
{
	Datum		values[NUM_PART_COLUMNS] = {0};
	bool		nulls[NUM_PART_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	values[PART_PRECEDING] = Int64GetDatum(preceding);
	values[PART_TOTAL] = Int64GetDatum(total);
	nulls[PART_PRECEDING] = nulls[PART_TOTAL] = false;
	put_part_row(rows, values, nulls);
}

/*
 * ekran_part_sessions(store name, idle_threshold int, idle_policy text, time_zone text,
 *					   start timestamptz, "end" timestamptz, users int[], clients uuid[],
 *					   or_no_user bool, or_no_client bool,
 *					   after_login bigint, after_session_id bigint,
 *					   until_login bigint, until_session_id bigint, wanted bigint,
 *					   is_named bool, is_ranked bool, is_counted bool)
 *		returns setof bytea: session_id bigint, client_guid uuid, client_name text,
 *							 user_id int, user_name text, login, first_moment,
 *							 last_moment, idle, preceding, total bigint
 *
 * A row with how many sessions lie up to the place after (if is_ranked) and in all (if
 * is_counted), then the sessions beyond it up to the place until, as many as are wanted at
 * the most, with names (if is_named).  Errors: as ekran_sessions.
 */
Datum
ekran_part_sessions(PG_FUNCTION_ARGS)
{
	PartCall	call = begin_part_call(fcinfo, &sessions_shape);
	Reader	   *reader = &call.reader;
	Position	after = get_position(fcinfo, ARG_AFTER_LOGIN);
	Position	until = get_position(fcinfo, ARG_UNTIL_LOGIN);
	int64		wanted = get_wanted(fcinfo);
	int64		preceding = 0;
	int64		total = 0;
	bool		is_within = true;
	Chunk	   *chunk;

	begin_selecting(reader);
	if (PG_GETARG_BOOL(ARG_IS_RANKED))
		preceding = count_up_to(reader, &after);
	if (PG_GETARG_BOOL(ARG_IS_COUNTED))
		total = count_selected(reader->selection);
	put_part_numbers(&call.rows, preceding, total);

	if (PG_GETARG_BOOL(ARG_IS_NAMED))
		begin_measuring(reader);
	else
		reader->clipping = begin_clipping(&reader->store, &reader->window, &reader->trust);
	select_beyond(reader->selection, &after, wanted);
	while (is_within && (chunk = next_chunk(reader->selection)) != NULL)
	{
		while (chunk->count > 0)
		{
			Position	last = position_of(&chunk->sessions[chunk->count - 1]);

			if (compare_positions(&last, &until) <= 0)
				break;
			is_within = false;
			chunk->count--;
		}
		measure_chunk(reader, chunk);
		for (int i = 0; i < chunk->count; i++)
			put_part_session(&call.rows, &chunk->sessions[i]);
	}
	if (!is_within)
		end_selection(reader->selection);
	end_part_call(&call);
	return (Datum) 0;
}

/*
 * Add the sessions beyond a place up to another, one by one.
 */
static void
step_through(Reader *reader, const Position *after, const Position *until, int64 wanted,
			 Steps *steps)
{
	Selection  *selection = begin_selection(&reader->store, &reader->window,
											&reader->filters, &reader->trust);
	Chunk	   *chunk;

	select_beyond(selection, after, wanted);
	while ((chunk = next_chunk(selection)) != NULL)
		for (int i = 0; i < chunk->count; i++)
		{
			Step		step = {.sessions = 1};

			step.from = step.to = position_of(&chunk->sessions[i]);
			if (compare_positions(&step.to, until) > 0)
			{
				end_selection(selection);
				return;
			}
			add_step(steps, &step);
		}
}

static void
put_step(PartRows *rows, const Step *step)
{
	Datum		values[NUM_STEP_COLUMNS];
	bool		nulls[NUM_STEP_COLUMNS] = {false};

	values[STEP_FROM_LOGIN] = Int64GetDatum(step->from.login);
	values[STEP_TO_LOGIN] = Int64GetDatum(step->to.login);
	values[STEP_TO_SESSION_ID] = Int64GetDatum(step->to.session_id);
	values[STEP_SESSIONS] = Int64GetDatum(step->sessions);
	put_part_row(rows, values, nulls);
}

/*
 * ekran_part_steps(store name, idle_threshold int, idle_policy text, time_zone text,
 *					start timestamptz, "end" timestamptz, users int[], clients uuid[],
 *					or_no_user bool, or_no_client bool,
 *					after_login bigint, after_session_id bigint,
 *					until_login bigint, until_session_id bigint, wanted bigint)
 *		returns setof bytea: from_login, to_login, to_session_id, sessions bigint
 *
 * Where the sessions beyond the place after up to the place until lie, or, of as many as
 * are few, the first that are wanted.  Errors: as ekran_sessions.
 */
Datum
ekran_part_steps(PG_FUNCTION_ARGS)
{
	PartCall	call = begin_part_call(fcinfo, &steps_shape);
	Reader	   *reader = &call.reader;
	Position	after = get_position(fcinfo, ARG_AFTER_LOGIN);
	Position	until = get_position(fcinfo, ARG_UNTIL_LOGIN);
	Position	at_start = {reader->window.start, PG_INT64_MAX};
	int64		wanted = get_wanted(fcinfo);
	Steps		steps;

	begin_selecting(reader);
	begin_steps(&steps, wanted <= FEW_STEPS ? Max(wanted / FINE_STEPS, 1) : 1);
	if (wanted <= FEW_STEPS)
		step_through(reader, &after, &until, wanted, &steps);
	else if (has_days(reader->selection, &after, &until))
	{
		if (compare_positions(&after, &at_start) < 0)
			step_through(reader, &after,
						 compare_positions(&at_start, &until) < 0 ? &at_start : &until,
						 PG_INT64_MAX, &steps);
		step_by_days(reader->selection, &after, &until, &steps);
	}
	else
		step_through(reader, &after, &until, PG_INT64_MAX, &steps);
	for (int i = 0; i < steps.count; i++)
		put_step(&call.rows, &steps.steps[i]);
	end_part_call(&call);
	return (Datum) 0;
}

/*
 * Return a number.
 */
static void
put_number(PartRows *rows, int64 number)
{
	Datum		value = Int64GetDatum(number);
	bool		isnull = false;

	put_part_row(rows, &value, &isnull);
}

/*
 * ekran_part_total_count(store name, idle_threshold int, idle_policy text, time_zone text,
 *						  start timestamptz, "end" timestamptz, users int[], clients uuid[],
 *						  or_no_user bool, or_no_client bool)
 *		returns setof bytea: bigint
 *
 * How many sessions the window selects.  Errors: as ekran_sessions_total_count.
 */
Datum
ekran_part_total_count(PG_FUNCTION_ARGS)
{
	PartCall	call = begin_part_call(fcinfo, &number_shape);

	begin_selecting(&call.reader);
	put_number(&call.rows, count_selected(call.reader.selection));
	end_part_call(&call);
	return (Datum) 0;
}

/*
 * ekran_part_login(store name, idle_threshold int, idle_policy text, time_zone text,
 *					start timestamptz, "end" timestamptz, users int[], clients uuid[],
 *					or_no_user bool, or_no_client bool,
 *					session_id bigint)
 *		returns setof bytea: bigint
 *
 * When a session began, if it is here.
 */
Datum
ekran_part_login(PG_FUNCTION_ARGS)
{
	PartCall	call = begin_part_call(fcinfo, &number_shape);
	Session		session;

	find_store(&call.reader.store);
	begin_reading(&call.reader);
	if (find_session(&call.reader.store, PG_GETARG_INT64(ARG_SESSION_ID), &session))
		put_number(&call.rows, session.span.login);
	end_part_call(&call);
	return (Datum) 0;
}

/*
 * Put a row of ekran_part_usage.
 */
void
put_part_usage(void *rows, const UsageRow *row)
{
	Datum		values[NUM_PART_USAGE_COLUMNS];
	bool		nulls[NUM_PART_USAGE_COLUMNS] = {false};

	values[PART_USAGE_LOGIN] = Int64GetDatum(row->login);
	values[PART_USAGE_SESSION_ID] = Int64GetDatum(row->session_id);
	values[PART_USAGE_TIME_OF_DAY] = Int64GetDatum(row->hour);
	values[PART_USAGE_LABEL] = PointerGetDatum(row->label);
	nulls[PART_USAGE_LABEL] = row->label == NULL;
	values[PART_USAGE_DURATION] = Int64GetDatum(row->duration);
	put_part_row(rows, values, nulls);
}

/*
 * Put a row of ekran_part_productivity.
 */
void
put_part_productivity(void *rows, const ProductivityRow *row)
{
	Datum		values[NUM_PART_PRODUCTIVITY_COLUMNS];
	bool		nulls[NUM_PART_PRODUCTIVITY_COLUMNS] = {false};

	values[PART_PRODUCTIVITY_USER_ID] = Int32GetDatum(row->user_id);
	nulls[PART_PRODUCTIVITY_USER_ID] = row->is_of_no_user;
	values[PART_PRODUCTIVITY_USER_NAME] = PointerGetDatum(row->user_name);
	nulls[PART_PRODUCTIVITY_USER_NAME] = row->user_name == NULL;
	values[PART_PRODUCTIVITY_DAY] = Int32GetDatum(row->date);
	values[PART_PRODUCTIVITY_HOUR] = Int32GetDatum(row->hour);
	values[PART_PRODUCTIVITY_ACTIVE] = Int64GetDatum(row->active);
	put_part_row(rows, values, nulls);
}

/*
 * Put a row of ekran_part_timeline; NULL: that the session is here.
 */
void
put_part_timeline(void *rows, const TimelineRow *row)
{
	Datum		values[NUM_PART_TIMELINE_COLUMNS] = {0};
	bool		nulls[NUM_PART_TIMELINE_COLUMNS] = {true, true, true, true};

	if (row != NULL)
	{
		memset(nulls, false, sizeof(nulls));
		values[PART_TIMELINE_FROM_TIME] = Int64GetDatum(row->span.from);
		values[PART_TIMELINE_TO_TIME] = Int64GetDatum(row->span.to);
		values[PART_TIMELINE_IS_ACTIVE] = Int32GetDatum(row->is_active);
		values[PART_TIMELINE_APPLICATION] = PointerGetDatum(row->application);
		nulls[PART_TIMELINE_APPLICATION] = row->application == NULL;
	}
	put_part_row(rows, values, nulls);
}
