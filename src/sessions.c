/*-------------------------------------------------------------------------
 *
 * sessions.c
 *	  The sessions that a call is about: which, in what order, from where on, and
 *	  how many.
 *
 * A call goes like this.  A function takes the request (reading.c), finds the store and
 * begins a selection (here), names (names.c) and clipping (clipping.c).  It selects all,
 * or a page, which finds the position where that begins.  Then it pulls: while there
 * is a next chunk of sessions, in order, it has them named and measured (measuring.c),
 * and puts each out (formatting.c).  The count is asked of the same selection.
 *
 * All queries of a call run under the snapshot of the caller's query, so what
 * they return fits together.
 *
 * To add a column of session to the result takes three places: the list
 * SESSION_COLUMNS, the row type in the SQL script, and formatting.c.  Another
 * statistic over the same sessions is one new file beside productivity.c, which pulls
 * the same chunks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

/* The parameters of all queries here, in their order. */
enum
{
	PARAM_START,				/* $1 */
	PARAM_END,					/* $2 */
	PARAM_LOGIN,				/* $3: the position behind which to read */
	PARAM_SESSION_ID,			/* $4 */
	PARAM_LIMIT,				/* $5 */
	PARAM_OFFSET,				/* $6 */
	PARAM_USERS,				/* $7: the filters */
	PARAM_NO_USER,				/* $8 */
	PARAM_ALL_USERS,			/* $9 */
	PARAM_CLIENTS,				/* $10 */
	PARAM_NO_CLIENT,			/* $11 */
	PARAM_ALL_CLIENTS,			/* $12 */
	PARAM_RUNNING,				/* $13: running ones that may reach beyond $1 */
	PARAM_ALL_RUNNING,			/* $14: aren't they known? */
	NUM_PARAMETERS
};

#define PARAMETER_TYPES \
	{TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, \
	 INT4ARRAYOID, BOOLOID, BOOLOID, UUIDARRAYOID, BOOLOID, BOOLOID, \
	 INT8ARRAYOID, BOOLOID}

#define FIRST_ITEM(alias, symbol, name, type, may_be_null)	#alias "." #name
#define NEXT_ITEM(alias, symbol, name, type, may_be_null)	", " #alias "." #name
#define COLUMNS_OF(alias)	SESSION_COLUMNS(FIRST_ITEM, NEXT_ITEM, alias)

#define COLUMN_TYPE(alias, symbol, name, type, may_be_null)	{type, may_be_null},

/*
 * Sessions selected by the window ($1, $2) come in two parts that exclude each
 * other and that an index finds each:
 *
 * - those across its start, that had begun by $1 and ran on: finished ones with
 *	 login <= $1 < logout, which is what the range [login, logout) containing $1
 *	 says, and running ones of which an activity lies beyond $1, since the latest
 *	 moment of such a session is its finish.
 *
 * - those within it, that began after $1: each has finish >= login > $1.
 *
 * All of the first come before all of the second in the order of logins.
 *
 * No more conditions than these may reach an index, or the planner, which does
 * not know the parameters, may go through the whole history: hence OFFSET 0,
 * which keeps the others from the few sessions across, and a position that
 * stands for $1, which gives the scan of those within one place to begin at.
 * LIMIT 1 stands in for EXISTS, which might be answered from a hash table of
 * all activities.
 */
#define RUNS_ON(alias) \
	"(SELECT a.activity_date FROM @store@.activity a" \
	" WHERE a.session_id OPERATOR(pg_catalog.=) " #alias ".session_id" \
	" AND a.activity_date OPERATOR(pg_catalog.>) $1 LIMIT 1) IS NOT NULL"

