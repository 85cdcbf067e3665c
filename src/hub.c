/*-------------------------------------------------------------------------
 *
 * hub.c
 *	  Mechanism: asking all shards of a hub at once, and putting their parts of an answer
 *	  into one order.
 *
 * A hub is a schema that ekran_create_hub() has made, with functions of the names,
 * arguments and rows that the extension's own have, and beside them those that ask the
 * shards, which are in PL/Proxy.  That connects, as who calls and to the shards of a
 * foreign server, sends to all of them before it waits for any, and leaves nothing open.
 *
 * What travels is told by neither side's settings: see parts.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "ekran_sessions.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/tuplesort.h"

/* What begins the messages of PL/Proxy's own, which are about what it can't reach. */
#define PROXY_PREFIX	"PL/Proxy function "

/* And what the functions begin with that ekran_create_hub() makes. */
#define PROXY_CLUSTER	"CLUSTER '"

/*
 * Find the hub that a function is one of: its schema.
 */
static void
find_hub(Hub *hub, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	hub->schema = form->pronamespace;
	ReleaseSysCache(tuple);
}

/*
 * A filter without the null, for whether arrays have any is a setting of the shards.
 */
static void
put_filter(Hub *hub, int ids, int or_none, const Filter *filter)
{
	hub->arguments[ids] = filter->ids;
	hub->is_null[ids] = !filter->is_given;
	hub->arguments[or_none] = BoolGetDatum(filter->has_null);
}

/*
 * Take what a function of a hub is asked for, checked as a store would, and the settings.
 *
 * Errors: 22023 if start is later than end.
 */
void
begin_hub_call(Hub *hub, FunctionCallInfo fcinfo, int window, int first_filter)
{
	Reader	   *request = &hub->request;
	Datum	   *arguments = hub->arguments;
	Filters		filters = {0};

	memset(hub, 0, sizeof(*hub));
	find_hub(hub, fcinfo->flinfo->fn_oid);
	request->window = get_window_arguments(fcinfo, window);
	request->rule = idle_rule_setting();
	request->zone = session_timezone;
	namestrcpy(&hub->store, store_setting());

	arguments[PART_STORE] = NameGetDatum(&hub->store);
	arguments[PART_IDLE_THRESHOLD] =
		Int32GetDatum((int32) (request->rule.threshold / USECS_PER_SEC));
	arguments[PART_IDLE_POLICY] =
		CStringGetTextDatum(request->rule.policy == IDLE_POLICY_WHOLE ? "whole" : "excess");
	arguments[PART_TIME_ZONE] = CStringGetTextDatum(pg_get_timezone_name(request->zone));
	arguments[PART_START] = TimestampTzGetDatum(request->window.start);
	arguments[PART_END] = TimestampTzGetDatum(request->window.end);
	if (first_filter >= 0)
		filters = get_filter_arguments(fcinfo, first_filter);
	put_filter(hub, PART_USERS, PART_OR_NO_USER, &filters.users);
	put_filter(hub, PART_CLIENTS, PART_OR_NO_CLIENT, &filters.clients);
}

/*
 * Refuse a foreign server that a hub can't have, or whose owner could send callers, with their
 * passwords, elsewhere.
 *
 * Errors: 42809, 42501.
 */
void
check_hub_server(const ForeignServer * server)
{
	if (strcmp(GetForeignDataWrapper(server->fdwid)->fdwname, HUB_LANGUAGE) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is none of foreign-data wrapper \"%s\"",
						server->servername, HUB_LANGUAGE),
				 errhint("Create one by CREATE SERVER ... FOREIGN DATA WRAPPER plproxy OPTIONS (p0 '...', p1 '...').")));
	if (!superuser_arg(server->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("server \"%s\" belongs to role \"%s\"", server->servername,
						GetUserNameFromId(server->owner, false)),
				 errdetail("Who owns it could send callers of a hub to other shards, as whom they like."),
				 errhint("ALTER SERVER ... OWNER TO a superuser.")));
}

