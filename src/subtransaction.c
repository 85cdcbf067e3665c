/*-------------------------------------------------------------------------
 *
 * subtransaction.c
 *	  Trying what may fail, and going on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ekran_sessions.h"
#include "utils/resowner.h"

static ErrorData *
run(void (*action) (void *argument), void *argument, bool is_kept)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller_context);
	PG_TRY();
	{
		action(argument);
		if (is_kept)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;
	return error;
}

/*
 * Do something in a subtransaction.  NULL if all is well; otherwise nothing of it has
 * happened, and this is why, in the caller's memory.
 */
ErrorData *
run_in_subtransaction(void (*action) (void *argument), void *argument)
{
	return run(action, argument, true);
}

/*
 * Likewise, and leave nothing of it either way, not a lock.
 */
ErrorData *
look_in_subtransaction(void (*action) (void *argument), void *argument)
{
	return run(action, argument, false);
}