#define ACROSS_START \
	" FROM (SELECT " COLUMNS_OF(f) \
	" FROM (SELECT " COLUMNS_OF(r) " FROM @store@.session r" \
	"  WHERE pg_catalog.tstzrange(r.login_date, r.logout_date)" \
	"        OPERATOR(pg_catalog.@>) $1" \
	"  AND r.logout_date IS NOT NULL OFFSET 0) f" \
	" UNION ALL SELECT " COLUMNS_OF(q) \
	" FROM (SELECT " COLUMNS_OF(r) " FROM @store@.session r" \
	"  WHERE $14 AND r.logout_date IS NULL" \
	"  AND r.login_date OPERATOR(pg_catalog.<=) $1 OFFSET 0) q" \
	" WHERE " RUNS_ON(q) \
	" UNION ALL SELECT " COLUMNS_OF(q) \
	" FROM pg_catalog.unnest($13) u (id)" \
	" CROSS JOIN LATERAL (SELECT " COLUMNS_OF(r) " FROM @store@.session r" \
	"  WHERE r.session_id OPERATOR(pg_catalog.=) u.id OFFSET 0) q" \
	" WHERE q.logout_date IS NULL" \
	" AND q.login_date OPERATOR(pg_catalog.<=) $1" \
	" AND " RUNS_ON(q) ") s" \
	" WHERE s.login_date OPERATOR(pg_catalog.<) $2"

#define BEYOND_POSITION(alias) \
	"(" #alias ".login_date, " #alias ".session_id) OPERATOR(pg_catalog.>) ($3, $4)"

#define IN_ORDER(alias) \
	" ORDER BY " #alias ".login_date, " #alias ".session_id"

/*
 * With a filter, the sessions are found by the index of users or that of clients, one
 * user after the other, so that nobody else's are read; unless they are many.  Then
 * the others are read too, and the planner is told which users they are.  What the
 * way doesn't settle is checked.
 */
#define FEW_IDS	16

typedef enum Way
{
	BY_LOGIN,					/* there is no filter */
	BY_USER,
	BY_CLIENT,
	BY_LOGIN_CHECKED,			/* of many users or clients */
	NUM_WAYS
} Way;

#define CHECK_USERS(alias) \
	" AND ($9 OR " #alias ".user_id OPERATOR(pg_catalog.=) ANY ($7)" \
	"  OR ($8 AND " #alias ".user_id IS NULL))"

#define CHECK_CLIENTS(alias) \
	" AND ($12 OR " #alias ".client_guid OPERATOR(pg_catalog.=) ANY ($10)" \
	"  OR ($11 AND " #alias ".client_guid IS NULL))"

/* Sessions r of users, or clients, that some condition holds for. */
#define BY_IDS(ids, or_null, column, condition, rest) \
	" FROM (SELECT " COLUMNS_OF(t) " FROM pg_catalog.unnest(" ids ") u (id)" \
	" CROSS JOIN LATERAL (SELECT " COLUMNS_OF(r) " FROM @store@.session r" \
	"  WHERE r." column " OPERATOR(pg_catalog.=) u.id" condition rest ") t" \
	" UNION ALL SELECT " COLUMNS_OF(t) \
	" FROM (SELECT " COLUMNS_OF(r) " FROM @store@.session r" \
	"  WHERE " or_null " AND r." column " IS NULL" condition rest ") t) s"

#define IS_ACROSS_START \
	" AND r.login_date OPERATOR(pg_catalog.<=) $1" \
	" AND r.login_date OPERATOR(pg_catalog.<) $2" \
	" AND (r.logout_date OPERATOR(pg_catalog.>) $1" \
	"  OR (r.logout_date IS NULL AND " RUNS_ON(r) "))"

#define IS_WITHIN(alias) \
	#alias ".login_date OPERATOR(pg_catalog.<) $2" \
	" AND " BEYOND_POSITION(alias)

#define OF_SESSION	" FROM @store@.session s WHERE "

#define OF_USERS(condition, rest) \
	BY_IDS("$7", "$8", "user_id", condition CHECK_CLIENTS(r), rest)

#define OF_CLIENTS(condition, rest) \
	BY_IDS("$10", "$11", "client_guid", condition CHECK_USERS(r), rest)

/* All of each user; so that they are found one user after the other. */
#define ALL_OF_EACH	" OFFSET 0"

/* Of each user, as many as are wanted of all. */
#define AS_MANY	IN_ORDER(r) " LIMIT $5 OPERATOR(pg_catalog.+) $6"

