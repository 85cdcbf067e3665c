/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  The query functions that return sessions.  Each reads from top to bottom:
 *	  take the request, begin to read, then, while there is a chunk of sessions,
 *	  measure it and emit it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "ekran_sessions.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ekran_sessions);
PG_FUNCTION_INFO_V1(ekran_sessions_after);
PG_FUNCTION_INFO_V1(ekran_sessions_all);
PG_FUNCTION_INFO_V1(ekran_sessions_total_count);
PG_FUNCTION_INFO_V1(ekran_sessions_json);
PG_FUNCTION_INFO_V1(ekran_session_list);
PG_FUNCTION_INFO_V1(ekran_session_list_json);

/*
 * Return the sessions selected as rows of some kind.
 */
static void
return_sessions(ReturnSetInfo *result, Reader *reader,
				void (*put_row) (ReturnSetInfo *result, const Session *session))
{
	Chunk	   *chunk;

	while ((chunk = next_measured_chunk(reader)) != NULL)
		for (int i = 0; i < chunk->count; i++)
			put_row(result, &chunk->sessions[i]);
}

static Datum
return_page(FunctionCallInfo fcinfo, Reader *reader, const PageRequest *page)
{
	ReturnSetInfo *result = begin_session_rows(fcinfo);

	begin_selecting(reader);
	begin_measuring(reader);
	select_page(reader->selection, page);
	return_sessions(result, reader, put_session_row);
	end_reading(reader);
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
	Reader		reader;
	PageRequest page;

	take_request(&reader, fcinfo, ARG_PAGE_FILTERS);
	page = get_page_arguments(fcinfo, "count", "page");
	return return_page(fcinfo, &reader, &page);
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
	Reader		reader;
	PageRequest page;

	take_request(&reader, fcinfo, ARG_PAGE_FILTERS);
	page = get_keyset_arguments(fcinfo);
	return return_page(fcinfo, &reader, &page);
}

/* A call of ekran_sessions_all() that returns row after row. */
typedef struct RowByRow
{
	Reader		reader;
	Position	position;		/* of the session read last */
	bool		is_at_end;
	List	   *held;			/* relations */
	MemoryContext context;		/* for the rows in hand */
	int			count;
	int			next;
	HeapTuple	rows[MAX_PAGE_SIZE];
} RowByRow;

/*
 * Hold the tables from one call to the next, and their partitions, as a scan of them
 * would: none can be dropped or truncated while there are rows to come.  They belong to
 * the query that calls, so that no savepoint gives them back.
 */
static void
hold_tables(RowByRow *call)
{
	const Oid  *tables = call->reader.store.tables;

	for (StoreTable which = TABLE_CLIENT; which <= TABLE_ACTIVITY; which++)
	{
		Relation	table = OidIsValid(tables[which]) ?
			try_relation_open(tables[which], AccessShareLock) : NULL;
		List	   *pieces;
		ListCell   *cell;

		/* Who reads it says that it isn't there. */
		if (table == NULL)
			continue;
		call->held = lappend(call->held, table);
		pieces = find_all_inheritors(tables[which], AccessShareLock, NULL);
		for_each_from(cell, pieces, 1)
			call->held = lappend(call->held, relation_open(lfirst_oid(cell), NoLock));
		list_free(pieces);
	}
}

/*
 * Let them go, when there are no more rows, or the query asks for no more.
 */
static void
release_tables(Datum argument)
{
	RowByRow   *call = (RowByRow *) DatumGetPointer(argument);
	ListCell   *cell;

	foreach(cell, call->held)
		relation_close(lfirst(cell), NoLock);
	call->held = NIL;
}

/*
 * Go on beyond a session, which must lie beyond those before: else a view that shows
 * something else each time could make it go round for good.
 */
static void
go_on_beyond(RowByRow *call, const Session *session)
{
	Position	position = position_of(session);

	if (compare_positions(&position, &call->position) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sessions come out of order"),
				 errhint("Let the store's view \"session\" show each session once, and the same ones throughout a query.")));
	call->position = position;
}

/*
 * Read the sessions that follow.
 *
 * No query stays open from one call to the next: ours may never ask for more, and in
 * between, savepoints may take back what was opened.  The snapshot is the query's, so
 * that what follows a session is always the same.
 */
static void
read_rows(RowByRow *call, TupleDesc columns)
{
	Reader	   *reader = &call->reader;
	Chunk	   *chunk;

	MemoryContextReset(call->context);
	call->count = call->next = 0;
	begin_selecting_there(reader);
	begin_measuring(reader);
	select_beyond(reader->selection, &call->position, MAX_PAGE_SIZE);
	while ((chunk = next_measured_chunk(reader)) != NULL)
	{
		MemoryContext caller_context = MemoryContextSwitchTo(call->context);

		for (int i = 0; i < chunk->count; i++)
			call->rows[call->count++] = form_session_row(columns, &chunk->sessions[i]);
		MemoryContextSwitchTo(caller_context);
		go_on_beyond(call, &chunk->sessions[chunk->count - 1]);
	}
	end_reading(reader);
	call->is_at_end = call->count < MAX_PAGE_SIZE;
}

