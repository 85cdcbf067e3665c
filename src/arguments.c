/*-------------------------------------------------------------------------
 *
 * arguments.c
 *	  What a caller asks for, checked: the window, the filters and the page.
 *
 * None of the functions is strict, so every argument may be null; a null
 * means the default, and must not slip past a limit.  The facts stand in the
 * primary messages, for some drivers show nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "utils/array.h"
#include "utils/uuid.h"

/* Where the functions that take a page have it. */
enum
{
	ARG_COUNT = 2,
	ARG_PAGE,
	ARG_AFTER = ARG_PAGE
};

/*
 * Get the arguments start and "end", the first of them in a place.
 *
 * A bound left out is an infinite one: logins and moments are finite, so each
 * of them is later than -infinity and earlier than infinity.
 *
 * Errors: 22023 if start is later than end.
 * Rule: rules.md, "Selected" and the list of errors.
 */
Window
get_window_arguments(FunctionCallInfo fcinfo, int first)
{
	Window		window = all_time;

	if (!PG_ARGISNULL(first))
		window.start = PG_GETARG_TIMESTAMPTZ(first);
	if (!PG_ARGISNULL(first + 1))
		window.end = PG_GETARG_TIMESTAMPTZ(first + 1);

	if (window.start > window.end)
	{
		/* timestamptz_to_str() has one static buffer */
		char	   *start = pstrdup(timestamptz_to_str(window.start));
		char	   *end = pstrdup(timestamptz_to_str(window.end));

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("start %s is later than end %s", start, end),
				 errdetail("The start given is %s, the end given is %s; a time that is given without an offset is one in the time zone \"%s\".",
						   start, end, pg_get_timezone_name(session_timezone)),
				 errhint("Give a start that is not later than the end, or leave either out.")));
	}
	return window;
}

static int
compare_users(const void *a, const void *b)
{
	int32		left = DatumGetInt32(*(const Datum *) a);
	int32		right = DatumGetInt32(*(const Datum *) b);

	return (left > right) - (left < right);
}

static int
compare_clients(const void *a, const void *b)
{
	return memcmp(DatumGetUUIDP(*(const Datum *) a),
				  DatumGetUUIDP(*(const Datum *) b), UUID_LEN);
}

/*
 * Take the ids of a filter from an array, each of them once.  Dimensions don't
 * matter.
 */
static Filter
get_filter(FunctionCallInfo fcinfo, int argument, Oid type,
		   int (*compare) (const void *a, const void *b))
{
	Filter		filter = {0};
	bool		by_value = type == INT4OID;
	int			length = by_value ? (int) sizeof(int32) : UUID_LEN;
	char		alignment = by_value ? TYPALIGN_INT : TYPALIGN_CHAR;
	Datum	   *given;
	bool	   *nulls;
	int			ngiven;
	int			nids = 0;

	filter.is_given = !PG_ARGISNULL(argument);
	if (!filter.is_given)
	{
		filter.ids = PointerGetDatum(construct_empty_array(type));
		return filter;
	}
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), type, length, by_value,
					  alignment, &given, &nulls, &ngiven);
	for (int i = 0; i < ngiven; i++)
	{
		if (nulls[i])
			filter.has_null = true;
		else
			given[nids++] = given[i];
	}
	qsort(given, nids, sizeof(Datum), compare);
	for (int i = 0; i < nids; i++)
		if (i == 0 || compare(&given[i], &given[filter.count - 1]) != 0)
			given[filter.count++] = given[i];
	filter.ids = PointerGetDatum(construct_array(given, filter.count, type, length,
												 by_value, alignment));
	return filter;
}

/*
 * Get the arguments that say of which users and clients sessions are wanted, the
 * first of them in a place; null is no filter.
 *
 * Rule: rules.md, Filters.
 */
Filters
get_filter_arguments(FunctionCallInfo fcinfo, int first)
{
	Filters		filters;

	filters.users = get_filter(fcinfo, first, INT4OID, compare_users);
	filters.clients = get_filter(fcinfo, first + 1, UUIDOID, compare_clients);
	return filters;
}

static int64
get_page_size(FunctionCallInfo fcinfo, const char *name)
{
	int64		size;

	if (PG_ARGISNULL(ARG_COUNT))
		return MAX_PAGE_SIZE;

	size = PG_GETARG_INT64(ARG_COUNT);
	if (size < 0 || size > MAX_PAGE_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be from 0 to %d, not " INT64_FORMAT,
						name, MAX_PAGE_SIZE, size),
				 errdetail("The %s given is " INT64_FORMAT "; it is the number of sessions a page.",
						   name, size),
				 errhint("Give 0 to %d, or leave it out for %d, and read page by page what is more.",
						 MAX_PAGE_SIZE, MAX_PAGE_SIZE)));
	return size;
}

/*
 * Get the count of sessions a page and the page's index.
 *
 * The names are those that the caller knows the arguments by.
 *
 * Errors: 22023 if the count is not from 0 to 1000, or the index negative.
 * Rule: rules.md, sessionCount and pageIndex.
 */
PageRequest
get_page_arguments(FunctionCallInfo fcinfo,
				   const char *count_name, const char *page_name)
{
	PageRequest page = {0};

	page.size = get_page_size(fcinfo, count_name);
	if (!PG_ARGISNULL(ARG_PAGE))
		page.index = PG_GETARG_INT64(ARG_PAGE);
	if (page.index < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be 0 or more, not " INT64_FORMAT,
						page_name, page.index),
				 errdetail("The %s given is " INT64_FORMAT "; pages are counted from 0.",
						   page_name, page.index),
				 errhint("Give 0 or more, or leave it out for the first page.")));
	return page;
}

/*
 * Get the count of sessions a page and the session that the page follows.
 *
 * Errors: 22023 if the count is not from 0 to 1000.  Whether the session is
 * known shows when it is looked up.
 */
PageRequest
get_keyset_arguments(FunctionCallInfo fcinfo)
{
	PageRequest page = {0};

	page.size = get_page_size(fcinfo, "count");
	page.is_keyset = !PG_ARGISNULL(ARG_AFTER);
	if (page.is_keyset)
		page.after_session_id = PG_GETARG_INT64(ARG_AFTER);
	return page;
}
