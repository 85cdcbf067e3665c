/*-------------------------------------------------------------------------
 *
 * hub_functions.c
 *	  The functions of a hub: those of the extension that read, over many stores.
 *
 * Each takes the request as a store's would, asks all shards for their parts, and puts
 * these in order.  What it returns of a shard holds at one moment, that of the shard's
 * snapshot; there is none that all of them share.
 *
 * A page is where so many sessions of all shards together lie before it.  In steps, the
 * shards tell where that is, if it isn't at the beginning; that is a hint, for the sessions
 * may change.  Then each tells, under one snapshot, how many lie before that place, and
 * which follow: as many as it should have of them, if all have about as many.  What comes
 * of that is exact, or else there is too little of it, and all begins anew, without a guess.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(ekran_hub_application_statistics);
PG_FUNCTION_INFO_V1(ekran_hub_application_statistics_json);
PG_FUNCTION_INFO_V1(ekran_hub_session_list);
PG_FUNCTION_INFO_V1(ekran_hub_session_list_json);
PG_FUNCTION_INFO_V1(ekran_hub_session_timeline);
PG_FUNCTION_INFO_V1(ekran_hub_sessions);
PG_FUNCTION_INFO_V1(ekran_hub_sessions_after);
PG_FUNCTION_INFO_V1(ekran_hub_sessions_all);
PG_FUNCTION_INFO_V1(ekran_hub_sessions_json);
PG_FUNCTION_INFO_V1(ekran_hub_sessions_total_count);
PG_FUNCTION_INFO_V1(ekran_hub_url_statistics);
PG_FUNCTION_INFO_V1(ekran_hub_url_statistics_json);
PG_FUNCTION_INFO_V1(ekran_hub_user_productivity);
PG_FUNCTION_INFO_V1(ekran_hub_user_productivity_json);

#define PART_ARGUMENT_TYPES \
	NAMEOID, INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, \
	INT4ARRAYOID, UUIDARRAYOID, BOOLOID, BOOLOID

static const PartFunction part_sessions = {
	"ekran_part_sessions", 18,
	{PART_ARGUMENT_TYPES, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, BOOLOID, BOOLOID, BOOLOID},
	&sessions_shape
};

static const PartFunction part_steps = {
	"ekran_part_steps", 15,
	{PART_ARGUMENT_TYPES, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID},
	&steps_shape
};

static const PartFunction part_total_count = {
	"ekran_part_total_count", 10, {PART_ARGUMENT_TYPES}, &number_shape
};

static const PartFunction part_login = {
	"ekran_part_login", 11, {PART_ARGUMENT_TYPES, INT8OID}, &number_shape
};

static const PartFunction part_usage = {
	"ekran_part_usage", 11, {PART_ARGUMENT_TYPES, BOOLOID},
	&usage_shape
};

static const PartFunction part_productivity = {
	"ekran_part_productivity", 10, {PART_ARGUMENT_TYPES},
	&productivity_shape
};

static const PartFunction part_timeline = {
	"ekran_part_timeline", 11, {PART_ARGUMENT_TYPES, INT8OID},
	&timeline_shape
};

/* Up to so many sessions it doesn't matter whether they are asked for. */
#define FEW_SESSIONS	100

/* How often the shards are asked where a page is, and then for it. */
#define MAX_ROUNDS		6
#define MAX_ATTEMPTS	10

/*
 * Refuse what should be on one shard and is on several: what is returned of it would be
 * wrong.
 */
pg_noreturn static void
refuse_duplicate(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s on more than one shard", what),
			 errhint("Keep each session on one shard, and all sessions of a user on the same one, as those without a user.")));
}

/*
 * Sessions in order
 */

/* The parts of what is asked for, and what the shards tell of all sessions. */
typedef struct SessionParts
{
	Merge	   *merge;
	int			shards;
	int64		preceding;
	int64		total;
	bool		is_page;		/* may there be more? */
	int64		wanted;			/* of each shard */
	int64		rows;			/* of the shard in hand */
	Position	complete_until; /* no shard has kept back any up to there */
	int			count;
	int			allocated;
	Position   *positions;		/* of the sessions of all shards */
	/* As they are read: */
	Position	latest;			/* of the session read last */
	Session		session;
} SessionParts;