#define PAGE_OF(source, options) { \
	.sql = "SELECT " COLUMNS_OF(s) source IN_ORDER(s) " LIMIT $5 OFFSET $6", \
	.parameters = PARAMETER_TYPES, \
	.columns = {SESSION_COLUMNS(COLUMN_TYPE, COLUMN_TYPE,)}, \
	.plan_options = options, \
	.batch = CHUNK_SIZE}

#define COUNT_OF(source, options) { \
	.sql = "SELECT pg_catalog.count(*)" source, \
	.parameters = PARAMETER_TYPES, \
	.columns = {{INT8OID, NOT_NULL}}, \
	.plan_options = options}

static const StoreQuery page_across[NUM_WAYS] = {
	[BY_LOGIN] = PAGE_OF(ACROSS_START " AND " BEYOND_POSITION(s), PLAN_ONCE),
	[BY_USER] = PAGE_OF(OF_USERS(IS_ACROSS_START " AND " BEYOND_POSITION(r), AS_MANY),
						PLAN_ONCE),
	[BY_CLIENT] = PAGE_OF(OF_CLIENTS(IS_ACROSS_START " AND " BEYOND_POSITION(r), AS_MANY),
						  PLAN_ONCE),
	[BY_LOGIN_CHECKED] = PAGE_OF(ACROSS_START " AND " BEYOND_POSITION(s)
								 CHECK_USERS(s) CHECK_CLIENTS(s), PLAN_EACH_TIME),
};

static const StoreQuery page_within[NUM_WAYS] = {
	[BY_LOGIN] = PAGE_OF(OF_SESSION IS_WITHIN(s), PLAN_ONCE),
	[BY_USER] = PAGE_OF(OF_USERS(" AND " IS_WITHIN(r), AS_MANY), PLAN_ONCE),
	[BY_CLIENT] = PAGE_OF(OF_CLIENTS(" AND " IS_WITHIN(r), AS_MANY), PLAN_ONCE),
	[BY_LOGIN_CHECKED] = PAGE_OF(OF_SESSION IS_WITHIN(s)
								 CHECK_USERS(s) CHECK_CLIENTS(s), PLAN_EACH_TIME),
};

static const StoreQuery count_across[NUM_WAYS] = {
	[BY_LOGIN] = COUNT_OF(ACROSS_START, PLAN_ONCE),
	[BY_USER] = COUNT_OF(OF_USERS(IS_ACROSS_START, ALL_OF_EACH), PLAN_ONCE),
	[BY_CLIENT] = COUNT_OF(OF_CLIENTS(IS_ACROSS_START, ALL_OF_EACH), PLAN_ONCE),
	[BY_LOGIN_CHECKED] = COUNT_OF(ACROSS_START CHECK_USERS(s) CHECK_CLIENTS(s),
								  PLAN_EACH_TIME),
};

static const StoreQuery count_within[NUM_WAYS] = {
	[BY_LOGIN] = COUNT_OF(OF_SESSION IS_WITHIN(s), CURSOR_OPT_PARALLEL_OK),
	[BY_USER] = COUNT_OF(OF_USERS(" AND " IS_WITHIN(r), ALL_OF_EACH), PLAN_ONCE),
	[BY_CLIENT] = COUNT_OF(OF_CLIENTS(" AND " IS_WITHIN(r), ALL_OF_EACH), PLAN_ONCE),
	[BY_LOGIN_CHECKED] = COUNT_OF(OF_SESSION IS_WITHIN(s)
								  CHECK_USERS(s) CHECK_CLIENTS(s),
								  PLAN_EACH_TIME | CURSOR_OPT_PARALLEL_OK),
};

/* of the index alone, so that an offset is no more than a walk along it */
static const StoreQuery position_within = {
	.sql = "SELECT s.login_date, s.session_id" OF_SESSION IS_WITHIN(s) IN_ORDER(s)
	" LIMIT 1 OFFSET $6",
	.parameters = PARAMETER_TYPES,
	.columns = {{TIMESTAMPTZOID, NOT_NULL}, {INT8OID, NOT_NULL}},
	.plan_options = PLAN_ONCE
};

