/*-------------------------------------------------------------------------
 *
 * odbc_client.c
 *	  What psqlODBC makes of each call in a file such as calls.tsv: as BI tools
 *	  do, it asks for tables, procedures and columns before any row.
 *
 * Arguments are a connection string and the file.
 *
 *	  cc test/clients/odbc_client.c -o client -lodbc
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <sql.h>
#include <sqlext.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE	4096
#define MAX_PARAMS	8
#define MAX_COLUMNS	64
#define MAX_NAME	128

/* A parameter, as a program would bind it. */
typedef struct Param
{
	char	   *name;
	char	   *type;
	char	   *text;
	union
	{
		SQLBIGINT	number;
		SQL_TIMESTAMP_STRUCT moment;
	}			value;
	SQLLEN		indicator;
} Param;

typedef struct Call
{
	int			line;
	char	   *kind;
	char	   *sql;
	int			nparams;
	Param		params[MAX_PARAMS];
} Call;

static SQLHDBC connection;

/*
 * Says what went wrong, and ends.
 */
static void
fail(SQLSMALLINT type, SQLHANDLE handle, const char *what)
{
	SQLCHAR		state[6] = "";
	SQLCHAR		message[1024] = "";

	SQLGetDiagRec(type, handle, 1, state, NULL, message, sizeof(message), NULL);
	fprintf(stderr, "%s: %s %s\n", what, state, message);
	exit(1);
}

static void
check(SQLRETURN result, SQLHSTMT statement, const char *what)
{
	if (!SQL_SUCCEEDED(result))
		fail(SQL_HANDLE_STMT, statement, what);
}

static SQLHSTMT
new_statement(void)
{
	SQLHSTMT	statement;

	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement)))
		fail(SQL_HANDLE_DBC, connection, "SQLAllocHandle");
	return statement;
}

/*
 * Values
 */

static void
print_character(uint32_t c)
{
	if (c == '\\')
		printf("\\\\");
	else if (c == '\t')
		printf("\\t");
	else if (c == '\n')
		printf("\\n");
	else if (c < 0x80)
		putchar((int) c);
	else if (c < 0x800)
		printf("%c%c", 0xC0 | c >> 6, 0x80 | (c & 0x3F));
	else if (c < 0x10000)
		printf("%c%c%c", 0xE0 | c >> 12, 0x80 | (c >> 6 & 0x3F), 0x80 | (c & 0x3F));
	else
		printf("%c%c%c%c", 0xF0 | c >> 18, 0x80 | (c >> 12 & 0x3F),
			   0x80 | (c >> 6 & 0x3F), 0x80 | (c & 0x3F));
}

/*
 * Text comes in UTF-16, in pieces.  A piece may end within a pair.
 */
static void
print_text(SQLHSTMT statement, SQLUSMALLINT column)
{
	SQLWCHAR	piece[256];
	SQLLEN		length;
	SQLRETURN	result;
	uint32_t	high = 0;

	while ((result = SQLGetData(statement, column, SQL_C_WCHAR, piece,
								sizeof(piece), &length)) != SQL_NO_DATA)
	{
		check(result, statement, "SQLGetData");
		if (length == SQL_NULL_DATA)
		{
			printf("\\N");
			return;
		}
		for (SQLWCHAR *c = piece; *c; c++)
		{
			if (*c >= 0xD800 && *c < 0xDC00)
				high = *c;
			else if (*c >= 0xDC00 && *c < 0xE000)
				print_character(0x10000 + ((high - 0xD800) << 10) + (*c - 0xDC00));
			else
				print_character(*c);
		}
	}
}

/*
 * The server's [-]h:mm:ss[.ffffff] as microseconds.
 */
static void
print_interval(const char *text)
{
	char		sign = *text == '-' ? *text++ : '+';
	long		hours;
	int			minutes;
	int			seconds;
	int			consumed;
	char		fraction[] = "000000";

	if (sscanf(text, "%ld:%2d:%2d%n", &hours, &minutes, &seconds, &consumed) < 3)
	{
		printf("interval? %s", text);
		return;
	}
	if (text[consumed] == '.')
		memcpy(fraction, text + consumed + 1, strlen(text + consumed + 1));
	printf("%ld", (sign == '-' ? -1 : 1) *
		   (((hours * 60 + minutes) * 60 + seconds) * 1000000 + strtol(fraction, NULL, 10)));
}