static int64
add_counts(int64 a, int64 b)
{
	int64		sum;

	if (pg_add_s64_overflow(a, b, &sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("bigint out of range")));
	return sum;
}

/*
 * A shard that has returned all that were wanted may have more.
 */
static void
end_shard(SessionParts *parts)
{
	if (parts->rows > 0 && parts->rows >= parts->wanted)
	{
		const Position *last = &parts->positions[parts->count - 1];

		if (compare_positions(last, &parts->complete_until) < 0)
			parts->complete_until = *last;
	}
	parts->rows = 0;
}

static void
note_position(SessionParts *parts, TimestampTz login, int64 session_id)
{
	Position	position = {login, session_id};

	if (!parts->is_page)
		return;
	if (parts->count == parts->allocated)
	{
		parts->allocated *= 2;
		parts->positions = repalloc(parts->positions, parts->allocated * sizeof(Position));
	}
	parts->positions[parts->count++] = position;
	parts->rows++;
}

/*
 * How many of the sessions are the next ones for sure.
 */
static int64
complete_sessions(const SessionParts *parts)
{
	int64		count = 0;

	for (int i = 0; i < parts->count; i++)
		if (compare_positions(&parts->positions[i], &parts->complete_until) <= 0)
			count++;
	return count;
}

static void
take_session_part(void *state, int shard, const Datum *values, const bool *nulls)
{
	SessionParts *parts = state;
	bool		is_session = !nulls[PART_SESSION_ID];

	if (nulls[PART_PRECEDING] != is_session || nulls[PART_TOTAL] != is_session ||
		nulls[PART_LOGIN] == is_session || nulls[PART_IDLE] == is_session ||
		nulls[PART_FIRST_MOMENT] != nulls[PART_LAST_MOMENT])
		refuse_pack();
	if (parts->shards != shard)
	{
		end_shard(parts);
		parts->shards = shard;
	}
	if (!is_session)
	{
		if (DatumGetInt64(values[PART_PRECEDING]) < 0 || DatumGetInt64(values[PART_TOTAL]) < 0)
			refuse_pack();
		parts->preceding = add_counts(parts->preceding, DatumGetInt64(values[PART_PRECEDING]));
		parts->total = add_counts(parts->total, DatumGetInt64(values[PART_TOTAL]));
	}
	else
	{
		note_position(parts, DatumGetInt64(values[PART_LOGIN]),
					  DatumGetInt64(values[PART_SESSION_ID]));
		add_to_merge(parts->merge, shard, values, nulls);
	}
}

/* What of the sessions is asked for. */
typedef struct PartRequest
{
	bool		is_page;		/* or all? */
	Position	after;
	Position	until;
	int64		wanted;
	bool		is_named;
	bool		is_ranked;		/* how many lie before? */
	bool		is_counted;		/* how many are there? */
} PartRequest;

static void
read_parts(const Hub *hub, const PartRequest *request, SessionParts *parts)
{
	static const int keys[] = {PART_LOGIN, PART_SESSION_ID};
	Datum		arguments[] = {
		Int64GetDatum(request->after.login), Int64GetDatum(request->after.session_id),
		Int64GetDatum(request->until.login), Int64GetDatum(request->until.session_id),
		Int64GetDatum(request->wanted), BoolGetDatum(request->is_named),
		BoolGetDatum(request->is_ranked), BoolGetDatum(request->is_counted)
	};

	memset(parts, 0, sizeof(*parts));
	parts->latest = before_all;
	parts->is_page = request->is_page;
	parts->wanted = request->wanted;
	parts->complete_until = request->until;
	parts->allocated = MAX_PAGE_SIZE;
	parts->positions = palloc(parts->allocated * sizeof(Position));
	parts->merge = begin_merge(&sessions_shape, lengthof(keys), keys);
	ask_shards(hub, &part_sessions, arguments, take_session_part, parts);
	end_shard(parts);
	sort_merge(parts->merge);
}