/* likewise from the end of a day ($2), for what lies in its later half */
static const StoreQuery position_back_from = {
	.sql = "SELECT s.login_date, s.session_id" OF_SESSION
	"s.login_date OPERATOR(pg_catalog.<) $2"
	" ORDER BY s.login_date DESC, s.session_id DESC LIMIT 1 OFFSET $6",
	.parameters = PARAMETER_TYPES,
	.columns = {{TIMESTAMPTZOID, NOT_NULL}, {INT8OID, NOT_NULL}},
	.plan_options = PLAN_ONCE
};

/* Sessions that begin from one moment to before another. */
static const StoreQuery count_between = {
	.sql = "SELECT pg_catalog.count(*)" OF_SESSION
	"s.login_date OPERATOR(pg_catalog.>=) $1"
	" AND s.login_date OPERATOR(pg_catalog.<) $2",
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{INT8OID, NOT_NULL}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery session_by_id = {
	.sql = "SELECT " COLUMNS_OF(s) " FROM @store@.session s"
	" WHERE s.session_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.parameters = {INT8OID},
	.columns = {SESSION_COLUMNS(COLUMN_TYPE, COLUMN_TYPE,)},
	.plan_options = PLAN_ONCE
};

const Position before_all = {DT_NOBEGIN, PG_INT64_MIN};
const Position after_all = {DT_NOEND, PG_INT64_MAX};

/*
 * A window's days are looked up in session_count, and only what sticks out of them is
 * counted.  For fewer days, or sessions, it is as quick to go through these.
 */
#define MANY_DAYS		(2 * USECS_PER_DAY)
#define MANY_SESSIONS	2000

/* What is known of the counts of days. */
typedef enum Counts
{
	COUNTS_UNREAD,
	COUNTS_READ,
	COUNTS_UNTRUSTED
} Counts;

typedef enum Part
{
	PART_ACROSS,				/* the window's start */
	PART_WITHIN,
	PART_NONE
} Part;

struct Selection
{
	const Store *store;
	const Window *window;
	Trust		trust;
	Way			way;
	Datum		parameters[NUM_PARAMETERS];
	Part		part;			/* that is being read, or to be read next */
	bool		is_open;		/* is it being read? */
	Position	position;		/* what is wanted lies beyond this, */
	int64		offset;			/* and beyond so many more sessions */
	int64		wanted;			/* sessions, still */
	int64		across;			/* how many there are; -1: not counted yet */
	bool		is_reach_known; /* are the parameters of running ones set? */
	Counts		counts;
	DayCounts	days;			/* valid only if they are read */
	Rows		rows;
	Chunk		chunk;
};

static Way
choose_way(const Filters *filters)
{
	const Filter *users = &filters->users;
	const Filter *clients = &filters->clients;

	if (users->is_given && users->count <= FEW_IDS)
		return BY_USER;
	if (clients->is_given && clients->count <= FEW_IDS)
		return BY_CLIENT;
	if (users->is_given || clients->is_given)
		return BY_LOGIN_CHECKED;
	return BY_LOGIN;
}

/*
 * Begin to select the sessions of a window and of users and clients, under the active
 * snapshot and in the current memory context.
 *
 * Rule: rules.md, Selected, Filters.
 */
Selection *
begin_selection(const Store *store, const Window *window, const Filters *filters,
				const Trust *trust)
{
	Selection  *selection = palloc0(sizeof(Selection));
	Datum	   *parameters = selection->parameters;

	selection->store = store;
	selection->window = window;
	selection->trust = *trust;
	selection->way = choose_way(filters);
	selection->part = PART_NONE;
	selection->across = -1;

	parameters[PARAM_START] = TimestampTzGetDatum(window->start);
	parameters[PARAM_END] = TimestampTzGetDatum(window->end);
	parameters[PARAM_USERS] = filters->users.ids;
	parameters[PARAM_NO_USER] = BoolGetDatum(filters->users.has_null);
	parameters[PARAM_ALL_USERS] = BoolGetDatum(!filters->users.is_given);
	parameters[PARAM_CLIENTS] = filters->clients.ids;
	parameters[PARAM_NO_CLIENT] = BoolGetDatum(filters->clients.has_null);
	parameters[PARAM_ALL_CLIENTS] = BoolGetDatum(!filters->clients.is_given);
	parameters[PARAM_RUNNING] = int8_array(NULL, 0);
	parameters[PARAM_ALL_RUNNING] = BoolGetDatum(false);
	return selection;
}

static void
take_session(Session *session, const Rows *rows)
{
	memset(session, 0, sizeof(*session));
	memcpy(session->stored, rows->values, sizeof(session->stored));
	memcpy(session->is_null, rows->nulls, sizeof(session->is_null));
	session->session_id = DatumGetInt64(session->stored[SESSION_SESSION_ID]);
	session->span.login = DatumGetTimestampTz(session->stored[SESSION_LOGIN]);
	session->span.is_finished = !session->is_null[SESSION_LOGOUT];
	if (session->span.is_finished)
		session->span.finish = DatumGetTimestampTz(session->stored[SESSION_LOGOUT]);
}

/*
 * Find a session; false if no such one is visible to the caller.  Its computer, which is
 * stored by reference, is not told.
 */
bool
find_session(const Store *store, int64 session_id, Session *session)
{
	Datum		parameters[] = {Int64GetDatum(session_id)};
	Rows		rows;
	bool		is_found;

	begin_rows(&rows, store, &session_by_id, parameters);
	is_found = next_row(&rows);
	if (is_found)
		take_session(session, &rows);
	end_rows(&rows);
	session->is_null[SESSION_CLIENT_GUID] = true;
	return is_found;
}

/*
 * Refuse a session that an argument names.
 *
 * Errors: 22023.
 */
void
refuse_unknown_session(const char *store, const char *argument, int64 session_id,
					   const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no session " INT64_FORMAT " in store \"%s\"",
					session_id, store),
			 errdetail("The %s given is " INT64_FORMAT ": that session has been deleted, never was, or is none that you may see.",
					   argument, session_id),
			 errhint("%s", hint)));
}

