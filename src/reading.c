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

static const Oid page_column_types[NUM_PAGE_COLUMNS] = {
	INT8OID, UUIDOID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID
};

static const Oid gaps_column_types[] = {
	INT8OID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID
};

static const Oid timestamptz_type = TIMESTAMPTZOID;

static const Oid pending_column_types[] = {
	INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID
};

static const Oid position_column_types[] = {
	TIMESTAMPTZOID, INT8OID
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
	const char *store;
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
keyset_position(const char *store, int64 session_id)
{
	Position	position;
	Datum		parameters[] = {Int64GetDatum(session_id)};
	Datum		login;
	bool		isnull;

	read_query(store, QUERY_KEYSET_POSITION, parameters);
	check_result_shape(store, 1, &timestamptz_type);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no session " INT64_FORMAT " in store \"%s\"",
						session_id, store),
				 errdetail("The after_session_id given is " INT64_FORMAT ".",
						   session_id),
				 errhint("Give the session_id of the last row of the page before, or null for the first page.")));

	login = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
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
 * Take the sessions of a chunk from SPI_tuptable.
 */
static void
load_chunk(PageReader *reader, int count)
{
	Chunk	   *chunk = &reader->chunk;

	check_result_shape(reader->store, NUM_PAGE_COLUMNS, page_column_types);
	chunk->count = count;
	for (int i = 0; i < count; i++)
	{
		Datum		values[NUM_PAGE_COLUMNS];
		bool		nulls[NUM_PAGE_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, nulls);
		load_session(&chunk->sessions[i], values, nulls);
		chunk->by_id[i] = &chunk->sessions[i];
	}
	qsort(chunk->by_id, count, sizeof(PageSession *), compare_session_ids);
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
	learn_names(names, reader->store, ids, count);

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
 * Give the sessions of a chunk their gaps, which point into the result.
 */
static SPITupleTable *
load_gaps(PageReader *reader)
{
	Datum		parameters[] = {chunk_ids(&reader->chunk)};

	read_query(reader->store, QUERY_GAPS, parameters);
	check_result_shape(reader->store, lengthof(gaps_column_types),
					   gaps_column_types);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[lengthof(gaps_column_types)];
		bool		nulls[lengthof(gaps_column_types)];
		PageSession *session;

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, nulls);
		session = find_session(&reader->chunk, DatumGetInt64(values[0]));
		session->has_gaps = !nulls[1] && !nulls[2] &&
			read_gaps(values[1], values[2], &session->gaps);
	}
	return SPI_tuptable;
}

/*
 * Let the sessions of a chunk know what is pending for them.
 */
static void
load_pending(PageReader *reader)
{
	Datum		parameters[] = {chunk_ids(&reader->chunk)};

	read_query(reader->store, QUERY_PENDING, parameters);
	check_result_shape(reader->store, lengthof(pending_column_types),
					   pending_column_types);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[lengthof(pending_column_types)];
		bool		nulls[lengthof(pending_column_types)];
		PageSession *session;

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, nulls);
		session = find_session(&reader->chunk, DatumGetInt64(values[0]));
		add_range(&session->pending, DatumGetTimestampTz(values[1]),
				  DatumGetTimestampTz(values[2]));
	}
	SPI_freetuptable(SPI_tuptable);
}

static int64
count_across(const char *store, const Window *window)
{
	Datum		parameters[] = {
		TimestampTzGetDatum(window->start),
		TimestampTzGetDatum(window->end)
	};
	bool		isnull;

	read_query(store, QUERY_COUNT_ACROSS, parameters);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

/*
 * Find the last of so many sessions that began within the window; false if
 * there are not so many.
 */
static bool
find_position_within(const char *store, const Window *window, int64 offset,
					 Position *position)
{
	Datum		parameters[] = {
		TimestampTzGetDatum(window->start),
		TimestampTzGetDatum(window->end),
		Int64GetDatum(offset - 1)
	};
	Datum		values[2];
	bool		nulls[2];

	read_query(store, QUERY_POSITION_WITHIN, parameters);
	check_result_shape(store, lengthof(position_column_types),
					   position_column_types);
	if (SPI_processed == 0)
		return false;
	heap_deform_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
					  values, nulls);
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

		for (int j = 0; session->has_gaps && j < session->pending.count; j++)
			session->gaps = mend_gaps(&session->gaps, &requests[next++].region);
	}
}

/*
 * Find when a running session finishes for now.
 */
