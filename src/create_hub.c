/*-------------------------------------------------------------------------
 *
 * create_hub.c
 *	  Making a hub: a schema with functions over the shards of a foreign server.
 *
 * What a hub has is copied from the extension's own functions, of which there are two
 * kinds: those that a shard has for hubs get one of the same name in PL/Proxy, which asks
 * all shards for it, and those that read get one of the same name in this library, which
 * asks by those.  None belongs to the extension, so that all of a hub is in a dump; all
 * go with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ekran_create_hub);

/*
 * The extension's functions that a hub has: those for hubs, and those that read.  What
 * stands for the first kind in a hub asks the extension's schema on the shards, which is
 * named as here.
 */
static const char find_functions[] =
	"SELECT p.proname::pg_catalog.text,"
" pg_catalog.pg_get_function_arguments(p.oid),"
" pg_catalog.pg_get_function_identity_arguments(p.oid),"
" pg_catalog.pg_get_function_result(p.oid),"
" (SELECT pg_catalog.string_agg('$' OPERATOR(pg_catalog.||) i, ', ' ORDER BY i)"
"  FROM pg_catalog.generate_series(1, p.pronargs) i),"
" p.probin, p.proname OPERATOR(pg_catalog.~) '^ekran_part_',"
" p.proretset"
" FROM pg_catalog.pg_depend own"
" JOIN pg_catalog.pg_depend d ON d.refclassid OPERATOR(pg_catalog.=) own.refclassid"
"  AND d.refobjid OPERATOR(pg_catalog.=) own.refobjid"
"  AND d.classid OPERATOR(pg_catalog.=) own.classid"
"  AND d.deptype OPERATOR(pg_catalog.=) own.deptype"
" JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.objid"
" WHERE own.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass"
" AND own.objid OPERATOR(pg_catalog.=) $1 AND own.deptype OPERATOR(pg_catalog.=) 'e'"
" AND (p.proname OPERATOR(pg_catalog.~) '^ekran_part_'"
"  OR p.proname OPERATOR(pg_catalog.=) ANY (ARRAY["
"   'ekran_sessions', 'ekran_sessions_after', 'ekran_sessions_total_count',"
"   'ekran_sessions_json', 'ekran_sessions_all', 'ekran_session_list',"
"   'ekran_application_statistics', 'ekran_url_statistics', 'ekran_user_productivity',"
"   'ekran_session_timeline', 'ekran_session_list_json',"
"   'ekran_application_statistics_json', 'ekran_url_statistics_json',"
"   'ekran_user_productivity_json']::pg_catalog.name[]))"
" ORDER BY 1";

enum
{
	FUNCTION_NAME,
	FUNCTION_ARGUMENTS,			/* as they are declared */
	FUNCTION_IDENTITY,
	FUNCTION_RESULT,
	FUNCTION_PARAMETERS,		/* $1, $2 and so on */
	FUNCTION_LIBRARY,
	FUNCTION_IS_PART,
	FUNCTION_IS_SET,
	NUM_FUNCTION_COLUMNS
};

/* Those of a hub that ask the shards. */
static const char find_part_functions[] =
	"SELECT p.oid FROM pg_catalog.pg_proc p"
" WHERE p.pronamespace OPERATOR(pg_catalog.=) $1"
" AND p.proname OPERATOR(pg_catalog.~) '^ekran_part_'";

/* What in the hub's schema is in other hands than a superuser's, */
static const char find_strange_objects[] =
	"SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0), r.rolname::pg_catalog.text"
" FROM pg_catalog.pg_depend d"
" JOIN pg_catalog.pg_shdepend o ON o.classid OPERATOR(pg_catalog.=) d.classid"
"  AND o.objid OPERATOR(pg_catalog.=) d.objid AND o.deptype OPERATOR(pg_catalog.=) 'o'"
"  AND o.dbid OPERATOR(pg_catalog.=) (SELECT b.oid FROM pg_catalog.pg_database b"
"   WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"
" JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) o.refobjid"
" WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass"
" AND d.refobjid OPERATOR(pg_catalog.=) $1 AND NOT r.rolsuper"
" ORDER BY 1 LIMIT 1";

/* and who else could make some. */
static const char find_strange_makers[] =
	"SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r"
