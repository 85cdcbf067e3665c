/*-------------------------------------------------------------------------
 *
 * reading.c
 *	  Reading: a page of sessions, clipped and measured, and their count.
 *
 * A page is read in steps, each with a query for all its sessions: the sessions
 * with their gaps (those across the window's start, then those within), what
 * is pending for them, and the activities next to the window's bounds where
 * the gaps don't tell them.  Sessions without gaps that can be used are
 * measured from their raw activities, one by one.
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

/* Columns of the page queries beyond the identity. */
enum
{
	PAGE_LOGIN = NUM_IDENTITY_COLUMNS,
	PAGE_LOGOUT,
	PAGE_FINISH,				/* null if the gaps are to tell */
	PAGE_GAP_START,				/* null if there are none */
	PAGE_GAP_END,
	NUM_PAGE_COLUMNS
};

static const Oid page_column_types[NUM_PAGE_COLUMNS] = {
	INT8OID, UUIDOID, TEXTOID, INT4OID, TEXTOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID
};

static const Oid timestamptz_type = TIMESTAMPTZOID;

static const Oid pending_column_types[] = {
	INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID
};

static const Oid position_column_types[] = {
	TIMESTAMPTZOID, INT8OID
};

/* A session of a page on its way to be measured. */
typedef struct PageSession
{
	MeasuredSession result;
	int64		session_id;
	SessionSpan span;
	bool		has_finish;		/* is span.finish known? */
	bool		has_gaps;
	Gaps		gaps;
	Ranges		pending;
	ClipBounds	bounds;
	TimestampTz first_activity; /* in bounds, or infinity */
	TimestampTz last_activity;	/* in bounds, or -infinity */
} PageSession;

typedef struct SessionPage
{
	int			count;
	PageSession **sessions;		/* in order */
} SessionPage;

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
	memset(session, 0, sizeof(*session));
	memcpy(session->result.identity, values,
		   sizeof(session->result.identity));
	memcpy(session->result.identity_null, nulls,
		   sizeof(session->result.identity_null));

	session->session_id = DatumGetInt64(values[COLUMN_SESSION_ID]);
	session->span.login = DatumGetTimestampTz(values[PAGE_LOGIN]);
	session->span.is_finished = !nulls[PAGE_LOGOUT];
	session->has_finish = !nulls[PAGE_FINISH];
	if (session->has_finish)
		session->span.finish = DatumGetTimestampTz(values[PAGE_FINISH]);
	if (!nulls[PAGE_GAP_START] && !nulls[PAGE_GAP_END])
		session->has_gaps = read_gaps(values[PAGE_GAP_START],
									  values[PAGE_GAP_END], &session->gaps);
}

/*
 * Rule: rules.md, Order.
 */
static int
compare_places(const void *a, const void *b)
{
	const PageSession *left = *(PageSession *const *) a;
	const PageSession *right = *(PageSession *const *) b;

	if (left->span.login != right->span.login)
		return left->span.login < right->span.login ? -1 : 1;
	return (left->session_id > right->session_id) -
		(left->session_id < right->session_id);
}

/*
 * Run a query of a part of a page, and append its sessions in order.
 */
