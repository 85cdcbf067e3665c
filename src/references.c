/*-------------------------------------------------------------------------
 *
 * references.c
 *	  What a foreign key of activity to session would do: no activity comes
 *	  without its session, and no session goes while activities come.
 *
 * A statement's sessions are looked up by the key's own index and locked KEY
 * SHARE, as a foreign key does it.  Without SQL, for that takes as long again as
 * all the rest, and would look names up.  Where session is partitioned or has lost
 * its key, SQL does it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Sessions as a foreign key finds and locks them. */
static const StoreQuery lock_sessions = {
	.sql = "SELECT s.session_id FROM @store@.session s"
	" WHERE s.session_id OPERATOR(pg_catalog.=) ANY ($1)"
	" FOR KEY SHARE OF s",
	.parameters = {INT8ARRAYOID},
	.columns = {{INT8OID, NOT_NULL}},
	.mode = QUERY_WRITES,
	.plan_options = PLAN_ONCE
};

static const StoreQuery activity_of = {
	.sql = "SELECT a.session_id FROM @store@.activity a"
	" WHERE a.session_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.parameters = {INT8OID},
	.columns = {{INT8OID, NOT_NULL}},
	.mode = QUERY_WRITES_LATEST,
	.plan_options = PLAN_ONCE
};

/* Table session, as sessions are looked up in it by the primary key. */
typedef struct SessionKey
{
	Relation	session;
	Relation	index;
	AttrNumber	column;			/* session_id */
	TupleTableSlot *slot;
	IndexScanDesc scan;			/* under the active snapshot */
} SessionKey;

static bool
is_activity_there(const Store *store, int64 session_id)
{
	Datum		parameters[] = {Int64GetDatum(session_id)};
	Store		owned = *store;
	CallerRights caller = become_owner(&owned, OWNER_KEEPS);
	bool		is_there;

	SPI_connect();
	is_there = run_query(&owned, &activity_of, parameters) > 0;
	SPI_finish();
	become_caller(&owned, caller);
	return is_there;
}

/*
 * Refuse activities whose session doesn't exist, unless they have gone with it in
 * the same statement, which a foreign key accepts.
 */
static void
refuse_unknown(Relation activity, const Store *store, int64 session_id)
{
	Snapshot	snapshot;
	bool		is_restore;

	if (!is_activity_there(store, session_id))
		return;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	is_restore = has_no_session(store, snapshot);
	UnregisterSnapshot(snapshot);
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("activity refers to session " INT64_FORMAT ", which is not in table \"%s.session\"",
					session_id, NameStr(store->name)),
			 errdetail("Key (session_id)=(" INT64_FORMAT ") is not present in table \"session\".",
					   session_id),
			 errhint("Insert the session before its activities.%s",
					 !is_restore ? "" :
						 " Of a dump, restore table \"session\" before \"activity\", which was refused and can be restored once more;"
					 " or data alone into an empty store, as a superuser, with --disable-triggers, and then call ekran_create_store()."),
			 errtable(activity)));
}

/*
 * Find the key of session; false if it is not one to look up by.
 */
static bool
find_session_key(SessionKey *key, Relation session)
{
	Form_pg_attribute column;
	Oid			primary_key;
	Relation	index;
	bool		is_found;

	if (session->rd_rel->relkind != RELKIND_RELATION ||
		session->rd_rel->relam != HEAP_TABLE_AM_OID)
		return false;
	if (!session->rd_indexvalid)
		list_free(RelationGetIndexList(session));
	primary_key = session->rd_pkindex;
	if (!OidIsValid(primary_key))
		return false;

	index = index_open(primary_key, AccessShareLock);
	key->session = session;
	key->index = index;
	key->column = index->rd_index->indkey.values[0];
	column = TupleDescAttr(RelationGetDescr(session), key->column - 1);
	is_found = index->rd_index->indnkeyatts == 1 &&
		index->rd_index->indimmediate && index->rd_index->indisvalid &&
		index->rd_rel->relam == BTREE_AM_OID &&
		strcmp(NameStr(column->attname), "session_id") == 0 &&
		column->atttypid == INT8OID;
	if (!is_found)
		index_close(index, NoLock);
	return is_found;
}

static void
begin_lookup(SessionKey *key)
{
	key->scan = BEGIN_INDEX_SCAN(key->session, key->index, GetActiveSnapshot(), 1);
}

/*
 * Lock the session of a row that the active snapshot sees; false if it is gone by
 * now, or has another id.
 *
 * Errors: 40001 where a foreign key raises it.
 */
