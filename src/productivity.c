/*-------------------------------------------------------------------------
 *
 * productivity.c
 *	  How many minutes of which hours each user was active.
 *
 * What a session has active comes from its gaps alone, where the index can tell.  What
 * sessions of a user have active at once counts once, so a user's active spans are
 * united before they are added up.  Sessions come in the order of their logins: once
 * one of a user has come, no later one has anything active before its login, and
 * what lies there is added up for good.  So a user holds no more than what the sessions
 * have active that are open at one time, and the sums of two days, for a clock that is
 * set back at midnight goes back to the day before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ekran_part_productivity);
PG_FUNCTION_INFO_V1(ekran_user_productivity);
PG_FUNCTION_INFO_V1(ekran_user_productivity_json);

/* Spans in order and apart from each other. */
typedef struct SpanList
{
	int			count;
	int			allocated;
	Span	   *spans;
} SpanList;

typedef struct UserKey
{
	int32		user_id;		/* valid only if not null */
	int32		is_null;		/* for the sessions without a user */
} UserKey;

typedef struct User
{
	UserKey		key;			/* the hash key */
	text	   *name;			/* or NULL */
	SpanList	active;			/* that isn't added up yet */
	bool		has_day;
	DateADT		day;			/* the latest one that there are sums of */
	int64		sums[2][HOURS_PER_DAY]; /* of its hours, after those of the
										 * day before */
} User;

/* A row of the result. */
typedef struct ActiveHour
{
	const User *user;
	DateADT		date;
	int			hour;
	int64		active;
} ActiveHour;

typedef struct Productivity
{
	Reader		reader;
	Hours		hours;
	HTAB	   *users;
	SpanList	session;		/* what the one in hand has active */
	SpanList	united;			/* scratch */
	MemoryContext context;		/* for all of it */
	PutProductivity put_row;	/* what takes rows as they are complete, */
	void	   *result;			/* with this; NULL: */
	ActiveHour *rows;			/* they are kept for a JSON response */
	Size		count;
	Size		allocated;
} Productivity;

static ProductivityRow
row_of(const ActiveHour *hour)
{
	const User *user = hour->user;
	ProductivityRow row = {user->key.is_null, user->key.user_id, user->name,
		hour->date, hour->hour, hour->active};

	return row;
}

static void
keep_row(Productivity *productivity, const ActiveHour *row)
{
	if (productivity->count == productivity->allocated)
	{
		productivity->allocated *= 2;
		productivity->rows = repalloc_huge(productivity->rows,
										   productivity->allocated * sizeof(ActiveHour));
	}
	productivity->rows[productivity->count++] = *row;
}

/*
 * Return the hours of a user's day, the latest one or that before, and forget them.
 */
static void
return_day(Productivity *productivity, User *user, int which)
{
	ActiveHour	row = {.user = user,.date = user->day - 1 + which};

	for (row.hour = 0; row.hour < HOURS_PER_DAY; row.hour++)
	{
		row.active = user->sums[which][row.hour];
		if (row.active == 0)
			continue;
		if (productivity->put_row != NULL)
		{
			ProductivityRow complete = row_of(&row);

			productivity->put_row(productivity->result, &complete);
		}
		else
			keep_row(productivity, &row);
	}
	memset(user->sums[which], 0, sizeof(user->sums[which]));
}

/*
 * Make a day the latest one of a user.
 */
static void
begin_day(Productivity *productivity, User *user, DateADT day)
{
	if (user->has_day)
	{
		return_day(productivity, user, 0);
		if (day == user->day + 1)
		{
			memcpy(user->sums[0], user->sums[1], sizeof(user->sums[0]));
			memset(user->sums[1], 0, sizeof(user->sums[1]));
		}
		else
			return_day(productivity, user, 1);
	}
	user->has_day = true;
	user->day = day;
}

/*
 * Add a span up, which lies beyond all that has been added for the user.
 *
 * Errors: 22008 for a time zone that goes back by more than a day, which none does that
 * the server knows by name.
 * Rule: rules.md, Hours, Dates.
 */