" WHERE NOT r.rolsuper AND pg_catalog.has_schema_privilege(r.oid, $1, 'CREATE')"
" ORDER BY 1 LIMIT 1";

static void
ask(const char *query, int count, Oid *types, Datum *values)
{
	int			result = SPI_execute_with_args(query, count, types, values, NULL, false, 0);

	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
}

/*
 * Refuse what a hub can't be made over, or by.
 *
 * Errors: 42501 for who is no superuser, 42704 without PL/Proxy or the server, 42809 for
 * a server of another kind.
 */
static void
check_prerequisites(const char *server_name)
{
	ForeignServer *server;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to create a hub"),
				 errdetail("Its functions are in C and in PL/Proxy, in which others create none.")));
	if (!OidIsValid(get_language_oid(HUB_LANGUAGE, true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("language \"%s\" does not exist", HUB_LANGUAGE),
				 errhint("Install PL/Proxy (Debian's package postgresql-NN-plproxy), and call CREATE EXTENSION plproxy.")));
	server = GetForeignServerByName(server_name, false);
	/* Two that make a hub at a time would trip over each other. */
	LockDatabaseObject(ForeignServerRelationId, server->serverid, 0, ShareUpdateExclusiveLock);
	check_hub_server(server);
}

/*
 * Make the hub's schema, or take one that is there.
 *
 * Errors: 42501 if it belongs to somebody who is no superuser.
 */
static Oid
make_schema(const char *name)
{
	Oid			schema = get_namespace_oid(name, true);

	if (!OidIsValid(schema))
	{
		run_sql(psprintf("CREATE SCHEMA %s", quote_identifier(name)));
		CommandCounterIncrement();
		schema = get_namespace_oid(name, false);
	}
	if (!superuser_arg(owner_of_schema(schema)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("schema \"%s\" belongs to role \"%s\"", name,
						GetUserNameFromId(owner_of_schema(schema), false)),
				 errdetail("Who owns a hub's schema could put functions into the place of its own, which callers would run."),
				 errhint("Give another schema, or let a superuser own this one.")));
	return schema;
}

static char *
column(uint64 row, int which)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, which + 1);

	return value == NULL ? pstrdup("") : value;
}

/*
 * A text as PL/Proxy reads it, to which a backslash is a character like any other.
 */
static char *
quoted(const char *value)
{
	StringInfoData result;

	initStringInfo(&result);
	appendStringInfoChar(&result, '\'');
	for (; *value != '\0'; value++)
	{
		if (*value == '\'')
			appendStringInfoChar(&result, '\'');
		appendStringInfoChar(&result, *value);
	}
	appendStringInfoChar(&result, '\'');
	return result.data;
}

/*
 * The definition of a hub's function, or of what asks the shards.
 */
static void
make_function(char *const *function, const char *schema, const char *server,
			  const char *extension_schema)
{
	bool		is_part = function[FUNCTION_IS_PART][0] == 't';
	const char *qualified = psprintf("%s.%s", quote_identifier(schema),
									 quote_identifier(function[FUNCTION_NAME]));
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command, "CREATE OR REPLACE FUNCTION %s(%s) RETURNS %s ",
					 qualified, function[FUNCTION_ARGUMENTS], function[FUNCTION_RESULT]);
	if (is_part)
		appendStringInfo(&command, "LANGUAGE plproxy AS %s",
						 quote_literal_cstr(psprintf("CLUSTER %s; RUN ON ALL; SELECT s.* FROM %s.%s(%s) s;",
													 quoted(server),
													 quote_identifier(extension_schema),
													 quote_identifier(function[FUNCTION_NAME]),
													 function[FUNCTION_PARAMETERS])));
	else
		appendStringInfo(&command, "LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000%s AS %s, %s",
						 function[FUNCTION_IS_SET][0] == 't' ? " ROWS 1000" : "",
						 quote_literal_cstr(function[FUNCTION_LIBRARY]),
						 quote_literal_cstr(psprintf("ekran_hub_%s",
													 function[FUNCTION_NAME] + strlen("ekran_"))));
	run_sql(command.data);

	qualified = psprintf("%s(%s)", qualified, function[FUNCTION_IDENTITY]);
	run_sql(psprintf("ALTER FUNCTION %s DEPENDS ON EXTENSION ekran_sessions", qualified));
	run_sql(psprintf("COMMENT ON FUNCTION %s IS %s", qualified,
					 quote_literal_cstr(psprintf(is_part ?
												 "Asks all shards of server \"%s\", for the functions of the hub." :
												 "Returns what the extension's function of this name returns of one store, of all shards of server \"%s\" together, each at a moment of its own. Errors: as there; 08006 where a shard can't be asked, 55000 for a session, or a user's, on two of them; 40001 where sessions change faster than a page can be found.",
												 server))));
}

