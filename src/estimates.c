/*-------------------------------------------------------------------------
 *
 * estimates.c
 *	  What the planner is told of a call: how many rows, and at what cost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"

PG_FUNCTION_INFO_V1(ekran_sessions_support);

/* ekran_sessions and ekran_sessions_after both have count third. */
#define COUNT_ARGUMENT	2

/*
 * To measure a session takes a descent into activity and a pass over what the
 * session did there; sessions of a thousand activities are usual.
 */
#define USUAL_ACTIVITIES	1000.0

/*
 * The rows a call returns at most: its count, if that is known by now.
 */
static double
expected_rows(PlannerInfo *root, Node *call)
{
	Node	   *count;

	if (!IsA(call, FuncExpr) ||
		list_length(((FuncExpr *) call)->args) <= COUNT_ARGUMENT)
		return MAX_PAGE_SIZE;

	count = list_nth(((FuncExpr *) call)->args, COUNT_ARGUMENT);
	if (root != NULL)
		count = estimate_expression_value(root, count);
	if (IsA(count, Const) && !((Const *) count)->constisnull)
	{
		int64		value = DatumGetInt64(((Const *) count)->constvalue);

		/* A value out of range will raise an error; it is no estimate. */
		if (value >= 0 && value <= MAX_PAGE_SIZE)
			return value;
	}
	return MAX_PAGE_SIZE;
}

/*
 * ekran_sessions_support(internal) returns internal
 *
 * Planner support function of ekran_sessions and ekran_sessions_after.
 */
Datum
ekran_sessions_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestRows))
	{
		SupportRequestRows *rows = (SupportRequestRows *) request;

		rows->rows = expected_rows(rows->root, rows->node);
		PG_RETURN_POINTER(rows);
	}
	if (IsA(request, SupportRequestCost))
	{
		SupportRequestCost *cost = (SupportRequestCost *) request;
		double		sessions = MAX_PAGE_SIZE;

		if (cost->node != NULL)
			sessions = expected_rows(cost->root, cost->node);

		cost->startup = 0;
		cost->per_tuple = random_page_cost +
			sessions * (random_page_cost +
						USUAL_ACTIVITIES * (cpu_index_tuple_cost + cpu_operator_cost));
		PG_RETURN_POINTER(cost);
	}
	PG_RETURN_POINTER(NULL);
}