static void
add_span(Productivity *productivity, User *user, const Span *span)
{
	Hours	   *hours = &productivity->hours;
	TimestampTz to;

	for (TimestampTz from = span->from; from < span->to; from = to)
	{
		CHECK_FOR_INTERRUPTS();
		find_hour(hours, from);
		to = Min(span->to, hours->until);
		if (!user->has_day || hours->date > user->day)
			begin_day(productivity, user, hours->date);
		if (hours->date < user->day - 1)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("time zone \"%s\" goes back by more than a day",
							pg_get_timezone_name(hours->zone)),
					 errhint("Set TimeZone to one that a clock on the wall shows.")));
		user->sums[hours->date - user->day + 1][hours->hour] += to - from;
	}
}

/*
 * Add up what a user has active before a moment.
 */
static void
add_up_before(Productivity *productivity, User *user, TimestampTz moment)
{
	SpanList   *active = &user->active;
	int			done;

	for (done = 0; done < active->count && active->spans[done].from < moment; done++)
	{
		Span	   *span = &active->spans[done];
		Span		before = {span->from, Min(span->to, moment)};

		add_span(productivity, user, &before);
		if (span->to > moment)
		{
			span->from = moment;
			break;
		}
	}
	active->count -= done;
	if (done > 0)
		memmove(active->spans, active->spans + done, active->count * sizeof(Span));
}

/*
 * Add a span to a list, which begins no earlier than those in it.
 */
static void
unite_span(Productivity *productivity, SpanList *list, const Span *span)
{
	Span	   *last = list->count == 0 ? NULL : &list->spans[list->count - 1];

	if (last != NULL && span->from <= last->to)
	{
		last->to = Max(last->to, span->to);
		return;
	}
	if (list->count == list->allocated)
	{
		list->allocated = Max(8, list->allocated * 2);
		list->spans = list->spans == NULL ?
			MemoryContextAlloc(productivity->context, list->allocated * sizeof(Span)) :
			repalloc_huge(list->spans, list->allocated * sizeof(Span));
	}
	list->spans[list->count++] = *span;
}

/*
 * Unite what a user has active with what the session in hand has.
 */
static void
unite_session(Productivity *productivity, User *user)
{
	const SpanList *session = &productivity->session;
	SpanList   *active = &user->active;
	SpanList   *united = &productivity->united;
	SpanList	former;
	int			i = 0;
	int			j = 0;

	united->count = 0;
	while (i < active->count || j < session->count)
	{
		if (j == session->count ||
			(i < active->count && active->spans[i].from <= session->spans[j].from))
			unite_span(productivity, united, &active->spans[i++]);
		else
			unite_span(productivity, united, &session->spans[j++]);
	}
	former = *active;
	*active = *united;
	*united = former;
}

static User *
find_user(Productivity *productivity, const Session *session)
{
	UserKey		key = {0, session->is_null[SESSION_USER_ID]};
	bool		is_known;
	User	   *user;

	if (!key.is_null)
		key.user_id = DatumGetInt32(session->stored[SESSION_USER_ID]);
	user = hash_search(productivity->users, &key, HASH_ENTER, &is_known);
	if (!is_known)
	{
		MemoryContext caller_context = MemoryContextSwitchTo(productivity->context);

		memset((char *) user + sizeof(key), 0, sizeof(*user) - sizeof(key));
		if (session->has_user_name)
			user->name = DatumGetTextPCopy(session->user_name);
		MemoryContextSwitchTo(caller_context);
	}
	return user;
}

static void
add_session(Productivity *productivity, const Clipped *clipped)
{
	const Session *session = clipped->session;
	ActiveSpans spans;
	Span		span;
	User	   *user;

	productivity->session.count = 0;
	begin_active_spans(&spans, &productivity->reader.rule, clipped);
	while (next_active_span(&spans, &span))
		unite_span(productivity, &productivity->session, &span);
	if (productivity->session.count == 0)
		return;

	user = find_user(productivity, session);
	add_up_before(productivity, user, session->span.login);
	unite_session(productivity, user);
}

/*
 * Read all sessions, as a request has asked for it, and return the hours of their users.
 */
