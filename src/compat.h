/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between the PostgreSQL versions we build on, 13 to 18.
 *
 * This is the only file that looks at PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EKRAN_COMPAT_H
#define EKRAN_COMPAT_H

#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/tuplestore.h"

#if PG_VERSION_NUM < 130000
#error "ekran_sessions needs PostgreSQL 13 or later"
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* A random number from 0 to below a limit, for what is left to chance. */
#if PG_VERSION_NUM >= 150000
#include "common/pg_prng.h"
#define random_below(limit) (pg_prng_uint32(&pg_global_prng_state) % (limit))
#else
#define random_below(limit) ((uint32) random() % (limit))
#endif

#if PG_VERSION_NUM < 150000

/* Before 15, unknown settings could be warned about but not refused. */
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)

/*
 * The part of 15's function that we use: put an empty tuplestore of the
 * function's declared row type into its ReturnSetInfo.  No flags.
 */
static inline void
InitMaterializedSRF(FunctionCallInfo fcinfo, bits32 flags)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext oldcontext;
	TupleDesc	tupdesc;

	(void) flags;
	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		(rsinfo->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));

	oldcontext = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult =
		tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
							  false, work_mem);
	rsinfo->setDesc = tupdesc;
	MemoryContextSwitchTo(oldcontext);
}

#endif							/* PG_VERSION_NUM < 150000 */

#endif							/* EKRAN_COMPAT_H */