/*
 * The place of a session in the order.
 */
Position
position_of(const Session *session)
{
	Position	position = {session->span.login, session->session_id};

	return position;
}

int
compare_positions(const Position *a, const Position *b)
{
	if (a->login != b->login)
		return a->login > b->login ? 1 : -1;
	return (a->session_id > b->session_id) - (a->session_id < b->session_id);
}

/*
 * Refuse a session that a page is to follow.
 *
 * Errors: 22023.
 */
void
refuse_unknown_keyset(const char *store, int64 session_id)
{
	refuse_unknown_session(store, "after_session_id", session_id,
						   "Go on from an earlier row's session_id, or from null for the first page. "
						   "In one REPEATABLE READ transaction, all pages show the same sessions.");
}

/*
 * Find where a keyset page begins.
 */
static Position
keyset_position(const Store *store, int64 session_id)
{
	Session		session;

	if (!find_session(store, session_id, &session))
		refuse_unknown_keyset(NameStr(store->name), session_id);
	return position_of(&session);
}

static void
begin_part(Selection *selection)
{
	selection->part = selection->wanted == 0 ? PART_NONE :
		selection->position.login <= selection->window->start ? PART_ACROSS : PART_WITHIN;
}

/*
 * Select a page.  What next_chunk() returns are its sessions.
 *
 * Errors: 22023 for an unknown session to follow.
 * Rule: rules.md, Order, Page.
 */
void
select_page(Selection *selection, const PageRequest *page)
{
	const Store *store = selection->store;

	selection->position = page->is_keyset ?
		keyset_position(store, page->after_session_id) : before_all;
	selection->wanted = page->size;
	selection->offset = 0;
	/* No table holds so many sessions as to reach such a page. */
	if (!page->is_keyset &&
		(pg_mul_s64_overflow(page->index, page->size, &selection->offset) ||
		 selection->offset > PG_INT64_MAX - MAX_PAGE_SIZE))
		selection->wanted = 0;

	begin_part(selection);
}

/*
 * Select all sessions.
 */
void
select_all(Selection *selection)
{
	select_beyond(selection, &before_all, PG_INT64_MAX);
}

