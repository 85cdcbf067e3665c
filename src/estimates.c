/*-------------------------------------------------------------------------
 *
 * estimates.c
 *	  What the planner is told of a call: how many rows, and at what cost.
 *
 * A page has as many rows as its count asks for, or as the window holds; what has no
 * pages has some for each session that the window holds.  These are estimated by the
 * counts of days, if these may answer whoever the query is planned
 * for: an estimate must not tell what a policy hides.  Nothing here raises an error
 * for arguments that the call itself would refuse.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ekran_sessions_support);

/* Where the functions have their arguments; those without a page lack the second two. */
enum
{
	ARG_START,
	ARG_END,
	ARG_COUNT,
	ARG_PAGE,					/* or the session that the page follows */
	NUM_PAGE_ARGUMENTS = 6,
	NUM_ARGUMENTS = 4
};

/* About how many rows, hours and labels, a statistic has of a session. */
#define ROWS_OF_STATISTIC	10

/* What is known of a call while it is planned. */
typedef struct Call
{
	bool		has_window;		/* are both bounds known? */
	Window		window;
	double		limit;			/* rows at most; negative: none */
	double		page;
	bool		is_page;		/* by number? */
	bool		is_statistic;	/* of the hours of sessions? */
	int			users;			/* in a filter; negative: none is known */
	int			clients;
} Call;

/*
 * An argument, if it is known by now and not null.
 */
static Const *
known_argument(PlannerInfo *root, List *arguments, int number)
{
	Node	   *argument = list_nth(arguments, number);

	if (root != NULL)
		argument = estimate_expression_value(root, argument);
	return IsA(argument, Const) ? (Const *) argument : NULL;
}

static bool
take_bound(const Const *argument, TimestampTz *bound)
{
	if (argument != NULL && !argument->constisnull)
		*bound = DatumGetTimestampTz(argument->constvalue);
	return argument != NULL;
}

/* A value out of range will raise an error; it is no estimate. */
static double
take_number(const Const *argument, double highest, double usual)
{
	double		value = usual;

	if (argument != NULL && !argument->constisnull)
		value = DatumGetInt64(argument->constvalue);
	return value >= 0 && value <= highest ? value : usual;
}

