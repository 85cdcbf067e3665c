/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between the PostgreSQL versions we build on, 15 and later.
 *
 * This is the only file that looks at PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EKRAN_COMPAT_H
#define EKRAN_COMPAT_H

#include "fmgr.h"

#if PG_VERSION_NUM < 150000
#error "ekran_sessions needs PostgreSQL 15 or later"
#endif

/* From 18 on, a module tells its name and version. */
#ifdef PG_MODULE_MAGIC_EXT
#define EKRAN_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "ekran_sessions", .version = "1.0")
#else
#define EKRAN_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* Before 18, the attribute had another name and place. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* From 19 on, who looks at an analyzed query leaves its jumble state alone. */
#if PG_VERSION_NUM >= 190000
#define JUMBLE_STATE const JumbleState
#else
#define JUMBLE_STATE JumbleState
#endif

#endif							/* EKRAN_COMPAT_H */