static void
read_productivity(Productivity *productivity, PutProductivity put_row, void *result)
{
	Reader	   *reader = &productivity->reader;
	HASHCTL		control = {0};
	HASH_SEQ_STATUS status;
	User	   *user;

	begin_selecting(reader);
	begin_measuring(reader);
	select_all(reader->selection);

	productivity->context = CurrentMemoryContext;
	memset(&productivity->session, 0, sizeof(SpanList));
	memset(&productivity->united, 0, sizeof(SpanList));
	begin_hours(&productivity->hours, reader->zone);
	productivity->result = result;
	productivity->put_row = put_row;
	productivity->count = 0;
	productivity->allocated = 64;
	productivity->rows = palloc(productivity->allocated * sizeof(ActiveHour));
	control.keysize = sizeof(UserKey);
	control.entrysize = sizeof(User);
	control.hcxt = CurrentMemoryContext;
	productivity->users = hash_create("ekran_sessions users", 64, &control,
									  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	while (clip_next_chunk(reader))
	{
		const Clipped *clipped;

		while ((clipped = next_clipped(reader->clipping)) != NULL)
			add_session(productivity, clipped);
	}

	hash_seq_init(&status, productivity->users);
	while ((user = hash_seq_search(&status)) != NULL)
	{
		add_up_before(productivity, user, DT_NOEND);
		return_day(productivity, user, 0);
		return_day(productivity, user, 1);
	}
}

/*
 * ekran_user_productivity(start timestamptz, "end" timestamptz,
 *						   users int[], clients uuid[])
 *		returns table (user_id int, user_name text, date date, time_of_day int,
 *					   total_minutes double precision)
 *
 * The minutes that each user has active in each hour of the clock, in no particular
 * order.  Errors: as ekran_sessions, and 22008 for an hour that begins before all
 * timestamps, or a time zone that goes back by more than a day.
 * Rule: rules.md, Statistics.
 */
Datum
ekran_user_productivity(PG_FUNCTION_ARGS)
{
	Productivity productivity;

	take_request(&productivity.reader, fcinfo, ARG_FILTERS);
	InitMaterializedSRF(fcinfo, 0);
	read_productivity(&productivity, put_productivity_row, fcinfo->resultinfo);
	end_reading(&productivity.reader);
	return (Datum) 0;
}

static int
compare_ids(const UserKey *a, const UserKey *b)
{
	if (a->is_null || b->is_null)
		return a->is_null - b->is_null;
	return (a->user_id > b->user_id) - (a->user_id < b->user_id);
}

/*
 * The order of the response: by the user's name, then in time, then by the user's id.
 */
static int
compare_rows(const void *a, const void *b)
{
	const ActiveHour *left = a;
	const ActiveHour *right = b;
	int			result = left->user == right->user ? 0 :
		compare_names(left->user->name, right->user->name);

	if (result != 0)
		return result;
	if (left->date != right->date)
		return left->date > right->date ? 1 : -1;
	if (left->hour != right->hour)
		return left->hour - right->hour;
	return compare_ids(&left->user->key, &right->user->key);
}

/*
 * ekran_user_productivity_json("start" timestamptz, "end" timestamptz,
 *								"userIds" int[], "clientGuids" uuid[])
 *		returns json
 *
 * The same as the vendor's sibling endpoint writes it.  Errors: likewise.
 * Rule: rules.md, JSON.
 */
Datum
ekran_user_productivity_json(PG_FUNCTION_ARGS)
{
	Productivity productivity;
	Json		json;

	take_request(&productivity.reader, fcinfo, ARG_FILTERS);
	begin_json(&json, productivity.reader.zone, "[");
	read_productivity(&productivity, NULL, NULL);
	qsort(productivity.rows, productivity.count, sizeof(ActiveHour), compare_rows);
	for (Size i = 0; i < productivity.count; i++)
	{
		ProductivityRow row = row_of(&productivity.rows[i]);

		append_json_productivity(&json, &row);
	}
	end_reading(&productivity.reader);
	PG_RETURN_TEXT_P(end_json(&json, "]"));
}

/*
 * ekran_part_productivity(store name, idle_threshold int, idle_policy text, time_zone text,
 *						   start timestamptz, "end" timestamptz, users int[], clients uuid[],
 *						   or_no_user bool, or_no_client bool)
 *		returns setof bytea: user_id int, user_name text, day, time_of_day int,
 *							 active bigint
 *
 * What a shard tells a hub of its users' active time, in microseconds.  Errors: as
 * ekran_user_productivity.
 */
Datum
ekran_part_productivity(PG_FUNCTION_ARGS)
{
	PartCall	call = begin_part_call(fcinfo, &productivity_shape);
	Productivity productivity;

	productivity.reader = call.reader;
	read_productivity(&productivity, put_part_productivity, &call.rows);
	call.reader = productivity.reader;
	end_part_call(&call);
	return (Datum) 0;
}