static int
take_length(const Const *argument)
{
	ArrayType  *array;

	if (argument == NULL || argument->constisnull)
		return -1;
	array = DatumGetArrayTypeP(argument->constvalue);
	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

static bool
is_one_of(const char *name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static Call
look_at_call(PlannerInfo *root, Node *node)
{
	static const char *const statistics[] = {
		"ekran_application_statistics", "ekran_url_statistics", "ekran_user_productivity"
	};
	Call		call = {
		.window = {DT_NOBEGIN, DT_NOEND},
		.limit = MAX_PAGE_SIZE,
		.users = -1,
		.clients = -1
	};
	FuncExpr   *function = (FuncExpr *) node;
	List	   *arguments;
	const char *name;
	int			count;

	if (!IsA(node, FuncExpr))
		return call;
	arguments = function->args;
	count = list_length(arguments);
	name = get_func_name(function->funcid);
	if ((count != NUM_PAGE_ARGUMENTS && count != NUM_ARGUMENTS) || name == NULL)
		return call;
	call.has_window =
		take_bound(known_argument(root, arguments, ARG_START), &call.window.start);
	call.has_window &=
		take_bound(known_argument(root, arguments, ARG_END), &call.window.end);
	if (count == NUM_PAGE_ARGUMENTS)
	{
		call.limit = take_number(known_argument(root, arguments, ARG_COUNT),
								 MAX_PAGE_SIZE, MAX_PAGE_SIZE);
		call.page = take_number(known_argument(root, arguments, ARG_PAGE),
								(double) PG_INT64_MAX, 0);
		call.is_page = strcmp(name, "ekran_sessions") == 0;
	}
	else
	{
		call.limit = -1;
		call.is_statistic = is_one_of(name, statistics, lengthof(statistics));
	}
	/* the filters are the last ones */
	call.users = take_length(known_argument(root, arguments, count - 2));
	call.clients = take_length(known_argument(root, arguments, count - 1));
	return call;
}

/*
 * What part of the sessions so many users, or clients, have.
 */
static double
part_of(Oid table, int count)
{
	double		all = -1;
	HeapTuple	tuple;

	if (count < 0)
		return 1;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (HeapTupleIsValid(tuple))
	{
		all = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
		ReleaseSysCache(tuple);
	}
	if (all < 1)
		all = DEFAULT_NUM_DISTINCT;
	return Min(1, count / all);
}

/*
 * About how many sessions of merged days begin within a window; of a day that it
 * cuts, the part that lies within.
 */
static double
sessions_within(const DayCounts *days, const Window *window)
{
	double		sum = 0;

	for (Size i = 0; i < days->count; i++)
	{
		TimestampTz begin = beginning_of_day(days->days[i].day);
		double		first = Max(begin, window->start);
		double		last = Min(begin + USECS_PER_DAY, window->end);

		if (last > first)
			sum += days->days[i].sessions * (last - first) / USECS_PER_DAY;
	}
	return sum;
}

/*
 * About how many sessions of a store a call selects, on all pages; negative if that
 * can't be told.
 */
static double
selected_sessions(const Store *store, const Call *call)
{
	IdleRule	rule = idle_rule_setting();
	double		selected = -1;
	Trust		trust = trust_for_caller(store, &rule, false);
	DayCounts	days;

	/*
	 * What is planned for an empty store may be kept, and is for one to be
	 * filled.
	 */
	if (trust.not_by_counts == NULL &&
		load_day_counts(store, GetActiveSnapshot(), trust.generation,
						&days).state == DERIVED_OK &&
		days.count > 0)
		selected = sessions_within(&days, &call->window) *
			part_of(store->tables[TABLE_APP_USER], call->users) *
			part_of(store->tables[TABLE_CLIENT], call->clients);
	return selected;
}

/*
 * The store that a call will be about, if the caller may use it.
 */
static bool
find_store_quietly(Store *store)
{
	Oid			schema = get_namespace_oid(store_setting(), true);

	return OidIsValid(schema) && MAY_USE_SCHEMA(schema, GetUserId()) &&
		load_store(store, schema);
}

/*
 * About how many sessions a call goes through; negative if that can't be told.
 */
static double
estimate_sessions(const Store *store, const Call *call)
{
	double		selected = selected_sessions(store, call);

	if (selected < 0)
		return call->limit;
	if (call->is_page)
		selected -= call->page * call->limit;
	selected = Max(1, selected);
	return call->limit < 0 ? selected : Min(call->limit, selected);
}

static bool
equal_calls(const Call *a, const Call *b)
{
	return a->has_window == b->has_window &&
		a->window.start == b->window.start && a->window.end == b->window.end &&
		a->limit == b->limit && a->page == b->page && a->is_page == b->is_page &&
		a->is_statistic == b->is_statistic &&
		a->users == b->users && a->clients == b->clients;
}

/*
 * About how many sessions a call goes through, likewise.
 *
 * The planner asks twice, for the cost too.  So that the counts are not read twice, the
 * answer to the same statement of the same role is kept.
 */
static double
expected_sessions(PlannerInfo *root, const Call *call)
{
	static struct
	{
		Call		call;
		Oid			session;	/* of the store */
		Oid			user;
		TimestampTz statement;
		double		sessions;
	}			last;
	Store		store;

	if (root == NULL || !call->has_window || !ActiveSnapshotSet() ||
		!find_store_quietly(&store))
		return call->limit;

	/* A plan is not to tell another role what this one may know. */
	root->glob->dependsOnRole = true;
	if (last.user != GetUserId() || last.session != store.tables[TABLE_SESSION] ||
		last.statement != GetCurrentStatementStartTimestamp() ||
		!equal_calls(call, &last.call))
	{
		last.sessions = estimate_sessions(&store, call);
		last.call = *call;
		last.session = store.tables[TABLE_SESSION];
		last.user = GetUserId();
		last.statement = GetCurrentStatementStartTimestamp();
	}
	return last.sessions;
}

/*
 * What one of so many sessions costs: its row, its names, and a descent into each
 * derived table, whose pages others of the call have read.  A statistic also reads
 * activities, or adds up hours.
 */
static Cost
cost_of_session(const Call *call)
{
	Cost		cost = random_page_cost + 3 * cpu_tuple_cost + 50 * cpu_operator_cost;

	return call->is_statistic ?
		cost + ROWS_OF_STATISTIC * (random_page_cost + 10 * cpu_tuple_cost) : cost;
}

/*
 * ekran_sessions_support(internal) returns internal
 *
 * Planner support function of the functions that return sessions and statistics.  Where
 * nothing can be told of those without pages, the server goes by their declarations.
 */
Datum
ekran_sessions_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	double		sessions;
	Call		call;

	if (IsA(request, SupportRequestRows))
	{
		SupportRequestRows *rows = (SupportRequestRows *) request;

		call = look_at_call(rows->root, rows->node);
		sessions = expected_sessions(rows->root, &call);
		rows->rows = call.is_statistic ? sessions * ROWS_OF_STATISTIC : sessions;
		PG_RETURN_POINTER(sessions < 0 ? NULL : rows);
	}
	if (IsA(request, SupportRequestCost))
	{
		SupportRequestCost *cost = (SupportRequestCost *) request;

		if (cost->node == NULL)
			PG_RETURN_POINTER(NULL);
		call = look_at_call(cost->root, cost->node);
		sessions = expected_sessions(cost->root, &call);

		/* a descent to where the first one is */
		cost->startup = 0;
		cost->per_tuple = 2 * random_page_cost + sessions * cost_of_session(&call);
		PG_RETURN_POINTER(sessions < 0 ? NULL : cost);
	}
	PG_RETURN_POINTER(NULL);
}