/*
 * Is there the foreign server that a function in PL/Proxy names?  Else that would go by
 * functions of a schema "plproxy", which anybody may have made.
 *
 * Errors: 42704, 42809, 42501.
 */
static void
require_server(const Hub *hub, const char *source)
{
	const char *rest = source + strlen(PROXY_CLUSTER);
	const		ForeignServer *found;
	StringInfoData server;

	initStringInfo(&server);
	for (; *rest != '\0' && (*rest != '\'' || rest[1] == '\''); rest++)
	{
		appendStringInfoChar(&server, *rest);
		if (*rest == '\'')
			rest++;
	}
	found = GetForeignServerByName(server.data, true);
	if (found != NULL)
		check_hub_server(found);
	else
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of hub \"%s\" does not exist",
						server.data, get_namespace_name(hub->schema)),
				 errhint("Create it, or call ekran_create_hub() with the one that there is.")));
	pfree(server.data);
}

/*
 * Is a function as ekran_create_hub() makes it: in PL/Proxy, of a superuser's, and with
 * nothing around it?
 */
static bool
is_part_function(Form_pg_proc form, HeapTuple tuple, const char *source)
{
	bool		has_no_settings;

	(void) SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proconfig, &has_no_settings);
	return form->prolang == get_language_oid(HUB_LANGUAGE, true) &&
		superuser_arg(form->proowner) && form->proretset && !form->prosecdef &&
		form->prorettype == BYTEAOID && has_no_settings &&
		form->provolatile == PROVOLATILE_VOLATILE &&
		strncmp(source, PROXY_CLUSTER, strlen(PROXY_CLUSTER)) == 0;
}

/*
 * Find the function of a hub that asks all shards.
 *
 * It must be as it has been made: with another's, whoever may create functions in the schema
 * could have callers run what they have written.
 *
 * Errors: 42883 if it is missing, 42501 if it is another's, or not for the caller, 42704
 * without its server.
 */
static Oid
find_part_function(const Hub *hub, const PartFunction *part)
{
	oidvector  *types = buildoidvector(part->arguments, part->narguments);
	HeapTuple	tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(part->name),
										PointerGetDatum(types),
										ObjectIdGetDatum(hub->schema));
	Form_pg_proc form;
	char	   *source;
	bool		isnull;
	Oid			function;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("hub \"%s\" has no function %s",
						get_namespace_name(hub->schema), part->name),
				 errhint("Call ekran_create_hub() again, which completes it.")));
	form = (Form_pg_proc) GETSTRUCT(tuple);
	function = form->oid;
	source = TextDatumGetCString(SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull));
	if (!is_part_function(form, tuple, source))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s of hub \"%s\" is not as ekran_create_hub() makes it",
						part->name, get_namespace_name(hub->schema)),
				 errhint("Drop it, and call ekran_create_hub() again.")));
	ReleaseSysCache(tuple);
	if (!MAY_EXECUTE(function, GetUserId()))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, part->name);
	require_server(hub, source);
	pfree(source);
	return function;
}

/*
 * Throw on what has been caught.  That a shard can't be reached comes from PL/Proxy as an
 * internal error, that it goes away as the shard's own: make it one of connections.
 */
static void
rethrow_of_shard(MemoryContext context)
{
	ErrorData  *error;
	const char *message;
	int			length;

	switch (geterrcode())
	{
		case ERRCODE_INTERNAL_ERROR:
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_CRASH_SHUTDOWN:
		case ERRCODE_CANNOT_CONNECT_NOW:
			break;
		default:
			PG_RE_THROW();
	}
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	message = error->message;
	if (error->sqlerrcode == ERRCODE_INTERNAL_ERROR)
	{
		if (strncmp(message, PROXY_PREFIX, strlen(PROXY_PREFIX)) != 0)
			PG_RE_THROW();
		message = strstr(message, "): ");
		message = message == NULL ? error->message : message + strlen("): ");
	}
	FlushErrorState();
	for (length = (int) strlen(message); length > 0 && message[length - 1] == '\n';)
		length--;
	error->sqlerrcode = ERRCODE_CONNECTION_FAILURE;
	error->message = psprintf("a shard can't be asked: %.*s", length, message);
	error->detail = pstrdup("Without it there is no answer, and no part of one.");
	error->hint = pstrdup("Repeat the query when the shard is there; where it is, the hub's foreign server and the caller's user mapping say.");
	ReThrowError(error);
}