/*
 * Select as many as are wanted of those beyond a position.
 */
void
select_beyond(Selection *selection, const Position *position, int64 wanted)
{
	selection->position = *position;
	selection->wanted = wanted;
	selection->offset = 0;
	begin_part(selection);
}

/*
 * Find out which running sessions may be across the window's start.  Of few users or
 * clients, each session is looked at.
 */
static void
find_running(Selection *selection)
{
	Datum	   *parameters = selection->parameters;

	if (selection->is_reach_known || selection->way == BY_USER ||
		selection->way == BY_CLIENT)
		return;
	selection->is_reach_known = true;
	if (selection->trust.not_by_reach != NULL ||
		!find_reaching(selection->store, selection->window->start,
					   &parameters[PARAM_RUNNING]))
		parameters[PARAM_ALL_RUNNING] = BoolGetDatum(true);
}

static int64
count_sessions_across(Selection *selection)
{
	if (selection->across < 0)
	{
		Datum		count = Int64GetDatum(0);

		/* No session is across the beginning of time. */
		if (selection->window->start != DT_NOBEGIN)
		{
			find_running(selection);
			(void) read_row(selection->store, &count_across[selection->way],
							selection->parameters, &count);
		}
		selection->across = DatumGetInt64(count);
	}
	return selection->across;
}

/*
 * The place that everything within a window lies beyond: later than start, so also
 * beyond every session at it.
 */
static Position
beginning_of(const Window *window)
{
	Position	position = {window->start, PG_INT64_MAX};

	return window->start == DT_NOBEGIN ? before_all : position;
}

static void
set_position(Selection *selection, Position position)
{
	selection->parameters[PARAM_LOGIN] = TimestampTzGetDatum(position.login);
	selection->parameters[PARAM_SESSION_ID] = Int64GetDatum(position.session_id);
}

/*
 * Do all days lie in time?  Logins do that have the constraint of a store.
 */
static bool
are_finite(const DayCounts *days)
{
	return days->count == 0 ||
		(days->days[0].day != DATEVAL_NOBEGIN &&
		 days->days[days->count - 1].day != DATEVAL_NOEND);
}

/*
 * Read the counts of days, if they may answer.
 */
static bool
know_days(Selection *selection)
{
	const Trust *trust = &selection->trust;

	if (selection->counts == COUNTS_UNREAD)
	{
		selection->counts = COUNTS_UNTRUSTED;
		if (trust->not_by_counts == NULL && selection->way == BY_LOGIN)
		{
			Verdict		verdict = load_day_counts(selection->store,
												  GetActiveSnapshot(),
												  trust->generation,
												  &selection->days);

			if (verdict.state == DERIVED_OK && are_finite(&selection->days))
				selection->counts = COUNTS_READ;
		}
	}
	return selection->counts == COUNTS_READ;
}

static int64
count_logins_between(const Selection *selection, TimestampTz first, TimestampTz end)
{
	Datum		parameters[] = {TimestampTzGetDatum(first), TimestampTzGetDatum(end)};
	Datum		count = Int64GetDatum(0);

	if (first < end)
		(void) read_row(selection->store, &count_between, parameters, &count);
	return DatumGetInt64(count);
}

/*
 * How many sessions of a day began before a moment on it: by going through the shorter
 * part of the day.
 */
static int64
count_before_on_day(const Selection *selection, TimestampTz moment)
{
	DateADT		day = day_of(moment);
	TimestampTz beginning = beginning_of_day(day);
	TimestampTz end = beginning_of_day(day + 1);

	if (moment - beginning <= end - moment)
		return count_logins_between(selection, beginning, moment);
	return sessions_on(&selection->days, day) -
		count_logins_between(selection, moment, end);
}

/*
 * How many sessions began before a moment, counted from the beginning of time.
 */
static int64
count_before(const Selection *selection, TimestampTz moment)
{
	DateADT		day = day_of(moment);
	int64		count = 0;

	for (Size i = 0; i < selection->days.count && selection->days.days[i].day < day; i++)
		count += selection->days.days[i].sessions;
	return TIMESTAMP_NOT_FINITE(moment) ? count :
		count + count_before_on_day(selection, moment);
}