/*
 * The next session, as if it had been read and measured here; NULL at the end.
 *
 * Errors: 55000 for one that is on two shards.
 */
static const Session *
next_session_part(SessionParts *parts)
{
	Session    *session = &parts->session;
	const Datum *values;
	const bool *nulls;
	Position	position;
	int			shard;

	if (!next_merged(parts->merge, &shard, &values, &nulls))
		return NULL;
	memset(session, 0, sizeof(*session));
	session->session_id = DatumGetInt64(values[PART_SESSION_ID]);
	session->span.login = DatumGetInt64(values[PART_LOGIN]);
	session->stored[SESSION_SESSION_ID] = values[PART_SESSION_ID];
	session->stored[SESSION_CLIENT_GUID] = values[PART_CLIENT_GUID];
	session->is_null[SESSION_CLIENT_GUID] = nulls[PART_CLIENT_GUID];
	session->stored[SESSION_USER_ID] = values[PART_USER_ID];
	session->is_null[SESSION_USER_ID] = nulls[PART_USER_ID];
	session->client_name = values[PART_CLIENT_NAME];
	session->has_client_name = !nulls[PART_CLIENT_NAME];
	session->user_name = values[PART_USER_NAME];
	session->has_user_name = !nulls[PART_USER_NAME];
	session->measure.has_moment = !nulls[PART_FIRST_MOMENT];
	if (session->measure.has_moment)
	{
		session->measure.first = DatumGetInt64(values[PART_FIRST_MOMENT]);
		session->measure.last = DatumGetInt64(values[PART_LAST_MOMENT]);
		session->measure.duration = elapsed(session->session_id, session->measure.first,
											session->measure.last);
	}
	session->measure.idle = DatumGetInt64(values[PART_IDLE]);

	position = position_of(session);
	if (compare_positions(&position, &parts->latest) == 0)
		refuse_duplicate(psprintf("session " INT64_FORMAT " is", position.session_id));
	parts->latest = position;
	return session;
}

/* The steps of all shards. */
typedef struct StepParts
{
	int			count;
	int			allocated;
	Step	   *steps;
} StepParts;

static void
take_step(void *state, int shard, const Datum *values, const bool *nulls)
{
	StepParts  *parts = state;
	Step	   *step;

	(void) shard;
	(void) nulls;
	if (parts->count == parts->allocated)
	{
		parts->allocated *= 2;
		parts->steps = repalloc(parts->steps, parts->allocated * sizeof(Step));
	}
	step = &parts->steps[parts->count++];
	step->to.login = DatumGetInt64(values[STEP_TO_LOGIN]);
	step->to.session_id = DatumGetInt64(values[STEP_TO_SESSION_ID]);
	step->sessions = DatumGetInt64(values[STEP_SESSIONS]);
	if (step->sessions <= 0)
		refuse_pack();
	step->from.login = DatumGetInt64(values[STEP_FROM_LOGIN]);
	step->from.session_id = step->sessions == 1 ? step->to.session_id : PG_INT64_MIN;
}

/*
 * Where all sessions of a window lay when the shards were asked last: as good a hint as any
 * other for who goes on to another page.
 */
typedef struct KnownSteps
{
	Oid			hub;
	Oid			user;
	NameData	store;
	Window		window;
	int			count;
	Step	   *steps;
} KnownSteps;

static KnownSteps known_steps = {0};

static bool
is_all(const Hub *hub, const OrderRange *range)
{
	return hub->is_null[PART_USERS] && hub->is_null[PART_CLIENTS] &&
		compare_positions(&range->after, &before_all) == 0 &&
		compare_positions(&range->until, &after_all) == 0;
}

static void
keep_steps(const Hub *hub, const StepParts *parts)
{
	if (known_steps.steps != NULL)
		pfree(known_steps.steps);
	known_steps.steps = NULL;
	known_steps.steps = MemoryContextAlloc(TopMemoryContext,
										   Max(parts->count, 1) * sizeof(Step));
	memcpy(known_steps.steps, parts->steps, parts->count * sizeof(Step));
	known_steps.count = parts->count;
	known_steps.hub = hub->schema;
	known_steps.user = GetUserId();
	known_steps.store = hub->store;
	known_steps.window = hub->request.window;
}

