/*-------------------------------------------------------------------------
 *
 * reading.c
 *	  Reading: a page of sessions, clipped and measured, and their count.
 *
 * Sessions come in order, those across the window's start first, then those
 * within, and in chunks.  A chunk is read in steps, each with a query for all
 * its sessions: the sessions, names not known yet, their gaps, what is pending
 * for them, and the activities next to the window's bounds where the gaps don't
 * tell them.  Sessions without gaps that can be used are measured from their
 * raw activities, one by one.
 *
 * All queries of a call run under the snapshot of the caller's query, so what
 * they return fits together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * Sessions read at a time.  Few enough for what they take to be used again by
 * the next chunk: memory given back to the system and asked for again, page by
 * page, once took a call as long as all its queries.
 */
#define CHUNK_SIZE	100

/* Columns of the page queries. */
enum
{
	PAGE_SESSION_ID,
	PAGE_CLIENT_GUID,
	PAGE_USER_ID,
	PAGE_LOGIN,
	PAGE_LOGOUT,
	NUM_PAGE_COLUMNS
};

/*
 * Sessions selected by the window ($1, $2), in two parts that exclude each
 * other and that an index finds each:
 *
 * - those that had begun by $1 and ran on: login <= $1 < logout is what the
 *	 range [login, logout) containing $1 says, and a session that still runs
 *	 has a range without end.  Such a session counts if an activity of it lies
 *	 beyond $1, since its latest moment is its finish.
 *
 * - those that began after $1: each has finish >= login > $1.
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
#define ACROSS_START \
	" FROM (SELECT r.session_id, r.client_guid, r.user_id, r.login_date, r.logout_date" \
	"       FROM @store@.session r" \
	"       WHERE pg_catalog.tstzrange(r.login_date, r.logout_date)" \
	"             OPERATOR(pg_catalog.@>) $1 OFFSET 0) s" \
	" WHERE s.login_date OPERATOR(pg_catalog.<) $2" \
	" AND (s.logout_date IS NOT NULL" \
	"      OR (SELECT a.activity_date FROM @store@.activity a" \
	"          WHERE a.session_id OPERATOR(pg_catalog.=) s.session_id" \
	"          AND a.activity_date OPERATOR(pg_catalog.>) $1 LIMIT 1)" \
	"         IS NOT NULL)"

#define WITHIN_WINDOW \
	" FROM @store@.session s" \
	" WHERE s.login_date OPERATOR(pg_catalog.>) $1" \
	" AND s.login_date OPERATOR(pg_catalog.<) $2"

#define WITHIN_WINDOW_BEYOND_POSITION \
	" FROM @store@.session s" \
	" WHERE s.login_date OPERATOR(pg_catalog.<) $2" \
	BEYOND_POSITION

#define BEYOND_POSITION \
	" AND (s.login_date, s.session_id) OPERATOR(pg_catalog.>) ($3, $4)"

#define IN_ORDER \
	" ORDER BY s.login_date, s.session_id"

/* Sessions of a part, beyond a position; columns as above. */
#define PAGE_OF(part, limits) \
	"SELECT s.session_id, s.client_guid, s.user_id, s.login_date, s.logout_date" \
	part IN_ORDER limits

#define PAGE_COLUMNS \
	{{INT8OID}, {UUIDOID, NULLABLE}, {INT4OID, NULLABLE}, {TIMESTAMPTZOID}, {TIMESTAMPTZOID, NULLABLE}}

static const StoreQuery page_across = {
	.sql = PAGE_OF(ACROSS_START BEYOND_POSITION, " LIMIT $5 OFFSET $6"),
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID},
	.columns = PAGE_COLUMNS,
	.plan_options = PLAN_ONCE,
	.batch = CHUNK_SIZE
};

static const StoreQuery page_within = {
	.sql = PAGE_OF(WITHIN_WINDOW_BEYOND_POSITION, " LIMIT $5"),
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID},
	.columns = PAGE_COLUMNS,
	.plan_options = PLAN_ONCE,
	.batch = CHUNK_SIZE
};

