/*
 * For cppcheck, which isn't shown the server's headers: macros of theirs that are no
 * calls.
 */
#define PG_VERSION_NUM 150000
#define PG_FUNCTION_INFO_V1(function) extern int function##_info
#define foreach(cell, list) \
	for (cell = list_head(list); cell != NULL; cell = lnext(list, cell))
#define for_each_from(cell, list, n) \
	for (cell = list_nth_cell(list, n); cell != NULL; cell = lnext(list, cell))
#define pg_attribute_noreturn()
#define pg_attribute_printf(format, first)
#define pg_noreturn _Noreturn