static bool
recall_steps(const Hub *hub, StepParts *parts)
{
	if (known_steps.steps == NULL || known_steps.hub != hub->schema ||
		known_steps.user != GetUserId() ||
		strcmp(NameStr(known_steps.store), NameStr(hub->store)) != 0 ||
		known_steps.window.start != hub->request.window.start ||
		known_steps.window.end != hub->request.window.end)
		return false;
	parts->count = known_steps.count;
	parts->allocated = Max(parts->count, 1);
	parts->steps = palloc(parts->allocated * sizeof(Step));
	memcpy(parts->steps, known_steps.steps, parts->count * sizeof(Step));
	return true;
}

static StepParts
ask_steps(const Hub *hub, const OrderRange *range, int64 wanted)
{
	Datum		arguments[] = {
		Int64GetDatum(range->after.login), Int64GetDatum(range->after.session_id),
		Int64GetDatum(range->until.login), Int64GetDatum(range->until.session_id),
		Int64GetDatum(wanted)
	};
	StepParts	parts = {.allocated = MAX_STEPS};

	parts.steps = palloc(parts.allocated * sizeof(Step));
	ask_shards(hub, &part_steps, arguments, take_step, &parts);
	if (wanted > FEW_STEPS && is_all(hub, range))
		keep_steps(hub, &parts);
	return parts;
}

/*
 * Have the shards narrow the range in which the sessions lie from one number up to
 * another, until there are few more in it; or, for a guess, few more up to its end, by what
 * they have told before.
 */
static void
find_range(const Hub *hub, OrderRange *range, int64 first, int64 end, bool is_guess)
{
	int64		former = PG_INT64_MAX;
	int64		few = (end - first) * 3 / 2 + FEW_SESSIONS;

	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		StepParts	parts;

		if (!is_guess || round > 0 || !is_all(hub, range) || !recall_steps(hub, &parts))
			parts = ask_steps(hub, range, end - range->least_before);
		narrow_range(range, parts.steps, parts.count, first, end);
		pfree(parts.steps);
		if (range->is_exact || range->sessions <= few || range->sessions >= former ||
			(is_guess && end - range->least_before <= few))
			return;
		former = range->sessions;
	}
}

/* What a page begins with. */
typedef struct PageStart
{
	bool		is_empty;
	Position	after;			/* a place, */
	int64		offset;			/* and so many sessions beyond it */
} PageStart;

/* How many shards the hub had that was asked last: a hint. */
static Oid	known_hub = InvalidOid;
static int	known_shards;

/*
 * Ask for a page by a guess: that each shard has about as many sessions of it.
 */
static void
guess_page(const Hub *hub, const PageStart *start, int64 size, PartRequest *request)
{
	OrderRange	range = {.after = start->after,.until = after_all};
	int64		end = start->offset + size;

	if (start->offset > size)
		find_range(hub, &range, start->offset, end, true);
	request->after = range.after;
	end -= range.least_before;
	request->wanted = Min(end, end / known_shards * 9 / 8 + FEW_SESSIONS / known_shards + 8);
}

/*
 * Ask for all that is where a page lies, and in a margin around it.
 */
static void
find_page(const Hub *hub, const PageStart *start, int64 size, int64 margin,
		  PartRequest *request)
{
	OrderRange	range = {.after = start->after,.until = after_all};

	find_range(hub, &range, Max(start->offset - margin, 0), start->offset + size + margin,
			   false);
	request->after = range.after;
	request->until = range.until;
}

/*
 * Read a page: what next_session_part() returns then is its first session.
 *
 * Errors: 40001 if the sessions change faster than they can be found.
 */
