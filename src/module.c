/*-------------------------------------------------------------------------
 *
 * module.c
 *	  Loading of the library, and its settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "ekran_sessions.h"
#include "utils/guc.h"

EKRAN_MODULE_MAGIC;

void		_PG_init(void);

static char *ekran_store = NULL;
static int	ekran_idle_threshold = 15 * SECS_PER_MINUTE;	/* seconds */
static int	ekran_idle_policy = IDLE_POLICY_WHOLE;

static const struct config_enum_entry idle_policies[] = {
	{"whole", IDLE_POLICY_WHOLE, false},
	{"excess", IDLE_POLICY_EXCESS, false},
	{NULL, 0, false}
};

/*
 * A store is the name of a schema.  Whether the schema exists can't be asked
 * here, where there may be no transaction; a call that needs it asks.
 */
static bool
check_store(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;

	if (**newval == '\0')
	{
		GUC_check_errdetail("A store is the name of a schema, which can't be empty.");
		return false;
	}
	if (strncmp(*newval, "pg_", 3) == 0)
	{
		GUC_check_errdetail("Schemas whose names begin with \"pg_\" are the server's own.");
		return false;
	}
	if (strlen(*newval) >= NAMEDATALEN)
	{
		GUC_check_errdetail("The name of a schema has at most %d bytes.",
							NAMEDATALEN - 1);
		return false;
	}
	return true;
}

/*
 * The store that functions read: the setting's own text, which the next change
 * of the setting frees.
 */
const char *
store_setting(void)
{
	return ekran_store;
}

IdleRule
idle_rule_setting(void)
{
	IdleRule	rule;

	rule.threshold = ekran_idle_threshold * USECS_PER_SEC;
	rule.policy = ekran_idle_policy;
	return rule;
}

void
_PG_init(void)
{
	DefineCustomStringVariable("ekran_sessions.store",
							   "Sets the schema of the store that the functions read.",
							   "Unquoted: the name as pg_namespace has it. "
							   "Made by ekran_create_store().",
							   &ekran_store,
							   "ekran",
							   PGC_USERSET,
							   0,
							   check_store, NULL, NULL);

	DefineCustomIntVariable("ekran_sessions.idle_threshold",
							"Sets the longest gap between two moments of a session "
							"that still counts as productive.",
							"A longer gap is idle. With 0, every gap is.",
							&ekran_idle_threshold,
							15 * SECS_PER_MINUTE, 0, INT_MAX,
							PGC_USERSET,
							GUC_UNIT_S,
							NULL, NULL, NULL);

	DefineCustomEnumVariable("ekran_sessions.idle_policy",
							 "Sets how much of an idle gap counts as idle time.",
							 "whole: all of it. excess: only its part beyond "
							 "ekran_sessions.idle_threshold.",
							 &ekran_idle_policy,
							 IDLE_POLICY_WHOLE,
							 idle_policies,
							 PGC_USERSET,
							 0,
							 NULL, NULL, NULL);

	MarkGUCPrefixReserved("ekran_sessions");
	install_query_guard();
	watch_catalog();
	watch_tables();
	watch_transactions();
	watch_replication();
	watch_open_ones();
}
