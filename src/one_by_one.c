/*-------------------------------------------------------------------------
 *
 * one_by_one.c
 *	  Sessions that a query asks about one by one, as the views of a store do: each
 *	  call of a function is about a single one, whose login and logout it is given.
 *
 * To decide anew for each what may be trusted, and to open tables and indexes again,
 * would take many times as long as to measure it.  So what a call needs stays open for
 * the calls that follow it: as long as the same snapshot is active, nothing that the
 * answer depends on is another, and the query goes on.
 *
 * A function is not told that its query ends.  What stays open is owned by a resource
 * owner of its own, beside those of queries and portals, which could be released before.
 * It is let go when the query's memory is given back, and at the latest when a
 * transaction or subtransaction ends, as may happen between two rows of a cursor: the
 * next call opens all again.  Only what reads straight stays open, for while a query of
 * ours runs, policies and views may do anything; and only for a query, for expressions
 * that PL/pgSQL and others evaluate without one keep their memory much longer than
 * anybody expects a table to be in use.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ekran_sessions.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* Where such functions have their arguments. */
enum
{
	ARG_STORE,
	ARG_SESSION_ID,
	ARG_LOGIN,
	ARG_LOGOUT
};

/* What the answer depends on, besides the session and the snapshot. */
typedef struct Circumstances
{
	Oid			schema;
	Oid			user;
	IdleRule	rule;
	bool		is_amid_statement;
	bool		has_folded;
} Circumstances;

struct OneByOne
{
	Session		session;		/* in hand */
	bool		may_stay_open;
	bool		is_open;		/* is all below valid? */
	Circumstances circumstances;
	Store		store;
	Trust		trust;
	Snapshot	snapshot;		/* registered, so that it stays this one */
	CommandId	command;		/* what it sees of its own transaction */
	ResourceOwner owner;
	Clipping   *held;			/* NULL: one is begun for each session */
	MemoryContext context;		/* for it */
	/* While a call is in progress: */
	int			level;			/* of its transaction; 0: none is */
	ResourceOwner query_owner;
	Clipping   *clipping;
	bool		is_connected;	/* to SPI? */
	dlist_node	node;
};

/* Those that are open. */
static dlist_head open_ones = DLIST_STATIC_INIT(open_ones);

/*
 * Does a memory context go when a query of the executor does?  That of expressions which
 * are evaluated without one is made likewise, but for a transaction or a procedure.
 * Arguments of CALL and EXECUTE look like a query: what they open is in use until the
 * procedure, or the statement, ends.
 */
static bool
is_of_query(MemoryContext context)
{
	return strcmp(context->name, "ExecutorState") == 0 &&
		context->parent != TopTransactionContext &&
		strcmp(context->parent->name, "SPI Proc") != 0;
}

static void
let_go(OneByOne *one)
{
	if (!one->is_open)
		return;
	one->is_open = false;
	one->level = 0;
	one->held = NULL;
	dlist_delete(&one->node);
	/* What there is no more use for is no leak, so it is not a commit. */
	ResourceOwnerRelease(one->owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
	ResourceOwnerRelease(one->owner, RESOURCE_RELEASE_LOCKS, false, false);
	ResourceOwnerRelease(one->owner, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
	ResourceOwnerDelete(one->owner);
}

static void
let_go_with_query(void *one)
{
	let_go(one);
}

/*
 * Let go of what goes with a transaction at some level of nesting: all but what calls
 * further out have in hand.
 */
static void
let_go_at(int level)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &open_ones)
	{
		OneByOne   *one = dlist_container(OneByOne, node, iter.cur);

		if (one->level == 0 || one->level >= level)
			let_go(one);
	}
}

/*
 * Whatever the event: before a transaction ends there is as little use for what is open
 * as when it has ended.
 */
static void
let_go_with_transaction(XactEvent event, void *arg)
{
	(void) event;
	(void) arg;

	let_go_at(0);
}

static void
let_go_with_subtransaction(SubXactEvent event, SubTransactionId subtransaction,
						   SubTransactionId parent, void *arg)
{
	(void) subtransaction;
	(void) parent;
	(void) arg;

	if (event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB)
		let_go_at(GetCurrentTransactionNestLevel());
}

void
watch_open_ones(void)
{
	RegisterXactCallback(let_go_with_transaction, NULL);
	RegisterSubXactCallback(let_go_with_subtransaction, NULL);
}

/*
 * Make what calls keep from one to the next, in the memory context of their function.
 */
OneByOne *
make_one_by_one(MemoryContext query_context)
{
	OneByOne   *one = MemoryContextAllocZero(query_context, sizeof(OneByOne));
	MemoryContextCallback *at_end = MemoryContextAllocZero(query_context,
														   sizeof(MemoryContextCallback));

	one->context = AllocSetContextCreate(query_context, "ekran_sessions one by one",
										 ALLOCSET_DEFAULT_SIZES);
	one->may_stay_open = is_of_query(query_context);
	at_end->func = let_go_with_query;
	at_end->arg = one;
	MemoryContextRegisterResetCallback(query_context, at_end);
	return one;
}

/*
 * Take the session that a call is about.
 *
 * Errors: 22004 for a null where there must be a value, 22023 for what is no session's.
 */