static void
read_page(const Hub *hub, const PageStart *start, int64 size, bool is_counted,
		  SessionParts *parts)
{
	int64		margin = 0;

	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++)
	{
		PartRequest request = {true, start->after, after_all, PG_INT64_MAX, true, false, is_counted};
		int64		offset = start->offset;

		if (start->is_empty || size == 0)
			request.wanted = offset = 0;
		else if (attempt == 0 && known_hub == hub->schema)
			guess_page(hub, start, size, &request);
		else if (offset + size <= FEW_SESSIONS)
			request.wanted = offset + size;
		else
		{
			/* One that has got away is looked for in more. */
			find_page(hub, start, size, margin, &request);
			margin += MAX_PAGE_SIZE;
		}
		request.is_ranked = compare_positions(&request.after, &start->after) != 0;
		read_parts(hub, &request, parts);
		known_hub = hub->schema;
		known_shards = Max(parts->shards, 1);

		offset -= parts->preceding;
		if (offset >= 0 &&
			(offset + size <= complete_sessions(parts) ||
			 compare_positions(&parts->complete_until, &after_all) == 0))
		{
			while (offset-- > 0 && next_session_part(parts) != NULL)
				;
			return;
		}
		end_merge(parts->merge);
	}
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("sessions change faster than the page can be found"),
			 errhint("Repeat the query, or go on by ekran_sessions_after().")));
}

/*
 * Where a page by number begins.
 */
static PageStart
start_of_page(const PageRequest *page)
{
	PageStart	start = {false, before_all, 0};

	/* No table holds so many sessions as to reach such a page. */
	start.is_empty = pg_mul_s64_overflow(page->index, page->size, &start.offset) ||
		start.offset > PG_INT64_MAX / 2;
	return start;
}

typedef struct FoundLogin
{
	int			count;
	TimestampTz login;
} FoundLogin;

static void
take_login(void *state, int shard, const Datum *values, const bool *nulls)
{
	FoundLogin *found = state;

	(void) shard;
	(void) nulls;
	found->count++;
	found->login = DatumGetInt64(values[0]);
}

/*
 * Where a page begins that follows a session.
 *
 * Errors: 22023 for an unknown one.
 */
static PageStart
start_of_keyset(const Hub *hub, const PageRequest *page)
{
	PageStart	start = {false, before_all, 0};
	Datum		arguments[] = {Int64GetDatum(page->after_session_id)};
	FoundLogin	found = {0};

	if (!page->is_keyset)
		return start;
	ask_shards(hub, &part_login, arguments, take_login, &found);
	if (found.count == 0)
		refuse_unknown_keyset(NameStr(hub->store), page->after_session_id);
	if (found.count > 1)
		refuse_duplicate(psprintf("session " INT64_FORMAT " is", page->after_session_id));
	start.after.login = found.login;
	start.after.session_id = page->after_session_id;
	return start;
}

static Datum
return_page(ReturnSetInfo *result, const Hub *hub, const PageStart *start, int64 size)
{
	SessionParts parts;
	const Session *session;

	read_page(hub, start, size, false, &parts);
	while (size-- > 0 && (session = next_session_part(&parts)) != NULL)
		put_session_row(result, session);
	end_merge(parts.merge);
	return (Datum) 0;
}

/*
 * ekran_sessions() of a hub.  Arguments, rows and errors are those of the extension's own;
 * 08006 where a shard can't be asked, 40001 if the page can't be found, 55000 for a session
 * that is on two shards.
 */
Datum
ekran_hub_sessions(PG_FUNCTION_ARGS)
{
	Hub			hub;
	PageRequest page;
	PageStart	start;
	ReturnSetInfo *result;

	begin_hub_call(&hub, fcinfo, 0, ARG_PAGE_FILTERS);
	page = get_page_arguments(fcinfo, "count", "page");
	result = begin_session_rows(fcinfo);
	start = start_of_page(&page);
	return return_page(result, &hub, &start, page.size);
}

