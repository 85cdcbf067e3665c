/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  The query functions that SQL calls.  Each reads from top to bottom:
 *	  check the arguments, copy the settings, find the store, read, emit.
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

static Datum
return_page(FunctionCallInfo fcinfo, const Window *window,
			const PageRequest *page)
{
	IdleRule	rule = idle_rule_setting();
	Store		store;

	find_store(&store);
	InitMaterializedSRF(fcinfo, 0);
	read_page(&store, &rule, window, page, receive_as_row, fcinfo->resultinfo);
	return (Datum) 0;
}

/*
 * ekran_sessions(start timestamptz, "end" timestamptz, count bigint,
 *				  page bigint) returns setof ekran_session_row
 *
 * The page-th page, counted from 0, of count of the sessions in the window
 * (start, end).  A null argument means its default: no bound, 1000, 0.
 * Errors: 22023 for arguments out of range; those of find_store() and
 * read_page().
 */
Datum
ekran_sessions(PG_FUNCTION_ARGS)
{
	Window		window = get_window_arguments(fcinfo);
	PageRequest page = get_page_arguments(fcinfo, "count", "page");

	return return_page(fcinfo, &window, &page);
}

/*
 * ekran_sessions_after(start timestamptz, "end" timestamptz, count bigint,
 *						after_session_id bigint)
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
	PageRequest page = get_keyset_arguments(fcinfo);

	return return_page(fcinfo, &window, &page);
}

/*
 * ekran_sessions_total_count(start timestamptz, "end" timestamptz)
 *		returns int
 *
 * How many sessions the window selects.  Errors: 22023 if start is later than
 * end, 22003 if there are more than an int holds.
 */
Datum
ekran_sessions_total_count(PG_FUNCTION_ARGS)
{
	Window		window = get_window_arguments(fcinfo);
	Store		store;

	find_store(&store);
	PG_RETURN_INT32(count_sessions(&store, &window));
}

/*
 * ekran_sessions_json("start" timestamptz, "end" timestamptz,
 *					   "sessionCount" bigint, "pageIndex" bigint)
 *		returns json
 *
 * The endpoint's response: the page and the total count.  Errors: as
 * ekran_sessions and ekran_sessions_total_count.
 */
Datum
ekran_sessions_json(PG_FUNCTION_ARGS)
{
	Window		window = get_window_arguments(fcinfo);
	PageRequest page = get_page_arguments(fcinfo, "sessionCount", "pageIndex");
	IdleRule	rule = idle_rule_setting();
	Store		store;
	JsonSessions json;

	find_store(&store);
	begin_json_sessions(&json);
	read_page(&store, &rule, &window, &page, receive_as_json, &json);
	PG_RETURN_TEXT_P(end_json_sessions(&json, count_sessions(&store, &window)));
}