/*
 * Refuse a schema in which another role has something, or could make it.
 *
 * Errors: 42501.
 */
static void
refuse_strangers(Oid schema, const char *name)
{
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(schema)};

	ask(find_strange_objects, 1, types, values);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s belongs to role \"%s\"", column(0, 0), column(0, 1)),
				 errdetail("Callers of the hub could run what that role makes of it."),
				 errhint("Drop it, or give another schema.")));
	ask(find_strange_makers, 1, types, values);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may create functions in schema \"%s\"",
						column(0, 0), name),
				 errdetail("Callers of the hub could run what that role puts beside its functions."),
				 errhint("REVOKE CREATE ON SCHEMA %s, or give another schema.",
						 quote_identifier(name))));
}

/*
 * Have the functions that ask the shards depend on the server, which they name in a text.
 */
static void
depend_on_server(Oid schema, const char *server)
{
	ObjectAddress referenced;
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(schema)};

	ObjectAddressSet(referenced, ForeignServerRelationId, get_foreign_server_oid(server, false));
	ask(find_part_functions, 1, types, values);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		oid = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		ObjectAddress function;

		ObjectAddressSet(function, ProcedureRelationId, DatumGetObjectId(oid));
		(void) deleteDependencyRecordsForClass(ProcedureRelationId, function.objectId,
											   ForeignServerRelationId, DEPENDENCY_NORMAL);
		recordDependencyOn(&function, &referenced, DEPENDENCY_NORMAL);
	}
}

static char *
name_argument(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return pstrdup(NameStr(*PG_GETARG_NAME(argument)));
}

/*
 * ekran_create_hub(server name, schema name) returns void
 *
 * Makes, or makes anew, in the schema the functions of a hub over the shards of a foreign
 * server of PL/Proxy.  Errors: 22004 for a null, those of check_prerequisites() and
 * make_schema(), 42501 for functions there that are another role's.
 */
Datum
ekran_create_hub(PG_FUNCTION_ARGS)
{
	char	   *server = name_argument(fcinfo, 0, "server");
	char	   *schema_name = name_argument(fcinfo, 1, "schema");
	Oid			own_schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(fcinfo->flinfo->fn_oid)};
	char	   *(*functions)[NUM_FUNCTION_COLUMNS];
	uint64		count;
	Oid			schema;
	int			guc_nest_level;

	require_writing("ekran_create_hub()");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("ekran_create_hub() needs isolation level READ COMMITTED"),
				 errdetail("What others have made in the schema since would not be seen.")));
	check_prerequisites(server);
	guc_nest_level = NewGUCNestLevel();
	pin_search_path();
	pin_quoting();
	SPI_connect();

	if (is_reserved_schema(schema_name))
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("schema \"%s\" can't hold a hub", schema_name),
				 errhint("Give the name of an ordinary schema; it is created where it doesn't exist.")));
	if (get_namespace_oid(schema_name, true) == own_schema)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a hub can't be in the extension's own schema"),
				 errhint("Give another schema: callers have it first in their search_path.")));
	schema = make_schema(schema_name);
	ask(find_functions, 1, types, values);
	count = SPI_processed;
	functions = palloc(count * sizeof(*functions));
	for (uint64 i = 0; i < count; i++)
		for (int j = 0; j < NUM_FUNCTION_COLUMNS; j++)
			functions[i][j] = column(i, j);
	for (uint64 i = 0; i < count; i++)
		make_function(functions[i], schema_name, server, get_namespace_name(own_schema));
	CommandCounterIncrement();
	depend_on_server(schema, server);
	refuse_strangers(schema, schema_name);

	SPI_finish();
	AtEOXact_GUC(false, guc_nest_level);
	PG_RETURN_VOID();
}