static void
take_session_arguments(Session *session, FunctionCallInfo fcinfo)
{
	SessionSpan *span = &session->span;

	for (int i = ARG_STORE; i <= ARG_LOGIN; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("store, session_id and login_date must not be null"),
					 errhint("Give what a row of the store's table session holds.")));

	memset(session, 0, sizeof(*session));
	session->session_id = PG_GETARG_INT64(ARG_SESSION_ID);
	span->login = PG_GETARG_TIMESTAMPTZ(ARG_LOGIN);
	span->is_finished = !PG_ARGISNULL(ARG_LOGOUT);
	span->finish = span->is_finished ? PG_GETARG_TIMESTAMPTZ(ARG_LOGOUT) : span->login;
	if (TIMESTAMP_NOT_FINITE(span->login) || TIMESTAMP_NOT_FINITE(span->finish) ||
		span->finish < span->login)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("login_date and logout_date must be finite, and the logout not before the login"),
				 errdetail("They are those given for session " INT64_FORMAT ".",
						   session->session_id),
				 errhint("Give what a row of the store's table session holds.")));
}

static Circumstances
present_circumstances(Oid schema)
{
	Circumstances circumstances = {0};

	circumstances.schema = schema;
	circumstances.user = GetUserId();
	circumstances.rule = idle_rule_setting();
	circumstances.is_amid_statement = is_statement_in_progress();
	circumstances.has_folded = has_folded();
	return circumstances;
}

static bool
is_open_under(const OneByOne *one, const Circumstances *circumstances)
{
	const Circumstances *known = &one->circumstances;

	return one->is_open && GetActiveSnapshot() == one->snapshot &&
		one->snapshot->curcid == one->command &&
		known->schema == circumstances->schema &&
		known->user == circumstances->user &&
		known->rule.threshold == circumstances->rule.threshold &&
		known->rule.policy == circumstances->rule.policy &&
		known->is_amid_statement == circumstances->is_amid_statement &&
		known->has_folded == circumstances->has_folded;
}

/*
 * Open what calls under the active snapshot need.  The locks on what is trusted are the
 * query's, and stay as long as any of it.
 */
static void
open_one_by_one(OneByOne *one, const Circumstances *circumstances)
{
	Snapshot	snapshot = GetActiveSnapshot();
	ResourceOwner query_owner = CurrentResourceOwner;
	MemoryContext caller_context;

	let_go(one);
	MemoryContextReset(one->context);
	caller_context = MemoryContextSwitchTo(one->context);
	one->circumstances = *circumstances;
	find_store_in(&one->store, circumstances->schema);
	one->trust = trust_for_caller(&one->store, &circumstances->rule, true);
	tell_trust(&one->store, &one->trust);

	one->owner = ResourceOwnerCreate(CurTransactionResourceOwner,
									 "ekran_sessions one by one");
	one->snapshot = RegisterSnapshotOnOwner(snapshot, one->owner);
	one->command = snapshot->curcid;
	dlist_push_head(&open_ones, &one->node);
	one->is_open = true;
	if (one->trust.not_by_index == NULL)
	{
		CurrentResourceOwner = one->owner;
		one->held = begin_clipping(&one->store, &all_time, &one->trust);
		CurrentResourceOwner = query_owner;
	}
	MemoryContextSwitchTo(caller_context);
}

/*
 * Begin with the session that a call is about: (store regnamespace, session_id bigint,
 * login_date timestamptz, logout_date timestamptz).  Until end_one(), the current memory
 * context may be SPI's.
 *
 * Errors: 22004, 22023; 42P01 if there is no such store, 42501 without USAGE on its
 * schema.
 */
void
begin_one(OneByOne *one, FunctionCallInfo fcinfo)
{
	Session		session;
	Circumstances circumstances;

	take_session_arguments(&session, fcinfo);
	circumstances = present_circumstances(PG_GETARG_OID(ARG_STORE));
	if (!is_open_under(one, &circumstances))
		open_one_by_one(one, &circumstances);

	one->session = session;
	one->level = GetCurrentTransactionNestLevel();
	one->query_owner = CurrentResourceOwner;
	one->is_connected = one->held == NULL || !is_clipped_straight(one->held);
	if (one->is_connected)
		SPI_connect();
	if (one->held != NULL)
		CurrentResourceOwner = one->owner;
	one->clipping = one->held != NULL ? one->held :
		begin_clipping(&one->store, &all_time, &one->trust);
}

/*
 * The session, whole.  What its measure tells stays until the next call.
 */
const Clipped *
clip_one(OneByOne *one)
{
	clip_sessions(one->clipping, &one->session, 1);
	return next_clipped(one->clipping);
}

/*
 * The rule that its call goes by.
 */
const IdleRule *
rule_of_one(const OneByOne *one)
{
	return &one->circumstances.rule;
}

void
end_one(OneByOne *one)
{
	if (one->held == NULL)
		end_clipping(one->clipping);
	CurrentResourceOwner = one->query_owner;
	if (one->is_connected)
		SPI_finish();
	one->level = 0;
	if (!one->may_stay_open)
		let_go(one);
}
