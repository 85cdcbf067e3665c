/*-------------------------------------------------------------------------
 *
 * trust.c
 *	  Which of the derived tables may answer a caller in this moment.
 *
 * They tell of all sessions and activities, so they must not where row-level security
 * shows the caller only some.  A caller who may not read them reads what they are
 * made from: slower, and as exact.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/acl.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/*
 * Why the caller may not read some tables whole, or NULL.
 */
static const char *
why_not_whole(const Store *store, const StoreTable *tables, int count)
{
	for (int i = 0; i < count; i++)
	{
		Oid			table = store->tables[tables[i]];

		if (!OidIsValid(table))
			return psprintf("there is no table \"%s\"", table_names[tables[i]]);
		if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			return psprintf("the caller may not read \"%s\"", table_names[tables[i]]);
		if (check_enable_rls(table, InvalidOid, true) == RLS_ENABLED)
			return "row-level security holds for the caller";
	}
	return NULL;
}

static const char *
why_not_now(void)
{
	if (is_statement_in_progress())
		return "a statement on sessions or activities is in progress";
	if (has_folded())
		return "the transaction has folded";
	/* Rows that come one by one are noted later. */
	if (is_replicating())
		return "session_replication_role is replica";
	if (IsLogicalWorker())
		return "a logical replication is being applied";
	if (has_gathered())
		return "activities have come past the triggers of statements";
	return NULL;
}

static const char *
why_not_index(const Store *store, const IdleRule *rule)
{
	static const StoreTable tables[] = {TABLE_SESSION_IDLE, TABLE_PENDING};
	Oid			activity = store->tables[TABLE_ACTIVITY];

	if (rule->threshold < MINIMUM_GAP)
		return "ekran_sessions.idle_threshold is less than a minute";
	if (!OidIsValid(activity))
		return "there is no table \"activity\"";
	if (check_enable_rls(activity, InvalidOid, true) == RLS_ENABLED)
		return "row-level security holds for the caller";
	return why_not_whole(store, tables, lengthof(tables));
}

/*
 * It doesn't matter which sessions and activities the caller may see: these are asked
 * for all the same.
 */
static const char *
why_not_reach(const Store *store)
{
	static const StoreTable tables[] = {TABLE_SESSION_IDLE, TABLE_PENDING};

	/*
	 * Predicate locks on all that is pending would conflict with every
	 * writer.
	 */
	if (IsolationIsSerializable())
		return "the transaction is serializable";
	return why_not_whole(store, tables, lengthof(tables));
}

static const char *
why_not_counts(const Store *store)
{
	static const StoreTable tables[] = {TABLE_SESSION, TABLE_SESSION_COUNT};

	/* The counts lie on a few pages, so conflicts over them would be none. */
	if (IsolationIsSerializable())
		return "the transaction is serializable";
	if (!sees_counts(GetActiveSnapshot()))
		return "the snapshot is from before a statement of this transaction";
	return why_not_whole(store, tables, lengthof(tables));
}

/*
 * Find out what may answer the caller under the active snapshot.
 *
 * The index can't for thresholds that gaps it leaves out would exceed.  None can where
 * it can't be trusted, and while this transaction sees what it does not tell of.
 * For whoever goes on to use them, the tables stay locked.
 */
Trust
trust_for_caller(const Store *store, const IdleRule *rule, bool keep_locked)
{
	Trust		trust = {0};
	const char *not_now = why_not_now();
	DerivedStatus status;

	if (not_now != NULL)
	{
		trust.not_by_index = trust.not_by_reach = trust.not_by_counts = not_now;
		return trust;
	}
	trust.not_by_index = why_not_index(store, rule);
	trust.not_by_reach = why_not_reach(store);
	trust.not_by_counts = why_not_counts(store);
	if (trust.not_by_index != NULL && trust.not_by_reach != NULL &&
		trust.not_by_counts != NULL)
		return trust;

	status = derived_status(store, GetActiveSnapshot(), keep_locked);
	strlcpy(trust.generation, status.generation, GENERATION_SIZE);
	if (trust.not_by_index == NULL)
		trust.not_by_index = status.is_empty ? "table \"activity\" is empty" :
			status.gaps.reason;
	if (trust.not_by_reach == NULL)
		trust.not_by_reach = status.gaps.reason != NULL ? status.gaps.reason :
			status.counts.reason != NULL ? status.counts.reason :
			!has_session_key(store) ? "table \"session\" lacks its key" : NULL;
	if (trust.not_by_counts == NULL)
		trust.not_by_counts = status.counts.reason;
	return trust;
}

/*
 * Tell who wonders why a call takes long.
 */
void
tell_trust(const Store *store, const Trust *trust)
{
	if (trust->not_by_index != NULL)
		ereport(DEBUG1,
				(errmsg("store \"%s\" is read from its activities: %s",
						NameStr(store->name), trust->not_by_index)));
	if (trust->not_by_counts != NULL)
		ereport(DEBUG1,
				(errmsg("store \"%s\" is counted session by session: %s",
						NameStr(store->name), trust->not_by_counts)));
}