static void
print_guid(const SQLGUID *guid)
{
	printf("%08x-%04x-%04x-%02x%02x-", (unsigned) guid->Data1, guid->Data2,
		   guid->Data3, guid->Data4[0], guid->Data4[1]);
	for (int i = 2; i < 8; i++)
		printf("%02x", guid->Data4[i]);
}

/*
 * The C type that a value is read in; text, where no other fits.  An interval is
 * text to the driver: what it makes of it as SQL_C_INTERVAL_DAY_TO_SECOND is
 * wrong where there is a fraction or many hours.
 */
static SQLSMALLINT
c_type(const char *type)
{
	static const struct
	{
		const char *name;
		SQLSMALLINT c_type;
	}			types[] =
	{
		{"int8", SQL_C_SBIGINT}, {"int4", SQL_C_SLONG}, {"bool", SQL_C_BIT},
		{"float8", SQL_C_DOUBLE}, {"date", SQL_C_TYPE_DATE},
		{"timestamptz", SQL_C_TYPE_TIMESTAMP}, {"uuid", SQL_C_GUID},
		{"interval", SQL_C_CHAR},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, type) == 0)
			return types[i].c_type;
	return SQL_C_WCHAR;
}

static void
print_value(SQLHSTMT statement, SQLUSMALLINT column, const char *type)
{
	union
	{
		SQLBIGINT	int8;
		SQLINTEGER	int4;
		SQLCHAR		bit;
		SQLDOUBLE	float8;
		uint64_t	bits;
		SQL_DATE_STRUCT date;
		SQL_TIMESTAMP_STRUCT moment;
		char		interval[64];
		SQLGUID		guid;
	}			value;
	SQLLEN		length;

	if (c_type(type) == SQL_C_WCHAR)
	{
		print_text(statement, column);
		return;
	}
	check(SQLGetData(statement, column, c_type(type), &value, sizeof(value), &length),
		  statement, "SQLGetData");
	if (length == SQL_NULL_DATA)
	{
		printf("\\N");
		return;
	}
	switch (c_type(type))
	{
		case SQL_C_SBIGINT:
			printf("%" PRId64, (int64_t) value.int8);
			break;
		case SQL_C_SLONG:
			printf("%d", value.int4);
			break;
		case SQL_C_BIT:
			printf("%s", value.bit ? "true" : "false");
			break;
		case SQL_C_DOUBLE:
			printf("%016" PRIx64, value.bits);
			break;
		case SQL_C_TYPE_DATE:
			printf("%04d-%02d-%02d", value.date.year, value.date.month, value.date.day);
			break;
		case SQL_C_TYPE_TIMESTAMP:
			printf("%04d-%02d-%02d %02d:%02d:%02d.%06u", value.moment.year,
				   value.moment.month, value.moment.day, value.moment.hour,
				   value.moment.minute, value.moment.second, value.moment.fraction / 1000);
			break;
		case SQL_C_CHAR:
			print_interval(value.interval);
			break;
		case SQL_C_GUID:
			print_guid(&value.guid);
			break;
	}
}

/*
 * Columns and rows of a result
 */

/*
 * The driver leaves the name of just one type empty.
 */
static void
get_type(SQLHSTMT statement, SQLUSMALLINT column, char *type)
{
	*type = '\0';
	check(SQLColAttribute(statement, column, SQL_DESC_TYPE_NAME, type, MAX_NAME, NULL, NULL),
		  statement, "SQLColAttribute");
	if (*type == '\0')
		strcpy(type, "interval");
}

static SQLSMALLINT
count_columns(SQLHSTMT statement)
{
	SQLSMALLINT ncolumns;

	check(SQLNumResultCols(statement, &ncolumns), statement, "SQLNumResultCols");
	return ncolumns;
}

static void
print_columns(SQLHSTMT statement)
{
	SQLSMALLINT ncolumns = count_columns(statement);

	for (SQLSMALLINT i = 1; i <= ncolumns; i++)
	{
		char		name[MAX_NAME];
		char		type[MAX_NAME];

		check(SQLDescribeCol(statement, i, (SQLCHAR *) name, sizeof(name), NULL, NULL, NULL, NULL, NULL),
			  statement, "SQLDescribeCol");
		get_type(statement, i, type);
		printf("%s\t%s\n", name, type);
	}
}

/*
 * Returns how many; the first column of the last one goes to last_id.
 */