/*
 * Call the function, which returns pack after pack of rows, and take them.
 */
static void
call_part_function(const PartFunction *part, FmgrInfo * function, const Hub *hub,
				   const Datum *arguments, TakeRow take, void *state)
{
	LOCAL_FCINFO(fcinfo, MAX_PART_ARGUMENTS);
	ReturnSetInfo result = {.type = T_ReturnSetInfo};
	ExprContext *context = CreateStandaloneExprContext();
	Shard		shard = {0};

	result.econtext = context;
	result.allowedModes = SFRM_ValuePerCall;
	result.returnMode = SFRM_ValuePerCall;
	InitFunctionCallInfoData(*fcinfo, function, part->narguments, InvalidOid, NULL,
							 (Node *) &result);
	for (int i = 0; i < part->narguments; i++)
	{
		fcinfo->args[i].value = i < NUM_PART_ARGUMENTS ?
			hub->arguments[i] : arguments[i - NUM_PART_ARGUMENTS];
		fcinfo->args[i].isnull = i < NUM_PART_ARGUMENTS && hub->is_null[i];
	}
	for (;;)
	{
		MemoryContext caller_context;
		Datum		pack;

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(context);
		caller_context = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
		fcinfo->isnull = false;
		result.isDone = ExprSingleResult;
		pack = FunctionCallInvoke(fcinfo);
		MemoryContextSwitchTo(caller_context);
		if (result.isDone != ExprMultipleResult)
			break;
		if (!fcinfo->isnull)
		{
			MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
			take_pack(part->shape, DatumGetByteaPP(pack), &shard, take, state);
			MemoryContextSwitchTo(caller_context);
		}
	}
	FreeExprContext(context, true);
}

/*
 * Ask all shards, at once, by the function for it, whose arguments are those of the hub's
 * caller and then these, and take what they return, one shard after the other.
 *
 * Errors: 08006 if one of them can't be asked, and those of the shards.
 */
void
ask_shards(const Hub *hub, const PartFunction *part, const Datum *arguments,
		   TakeRow take, void *state)
{
	MemoryContext caller_context = CurrentMemoryContext;
	FmgrInfo	function;
	int			guc_nest_level;

	fmgr_info(find_part_function(hub, part), &function);

	/*
	 * Times travel as text where versions differ: to be read as they are
	 * meant, also from zones that are further away than a server reads.
	 */
	guc_nest_level = NewGUCNestLevel();
	pin_setting("DateStyle", "ISO, YMD");
	pin_setting("TimeZone", "UTC");
	PG_TRY();
	{
		call_part_function(part, &function, hub, arguments, take, state);
	}
	PG_CATCH();
	{
		rethrow_of_shard(caller_context);
	}
	PG_END_TRY();
	AtEOXact_GUC(false, guc_nest_level);
	MemoryContextSwitchTo(caller_context);
}

/* The parts of an answer, on their way into one order. */
struct Merge
{
	TupleDesc	columns;		/* those of a part, then shard and number */
	Tuplesortstate *sort;
	TupleTableSlot *row;
	int64		number;			/* of rows added */
};

static Oid
less_operator(Oid type)
{
	switch (type)
	{
		case INT4OID:
			return Int4LessOperator;
		case INT8OID:
			return Int8LessOperator;
		case TEXTOID:
			return TextLessOperator;
	}
	elog(ERROR, "no order of type %u", type);
}

