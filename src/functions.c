/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  The query functions that SQL calls.  Each reads from top to bottom:
 *	  check the arguments, copy the settings, find the store, then, while there
 *	  is a chunk of sessions, measure it and emit it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "funcapi.h"

PG_FUNCTION_INFO_V1(ekran_sessions);
PG_FUNCTION_INFO_V1(ekran_sessions_after);
PG_FUNCTION_INFO_V1(ekran_sessions_total_count);
PG_FUNCTION_INFO_V1(ekran_sessions_json);

/* Where the functions have their filters. */
enum
{
	ARG_COUNT_FILTERS = 2,
	ARG_PAGE_FILTERS = 4
};

/* What the functions that return sessions read with. */
typedef struct Reader
{
	Selection  *selection;
	Names	   *names;
	Measuring  *measuring;
} Reader;

static Reader
begin_page(const Store *store, const IdleRule *rule, const Window *window,
		   const Filters *filters, const PageRequest *page)
{
	Trust		trust = trust_for_caller(store, rule, true);
	Reader		reader;

	tell_trust(store, &trust);
	reader.selection = begin_selection(store, window, filters, &trust);
	reader.names = begin_names(store);
	reader.measuring = begin_measuring(store, rule, window, &trust);
	select_page(reader.selection, page);
	return reader;
}

/*
 * The next sessions, named and measured; NULL at the end.
 */
static Chunk *
next_measured_chunk(Reader *reader)
{
	Chunk	   *chunk = next_chunk(reader->selection);

	if (chunk != NULL)
	{
		name_sessions(reader->names, chunk);
		measure_sessions(reader->measuring, chunk);
	}
	return chunk;
}

static Datum
return_page(FunctionCallInfo fcinfo, const Window *window,
			const Filters *filters, const PageRequest *page)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	IdleRule	rule = idle_rule_setting();
	Store		store;
	Reader		reader;
	Chunk	   *chunk;

	find_store(&store);
	InitMaterializedSRF(fcinfo, 0);

	SPI_connect();
	reader = begin_page(&store, &rule, window, filters, page);
	while ((chunk = next_measured_chunk(&reader)) != NULL)
		for (int i = 0; i < chunk->count; i++)
			put_session_row(result, &chunk->sessions[i]);
	end_measuring(reader.measuring);
	SPI_finish();
	return (Datum) 0;
}

/*
 * ekran_sessions(start timestamptz, "end" timestamptz, count bigint,
 *				  page bigint, users int[], clients uuid[])
 *		returns setof ekran_session_row
 *
 * The page-th page, counted from 0, of count of the sessions in the window
 * (start, end), of these users and clients.  A null argument means its default: no
 * bound, 1000, 0, all.  Errors: 22023 for arguments out of range, 22008 for a
 * duration out of range, 42804 for a store of another shape, those of
 * find_store(), and what the server has against the caller's reading.
 * Rule: rules.md, the definitions, Selected, Order, Page, Filters.
 */
Datum
ekran_sessions(PG_FUNCTION_ARGS)
{
	Window		window = get_window_arguments(fcinfo);
	Filters		filters = get_filter_arguments(fcinfo, ARG_PAGE_FILTERS);
	PageRequest page = get_page_arguments(fcinfo, "count", "page");

	return return_page(fcinfo, &window, &filters, &page);
}

/*
 * ekran_sessions_after(start timestamptz, "end" timestamptz, count bigint,
 *						after_session_id bigint, users int[], clients uuid[])
 *		returns setof ekran_session_row
 *
 * The count sessions in the window that follow a session in the same order;
 * with null the first ones.  Errors: as ekran_sessions, and 22023 if there is
 * no such session.
 */
Datum
ekran_sessions_after(PG_FUNCTION_ARGS)
{
	Window		window = get_window_arguments(fcinfo);
	Filters		filters = get_filter_arguments(fcinfo, ARG_PAGE_FILTERS);
	PageRequest page = get_keyset_arguments(fcinfo);

	return return_page(fcinfo, &window, &filters, &page);
}

/*
 * ekran_sessions_total_count(start timestamptz, "end" timestamptz,
 *							  users int[], clients uuid[]) returns int
 *
 * How many sessions the window selects.  Errors: 22023 if start is later than
 * end, 22003 if there are more than an int holds.
 * Rule: rules.md, Total count; its type is the vendor's.
 */
Datum
ekran_sessions_total_count(PG_FUNCTION_ARGS)
{
	Window		window = get_window_arguments(fcinfo);
	Filters		filters = get_filter_arguments(fcinfo, ARG_COUNT_FILTERS);
	IdleRule	rule = idle_rule_setting();
	Store		store;
	Trust		trust;
	int32		count;

	find_store(&store);
	SPI_connect();
	trust = trust_for_caller(&store, &rule, true);
	tell_trust(&store, &trust);
	count = count_selected(begin_selection(&store, &window, &filters, &trust));
	SPI_finish();
	PG_RETURN_INT32(count);
}

/*
 * ekran_sessions_json("start" timestamptz, "end" timestamptz,
 *					   "sessionCount" bigint, "pageIndex" bigint,
 *					   "userIds" int[], "clientGuids" uuid[])
 *		returns json
 *
 * The endpoint's response: the page and the total count.  Errors: as
 * ekran_sessions and ekran_sessions_total_count.
 * Rule: rules.md, JSON.
 */
Datum
ekran_sessions_json(PG_FUNCTION_ARGS)
{
	Window		window = get_window_arguments(fcinfo);
	Filters		filters = get_filter_arguments(fcinfo, ARG_PAGE_FILTERS);
	PageRequest page = get_page_arguments(fcinfo, "sessionCount", "pageIndex");
	IdleRule	rule = idle_rule_setting();
	Store		store;
	Reader		reader;
	Chunk	   *chunk;
	int32		total_count;
	JsonSessions json;

	find_store(&store);
	begin_json_sessions(&json);

	SPI_connect();
	reader = begin_page(&store, &rule, &window, &filters, &page);
	while ((chunk = next_measured_chunk(&reader)) != NULL)
		for (int i = 0; i < chunk->count; i++)
			append_json_session(&json, &chunk->sessions[i]);
	end_measuring(reader.measuring);
	total_count = count_selected(reader.selection);
	SPI_finish();
	PG_RETURN_TEXT_P(end_json_sessions(&json, total_count));
}