static void
find_finish(const char *store, PageSession *session)
{
	TimestampTz latest = DT_NOBEGIN;

	if (session->span.is_finished)
		return;

	if (session->has_gaps)
		latest = latest_activity(&session->gaps);
	else
	{
		Datum		parameters[] = {Int64GetDatum(session->session_id)};
		bool		isnull;
		Datum		found;

		read_query(store, QUERY_LATEST_ACTIVITY, parameters);
		check_result_shape(store, 1, &timestamptz_type);
		if (SPI_processed > 0)
		{
			found = SPI_getbinval(SPI_tuptable->vals[0],
								  SPI_tuptable->tupdesc, 1, &isnull);
			latest = DatumGetTimestampTz(found);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	session->span.finish = Max(session->span.login, latest);
}

/*
 * Ask for the activities next to one bound of the window, for those sessions
 * whose gaps don't tell them: one query for all.
 */
static void
probe_activities(const char *store, StoreQuery query, PageSession **sessions,
				 int count)
{
	int64	   *ids;
	TimestampTz *moments;
	TimestampTz *limits;
	Datum		parameters[3];

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
		if (query == QUERY_FIRST_ACTIVITIES)
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
	read_query(store, query, parameters);
	check_result_shape(store, 1, &timestamptz_type);
	Assert(SPI_processed == (uint64) count);
	for (int i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		found = SPI_getbinval(SPI_tuptable->vals[i],
										  SPI_tuptable->tupdesc, 1, &isnull);

		/* The gaps say there is one; none would mean that they are wrong. */
		if (query == QUERY_FIRST_ACTIVITIES)
			sessions[i]->first_activity =
				isnull ? DT_NOEND : DatumGetTimestampTz(found);
		else
			sessions[i]->last_activity =
				isnull ? DT_NOBEGIN : DatumGetTimestampTz(found);
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(ids);
	pfree(moments);
	pfree(limits);
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
	probe_activities(reader->store, QUERY_FIRST_ACTIVITIES, first, nfirst);
	probe_activities(reader->store, QUERY_LAST_ACTIVITIES, last, nlast);
}

/*
 * Measure a session by its gaps.
 *
 * An activity beyond the logout, or before the login, is none that counts: the
 * logout, or the login, is the moment next to the bound then.
 */
static void
measure_by_gaps(PageSession *session)
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
	measure->idle = idle_between(&session->gaps, measure->first, measure->last);
}

/*
 * Measure a session by its raw activities: the exact path for what the index
 * can't answer.  One pass in order, which never holds more than a batch.
 */
static void
measure_by_activities(const char *store, PageSession *session)
{
	Measure    *measure = &session->result.measure;
	const SessionSpan *span = &session->span;
	const ClipBounds *bounds = &session->bounds;
	Datum		parameters[] = {
		Int64GetDatum(session->session_id),
		TimestampTzGetDatum(bounds->first),
		TimestampTzGetDatum(bounds->last)
	};
	Portal		activities;
	uint64		fetched;

	begin_measure(measure);
	if (bounds->first > bounds->last)
		return;
	if (contains_moment(bounds, span->login))
		add_moment(measure, session->session_id, span->login);

	activities = open_query(store, QUERY_ACTIVITIES, parameters);
	while ((fetched = fetch_batch(activities, ACTIVITY_BATCH)) > 0)
	{
		check_result_shape(store, 1, &timestamptz_type);
		for (uint64 i = 0; i < fetched; i++)
		{
			bool		isnull;
			Datum		moment = SPI_getbinval(SPI_tuptable->vals[i],
											   SPI_tuptable->tupdesc, 1,
											   &isnull);

			add_moment(measure, session->session_id,
					   DatumGetTimestampTz(moment));
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(activities);

	if (span->is_finished && contains_moment(bounds, span->finish))
		add_moment(measure, session->session_id, span->finish);
}

/*
 * Measure the sessions of a chunk, whose rows are in SPI_tuptable, and hand
 * them on.
 */
static void
process_chunk(PageReader *reader, int count)
{
	Chunk	   *chunk = &reader->chunk;
	MemoryContext old_context = MemoryContextSwitchTo(reader->chunk_context);
	SPITupleTable *rows = SPI_tuptable;
	SPITupleTable *gaps = NULL;

	load_chunk(reader, count);
	load_names(reader, reader->client_names, COLUMN_CLIENT_GUID,
			   COLUMN_CLIENT_NAME);
	load_names(reader, reader->user_names, COLUMN_USER_ID, COLUMN_USER_NAME);
	if (reader->use_index)
		gaps = load_gaps(reader);
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
			measure_by_gaps(session);
		else
			measure_by_activities(reader->store, session);
		reader->receive(&session->result, reader->state);
	}

	if (gaps != NULL)
		SPI_freetuptable(gaps);
	SPI_freetuptable(rows);
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(reader->chunk_context);
}

/*
 * Read the sessions of a part of a page; how many they were.
 */
static int64
read_part(PageReader *reader, StoreQuery query, Datum *parameters)
{
	Portal		portal = open_query(reader->store, query, parameters);
	int64		sessions = 0;
	uint64		fetched;

	while ((fetched = fetch_batch(portal, CHUNK_SIZE)) > 0)
	{
		process_chunk(reader, (int) fetched);
		sessions += fetched;
	}
	SPI_cursor_close(portal);
	return sessions;
}

/*
 * Read the sessions of a page, those across the window's start before those
 * within.
 */
static void
read_sessions(PageReader *reader, const PageRequest *request)
{
	const char *store = reader->store;
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
		found = read_part(reader, QUERY_PAGE_ACROSS, parameters);
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
	(void) read_part(reader, QUERY_PAGE_WITHIN, parameters);
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
read_page(const char *store, const Window *window,
		  const PageRequest *request, SessionReceiver receive, void *state)
{
	PageReader *reader;

	SPI_connect();

	reader = palloc0(sizeof(PageReader));
	reader->store = store;
	reader->window = window;
	reader->receive = receive;
	reader->state = state;
	reader->client_names = begin_names(QUERY_CLIENT_NAMES, UUIDOID);
	reader->user_names = begin_names(QUERY_USER_NAMES, INT4OID);
	reader->chunk_context = AllocSetContextCreate(CurrentMemoryContext,
												  "ekran_sessions chunk",
												  ALLOCSET_DEFAULT_SIZES);
	reader->use_index = index_is_usable(store);
	if (reader->use_index)
	{
		read_query(store, QUERY_ANY_PENDING, NULL);
		reader->has_pending = SPI_processed > 0;
	}
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
count_sessions(const char *store, const Window *window)
{
	Datum		parameters[] = {
		TimestampTzGetDatum(window->start),
		TimestampTzGetDatum(window->end)
	};
	bool		isnull;
	int64		count;

	SPI_connect();
	read_query(store, QUERY_TOTAL_COUNT, parameters);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();

	if (count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("total count " INT64_FORMAT " is out of range for type integer",
						count)));
	return (int32) count;
}