/*
 * How many sessions lie before the window, or at its start, and not within it.
 */
static int64
count_before_or_at_start(const Selection *selection)
{
	TimestampTz start = selection->window->start;

	/* Moments are whole microseconds. */
	return TIMESTAMP_NOT_FINITE(start) ? count_before(selection, start) :
		count_before(selection, start + 1);
}

static int64
count_sessions_within(Selection *selection)
{
	const Window *window = selection->window;
	Datum		count = Int64GetDatum(0);

	if ((TIMESTAMP_NOT_FINITE(window->start) || TIMESTAMP_NOT_FINITE(window->end) ||
		 window->end - window->start > MANY_DAYS) &&
		know_days(selection))
		return count_before(selection, window->end) - count_before_or_at_start(selection);

	set_position(selection, beginning_of(window));
	(void) read_row(selection->store, &count_within[selection->way],
					selection->parameters, &count);
	return DatumGetInt64(count);
}

/*
 * Find the place of a session by its number within a day, from 1 on.
 */
static bool
find_on_day(Selection *selection, const DayCount *day, int64 number)
{
	Datum		parameters[NUM_PARAMETERS];
	bool		is_late = number > day->sessions / 2;
	Position	position = {beginning_of_day(day->day) - 1, PG_INT64_MAX};
	Datum		values[2];

	if (number == 0)
	{
		selection->position = position;
		return true;
	}
	memcpy(parameters, selection->parameters, sizeof(parameters));
	parameters[PARAM_LOGIN] = TimestampTzGetDatum(position.login);
	parameters[PARAM_SESSION_ID] = Int64GetDatum(position.session_id);
	parameters[PARAM_END] = TimestampTzGetDatum(beginning_of_day(day->day + 1));
	parameters[PARAM_OFFSET] = Int64GetDatum(is_late ? day->sessions - number : number - 1);
	if (!read_row(selection->store, is_late ? &position_back_from : &position_within,
				  parameters, values))
		return false;
	selection->position.login = DatumGetTimestampTz(values[0]);
	selection->position.session_id = DatumGetInt64(values[1]);
	return true;
}

/*
 * Go beyond so many sessions within the window by the counts of days; false if there
 * are not so many.
 */
static bool
skip_by_days(Selection *selection)
{
	int64		number = count_before_or_at_start(selection) + selection->offset;

	for (Size i = 0; i < selection->days.count; i++)
	{
		const DayCount *day = &selection->days.days[i];

		if (number < day->sessions)
			return find_on_day(selection, day, number);
		number -= day->sessions;
	}
	return false;
}

/*
 * Go beyond so many sessions within the window; false if there are not so many.
 */
static bool
skip_within(Selection *selection)
{
	Datum		values[2];

	if (selection->offset == 0 || selection->way != BY_LOGIN)
		return true;
	if (selection->offset > MANY_SESSIONS && know_days(selection))
	{
		if (!skip_by_days(selection))
			return false;
	}
	else
	{
		set_position(selection, selection->position);
		selection->parameters[PARAM_OFFSET] = Int64GetDatum(selection->offset - 1);
		if (!read_row(selection->store, &position_within, selection->parameters, values))
			return false;
		selection->position.login = DatumGetTimestampTz(values[0]);
		selection->position.session_id = DatumGetInt64(values[1]);
	}
	selection->offset = 0;
	return true;
}

static void
open_part(Selection *selection, const StoreQuery *query)
{
	Datum	   *parameters = selection->parameters;

	set_position(selection, selection->position);
	parameters[PARAM_LIMIT] = Int64GetDatum(selection->wanted);
	parameters[PARAM_OFFSET] = Int64GetDatum(selection->offset);
	begin_rows(&selection->rows, selection->store, query, parameters);
	selection->is_open = true;
}

/*
 * Begin with the sessions across the window's start, if there can be any.
 */
static void
open_across(Selection *selection)
{
	if (selection->window->start == DT_NOBEGIN)
		return;
	find_running(selection);
	open_part(selection, &page_across[selection->way]);
}