static void
append_sessions(const char *store, StoreQuery query, Datum *parameters,
				SessionPage *page)
{
	PageSession **part = page->sessions + page->count;
	PageSession *sessions;
	int			count;

	read_query(store, query, parameters);
	check_result_shape(store, NUM_PAGE_COLUMNS, page_column_types);
	count = (int) SPI_processed;
	sessions = palloc(Max(count, 1) * sizeof(PageSession));
	for (int i = 0; i < count; i++)
	{
		Datum		values[NUM_PAGE_COLUMNS];
		bool		nulls[NUM_PAGE_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, nulls);
		load_session(&sessions[i], values, nulls);
		part[i] = &sessions[i];
	}
	qsort(part, count, sizeof(PageSession *), compare_places);
	page->count += count;
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
 * Fetch the sessions of a page, in order, not measured yet.
 */
static SessionPage
fetch_page(const char *store, const Window *window,
		   const PageRequest *request, bool use_index)
{
	SessionPage page = {0};
	Position	position = before_all;
	int64		offset = 0;
	Datum		parameters[6];

	if (request->is_keyset)
		position = keyset_position(store, request->after_session_id);
	/* No table holds so many sessions as to reach a page beyond int64. */
	else if (pg_mul_s64_overflow(request->index, request->size, &offset))
		return page;
	if (request->size == 0)
		return page;

	page.sessions = palloc(request->size * sizeof(PageSession *));
	parameters[0] = TimestampTzGetDatum(window->start);
	parameters[1] = TimestampTzGetDatum(window->end);
	parameters[2] = TimestampTzGetDatum(position.login);
	parameters[3] = Int64GetDatum(position.session_id);
	if (position.login <= window->start)
	{
		parameters[4] = Int64GetDatum(request->size);
		parameters[5] = Int64GetDatum(offset);
		append_sessions(store,
						use_index ? QUERY_INDEXED_PAGE_ACROSS : QUERY_PAGE_ACROSS,
						parameters, &page);
		if (page.count > 0)
			offset = 0;
		else if (offset > 0)
			offset -= count_across(store, window);
	}

	if (page.count == request->size)
		return page;
	/* Later than start is beyond every session at it. */
	if (position.login <= window->start)
	{
		position.login = window->start;
		position.session_id = PG_INT64_MAX;
	}
	if (offset > 0 && !find_position_within(store, window, offset, &position))
		return page;
	parameters[2] = TimestampTzGetDatum(position.login);
	parameters[3] = Int64GetDatum(position.session_id);
	parameters[4] = Int64GetDatum(request->size - page.count);
	append_sessions(store,
					use_index ? QUERY_INDEXED_PAGE_WITHIN : QUERY_PAGE_WITHIN,
					parameters, &page);
	return page;
}

static int
compare_session_ids(const void *a, const void *b)
{
	int64		left = (*(PageSession *const *) a)->session_id;
	int64		right = (*(PageSession *const *) b)->session_id;

	return (left > right) - (left < right);
}

/*
 * Let the sessions know what is pending for them.
 */
static void
load_pending(const char *store, SessionPage *page)
{
	PageSession **sessions;
	int64	   *ids;
	Datum		parameters[1];
	int			next = 0;

	read_query(store, QUERY_ANY_PENDING, NULL);
	if (SPI_processed == 0)
		return;

	sessions = palloc(page->count * sizeof(PageSession *));
	ids = palloc(page->count * sizeof(int64));
	memcpy(sessions, page->sessions, page->count * sizeof(PageSession *));
	qsort(sessions, page->count, sizeof(PageSession *), compare_session_ids);
	for (int i = 0; i < page->count; i++)
		ids[i] = sessions[i]->session_id;
	parameters[0] = int8_array(ids, page->count);
	read_query(store, QUERY_PENDING, parameters);

	check_result_shape(store, lengthof(pending_column_types),
					   pending_column_types);

	/* Both sides are in the order of session ids. */
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[lengthof(pending_column_types)];
		bool		nulls[lengthof(pending_column_types)];
		int64		id;

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, nulls);
		id = DatumGetInt64(values[0]);
		while (sessions[next]->session_id < id)
			next++;
		Assert(sessions[next]->session_id == id);
		add_range(&sessions[next]->pending, DatumGetTimestampTz(values[1]),
				  DatumGetTimestampTz(values[2]));
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(sessions);
	pfree(ids);
}

/*
 * Complete the gaps, and take from them when running sessions finish.
 */
static void
find_finish(const char *store, PageSession *session)
{
	TimestampTz latest = DT_NOBEGIN;

	if (session->has_gaps)
	{
		session->gaps = exact_gaps(store, session->session_id, &session->gaps,
								   &session->pending);
		latest = latest_activity(&session->gaps);
	}
	if (session->has_finish)
		return;

	if (!session->has_gaps)
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
find_clipped_ends(const char *store, SessionPage *page)
{
	PageSession **first = palloc(Max(page->count, 1) * sizeof(PageSession *));
	PageSession **last = palloc(Max(page->count, 1) * sizeof(PageSession *));
	int			nfirst = 0;
	int			nlast = 0;

	for (int i = 0; i < page->count; i++)
	{
		PageSession *session = page->sessions[i];

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
	probe_activities(store, QUERY_FIRST_ACTIVITIES, first, nfirst);
	probe_activities(store, QUERY_LAST_ACTIVITIES, last, nlast);
	pfree(first);
	pfree(last);
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
	while ((fetched = fetch_batch(activities)) > 0)
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
	bool		use_index = index_is_usable(store);
	SessionPage page;

	SPI_connect();

	page = fetch_page(store, window, request, use_index);
	if (use_index && page.count > 0)
		load_pending(store, &page);
	for (int i = 0; i < page.count; i++)
	{
		PageSession *session = page.sessions[i];

		CHECK_FOR_INTERRUPTS();
		find_finish(store, session);
		session->bounds = clip_bounds(&session->span, window);
	}
	if (use_index)
		find_clipped_ends(store, &page);
	for (int i = 0; i < page.count; i++)
	{
		PageSession *session = page.sessions[i];

		CHECK_FOR_INTERRUPTS();
		if (session->has_gaps)
			measure_by_gaps(session);
		else
			measure_by_activities(store, session);
		receive(&session->result, state);
	}

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
