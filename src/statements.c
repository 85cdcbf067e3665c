/*-------------------------------------------------------------------------
 *
 * statements.c
 *	  What the derived tables can't tell the transaction in hand: statements on
 *	  activity or session that are in progress, what their rows change, and whether it
 *	  has folded.
 *
 * Between a statement's rows and what its trigger appends for them there is time,
 * in which functions, defaults and other triggers can read.  They would see
 * rows that nothing derived tells of.  So a trigger before each statement
 * notes that it has begun, the one after it that it has ended, and as long as
 * there is one in this backend, readers read the activities and sessions themselves.
 *
 * A statement that fails never ends: what it noted is forgotten with the
 * subtransaction that it began in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ekran_sessions.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* A statement that has begun, and not ended. */
typedef struct Statement
{
	Oid			relation;
	TriggerEvent operation;
	int			depth;			/* of triggers around it */
	SubTransactionId subtransaction;
	MemoryContext context;		/* of that subtransaction */
	RowChanges *changes;		/* that row triggers have told of; may be NULL */
} Statement;

/* Innermost last. */
static Statement *statements = NULL;
static int	nstatements = 0;
static int	allocated_statements = 0;

static bool transaction_has_folded = false;

/* The command that the transaction appended counts in last, if it has. */
static CommandId latest_counts = InvalidCommandId;

/*
 * How many triggers are being fired around this moment.
 */
int
trigger_depth(void)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	return DatumGetInt32(pg_trigger_depth(fcinfo));
}

/*
 * Note that a statement begins, which fires this trigger.
 */
void
begin_statement(const TriggerData *trigger)
{
	Statement  *statement;

	if (nstatements == allocated_statements)
	{
		int			wanted = Max(8, allocated_statements * 2);

		statements = statements == NULL ?
			MemoryContextAlloc(TopMemoryContext, wanted * sizeof(Statement)) :
			repalloc(statements, wanted * sizeof(Statement));
		allocated_statements = wanted;
	}
	statement = &statements[nstatements++];
	statement->relation = whole_table(trigger->tg_relation);
	statement->operation = trigger->tg_event & TRIGGER_EVENT_OPMASK;
	statement->depth = trigger_depth();
	statement->subtransaction = GetCurrentSubTransactionId();
	statement->context = CurTransactionContext;
	statement->changes = NULL;
}

/*
 * The statement after which a trigger is fired, or NULL.
 */
static Statement *
find_statement(const TriggerData *trigger)
{
	int			depth = trigger_depth();

	for (int i = nstatements - 1; i >= 0 && statements[i].depth >= depth; i--)
		if (statements[i].relation == RelationGetRelid(trigger->tg_relation) &&
			statements[i].operation == (trigger->tg_event & TRIGGER_EVENT_OPMASK))
			return &statements[i];
	return NULL;
}

/*
 * Has the statement after which a trigger is fired been noted to begin?
 */
bool
has_begun(const TriggerData *trigger)
{
	return find_statement(trigger) != NULL;
}

/*
 * The innermost statement in progress on the table that a trigger's row belongs to,
 * which may be one of a partition; NULL if none has been noted to begin.
 *
 * The commands of one query, and the operations of a MERGE, are in progress together,
 * and their rows are all the innermost's.  So are those of a query that a function
 * runs amid another one, until that has ended.
 */
static Statement *
innermost_statement(const TriggerData *trigger)
{
	Oid			table = whole_table(trigger->tg_relation);
	int			depth = trigger_depth();

	for (int i = nstatements - 1; i >= 0 && statements[i].depth >= depth; i--)
		if (statements[i].relation == table)
			return &statements[i];
	return NULL;
}

/*
 * Is a statement of an operation in progress there?  A MERGE is one of each of its
 * operations.
 */
bool
has_statement(const TriggerData *trigger, TriggerEvent operation)
{
	Oid			table = whole_table(trigger->tg_relation);
	int			depth = trigger_depth();

	for (int i = nstatements - 1; i >= 0 && statements[i].depth >= depth; i--)
		if (statements[i].relation == table &&
			statements[i].operation == operation)
			return true;
	return false;
}

