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
	PG_MODULE_MAGIC_EXT(.name = "ekran_sessions", .version = EKRAN_VERSION)
#else
#define EKRAN_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* Before 18, the attribute had another name and place. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* From 16 on, a range can be made with errors put aside. */
#if PG_VERSION_NUM >= 160000
#define MAKE_RANGE(type, lower, upper) make_range(type, lower, upper, false, NULL)
#else
#define MAKE_RANGE(type, lower, upper) make_range(type, lower, upper, false)
#endif

/* From 16 on, one function asks for the rights on any kind of object. */
#if PG_VERSION_NUM >= 160000
#define MAY_USE_SCHEMA(schema, role) \
	(object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK)
#else
#define MAY_USE_SCHEMA(schema, role) \
	(pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK)
#endif

#if PG_VERSION_NUM >= 160000
#define MAY_EXECUTE(function, role) \
	(object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK)
#else
#define MAY_EXECUTE(function, role) \
	(pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK)
#endif

/* From 19 on, a description of rows is to be finished. */
#if PG_VERSION_NUM >= 190000
#define FINISH_TUPLE_DESC(columns) TupleDescFinalize(columns)
#else
#define FINISH_TUPLE_DESC(columns) ((void) (columns))
#endif

/* From 16 on, an update may concern indexes that only summarize. */
#if PG_VERSION_NUM >= 160000
#define UPDATE_CONCERNS(updated, info) \
	((updated) != TU_Summarizing || (info)->ii_Summarizing)
#else
typedef bool TU_UpdateIndexes;
#define TU_None false
#define TU_All true
#define UPDATE_CONCERNS(updated, info) (updated)
#endif

/* From 17 on, an index may keep something from one insertion to the next. */
#if PG_VERSION_NUM >= 170000
#define INDEX_INSERT_CLEANUP(index, info) index_insert_cleanup(index, info)
#else
#define INDEX_INSERT_CLEANUP(index, info) ((void) (info))
#endif

/* From 17 on, who asks for a lock that is held says if a stronger one will do. */
#if PG_VERSION_NUM >= 170000
#define HOLDS_LOCK(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define HOLDS_LOCK(tag, mode) LockHeldByMe(tag, mode)
#endif

/* From 18 on, a scan of an index may be told where to count; from 19 on, any how to scan. */
#if PG_VERSION_NUM >= 190000
#define BEGIN_INDEX_SCAN(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, NULL, nkeys, 0, SO_NONE)
#define BEGIN_TABLE_SCAN(table, snapshot) table_beginscan(table, snapshot, 0, NULL, SO_NONE)
#elif PG_VERSION_NUM >= 180000
#define BEGIN_INDEX_SCAN(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, NULL, nkeys, 0)
#define BEGIN_TABLE_SCAN(table, snapshot) table_beginscan(table, snapshot, 0, NULL)
#else
#define BEGIN_INDEX_SCAN(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, nkeys, 0)
#define BEGIN_TABLE_SCAN(table, snapshot) table_beginscan(table, snapshot, 0, NULL)
#endif

/* From 19 on, who deletes or updates a row has options. */
#if PG_VERSION_NUM >= 190000
#define DELETE_ROW(table, place, command, snapshot, wait, failure) \
	table_tuple_delete(table, place, command, 0, snapshot, InvalidSnapshot, wait, failure)
#define UPDATE_ROW(table, place, slot, command, snapshot, failure, mode, updated) \
	table_tuple_update(table, place, slot, command, 0, snapshot, InvalidSnapshot, true, \
					   failure, mode, updated)
#else
#define DELETE_ROW(table, place, command, snapshot, wait, failure) \
	table_tuple_delete(table, place, command, snapshot, InvalidSnapshot, wait, failure, false)
#define UPDATE_ROW(table, place, slot, command, snapshot, failure, mode, updated) \
	table_tuple_update(table, place, slot, command, snapshot, InvalidSnapshot, true, \
					   failure, mode, updated)
#endif

/* From 19 on, who looks at an analyzed query leaves its jumble state alone. */
#if PG_VERSION_NUM >= 190000
#define JUMBLE_STATE const JumbleState
#else
#define JUMBLE_STATE JumbleState
#endif

#endif							/* EKRAN_COMPAT_H */