/*
 * ekran_sessions_after() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_sessions_after(PG_FUNCTION_ARGS)
{
	Hub			hub;
	PageRequest page;
	PageStart	start;
	ReturnSetInfo *result;

	begin_hub_call(&hub, fcinfo, 0, ARG_PAGE_FILTERS);
	page = get_keyset_arguments(fcinfo);
	result = begin_session_rows(fcinfo);
	start = start_of_keyset(&hub, &page);
	return return_page(result, &hub, &start, page.size);
}

/*
 * ekran_sessions_json() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_sessions_json(PG_FUNCTION_ARGS)
{
	Hub			hub;
	PageRequest page;
	PageStart	start;
	SessionParts parts;
	Json		json;

	begin_hub_call(&hub, fcinfo, 0, ARG_PAGE_FILTERS);
	page = get_page_arguments(fcinfo, "sessionCount", "pageIndex");
	begin_json(&json, hub.request.zone, "{\"sessions\":[");
	start = start_of_page(&page);
	read_page(&hub, &start, page.size, true, &parts);
	for (int64 i = 0; i < page.size; i++)
	{
		const Session *session = next_session_part(&parts);

		if (session == NULL)
			break;
		append_json_session(&json, session);
	}
	end_merge(parts.merge);
	PG_RETURN_TEXT_P(end_json(&json, psprintf("],\"totalCount\":%d}",
											  total_count_of(parts.total))));
}

static void
read_all_parts(const Hub *hub, bool is_named, SessionParts *parts)
{
	PartRequest request = {false, before_all, after_all, PG_INT64_MAX, is_named, false, false};

	read_parts(hub, &request, parts);
}

/*
 * ekran_sessions_all() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_sessions_all(PG_FUNCTION_ARGS)
{
	Hub			hub;
	SessionParts parts;
	const Session *session;
	ReturnSetInfo *result;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	result = begin_session_rows(fcinfo);
	read_all_parts(&hub, true, &parts);
	while ((session = next_session_part(&parts)) != NULL)
		put_session_row(result, session);
	end_merge(parts.merge);
	return (Datum) 0;
}

/*
 * ekran_session_list() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_session_list(PG_FUNCTION_ARGS)
{
	Hub			hub;
	SessionParts parts;
	const Session *session;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	InitMaterializedSRF(fcinfo, 0);
	read_all_parts(&hub, false, &parts);
	while ((session = next_session_part(&parts)) != NULL)
		put_list_row((ReturnSetInfo *) fcinfo->resultinfo, session);
	end_merge(parts.merge);
	return (Datum) 0;
}

/*
 * ekran_session_list_json() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_session_list_json(PG_FUNCTION_ARGS)
{
	Hub			hub;
	SessionParts parts;
	const Session *session;
	Json		json;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	begin_json(&json, hub.request.zone, "[");
	read_all_parts(&hub, false, &parts);
	while ((session = next_session_part(&parts)) != NULL)
		append_json_list_session(&json, session);
	end_merge(parts.merge);
	PG_RETURN_TEXT_P(end_json(&json, "]"));
}

/*
 * The count
 */

static void
take_count(void *state, int shard, const Datum *values, const bool *nulls)
{
	int64	   *total = state;

	(void) shard;
	(void) nulls;
	if (DatumGetInt64(values[0]) < 0)
		refuse_pack();
	*total = add_counts(*total, DatumGetInt64(values[0]));
}

/*
 * ekran_sessions_total_count() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_sessions_total_count(PG_FUNCTION_ARGS)
{
	Hub			hub;
	int64		total = 0;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	ask_shards(&hub, &part_total_count, NULL, take_count, &total);
	PG_RETURN_INT32(total_count_of(total));
}

/*
 * Statistics
 */

/* The use of labels, session by session. */
typedef struct UsageParts
{
	Merge	   *merge;
	int			shard;			/* of the session in hand */
	UsageRow	row;
} UsageParts;

static UsageParts
read_usage(const Hub *hub, bool is_of_urls)
{
	static const int keys[] = {PART_USAGE_LOGIN, PART_USAGE_SESSION_ID};
	Datum		arguments[] = {BoolGetDatum(is_of_urls)};
	UsageParts	parts = {0};

	parts.merge = begin_merge(&usage_shape, lengthof(keys), keys);
	ask_shards(hub, &part_usage, arguments, add_to_merge, parts.merge);
	sort_merge(parts.merge);
	return parts;
}

/*
 * The next row; NULL at the end.
 *
 * Errors: 55000 for a session that is on two shards.
 */