/*
 * Where to note what a trigger's row tells; NULL if no statement has been noted to begin
 * that it may belong to.  It is forgotten with the statement's subtransaction.
 */
RowChanges *
changes_of_statement(const TriggerData *trigger)
{
	Statement  *statement = innermost_statement(trigger);

	if (statement == NULL)
		return NULL;
	if (statement->changes == NULL)
		statement->changes = begin_row_changes(statement->context);
	return statement->changes;
}

/*
 * Take what has been noted so, for who deals with it; NULL if there is nothing.
 *
 * Whichever of the statements that are in progress together ends first deals with the
 * rows of all.
 */
RowChanges *
take_changes(const TriggerData *trigger)
{
	Statement  *statement = innermost_statement(trigger);
	RowChanges *changes = statement == NULL ? NULL : statement->changes;

	if (changes != NULL)
		statement->changes = NULL;
	return changes;
}

/*
 * Note that a statement has ended.
 *
 * A key of the owner's can have the server fire the triggers after a statement
 * twice, and those before it once: then there is nothing left to end.
 */
void
end_statement(const TriggerData *trigger)
{
	Statement  *statement = find_statement(trigger);

	if (statement == NULL)
		return;
	memmove(statement, statement + 1,
			(&statements[nstatements] - statement - 1) * sizeof(Statement));
	nstatements--;
}

bool
is_statement_in_progress(void)
{
	return nstatements > 0;
}

/*
 * Is a statement in progress on the partitioned table that a trigger's row is written
 * by, and not one around a trigger that is fired inside of it?
 */
bool
is_in_statement_of(const TriggerData *trigger)
{
	Statement  *statement = innermost_statement(trigger);

	return statement != NULL && statement->depth == trigger_depth();
}

/*
 * Note that the transaction folds.
 *
 * A fold sees what others have committed by then.  A query of this transaction
 * that began earlier goes on under its own snapshot, sees what the fold has
 * written, for it is its own transaction's, and not what the fold has seen.
 */
void
note_fold(void)
{
	transaction_has_folded = true;
}

bool
has_folded(void)
{
	return transaction_has_folded;
}

/*
 * Note that the transaction appends counts of sessions.
 */
void
note_counts(void)
{
	latest_counts = GetCurrentCommandId(true);
}

/*
 * Does a snapshot see all the counts that its own transaction has appended?
 *
 * A cursor that was opened between a statement's rows and its counts sees those alone,
 * and one from before the statement none.
 */
bool
sees_counts(Snapshot snapshot)
{
	return latest_counts == InvalidCommandId || snapshot->curcid > latest_counts;
}

/*
 * Refuse to commit what a statement has written that was stopped before its end, when
 * it had returned as many rows as somebody asked for: the server fires no triggers for
 * it, so nobody has noted its rows or checked their sessions.
 *
 * Errors: 55000.
 */
static void
refuse_unended(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a statement on sessions or activities was stopped before its end"),
			 errdetail("Its triggers have not been fired, so what it has written is neither checked nor noted."),
			 errhint("Let the statement run to its end: don't limit the rows that its RETURNING returns.")));
}

static void
forget_transaction(XactEvent event, void *arg)
{
	(void) arg;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			nstatements = 0;
			transaction_has_folded = false;
			latest_counts = InvalidCommandId;
			break;
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (nstatements > 0)
				refuse_unended();
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
}

static void
forget_subtransaction(SubXactEvent event, SubTransactionId subtransaction,
					  SubTransactionId parent, void *arg)
{
	(void) arg;

	for (int i = nstatements - 1; i >= 0; i--)
	{
		if (statements[i].subtransaction < subtransaction)
			break;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			nstatements = i;
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			statements[i].subtransaction = parent;
	}
}

void
watch_transactions(void)
{
	RegisterXactCallback(forget_transaction, NULL);
	RegisterSubXactCallback(forget_subtransaction, NULL);
}
