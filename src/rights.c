/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  Whose rights the extension works with: the caller's, but for triggers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/rel.h"

/*
 * Let built-in names mean built-in objects until the current nest level of
 * settings ends, for what runs with other rights than the caller's own or
 * can't name everything in full.
 */
void
pin_search_path(void)
{
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Let the server quote names in definitions where it must, for that nest level.
 */
void
pin_quoting(void)
{
	(void) set_config_option("quote_all_identifiers", "off",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Until the current nest level of settings ends, let row-level security that
 * would hide rows from the caller be an error (42501): derived data made from
 * a part of the activities would be wrong for all.
 */
void
refuse_hidden_rows(void)
{
	(void) set_config_option("row_security", "off",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Take on the rights of a table's owner, as triggers of foreign keys do: not
 * held back by the owner's own row-level security, without lasting changes to
 * the session, and with a search_path of which the caller has no part.
 */
CallerRights
become_owner(Relation relation)
{
	CallerRights caller;

	GetUserIdAndSecContext(&caller.user, &caller.security_context);
	SetUserIdAndSecContext(relation->rd_rel->relowner,
						   caller.security_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_NOFORCE_RLS);
	caller.guc_nest_level = NewGUCNestLevel();
	pin_search_path();

	/*
	 * Whole tables are none of what triggers read.  In a small one, the
	 * planner might still take that for quicker, and a serializable
	 * transaction would conflict with everybody who writes to it.
	 */
	(void) set_config_option("enable_seqscan", "off",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return caller;
}

void
become_caller(CallerRights caller)
{
	AtEOXact_GUC(false, caller.guc_nest_level);
	SetUserIdAndSecContext(caller.user, caller.security_context);
}