/*
 * Begin to put rows in the order of some of their columns, counted from 0, nulls last,
 * names by collation "C"; those alike stay as they come.  What doesn't fit into work_mem
 * goes to disk.
 */
Merge *
begin_merge(const PartShape *shape, int nkeys, const int *keys)
{
	Merge	   *merge = palloc0(sizeof(Merge));
	AttrNumber	attributes[MAX_MERGE_KEYS + 1];
	Oid			operators[MAX_MERGE_KEYS + 1];
	Oid			collations[MAX_MERGE_KEYS + 1];
	bool		nulls_first[MAX_MERGE_KEYS + 1] = {false};

	merge->columns = CreateTemplateTupleDesc(shape->ncolumns + 2);
	for (int i = 0; i < shape->ncolumns; i++)
		TupleDescInitEntry(merge->columns, (AttrNumber) (i + 1), NULL, shape->columns[i], -1, 0);
	TupleDescInitEntry(merge->columns, (AttrNumber) (shape->ncolumns + 1), NULL, INT4OID, -1, 0);
	TupleDescInitEntry(merge->columns, (AttrNumber) (shape->ncolumns + 2), NULL, INT8OID, -1, 0);
	FINISH_TUPLE_DESC(merge->columns);
	for (int i = 0; i <= nkeys; i++)
	{
		Oid			type;

		attributes[i] = (AttrNumber) (i < nkeys ? keys[i] + 1 : shape->ncolumns + 2);
		type = TupleDescAttr(merge->columns, attributes[i] - 1)->atttypid;
		operators[i] = less_operator(type);
		collations[i] = type == TEXTOID ? C_COLLATION_OID : InvalidOid;
	}
	merge->sort = tuplesort_begin_heap(merge->columns, nkeys + 1, attributes, operators,
									   collations, nulls_first, work_mem, NULL,
									   TUPLESORT_NONE);
	merge->row = MakeSingleTupleTableSlot(merge->columns, &TTSOpsVirtual);
	return merge;
}

/*
 * Add a row: a TakeRow.
 */
void
add_to_merge(void *state, int shard, const Datum *values, const bool *nulls)
{
	Merge	   *merge = state;
	TupleTableSlot *row = merge->row;
	int			ncolumns = merge->columns->natts - 2;

	ExecClearTuple(row);
	memcpy(row->tts_values, values, ncolumns * sizeof(Datum));
	memcpy(row->tts_isnull, nulls, ncolumns * sizeof(bool));
	row->tts_values[ncolumns] = Int32GetDatum(shard);
	row->tts_values[ncolumns + 1] = Int64GetDatum(merge->number++);
	row->tts_isnull[ncolumns] = row->tts_isnull[ncolumns + 1] = false;
	ExecStoreVirtualTuple(row);
	tuplesort_puttupleslot(merge->sort, row);
}

/*
 * Begin to read all that has been added, in order.
 */
void
sort_merge(Merge *merge)
{
	ExecDropSingleTupleTableSlot(merge->row);
	tuplesort_performsort(merge->sort);
	merge->row = MakeSingleTupleTableSlot(merge->columns, &TTSOpsMinimalTuple);
}

/*
 * Read the next row; false at the end.  It is there until the next call.
 */
bool
next_merged(Merge *merge, int *shard, const Datum **values, const bool **nulls)
{
	CHECK_FOR_INTERRUPTS();
	if (!tuplesort_gettupleslot(merge->sort, true, false, merge->row, NULL))
		return false;
	slot_getallattrs(merge->row);
	*values = merge->row->tts_values;
	*nulls = merge->row->tts_isnull;
	*shard = DatumGetInt32((*values)[merge->columns->natts - 2]);
	return true;
}

void
end_merge(Merge *merge)
{
	ExecDropSingleTupleTableSlot(merge->row);
	tuplesort_end(merge->sort);
}