static bool
lock_found_session(const SessionKey *key, int64 session_id, ItemPointer place)
{
	int			flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
	TM_FailureData failure;
	TM_Result	result;
	bool		isnull;

	if (!IsolationUsesXactSnapshot())
		flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	result = table_tuple_lock(key->session, place, GetActiveSnapshot(), key->slot,
							  GetCurrentCommandId(false), LockTupleKeyShare,
							  LockWaitBlock, flags, &failure);
	switch (result)
	{
		case TM_Ok:
			return !failure.traversed ||
				DatumGetInt64(slot_getattr(key->slot, key->column,
										   &isnull)) == session_id;
		case TM_SelfModified:
			return false;
		case TM_Updated:
		case TM_Deleted:
			if (IsolationUsesXactSnapshot())
				ereport(ERROR,
						(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						 errmsg("could not serialize access due to concurrent update")));
			return false;
		default:
			elog(ERROR, "unexpected result of table_tuple_lock: %d", (int) result);
	}
	return false;
}

static bool
lock_session(const SessionKey *key, int64 session_id)
{
	ScanKeyData scan_key;
	bool		is_locked = false;

	ScanKeyInit(&scan_key, 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(session_id));
	index_rescan(key->scan, &scan_key, 1, NULL, 0);
	if (index_getnext_slot(key->scan, ForwardScanDirection, key->slot))
	{
		/* Locking puts another version of the row into the slot. */
		ItemPointerData place = key->slot->tts_tid;

		is_locked = lock_found_session(key, session_id, &place);
	}
	ExecClearTuple(key->slot);
	return is_locked;
}

/*
 * Look again under a snapshot of this moment: while we waited for the lock of one
 * session, another may have been opened.  A foreign key has a snapshot for each row.
 */
static bool
lock_session_now(SessionKey *key, int64 session_id)
{
	if (IsolationUsesXactSnapshot())
		return false;
	index_endscan(key->scan);
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
	begin_lookup(key);
	return lock_session(key, session_id);
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

static void
query_sessions(const Store *store, const int64 *ids, int count, bool *exist)
{
	Datum		parameters[] = {int8_array(ids, count)};
	Rows		rows;

	begin_rows(&rows, store, &lock_sessions, parameters);
	while (next_row(&rows))
	{
		int64		id = DatumGetInt64(rows.values[0]);
		const int64 *found = bsearch(&id, ids, count, sizeof(int64),
									 compare_ids);

		if (found != NULL)
			exist[found - ids] = true;
	}
	end_rows(&rows);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * The same by SQL: a batch of sessions, whose ids ascend.  Each query has a snapshot
 * of its own, so the second one looks again.
 */
static void
lock_sessions_by_query(Relation activity, const Store *store,
					   const int64 *ids, int count)
{
	Store		owned = *store;
	CallerRights caller = become_owner(&owned, OWNER_KEEPS);
	bool	   *exist = palloc0(count * sizeof(bool));

	SPI_connect();
	query_sessions(&owned, ids, count, exist);
	for (int i = 0; i < count; i++)
		if (!exist[i])
			query_sessions(&owned, &ids[i], 1, &exist[i]);
	SPI_finish();
	become_caller(&owned, caller);

	for (int i = 0; i < count; i++)
		if (!exist[i])
			refuse_unknown(activity, store, ids[i]);
	pfree(exist);
}

/*
 * Lock the sessions of new activities, so that they stay until the transaction
 * ends; refuse those that don't exist.
 *
 * Under a snapshot of this moment, in the other isolation levels than READ
 * COMMITTED under the transaction's: that is a foreign key's behaviour.
 *
 * Errors: 23503; 40001 in the other isolation levels, for a session that has been
 * deleted since the snapshot.
 */
void
lock_referenced_sessions(Relation activity, const Store *store,
						 const TouchedSessions *sessions)
{
	SessionKey	key;
	Relation	session;

	if (sessions->count == 0)
		return;

	/* A session that the same statement has inserted is one too. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());

	session = table_open(store->tables[TABLE_SESSION], RowShareLock);
	/* While we waited for the lock, another may have taken its name. */
	if (strcmp(RelationGetRelationName(session), table_names[TABLE_SESSION]) != 0 ||
		RelationGetNamespace(session) != store->schema ||
		session->rd_rel->relowner != store->owner)
		refuse_broken(store, "table \"session\" has been replaced");
	if (find_session_key(&key, session))
	{
		key.slot = table_slot_create(session, NULL);
		begin_lookup(&key);
		for (int i = 0; i < sessions->count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!lock_session(&key, sessions->ids[i]) &&
				!lock_session_now(&key, sessions->ids[i]))
				refuse_unknown(activity, store, sessions->ids[i]);
		}
		index_endscan(key.scan);
		ExecDropSingleTupleTableSlot(key.slot);
		index_close(key.index, NoLock);
	}
	else
		for (int i = 0; i < sessions->count; i += SESSION_BATCH)
			lock_sessions_by_query(activity, store, sessions->ids + i,
								   Min(SESSION_BATCH, sessions->count - i));
	table_close(session, NoLock);
	PopActiveSnapshot();
}
