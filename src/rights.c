/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  Whose rights the extension works with: the caller's where it answers
 *	  queries, the store's owner's where it keeps or maintains a store.
 *
 * What an owner has planted in a store (triggers, defaults, policies) runs with
 * the owner's rights whoever called, a superuser too, and never as anybody
 * else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rls.h"

void
pin_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Let built-in names mean built-in objects until the current nest level of
 * settings ends, for what runs with other rights than the caller's own or
 * can't name everything in full.
 */
void
pin_search_path(void)
{
	pin_setting("search_path", "pg_catalog, pg_temp");
}

/*
 * Let the server quote names in definitions where it must, for that nest level.
 */
void
pin_quoting(void)
{
	pin_setting("quote_all_identifiers", "off");
}

/*
 * Throw on what has been caught.  Where the server has refused something for want of
 * a grant, it gives no hint: say which grants are needed.  The context is for the
 * error to be copied to.
 */
void
rethrow_with_grants(MemoryContext context, const char *grants)
{
	ErrorData  *error;

	/*
	 * With row_security off, a policy is in the way, and no grant may be
	 * missing.
	 */
	if (geterrcode() != ERRCODE_INSUFFICIENT_PRIVILEGE || !row_security)
		PG_RE_THROW();

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	if (error->hint == NULL)
		error->hint = pstrdup(grants);
	ReThrowError(error);
}

/*
 * Refuse whoever has not the rights of the store's owner.
 *
 * Errors: 42501.
 */
void
require_owner_rights(const Store *store)
{
	char	   *owner;

	if (has_privs_of_role(GetUserId(), store->owner))
		return;

	owner = GetUserNameFromId(store->owner, false);
	/* Nobody is to become a superuser over this. */
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of store \"%s\"", NameStr(store->name)),
			 errdetail("The store belongs to role \"%s\".", owner),
			 superuser_arg(store->owner) ? errhint("Call as that role.") :
				 errhint("Call as that role, or as a member of it that inherits its rights: GRANT %s TO the operator.",
					 quote_identifier(owner))));
}

/*
 * Take on the rights of the store's owner, with a search_path of which the
 * caller has no part, and not held back by policies that the owner has forced
 * upon himself: derived data must be made from all of the activities.
 *
 * In a restricted operation nothing that runs can change what outlasts it in the
 * caller's session.  That excludes deferred triggers too: a cascade does without,
 * as the server's own cascades do, and so does an owner who maintains his own.
 */
CallerRights
become_owner(Store *store, OwnerWork work)
{
	CallerRights caller;
	int			context;

	GetUserIdAndSecContext(&caller.user, &caller.security_context);
	context = caller.security_context |
		SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS;
	if (work == OWNER_KEEPS ||
		(work == OWNER_MAINTAINS && caller.user != store->owner))
		context |= SECURITY_RESTRICTED_OPERATION;
	SetUserIdAndSecContext(store->owner, context);
	store->rights = RIGHTS_OF_OWNER;

	caller.guc_nest_level = NewGUCNestLevel();
	pin_search_path();

	/*
	 * Rows are found by keys.  In a small table, the planner might take it
	 * for quicker to read all: then a serializable transaction would conflict
	 * with everybody who writes to it, and a plan that is kept would be bad
	 * when it has grown, as session_idle does while it is written.
	 */
	pin_setting("enable_seqscan", "off");
	if (work == OWNER_MAINTAINS)
	{
		/*
		 * Tables are gone through in the order of their keys, so that what it
		 * takes doesn't grow with them.
		 */
		pin_setting("enable_sort", "off");
		pin_setting("enable_hashjoin", "off");
		pin_setting("enable_hashagg", "off");
	}
	return caller;
}

void
become_caller(Store *store, CallerRights caller)
{
	AtEOXact_GUC(false, caller.guc_nest_level);
	SetUserIdAndSecContext(caller.user, caller.security_context);
	store->rights = RIGHTS_OF_CALLER;
}

/*
 * Refuse to go on where nothing may be written: in a transaction that is read only, and
 * in a query that has parallel workers, by way of a function that is wrongly said to be
 * safe for them.
 */
void
require_writing(const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
}

static CallerRights
take_owner_rights(Store *store)
{
	refuse_views(store);
	require_owner_rights(store);
	if (!is_table_of(store->tables[TABLE_SESSION], store->owner, true) ||
		!is_table_of(store->tables[TABLE_ACTIVITY], store->owner, true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"session\" and \"activity\" must be tables of one owner in schema \"%s\"",
						NameStr(store->name)),
				 errdetail("They are kept in order with their owner's rights. Tables that inherit from them might be somebody else's."),
				 errhint("Give both tables the same owner, and no children; or complete the store with ekran_create_store().")));
	return become_owner(store, OWNER_MAINTAINS);
}

/*
 * Find the store that the setting names and take on its owner's rights, for
 * what keeps it in order; become_caller() ends that.
 *
 * Errors: those of find_store(); 42809 for a store of views; 42501 for who has not the
 * owner's rights; 55000 where activity is not a table of the owner's, for what somebody
 * else has planted there would run with the owner's rights.
 */
CallerRights
begin_maintenance(Store *store)
{
	find_store(store);
	append_gathered();
	return take_owner_rights(store);
}

/*
 * The same of the store in a schema, for who goes on in another transaction.
 *
 * Errors: likewise.
 */
CallerRights
begin_maintenance_of(Store *store, Oid schema)
{
	if (!load_store(store, schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the store is no longer there"),
				 errdetail("Its schema or its table \"session\" has been dropped while it was being maintained.")));
	return take_owner_rights(store);
}