static const UsageRow *
next_usage(UsageParts *parts)
{
	UsageRow   *row = &parts->row;
	const Datum *values;
	const bool *nulls;
	int64		session_id;
	int			shard;

	if (!next_merged(parts->merge, &shard, &values, &nulls))
		return NULL;
	session_id = DatumGetInt64(values[PART_USAGE_SESSION_ID]);
	if (parts->shard != 0 && parts->shard != shard && row->session_id == session_id)
		refuse_duplicate(psprintf("session " INT64_FORMAT " is", session_id));
	parts->shard = shard;
	row->login = DatumGetInt64(values[PART_USAGE_LOGIN]);
	row->session_id = session_id;
	row->hour = DatumGetInt64(values[PART_USAGE_TIME_OF_DAY]);
	row->label = nulls[PART_USAGE_LABEL] ? NULL : DatumGetTextPP(values[PART_USAGE_LABEL]);
	row->duration = DatumGetInt64(values[PART_USAGE_DURATION]);
	return row;
}

static Datum
return_usage(FunctionCallInfo fcinfo, bool is_of_urls)
{
	Hub			hub;
	UsageParts	parts;
	const UsageRow *row;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	InitMaterializedSRF(fcinfo, 0);
	parts = read_usage(&hub, is_of_urls);
	while ((row = next_usage(&parts)) != NULL)
		put_usage_row(fcinfo->resultinfo, row);
	end_merge(parts.merge);
	return (Datum) 0;
}

static Datum
return_usage_json(FunctionCallInfo fcinfo, bool is_of_urls)
{
	Hub			hub;
	UsageParts	parts;
	const UsageRow *row;
	UsageJson	json;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	begin_json_usage(&json, hub.request.zone);
	parts = read_usage(&hub, is_of_urls);
	while ((row = next_usage(&parts)) != NULL)
		append_json_usage(&json, row);
	end_merge(parts.merge);
	PG_RETURN_TEXT_P(end_json_usage(&json));
}

/*
 * ekran_application_statistics() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_application_statistics(PG_FUNCTION_ARGS)
{
	return return_usage(fcinfo, false);
}

/*
 * ekran_application_statistics_json() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_application_statistics_json(PG_FUNCTION_ARGS)
{
	return return_usage_json(fcinfo, false);
}

/*
 * ekran_url_statistics() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_url_statistics(PG_FUNCTION_ARGS)
{
	return return_usage(fcinfo, true);
}

/*
 * ekran_url_statistics_json() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_url_statistics_json(PG_FUNCTION_ARGS)
{
	return return_usage_json(fcinfo, true);
}

static bool
next_productivity(Merge *merge, ProductivityRow *row)
{
	const Datum *values;
	const bool *nulls;
	int			shard;

	if (!next_merged(merge, &shard, &values, &nulls))
		return false;
	row->is_of_no_user = nulls[PART_PRODUCTIVITY_USER_ID];
	row->user_id = DatumGetInt32(values[PART_PRODUCTIVITY_USER_ID]);
	row->user_name = nulls[PART_PRODUCTIVITY_USER_NAME] ? NULL :
		DatumGetTextPP(values[PART_PRODUCTIVITY_USER_NAME]);
	row->date = DatumGetInt32(values[PART_PRODUCTIVITY_DAY]);
	row->hour = DatumGetInt32(values[PART_PRODUCTIVITY_HOUR]);
	row->active = DatumGetInt64(values[PART_PRODUCTIVITY_ACTIVE]);
	return true;
}

/*
 * Read the hours of all users, each of which must come from one shard: what a user's
 * sessions have active at once counts once, and only they can tell.
 *
 * Errors: 55000 if there is one from two.
 */
