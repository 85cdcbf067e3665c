/*-------------------------------------------------------------------------
 *
 * reading.c
 *	  Reading: a page of sessions, clipped and measured, and their count.
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

/* Activities fetched at a time: what bounds the memory for a session. */
#define ACTIVITY_BATCH	1000

/* Columns of the page queries beyond the identity. */
enum
{
	PAGE_LOGIN = NUM_IDENTITY_COLUMNS,
	PAGE_LOGOUT,
	PAGE_FINISH,
	NUM_PAGE_COLUMNS
};

static const Oid page_column_types[NUM_PAGE_COLUMNS] = {
	INT8OID, UUIDOID, TEXTOID, INT4OID, TEXTOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID
};

static const Oid timestamptz_type = TIMESTAMPTZOID;

/*
 * Run a query whose parameters are never null, under the caller's snapshot.
 * The result is in SPI_tuptable.
 */
static void
read_query(const char *store, StoreQuery query, Datum *parameters)
{
	int			result = SPI_execute_plan(store_plan(store, query),
										  parameters, NULL, true, 0);

	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
}

/*
 * Add the activities of a session within bounds to its measure, in order.
 *
 * This is the exact path: one pass over the raw table, of which it never holds
 * more than a batch.
 */
static void
add_activities(const char *store, int64 session_id, const ClipBounds *bounds,
			   Measure *measure)
{
	Datum		parameters[] = {
		Int64GetDatum(session_id),
		TimestampTzGetDatum(bounds->first),
		TimestampTzGetDatum(bounds->last)
	};
	Portal		activities = SPI_cursor_open(NULL,
											 store_plan(store, QUERY_ACTIVITIES),
											 parameters, NULL, true);
	uint64		fetched;

	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(activities, true, ACTIVITY_BATCH);
		check_result_shape(store, 1, &timestamptz_type);
		fetched = SPI_processed;
		for (uint64 i = 0; i < fetched; i++)
		{
			bool		isnull;
			Datum		moment = SPI_getbinval(SPI_tuptable->vals[i],
											   SPI_tuptable->tupdesc, 1,
											   &isnull);

			add_moment(measure, DatumGetTimestampTz(moment));
		}
		SPI_freetuptable(SPI_tuptable);
	} while (fetched == ACTIVITY_BATCH);

	SPI_cursor_close(activities);
}

/*
 * Measure what the window leaves of a session.
 */
static void
measure_session(const char *store, int64 session_id, const SessionSpan *span,
				const Window *window, Measure *measure)
{
	ClipBounds	bounds = clip_bounds(span, window);

	begin_measure(measure, session_id);
	if (bounds.first > bounds.last)
		return;
	if (contains_moment(&bounds, span->login))
		add_moment(measure, span->login);
	add_activities(store, session_id, &bounds, measure);
	if (span->is_finished && contains_moment(&bounds, span->finish))
		add_moment(measure, span->finish);
}

/*
 * Find where a keyset page begins.
 *
 * Errors: 22023 if no such session is visible to the caller.
 */
static TimestampTz
keyset_position(const char *store, int64 session_id)
{
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
	return DatumGetTimestampTz(login);
}

/*
 * Run the query of a page; the result is in SPI_tuptable.
 *
 * False for a page that is empty for sure, then there is no result.
 */
static bool
fetch_page(const char *store, const Window *window,
		   const PageRequest *page)
{
	Datum		parameters[5];
	int64		offset;

	parameters[0] = TimestampTzGetDatum(window->start);
	parameters[1] = TimestampTzGetDatum(window->end);

	if (page->is_keyset)
	{
		TimestampTz login = keyset_position(store, page->after_session_id);

		parameters[2] = TimestampTzGetDatum(login);
		parameters[3] = Int64GetDatum(page->after_session_id);
		parameters[4] = Int64GetDatum(page->size);
		read_query(store, QUERY_KEYSET_PAGE, parameters);
		return true;
	}

	/* No table holds so many sessions as to reach a page beyond int64. */
	if (pg_mul_s64_overflow(page->index, page->size, &offset))
		return false;

	parameters[2] = Int64GetDatum(offset);
	parameters[3] = Int64GetDatum(page->size);
	read_query(store, QUERY_PAGE, parameters);
	return true;
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
read_page(const char *store, const Window *window, const PageRequest *page,
		  SessionReceiver receive, void *state)
{
	SPITupleTable *sessions;

	SPI_connect();

	if (fetch_page(store, window, page))
	{
		check_result_shape(store, NUM_PAGE_COLUMNS, page_column_types);
		sessions = SPI_tuptable;
		for (uint64 i = 0; i < sessions->numvals; i++)
		{
			Datum		values[NUM_PAGE_COLUMNS];
			bool		nulls[NUM_PAGE_COLUMNS];
			MeasuredSession session;
			SessionSpan span;
			Measure		measure;

			CHECK_FOR_INTERRUPTS();
			heap_deform_tuple(sessions->vals[i], sessions->tupdesc,
							  values, nulls);

			span.login = DatumGetTimestampTz(values[PAGE_LOGIN]);
			span.finish = DatumGetTimestampTz(values[PAGE_FINISH]);
			span.is_finished = !nulls[PAGE_LOGOUT];
			measure_session(store, DatumGetInt64(values[COLUMN_SESSION_ID]),
							&span, window, &measure);

			memcpy(session.identity, values, sizeof(session.identity));
			memcpy(session.identity_null, nulls, sizeof(session.identity_null));
			session.has_moment = measure.has_moment;
			session.login = measure.first;
			session.logout = measure.last;
			session.duration = measured_duration(&measure);
			session.idle = measure.idle;
			receive(&session, state);
		}
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