/*
 * Go on with those within the window.
 */
static void
open_within(Selection *selection)
{
	if (selection->position.login <= selection->window->start)
		selection->position = beginning_of(selection->window);
	if (skip_within(selection))
		open_part(selection, &page_within[selection->way]);
	else
		selection->part = PART_NONE;
}

/*
 * Take the next sessions of the part that is open; false if there are none.
 */
static bool
fill_chunk(Selection *selection)
{
	Chunk	   *chunk = &selection->chunk;

	chunk->count = 0;
	while (chunk->count < CHUNK_SIZE && next_row(&selection->rows))
		take_session(&chunk->sessions[chunk->count++], &selection->rows);
	if (chunk->count == 0)
		return false;

	/* The part has some, so it is where the page begins. */
	selection->offset = 0;
	selection->wanted -= chunk->count;
	return true;
}

/*
 * Read the next sessions of the page, in order; NULL at the end.
 *
 * They are valid until the next call.
 */
Chunk *
next_chunk(Selection *selection)
{
	while (selection->part != PART_NONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (!selection->is_open)
		{
			if (selection->part == PART_ACROSS)
				open_across(selection);
			else
				open_within(selection);
		}
		if (selection->is_open)
		{
			if (fill_chunk(selection))
				return &selection->chunk;
			end_rows(&selection->rows);
			selection->is_open = false;
		}

		if (selection->part == PART_ACROSS && selection->wanted > 0)
		{
			if (selection->offset > 0)
				selection->offset -= count_sessions_across(selection);
			selection->part = PART_WITHIN;
		}
		else
			selection->part = PART_NONE;
	}
	return NULL;
}

/*
 * Ask for no more of what has been selected.
 */
void
end_selection(Selection *selection)
{
	if (selection->is_open)
		end_rows(&selection->rows);
	selection->is_open = false;
	selection->part = PART_NONE;
}

/*
 * Are there counts of days to tell where the sessions lie from one place to another?
 */
bool
has_days(Selection *selection, const Position *after, const Position *until)
{
	return (TIMESTAMP_NOT_FINITE(after->login) || TIMESTAMP_NOT_FINITE(until->login) ||
			until->login - after->login > MANY_DAYS) &&
		know_days(selection);
}

/*
 * Add the days of the sessions within the window that begin between the logins of two
 * places, as there are counts of days.
 */
void
step_by_days(const Selection *selection, const Position *after, const Position *until,
			 Steps *steps)
{
	const Window *window = selection->window;
	TimestampTz last = Max(after->login, window->start);
	TimestampTz end = TIMESTAMP_NOT_FINITE(until->login) ? window->end :
		Min(until->login + 1, window->end);

	for (Size i = 0; i < selection->days.count; i++)
	{
		const DayCount *day = &selection->days.days[i];
		TimestampTz midnight = beginning_of_day(day->day);
		TimestampTz next_midnight = beginning_of_day(day->day + 1);
		TimestampTz from = Max(midnight, last == DT_NOBEGIN ? last : last + 1);
		TimestampTz to = Min(next_midnight, end);
		Step		step = {{from, PG_INT64_MIN}, {to - 1, PG_INT64_MAX}, day->sessions};

		if (from >= to)
			continue;
		if (from > midnight || to < next_midnight)
			step.sessions = count_logins_between(selection, from, to);
		add_step(steps, &step);
	}
}

/*
 * Count the sessions selected, on all pages.
 */
int64
count_selected(Selection *selection)
{
	int64		across = count_sessions_across(selection);

	/* A window that ends by its start has none within. */
	return selection->window->start < selection->window->end ?
		across + count_sessions_within(selection) : across;
}

/*
 * The count as the endpoint has it.
 *
 * Errors: 22003 if there are more than an int holds.
 * Rule: rules.md, Total count; its type is the vendor's.
 */
int32
total_count_of(int64 count)
{
	if (count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("total count " INT64_FORMAT " is out of range for type integer",
						count),
				 errdetail("The endpoint's totalCount is an integer of 32 bits."),
				 errhint("Count narrower windows.")));
	return (int32) count;
}