static const StoreQuery sessions_across = {
	.sql = "SELECT pg_catalog.count(*)" ACROSS_START,
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{INT8OID}},
	.plan_options = PLAN_ONCE
};

/* of the index alone, so that an offset is no more than a walk along it */
static const StoreQuery position_within = {
	.sql = "SELECT s.login_date, s.session_id" WITHIN_WINDOW IN_ORDER
	" LIMIT 1 OFFSET $3",
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID},
	.columns = {{TIMESTAMPTZOID}, {INT8OID}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery login_of_session = {
	.sql = "SELECT s.login_date FROM @store@.session s"
	" WHERE s.session_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.parameters = {INT8OID},
	.columns = {{TIMESTAMPTZOID}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery total_count = {
	.sql = "SELECT (SELECT pg_catalog.count(*)" ACROSS_START ")"
	" OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*)" WITHIN_WINDOW ")",
	.parameters = {TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{INT8OID}},
	.plan_options = CURSOR_OPT_PARALLEL_OK
};

static const StoreQuery gaps_of_sessions = {
	.sql = "SELECT i.session_id, i.gap_start, i.gap_end"
	" FROM @store@.session_idle i"
	" WHERE i.session_id OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID}, {TIMESTAMPTZARRAYOID, NULLABLE}, {TIMESTAMPTZARRAYOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery any_pending = {
	.sql = "SELECT p.session_id FROM @store@.pending p"
	" WHERE p.session_id IS NOT NULL LIMIT 1",
	.plan_options = PLAN_ONCE
};

static const StoreQuery pending_of_sessions = {
	.sql = "SELECT p.session_id, p.first_moment, p.last_moment"
	" FROM @store@.pending p"
	" WHERE p.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	" ORDER BY p.session_id, p.first_moment",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID}, {TIMESTAMPTZOID, NULLABLE}, {TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_ONCE,
	.batch = 1000
};

static const StoreQuery latest_activity_of_session = {
	.sql = "SELECT a.activity_date FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
	" ORDER BY a.activity_date DESC LIMIT 1",
	.parameters = {INT8OID},
	.columns = {{TIMESTAMPTZOID}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery activities_of_session = {
	.sql = "SELECT a.activity_date FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) $1"
	" AND a.activity_date OPERATOR(pg_catalog.>=) $2"
	" AND a.activity_date OPERATOR(pg_catalog.<=) $3"
	" ORDER BY a.activity_date",
	.parameters = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.columns = {{TIMESTAMPTZOID}},
	.plan_options = PLAN_ONCE,
	.batch = ACTIVITY_BATCH
};

/*
 * For each session ($1), the activity next to a moment ($2) of it, on one side
 * up to a limit ($3).  The limit spares the scan the rest of the index page.
 */
#define ACTIVITIES_NEXT_TO(to_moment, to_limit, direction) \
	"SELECT (SELECT a.activity_date FROM @store@.activity a" \
	"        WHERE a.session_id OPERATOR(pg_catalog.=) r.session_id" \
	"        AND a.activity_date OPERATOR(pg_catalog." to_moment ") r.moment" \
	"        AND a.activity_date OPERATOR(pg_catalog." to_limit ") r.edge" \
	"        ORDER BY a.activity_date " direction " LIMIT 1)" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))" \
	"   WITH ORDINALITY AS r (session_id, moment, edge, place)" \
	" ORDER BY r.place"

static const StoreQuery first_activities = {
	.sql = ACTIVITIES_NEXT_TO(">=", "<=", "ASC"),
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.columns = {{TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery last_activities = {
	.sql = ACTIVITIES_NEXT_TO("<=", ">=", "DESC"),
	.parameters = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID},
	.columns = {{TIMESTAMPTZOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

/* A session on its way to be measured. */
typedef struct PageSession
{
	MeasuredSession result;
	int64		session_id;
	SessionSpan span;
	bool		has_gaps;
	Gaps		gaps;
	Ranges		pending;
	ClipBounds	bounds;
	TimestampTz first_activity; /* in bounds, or infinity */
	TimestampTz last_activity;	/* in bounds, or -infinity */
} PageSession;

typedef struct Chunk
{
	int			count;
	PageSession sessions[CHUNK_SIZE];	/* in order */
	PageSession *by_id[CHUNK_SIZE];
} Chunk;

/* What a call reads with. */
typedef struct PageReader
{
	const Store *store;
	const IdleRule *rule;
	const Window *window;
	bool		use_index;
	bool		has_pending;	/* anything at all? */
	Names	   *client_names;
	Names	   *user_names;
	SessionReceiver receive;
	void	   *state;
	Chunk		chunk;
	MemoryContext chunk_context;	/* reset after each chunk */
} PageReader;

/* A place in the order of sessions. */
typedef struct Position
{
	TimestampTz login;
	int64		session_id;
} Position;

static const Position before_all = {DT_NOBEGIN, PG_INT64_MIN};

/*
 * Find where a keyset page begins.
 *
 * Errors: 22023 if no such session is visible to the caller.
 */
static Position
keyset_position(const Store *store, int64 session_id)
{
	Position	position;
	Datum		parameters[] = {Int64GetDatum(session_id)};
	Datum		login;

	if (!read_row(store, &login_of_session, parameters, &login))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no session " INT64_FORMAT " in store \"%s\"",
						session_id, NameStr(store->name)),
				 errdetail("The after_session_id given is " INT64_FORMAT ".",
						   session_id),
				 errhint("Give the session_id of the last row of the page before, or null for the first page.")));

	position.login = DatumGetTimestampTz(login);
	position.session_id = session_id;
	return position;
}

static void
load_session(PageSession *session, const Datum *values, const bool *nulls)
{
	MeasuredSession *result = &session->result;

	memset(session, 0, sizeof(*session));
	result->identity[COLUMN_SESSION_ID] = values[PAGE_SESSION_ID];
	result->identity[COLUMN_CLIENT_GUID] = values[PAGE_CLIENT_GUID];
	result->identity_null[COLUMN_CLIENT_GUID] = nulls[PAGE_CLIENT_GUID];
	result->identity[COLUMN_USER_ID] = values[PAGE_USER_ID];
	result->identity_null[COLUMN_USER_ID] = nulls[PAGE_USER_ID];

	session->session_id = DatumGetInt64(values[PAGE_SESSION_ID]);
	session->span.login = DatumGetTimestampTz(values[PAGE_LOGIN]);
	session->span.is_finished = !nulls[PAGE_LOGOUT];
	if (session->span.is_finished)
		session->span.finish = DatumGetTimestampTz(values[PAGE_LOGOUT]);
}

static int
compare_session_ids(const void *a, const void *b)
{
	int64		left = (*(PageSession *const *) a)->session_id;
	int64		right = (*(PageSession *const *) b)->session_id;

	return (left > right) - (left < right);
}

/*
 * Take the next sessions of a page; false if there are none.
 */
static bool
load_chunk(Chunk *chunk, Rows *page)
{
	chunk->count = 0;
	while (chunk->count < CHUNK_SIZE && next_row(page))
	{
		PageSession *session = &chunk->sessions[chunk->count];

		load_session(session, page->values, page->nulls);
		chunk->by_id[chunk->count++] = session;
	}
	qsort(chunk->by_id, chunk->count, sizeof(PageSession *),
		  compare_session_ids);
	return chunk->count > 0;
}

/*
 * The session of a chunk that has an id.
 */
static PageSession *
find_session(Chunk *chunk, int64 session_id)
{
	PageSession wanted;
	PageSession *key = &wanted;
	PageSession **found;

	wanted.session_id = session_id;
	found = bsearch(&key, chunk->by_id, chunk->count, sizeof(PageSession *),
					compare_session_ids);
	if (found == NULL)
		elog(ERROR, "session " INT64_FORMAT " was not asked for", session_id);
	return *found;
}

/*
 * Give the sessions of a chunk the names that go with one of their ids.
 */
static void
load_names(PageReader *reader, Names *names, SessionColumn id_column,
		   SessionColumn name_column)
{
	Chunk	   *chunk = &reader->chunk;
	Datum		ids[CHUNK_SIZE];
	int			count = 0;

	for (int i = 0; i < chunk->count; i++)
		if (!chunk->sessions[i].result.identity_null[id_column])
			ids[count++] = chunk->sessions[i].result.identity[id_column];
	learn_names(names, ids, count);

	for (int i = 0; i < chunk->count; i++)
	{
		MeasuredSession *result = &chunk->sessions[i].result;

		result->identity_null[name_column] =
			result->identity_null[id_column] ||
			!find_name(names, result->identity[id_column],
					   &result->identity[name_column]);
	}
}

static Datum
chunk_ids(const Chunk *chunk)
{
	int64		ids[CHUNK_SIZE];

	for (int i = 0; i < chunk->count; i++)
		ids[i] = chunk->by_id[i]->session_id;
	return int8_array(ids, chunk->count);
}

/*
 * Give the sessions of a chunk their gaps, which may point into the rows.  A session
 * without a row had no activity when it was folded last, if ever.
 */
static void
load_gaps(PageReader *reader, Rows *rows)
{
	Datum		parameters[] = {chunk_ids(&reader->chunk)};

	for (int i = 0; i < reader->chunk.count; i++)
	{
		PageSession *session = &reader->chunk.sessions[i];

		session->has_gaps = true;
		session->gaps = no_activity_gaps();
	}
	/* Where an owner has given up the key, one of a kind will get what there is. */
	for (int i = 1; i < reader->chunk.count; i++)
		if (reader->chunk.by_id[i]->session_id == reader->chunk.by_id[i - 1]->session_id)
			reader->chunk.by_id[i]->has_gaps = reader->chunk.by_id[i - 1]->has_gaps = false;
	begin_rows(rows, reader->store, &gaps_of_sessions, parameters);
	while (next_row(rows))
	{
		PageSession *session = find_session(&reader->chunk,
											DatumGetInt64(rows->values[0]));

		session->has_gaps = read_gaps(rows->values + 1, rows->nulls + 1,
									  &session->gaps);
	}
}

/*
 * Let the sessions of a chunk know what is pending for them.
 */
static void
load_pending(PageReader *reader)
{
	Datum		parameters[] = {chunk_ids(&reader->chunk)};
	Rows		rows;

	begin_rows(&rows, reader->store, &pending_of_sessions, parameters);
	while (next_row(&rows))
	{
		PageSession *session = find_session(&reader->chunk,
											DatumGetInt64(rows.values[0]));

		if (!add_pending_range(&session->pending, rows.values + 1,
							   rows.nulls + 1))
			session->has_gaps = false;
	}
	end_rows(&rows);
}

static int64
count_across(const Store *store, const Window *window)
{
	Datum		parameters[] = {
		TimestampTzGetDatum(window->start),
		TimestampTzGetDatum(window->end)
	};
	Datum		count = Int64GetDatum(0);

	(void) read_row(store, &sessions_across, parameters, &count);
	return DatumGetInt64(count);
}

/*
 * Find the last of so many sessions that began within the window; false if
 * there are not so many.
 */
static bool
find_position_within(const Store *store, const Window *window, int64 offset,
					 Position *position)
{
	Datum		parameters[] = {
		TimestampTzGetDatum(window->start),
		TimestampTzGetDatum(window->end),
		Int64GetDatum(offset - 1)
	};
	Datum		values[2];

	if (!read_row(store, &position_within, parameters, values))
		return false;
	position->login = DatumGetTimestampTz(values[0]);
	position->session_id = DatumGetInt64(values[1]);
	return true;
}

/*
 * Bring the gaps of a chunk's sessions up to date: one query for all.
 */
static void
complete_gaps(PageReader *reader)
{
	Chunk	   *chunk = &reader->chunk;
	RegionRequest *requests;
	int			count = 0;
	int			next = 0;

	for (int i = 0; i < chunk->count; i++)
		if (chunk->sessions[i].has_gaps)
			count += chunk->sessions[i].pending.count;
	if (count == 0)
		return;

	requests = palloc(count * sizeof(RegionRequest));
	for (int i = 0; i < chunk->count; i++)
	{
		const PageSession *session = &chunk->sessions[i];

		for (int j = 0; session->has_gaps && j < session->pending.count; j++)
		{
			requests[next].session_id = session->session_id;
			requests[next++].range = session->pending.ranges[j];
		}
	}
	read_regions(reader->store, requests, count);

	next = 0;
	for (int i = 0; i < chunk->count; i++)
	{
		PageSession *session = &chunk->sessions[i];

		if (!session->has_gaps || session->pending.count == 0)
			continue;
		session->has_gaps = mend_regions(&session->gaps, &requests[next],
										 session->pending.count);
		next += session->pending.count;
	}
}

/*
 * Find when a running session finishes for now.
 */
static void
find_finish(const Store *store, PageSession *session)
{
	TimestampTz latest = DT_NOBEGIN;

	if (session->span.is_finished)
		return;

	if (session->has_gaps)
		latest = latest_activity(&session->gaps);
	else
	{
		Datum		parameters[] = {Int64GetDatum(session->session_id)};
		Datum		found;

		if (read_row(store, &latest_activity_of_session, parameters, &found))
			latest = DatumGetTimestampTz(found);
	}
	session->span.finish = Max(session->span.login, latest);
}

/*
 * Ask for the activities next to one bound of the window, for those sessions
 * whose gaps don't tell them: one query for all.
 */
static void
probe_activities(const Store *store, const StoreQuery *query,
				 PageSession **sessions, int count)
{
	int64	   *ids;
	TimestampTz *moments;
	TimestampTz *limits;
	Datum		parameters[3];
	Rows		rows;

	if (count == 0)
		return;

	ids = palloc(count * sizeof(int64));
	moments = palloc(count * sizeof(TimestampTz));
	limits = palloc(count * sizeof(TimestampTz));
	for (int i = 0; i < count; i++)
	{
		const ClipBounds *bounds = &sessions[i]->bounds;

		ids[i] = sessions[i]->session_id;
		/* Were it further off, there would be a gap to tell it. */
		if (query == &first_activities)
		{
			moments[i] = bounds->first;
			limits[i] = bounds->first + MINIMUM_GAP;
		}
		else
		{
			moments[i] = bounds->last;
			limits[i] = bounds->last - MINIMUM_GAP;
		}
	}
	parameters[0] = int8_array(ids, count);
	parameters[1] = timestamptz_array(moments, count);
	parameters[2] = timestamptz_array(limits, count);
	begin_rows(&rows, store, query, parameters);
	for (int i = 0; i < count && next_row(&rows); i++)
	{
		TimestampTz found = DatumGetTimestampTz(rows.values[0]);

		/* The gaps say there is one; none would mean that they are wrong. */
		if (query == &first_activities)
			sessions[i]->first_activity = rows.nulls[0] ? DT_NOEND : found;
		else
			sessions[i]->last_activity = rows.nulls[0] ? DT_NOBEGIN : found;
	}
	end_rows(&rows);
}

/*
 * Find the first and last activities in bounds, where the session sticks out
 * of the window and login or logout don't settle it.
 */
static void
find_clipped_ends(PageReader *reader)
{
	PageSession *first[CHUNK_SIZE];
	PageSession *last[CHUNK_SIZE];
	int			nfirst = 0;
	int			nlast = 0;

	for (int i = 0; i < reader->chunk.count; i++)
	{
		PageSession *session = &reader->chunk.sessions[i];

		if (!session->has_gaps)
			continue;
		if (session->bounds.first > session->span.login &&
			!find_first_activity(&session->gaps, session->bounds.first,
								 &session->first_activity))
			first[nfirst++] = session;
		if (session->bounds.last < session->span.finish &&
			!find_last_activity(&session->gaps, session->bounds.last,
								&session->last_activity))
			last[nlast++] = session;
	}
	probe_activities(reader->store, &first_activities, first, nfirst);
	probe_activities(reader->store, &last_activities, last, nlast);
}

/*
 * Measure a session by its gaps.
 *
 * An activity beyond the logout, or before the login, is none that counts: the
 * logout, or the login, is the moment next to the bound then.
 */
static void
measure_by_gaps(PageSession *session, const IdleRule *rule)
{
	Measure    *measure = &session->result.measure;
	const SessionSpan *span = &session->span;

	measure->first = span->login;
	if (session->bounds.first > span->login)
		measure->first = Min(session->first_activity, span->finish);
	measure->last = span->finish;
	if (session->bounds.last < span->finish)
		measure->last = Max(session->last_activity, span->login);

	measure->has_moment = measure->first <= measure->last;
	if (!measure->has_moment)
		return;
	measure->duration = elapsed(session->session_id, measure->first,
								measure->last);
	measure->idle = idle_between(&session->gaps, rule, measure->first,
								 measure->last);
}

/*
 * Measure a session by its raw activities: the exact path for what the index
 * can't answer.  One pass in order, which never holds more than a batch.
 */
static void
measure_by_activities(const Store *store, PageSession *session,
					  const IdleRule *rule)
{
	Measure    *measure = &session->result.measure;
	const SessionSpan *span = &session->span;
	const ClipBounds *bounds = &session->bounds;
	Datum		parameters[] = {
		Int64GetDatum(session->session_id),
		TimestampTzGetDatum(bounds->first),
		TimestampTzGetDatum(bounds->last)
	};
	Rows		activities;

	begin_measure(measure);
	if (bounds->first > bounds->last)
		return;
	if (contains_moment(bounds, span->login))
		add_moment(measure, rule, session->session_id, span->login);

	begin_rows(&activities, store, &activities_of_session, parameters);
	while (next_row(&activities))
		add_moment(measure, rule, session->session_id,
				   DatumGetTimestampTz(activities.values[0]));
	end_rows(&activities);

	if (span->is_finished && contains_moment(bounds, span->finish))
		add_moment(measure, rule, session->session_id, span->finish);
}

/*
 * Measure the sessions of a chunk and hand them on.
 */
static void
process_chunk(PageReader *reader)
{
	Chunk	   *chunk = &reader->chunk;
	Rows		gaps;

	load_names(reader, reader->client_names, COLUMN_CLIENT_GUID,
			   COLUMN_CLIENT_NAME);
	load_names(reader, reader->user_names, COLUMN_USER_ID, COLUMN_USER_NAME);
	if (reader->use_index)
		load_gaps(reader, &gaps);
	if (reader->has_pending)
	{
		load_pending(reader);
		complete_gaps(reader);
	}

	for (int i = 0; i < chunk->count; i++)
	{
		PageSession *session = &chunk->sessions[i];

		CHECK_FOR_INTERRUPTS();
		find_finish(reader->store, session);
		session->bounds = clip_bounds(&session->span, reader->window);
	}
	find_clipped_ends(reader);
	for (int i = 0; i < chunk->count; i++)
	{
		PageSession *session = &chunk->sessions[i];

		CHECK_FOR_INTERRUPTS();
		if (session->has_gaps)
			measure_by_gaps(session, reader->rule);
		else
			measure_by_activities(reader->store, session, reader->rule);
		reader->receive(&session->result, reader->state);
	}

	if (reader->use_index)
		end_rows(&gaps);
}

/*
 * Read the sessions of a part of a page; how many they were.
 */
static int64
read_part(PageReader *reader, const StoreQuery *query, const Datum *parameters)
{
	MemoryContext caller_context = CurrentMemoryContext;
	int64		sessions = 0;
	Rows		page;

	begin_rows(&page, reader->store, query, parameters);
	MemoryContextSwitchTo(reader->chunk_context);
	while (load_chunk(&reader->chunk, &page))
	{
		process_chunk(reader);
		sessions += reader->chunk.count;
		MemoryContextReset(reader->chunk_context);
	}
	MemoryContextSwitchTo(caller_context);
	end_rows(&page);
	return sessions;
}

/*
 * Read the sessions of a page, those across the window's start before those
 * within.
 */
static void
read_sessions(PageReader *reader, const PageRequest *request)
{
	const Store *store = reader->store;
	const Window *window = reader->window;
	Position	position = before_all;
	int64		offset = 0;
	int64		found = 0;
	Datum		parameters[6];

	if (request->is_keyset)
		position = keyset_position(store, request->after_session_id);
	/* No table holds so many sessions as to reach a page beyond int64. */
	else if (pg_mul_s64_overflow(request->index, request->size, &offset))
		return;
	if (request->size == 0)
		return;

	parameters[0] = TimestampTzGetDatum(window->start);
	parameters[1] = TimestampTzGetDatum(window->end);
	if (position.login <= window->start)
	{
		parameters[2] = TimestampTzGetDatum(position.login);
		parameters[3] = Int64GetDatum(position.session_id);
		parameters[4] = Int64GetDatum(request->size);
		parameters[5] = Int64GetDatum(offset);
		found = read_part(reader, &page_across, parameters);
		if (found > 0)
			offset = 0;
		else if (offset > 0)
			offset -= count_across(store, window);

		/* Later than start is beyond every session at it. */
		position.login = window->start;
		position.session_id = PG_INT64_MAX;
	}

	if (found == request->size ||
		(offset > 0 && !find_position_within(store, window, offset, &position)))
		return;
	parameters[2] = TimestampTzGetDatum(position.login);
	parameters[3] = Int64GetDatum(position.session_id);
	parameters[4] = Int64GetDatum(request->size - found);
	(void) read_part(reader, &page_within, parameters);
}

/*
 * Read a page of the sessions that the window selects, in order, and hand
 * each to receive, measured.
 *
 * Errors: 22023 for an unknown session to follow, 22008 for a duration out of
 * range, 42804 for a store of another shape, and what the server has against
 * the caller's reading.
 * Rule: rules.md, Selected, Order, Page and the definitions there.
 */
void
read_page(const Store *store, const IdleRule *rule, const Window *window,
		  const PageRequest *request, SessionReceiver receive, void *state)
{
	PageReader *reader;

	SPI_connect();

	reader = palloc0(sizeof(PageReader));
	reader->store = store;
	reader->rule = rule;
	reader->window = window;
	reader->receive = receive;
	reader->state = state;
	reader->client_names = begin_client_names(store);
	reader->user_names = begin_user_names(store);
	reader->chunk_context = AllocSetContextCreate(CurrentMemoryContext,
												  "ekran_sessions chunk",
												  ALLOCSET_DEFAULT_SIZES);
	reader->use_index = index_is_usable(store, rule);
	reader->has_pending = reader->use_index &&
		run_query(store, &any_pending, NULL) > 0;
	read_sessions(reader, request);

	SPI_finish();
}

/*
 * Count the sessions that the window selects.
 *
 * Errors: 22003 if there are more than an int holds.
 * Rule: rules.md, Total count; its type is the vendor's.
 */
int32
count_sessions(const Store *store, const Window *window)
{
	Datum		parameters[] = {
		TimestampTzGetDatum(window->start),
		TimestampTzGetDatum(window->end)
	};
	Datum		result = Int64GetDatum(0);
	int64		count;

	SPI_connect();
	(void) read_row(store, &total_count, parameters, &result);
	SPI_finish();

	count = DatumGetInt64(result);
	if (count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("total count " INT64_FORMAT " is out of range for type integer",
						count)));
	return (int32) count;
}