static int
print_rows(SQLHSTMT statement, SQLBIGINT *last_id)
{
	SQLSMALLINT ncolumns = count_columns(statement);
	SQLRETURN	result;
	char		types[MAX_COLUMNS + 1][MAX_NAME];
	int			nrows = 0;

	if (ncolumns > MAX_COLUMNS)
		exit(1);
	for (SQLSMALLINT i = 1; i <= ncolumns; i++)
		get_type(statement, i, types[i]);
	while ((result = SQLFetch(statement)) != SQL_NO_DATA)
	{
		check(result, statement, "SQLFetch");
		for (SQLSMALLINT i = 1; i <= ncolumns; i++)
		{
			if (i > 1)
				putchar('\t');
			print_value(statement, i, types[i]);
		}
		putchar('\n');
		if (last_id)
			check(SQLGetData(statement, 1, SQL_C_SBIGINT, last_id, 0, NULL), statement, "SQLGetData");
		nrows++;
	}
	return nrows;
}

/*
 * Some columns of what a function of the catalog returns.
 */
static void
print_catalog(const char *title, SQLHSTMT statement, const int *columns)
{
	printf("== %s\n", title);
	while (SQL_SUCCEEDED(SQLFetch(statement)))
		for (const int *column = columns; *column; column++)
		{
			print_text(statement, *column);
			putchar(column[1] ? '\t' : '\n');
		}
	SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

#define PATTERN(text) (SQLCHAR *) (text), SQL_NTS

static void
print_catalogs(void)
{
	SQLHSTMT	statement = new_statement();

	check(SQLProcedures(statement, NULL, 0, NULL, 0, PATTERN("ekran%")), statement, "SQLProcedures");
	print_catalog("functions", statement, (const int[]) {3, 0});

	statement = new_statement();
	check(SQLProcedureColumns(statement, NULL, 0, NULL, 0, PATTERN("ekran%"), NULL, 0),
		  statement, "SQLProcedureColumns");
	print_catalog("function columns", statement, (const int[]) {3, 4, 5, 7, 0});

	statement = new_statement();
	check(SQLTables(statement, NULL, 0, PATTERN("ekran"), PATTERN("%"), NULL, 0), statement, "SQLTables");
	print_catalog("tables", statement, (const int[]) {3, 4, 0});

	statement = new_statement();
	check(SQLColumns(statement, NULL, 0, PATTERN("ekran"), PATTERN("%"), PATTERN("%")), statement, "SQLColumns");
	print_catalog("relations", statement, (const int[]) {3, 4, 6, 0});
}

/*
 * Calls
 */

static void
parse_param(Param *param, char *text)
{
	param->name = strsep(&text, ":");
	param->type = strsep(&text, ":");
	param->text = text;
	param->indicator = strcmp(text, "\\N") == 0 ? SQL_NULL_DATA : SQL_NTS;
	if (param->indicator == SQL_NULL_DATA)
		return;
	if (strcmp(param->type, "timestamptz") == 0)
	{
		SQL_TIMESTAMP_STRUCT *moment = &param->value.moment;
		char		fraction[10] = "000000000";

		sscanf(text, "%hd-%hu-%hu %hu:%hu:%hu", &moment->year, &moment->month,
			   &moment->day, &moment->hour, &moment->minute, &moment->second);
		if (strchr(text, '.'))
			memcpy(fraction, strchr(text, '.') + 1, strlen(strchr(text, '.') + 1));
		moment->fraction = (SQLUINTEGER) strtoul(fraction, NULL, 10);
	}
	else if (strcmp(param->type, "int8") == 0 || strcmp(param->type, "int4") == 0)
		param->value.number = strtoll(text, NULL, 10);
}

/*
 * Cuts up the line, in which it writes "?" for each "$N".
 */
static Call
parse_call(char *line)
{
	Call		call = {0};
	char	   *out;

	line[strcspn(line, "\n")] = '\0';
	call.kind = strsep(&line, "\t");
	strsep(&line, "\t");
	call.sql = strsep(&line, "\t");
	while (line)
		parse_param(&call.params[call.nparams++], strsep(&line, "\t"));

	out = call.sql;
	for (const char *in = call.sql; *in; in++)
		*out++ = *in == '$' ? (in++, '?') : *in;
	*out = '\0';
	return call;
}

static void
bind_params(SQLHSTMT statement, Call *call)
{
	for (int i = 0; i < call->nparams; i++)
	{
		Param	   *param = &call->params[i];
		SQLSMALLINT c_type = SQL_C_CHAR;
		SQLSMALLINT type = SQL_VARCHAR;
		SQLPOINTER	value = param->text;
		SQLULEN		size = strlen(param->text);
		SQLSMALLINT digits = 0;

		if (strcmp(param->type, "timestamptz") == 0)
		{
			c_type = SQL_C_TYPE_TIMESTAMP;
			type = SQL_TYPE_TIMESTAMP;
			value = &param->value.moment;
			size = 26;
			digits = 6;
		}
		else if (strcmp(param->type, "int8") == 0 || strcmp(param->type, "int4") == 0)
		{
			c_type = SQL_C_SBIGINT;
			type = SQL_BIGINT;
			value = &param->value.number;
			size = 19;
		}
		check(SQLBindParameter(statement, (SQLUSMALLINT) (i + 1), SQL_PARAM_INPUT, c_type, type,
							   size, digits, value, 0, &param->indicator),
			  statement, "SQLBindParameter");
	}
}

/*
 * The columns, from a query that returns no rows.
 */
static void
describe_call(Call *call)
{
	SQLHSTMT	statement = new_statement();
	char		sql[MAX_LINE];

	snprintf(sql, sizeof(sql), "SELECT * FROM (%s) q LIMIT 0", call->sql);
	bind_params(statement, call);
	check(SQLPrepare(statement, PATTERN(sql)), statement, "SQLPrepare");
	printf("== columns %d\n", call->line);
	print_columns(statement);
	check(SQLExecute(statement), statement, "SQLExecute");
	printf("== columns %d\n", call->line);
	print_columns(statement);
	if (print_rows(statement, NULL) > 0)
		printf("== a row in spite of LIMIT 0\n");
	SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

static void
execute_call(Call *call)
{
	SQLHSTMT	statement = new_statement();
	bool		pages = strcmp(call->kind, "pages") == 0;
	Param	   *last = &call->params[call->nparams - 1];
	SQLBIGINT	last_id;

	check(SQLPrepare(statement, PATTERN(call->sql)), statement, "SQLPrepare");
	bind_params(statement, call);
	printf("== rows %d\n", call->line);
	for (;;)
	{
		check(SQLExecute(statement), statement, "SQLExecute");
		if (print_rows(statement, pages ? &last_id : NULL) == 0 || !pages)
			break;
		last->value.number = strcmp(last->name, "page") == 0 ? last->value.number + 1 : last_id;
		last->indicator = SQL_NTS;
		SQLCloseCursor(statement);
	}
	SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

static void
provoke_error(Call *call)
{
	SQLHSTMT	statement = new_statement();
	SQLCHAR		state[6] = "";
	SQLCHAR		message[1024] = "";

	bind_params(statement, call);
	printf("== error %d\n", call->line);
	if (!SQL_SUCCEEDED(SQLExecDirect(statement, PATTERN(call->sql))))
	{
		/* "ERROR: ...", then lines of the detail or, after a ";", its own words. */
		SQLGetDiagRec(SQL_HANDLE_STMT, statement, 1, state, NULL, message, sizeof(message), NULL);
		message[strcspn((char *) message, ";\n")] = '\0';
		printf("%s\t%s\n", state, (char *) message + strlen("ERROR: "));
	}
	SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

int
main(int argc, char **argv)
{
	SQLHENV		environment;
	SQLHSTMT	statement;
	FILE	   *file;
	char		line[MAX_LINE];

	if (argc != 3 || (file = fopen(argv[2], "r")) == NULL)
		return 2;
	SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &environment);
	SQLSetEnvAttr(environment, SQL_ATTR_ODBC_VERSION, (SQLPOINTER) SQL_OV_ODBC3, 0);
	SQLAllocHandle(SQL_HANDLE_DBC, environment, &connection);
	if (!SQL_SUCCEEDED(SQLDriverConnect(connection, NULL, PATTERN(argv[1]), NULL, 0, NULL, SQL_DRIVER_NOPROMPT)))
		fail(SQL_HANDLE_DBC, connection, "SQLDriverConnect");
	statement = new_statement();
	check(SQLExecDirect(statement, PATTERN("SET TimeZone = 'UTC'")), statement, "SET");
	SQLFreeHandle(SQL_HANDLE_STMT, statement);

	print_catalogs();
	for (int number = 1; fgets(line, sizeof(line), file); number++)
	{
		Call		call;

		if (line[0] == '#')
			continue;
		call = parse_call(line);
		call.line = number;
		if (strcmp(call.kind, "error") == 0)
			provoke_error(&call);
		else
		{
			describe_call(&call);
			execute_call(&call);
		}
	}
	SQLDisconnect(connection);
	return 0;
}