static RowByRow *
begin_row_by_row(FunctionCallInfo fcinfo, FuncCallContext *srf)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller_context = MemoryContextSwitchTo(srf->multi_call_memory_ctx);
	RowByRow   *call = palloc0(sizeof(RowByRow));

	take_request(&call->reader, fcinfo, ARG_FILTERS);
	find_store(&call->reader.store);
	hold_tables(call);
	RegisterExprContextCallback(result->econtext, release_tables, PointerGetDatum(call));
	call->position = before_all;
	call->context = AllocSetContextCreate(CurrentMemoryContext, "ekran_sessions rows",
										  ALLOCSET_DEFAULT_SIZES);
	if (get_call_result_type(fcinfo, NULL, &srf->tuple_desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_session_row(srf->tuple_desc);
	srf->tuple_desc = BlessTupleDesc(srf->tuple_desc);
	MemoryContextSwitchTo(caller_context);
	return call;
}

static Datum
return_row_by_row(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	FuncCallContext *srf;
	RowByRow   *call;

	if (SRF_IS_FIRSTCALL())
	{
		srf = SRF_FIRSTCALL_INIT();
		srf->user_fctx = begin_row_by_row(fcinfo, srf);
	}
	srf = SRF_PERCALL_SETUP();
	call = srf->user_fctx;
	if (call->next == call->count && !call->is_at_end)
		read_rows(call, srf->tuple_desc);
	if (call->next == call->count)
	{
		release_tables(PointerGetDatum(call));
		UnregisterExprContextCallback(result->econtext, release_tables,
									  PointerGetDatum(call));
		SRF_RETURN_DONE(srf);
	}
	SRF_RETURN_NEXT(srf, HeapTupleGetDatum(call->rows[call->next++]));
}

/*
 * ekran_sessions_all(start timestamptz, "end" timestamptz,
 *					  users int[], clients uuid[])
 *		returns setof ekran_session_row
 *
 * All sessions that ekran_sessions() has on its pages, in the same order.  Where a
 * query asks row by row, no more than a page of them is held at a time; else the
 * server keeps them, on disk beyond work_mem.  Errors: as ekran_sessions.
 */
Datum
ekran_sessions_all(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Reader		reader;

	if (result != NULL && IsA(result, ReturnSetInfo) &&
		(result->allowedModes & SFRM_ValuePerCall) != 0 &&
		(result->allowedModes & SFRM_Materialize_Preferred) == 0)
		return return_row_by_row(fcinfo);

	take_request(&reader, fcinfo, ARG_FILTERS);
	result = begin_session_rows(fcinfo);
	begin_selecting(&reader);
	begin_measuring(&reader);
	select_all(reader.selection);
	return_sessions(result, &reader, put_session_row);
	end_reading(&reader);
	return (Datum) 0;
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
	Reader		reader;
	int32		count;

	take_request(&reader, fcinfo, ARG_FILTERS);
	begin_selecting(&reader);
	count = total_count_of(count_selected(reader.selection));
	end_reading(&reader);
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
	Reader		reader;
	PageRequest page;
	Json		json;
	Chunk	   *chunk;
	int32		total_count;

	take_request(&reader, fcinfo, ARG_PAGE_FILTERS);
	page = get_page_arguments(fcinfo, "sessionCount", "pageIndex");
	begin_json(&json, reader.zone, "{\"sessions\":[");

	begin_selecting(&reader);
	begin_measuring(&reader);
	select_page(reader.selection, &page);
	while ((chunk = next_measured_chunk(&reader)) != NULL)
		for (int i = 0; i < chunk->count; i++)
			append_json_session(&json, &chunk->sessions[i]);
	total_count = total_count_of(count_selected(reader.selection));
	end_reading(&reader);
	PG_RETURN_TEXT_P(end_json(&json, psprintf("],\"totalCount\":%d}", total_count)));
}

/*
 * Begin to read what a list of sessions tells, which is no names.
 */
static void
begin_list(Reader *reader)
{
	begin_selecting(reader);
	reader->clipping = begin_clipping(&reader->store, &reader->window, &reader->trust);
	select_all(reader->selection);
}

/*
 * ekran_session_list(start timestamptz, "end" timestamptz,
 *					  users int[], clients uuid[])
 *		returns table (client_guid uuid, logout_date, login_date timestamptz,
 *					   session_id bigint, user_id int)
 *
 * Who was where when: all sessions in the window, clipped, in the order of pages.
 * Errors: as ekran_sessions.
 * Rule: rules.md, Statistics.
 */
Datum
ekran_session_list(PG_FUNCTION_ARGS)
{
	Reader		reader;

	take_request(&reader, fcinfo, ARG_FILTERS);
	InitMaterializedSRF(fcinfo, 0);
	begin_list(&reader);
	return_sessions((ReturnSetInfo *) fcinfo->resultinfo, &reader, put_list_row);
	end_reading(&reader);
	return (Datum) 0;
}

/*
 * ekran_session_list_json("start" timestamptz, "end" timestamptz,
 *						   "userIds" int[], "clientGuids" uuid[])
 *		returns json
 *
 * The same as the vendor's sibling endpoint writes it.  Errors: as ekran_sessions.
 * Rule: rules.md, JSON.
 */
Datum
ekran_session_list_json(PG_FUNCTION_ARGS)
{
	Reader		reader;
	Json		json;
	Chunk	   *chunk;

	take_request(&reader, fcinfo, ARG_FILTERS);
	begin_json(&json, reader.zone, "[");
	begin_list(&reader);
	while ((chunk = next_measured_chunk(&reader)) != NULL)
		for (int i = 0; i < chunk->count; i++)
			append_json_list_session(&json, &chunk->sessions[i]);
	end_reading(&reader);
	PG_RETURN_TEXT_P(end_json(&json, "]"));
}