static void
read_productivity(const Hub *hub,
				  void (*take) (void *state, const ProductivityRow *row), void *state)
{
	static const int keys[] = {PART_PRODUCTIVITY_USER_ID, PART_PRODUCTIVITY_DAY,
		PART_PRODUCTIVITY_HOUR};
	Merge	   *merge = begin_merge(&productivity_shape, lengthof(keys), keys);
	ProductivityRow row;
	ProductivityRow former = {.hour = -1};

	ask_shards(hub, &part_productivity, NULL, add_to_merge, merge);
	sort_merge(merge);
	while (next_productivity(merge, &row))
	{
		if (row.hour == former.hour && row.date == former.date &&
			row.is_of_no_user == former.is_of_no_user &&
			(row.is_of_no_user || row.user_id == former.user_id))
			refuse_duplicate(row.is_of_no_user ? "sessions without a user are" :
							 psprintf("sessions of user %d are", row.user_id));
		take(state, &row);
		former = row;
	}
	end_merge(merge);
}

static void
return_productivity(void *state, const ProductivityRow *row)
{
	put_productivity_row(state, row);
}

/*
 * ekran_user_productivity() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_user_productivity(PG_FUNCTION_ARGS)
{
	Hub			hub;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	InitMaterializedSRF(fcinfo, 0);
	read_productivity(&hub, return_productivity, fcinfo->resultinfo);
	return (Datum) 0;
}

static void
sort_by_name(void *state, const ProductivityRow *row)
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
	add_to_merge(state, 0, values, nulls);
}

/*
 * ekran_user_productivity_json() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_user_productivity_json(PG_FUNCTION_ARGS)
{
	static const int keys[] = {PART_PRODUCTIVITY_USER_NAME, PART_PRODUCTIVITY_DAY,
		PART_PRODUCTIVITY_HOUR, PART_PRODUCTIVITY_USER_ID};
	Merge	   *merge = begin_merge(&productivity_shape, lengthof(keys), keys);
	Hub			hub;
	ProductivityRow row;
	Json		json;

	begin_hub_call(&hub, fcinfo, 0, ARG_FILTERS);
	begin_json(&json, hub.request.zone, "[");
	read_productivity(&hub, sort_by_name, merge);
	sort_merge(merge);
	while (next_productivity(merge, &row))
		append_json_productivity(&json, &row);
	end_merge(merge);
	PG_RETURN_TEXT_P(end_json(&json, "]"));
}

typedef struct TimelineParts
{
	ReturnSetInfo *result;
	int			shards;			/* that have the session */
} TimelineParts;

static void
take_timeline(void *state, int shard, const Datum *values, const bool *nulls)
{
	TimelineParts *parts = state;
	TimelineRow row;

	(void) shard;
	if (nulls[PART_TIMELINE_FROM_TIME])
	{
		parts->shards++;
		return;
	}
	if (nulls[PART_TIMELINE_TO_TIME] || nulls[PART_TIMELINE_IS_ACTIVE])
		refuse_pack();
	row.span.from = DatumGetInt64(values[PART_TIMELINE_FROM_TIME]);
	row.span.to = DatumGetInt64(values[PART_TIMELINE_TO_TIME]);
	row.is_active = DatumGetInt32(values[PART_TIMELINE_IS_ACTIVE]) != 0;
	row.application = nulls[PART_TIMELINE_APPLICATION] ? NULL :
		DatumGetTextPP(values[PART_TIMELINE_APPLICATION]);
	put_timeline_row(parts->result, &row);
}

/*
 * ekran_session_timeline() of a hub.  Errors: likewise.
 */
Datum
ekran_hub_session_timeline(PG_FUNCTION_ARGS)
{
	int64		session_id = get_session_id(fcinfo);
	Datum		arguments[] = {Int64GetDatum(session_id)};
	TimelineParts parts = {0};
	Hub			hub;

	begin_hub_call(&hub, fcinfo, 1, -1);
	InitMaterializedSRF(fcinfo, 0);
	parts.result = (ReturnSetInfo *) fcinfo->resultinfo;
	ask_shards(&hub, &part_timeline, arguments, take_timeline, &parts);
	if (parts.shards == 0)
		refuse_unknown_session(NameStr(hub.store), "session_id", session_id, TIMELINE_HINT);
	if (parts.shards > 1)
		refuse_duplicate(psprintf("session " INT64_FORMAT " is", session_id));
	return (Datum) 0;
}
