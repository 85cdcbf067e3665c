/*-------------------------------------------------------------------------
 *
 * libpq_client.c
 *	  What drivers do that psql does not: typed and binary parameters, binary
 *	  results, prepared statements, pipelines, cancels, fields of errors.
 *
 * Connects by the environment (PGHOST, PGDATABASE, ...) to a database where
 * it may create an extension and a schema, and leaves only the extension
 * behind.  Prints TAP; exits with 1 if a check fails.
 *
 *	  cc -I$(pg_config --includedir) test/libpq_client.c -o client -lpq
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The server's headers, which have these, are not for clients. */
enum
{
	INT8 = 20, INT2 = 21, INT4 = 23, TEXT = 25, JSON = 114,
	TIMESTAMP = 1114, TIMESTAMPTZ = 1184, INTERVAL = 1186, UUID = 2950
};

#define TEXT_FORMAT		0
#define BINARY_FORMAT	1

#define LENGTH(array)	((int) (sizeof(array) / sizeof((array)[0])))

/* Microseconds; moments as in the protocol, since 2000-01-01. */
#define SEC				INT64_C(1000000)
#define UNIX_EPOCH		(-10957 * 86400 * SEC)
#define AT(hour, min)	((7914 * 1440 + (hour) * 60 + (min)) * 60 * SEC)
#define NONE			INT64_MIN	/* a null parameter */

#define SESSIONS_SQL	"SELECT * FROM ekran_sessions($1, $2, $3, $4)"
#define AFTER_SQL		"SELECT * FROM ekran_sessions_after($1, $2, $3, $4)"
#define JSON_SQL		"SELECT ekran_sessions_json($1, $2, $3, $4)"
#define TOTAL_SQL		"SELECT ekran_sessions_total_count($1, $2)"

#define NUM_PARAMS		4
#define MAX_TEXT		16384

/* What a call is given, and what it must return. */
typedef struct Call
{
	int64_t		params[NUM_PARAMS]; /* start, end, count, page */
	const char *total;
	const char *rows;			/* as the server writes them in text */
} Call;

/* How a driver hands over the parameters; null types are all inferred. */
typedef struct Style
{
	const char *what;
	int			format;
	const Oid  *types;
} Style;

/* What libpq wants of a call's parameters. */
typedef struct Params
{
	char		buffers[NUM_PARAMS][32];
	const char *values[NUM_PARAMS];
	int			lengths[NUM_PARAMS];
	int			formats[NUM_PARAMS];
} Params;

/* A call that must be refused. */
typedef struct BadCall
{
	const char *what;
	const char *sql;
	const char *params[NUM_PARAMS];
	const char *value;			/* what message and detail must tell */
	const char *allowed;		/* what the hint must tell */
} BadCall;

static const char setup_sql[] =
"SET client_min_messages = warning; SET client_encoding = 'UTF8';"
"SET timezone = 'UTC'; SET datestyle = 'ISO, YMD';"
"SET intervalstyle = 'postgres';"
"CREATE EXTENSION IF NOT EXISTS ekran_sessions;"
"DROP SCHEMA IF EXISTS libpq_client CASCADE;"
"SELECT ekran_create_store('libpq_client');"
"SET ekran_sessions.store = 'libpq_client';"
"INSERT INTO libpq_client.client VALUES"
" ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'PC \"1\"'),"
" ('00000000-0000-0000-0000-0000000000ff', NULL);"
"INSERT INTO libpq_client.app_user VALUES (7, 'Zo\xc3\xab'), (-1, '');"
"INSERT INTO libpq_client.session VALUES"
" (1, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 7,"
"  '2021-09-01 08:00', '2021-09-01 09:30'),"
" (2, NULL, NULL, '2021-09-01 08:30', '2021-09-01 08:40'),"
" (5000000000, '00000000-0000-0000-0000-0000000000ff', -1,"
"  '2021-09-01 08:50:00.000001', NULL),"
" (4, NULL, NULL, '2021-08-30 06:00', '2021-09-03 12:00');"
"INSERT INTO libpq_client.activity (session_id, activity_date) VALUES"
" (1, '2021-09-01 08:01'), (1, '2021-09-01 08:10'),"
" (1, '2021-09-01 08:40'), (1, '2021-09-01 09:05'),"
" (5000000000, '2021-09-01 08:55'), (5000000000, '2021-09-01 09:20')";

/* A million activities take long enough to cancel the call. */
static const char big_setup_sql[] =
"INSERT INTO libpq_client.session VALUES"
" (3, NULL, NULL, '2031-01-01', '2031-01-12 13:46:40');"
"INSERT INTO libpq_client.activity (session_id, activity_date)"
" SELECT 3, '2031-01-01'::timestamptz + i * interval '1 s'"
" FROM generate_series(1, 1000000) i;"
"ANALYZE libpq_client.activity";

/* The sessions: of the worked example, anonymous, running, days long. */
#define WORKED \
	"1|6ba7b810-9dad-11d1-80b4-00c04fd430c8|PC \"1\"|7|Zo\xc3\xab"
#define ANONYMOUS \
	"2|null|null|null|null"
#define RUNNING \
	"5000000000|00000000-0000-0000-0000-0000000000ff|null|-1|"
#define LONG \
	"4|null|null|null|null"

/* Rows that more than one call returns. */
#define WORKED_WHOLE \
	WORKED "|2021-09-01 08:00:00+00|2021-09-01 09:30:00+00" \
	"|01:30:00|00:10:00|01:20:00\n"
#define WORKED_NO_MOMENT \
	WORKED "|null|null|00:00:00|00:00:00|00:00:00\n"
#define ANONYMOUS_WHOLE \
	ANONYMOUS "|2021-09-01 08:30:00+00|2021-09-01 08:40:00+00" \
	"|00:10:00|00:10:00|00:00:00\n"
#define RUNNING_WHOLE \
	RUNNING "|2021-09-01 08:50:00.000001+00|2021-09-01 09:20:00+00" \
	"|00:29:59.999999|00:04:59.999999|00:25:00\n"

/*
 * The lines of the worked example of the rules.  Page 1 of size 1 is session
 * 1, for the long one, before it in order, is always selected.
 */
static const Call calls[] = {
	{{NONE, NONE, NONE, NONE}, "4\n",
		LONG "|2021-08-30 06:00:00+00|2021-09-03 12:00:00+00"
		"|102:00:00|00:00:00|102:00:00\n"
	WORKED_WHOLE ANONYMOUS_WHOLE RUNNING_WHOLE},
	{{AT(8, 5), AT(9, 0), 1000, 0}, "4\n",
		LONG "|null|null|00:00:00|00:00:00|00:00:00\n"
		WORKED "|2021-09-01 08:10:00+00|2021-09-01 08:40:00+00"
		"|00:30:00|00:00:00|00:30:00\n"
		ANONYMOUS_WHOLE
		RUNNING "|2021-09-01 08:50:00.000001+00|2021-09-01 08:55:00+00"
	"|00:04:59.999999|00:04:59.999999|00:00:00\n"},
	{{AT(8, 0), NONE, 1, 1}, "4\n", WORKED_WHOLE},
	{{AT(8, 15), AT(8, 35), 1, 1}, "3\n", WORKED_NO_MOMENT},
	{{AT(8, 10), AT(8, 40), 1, 1}, "3\n", WORKED_NO_MOMENT},
	{{AT(9, 10), AT(10, 0), 1, 1}, "3\n",
		WORKED "|2021-09-01 09:30:00+00|2021-09-01 09:30:00+00"
	"|00:00:00|00:00:00|00:00:00\n"},
	{{AT(9, 30), NONE, NONE, 0}, "1\n",
		LONG "|2021-09-03 12:00:00+00|2021-09-03 12:00:00+00"
	"|00:00:00|00:00:00|00:00:00\n"},
	{{NONE, AT(8, 0), 1000, NONE}, "1\n",
		LONG "|2021-08-30 06:00:00+00|2021-08-30 06:00:00+00"
	"|00:00:00|00:00:00|00:00:00\n"},
	{{NONE, NONE, 2, 1}, "4\n", ANONYMOUS_WHOLE RUNNING_WHOLE},
	{{NONE, NONE, 0, 0}, "4\n", ""},
};

/* The one whose rows differ most. */
static const Call *const window_call = &calls[1];

/* By idle_policy excess. */
static const Call excess_call = {{NONE, NONE, 1, 1}, "4\n",
	WORKED "|2021-09-01 08:00:00+00|2021-09-01 09:30:00+00"
"|01:30:00|00:55:00|00:35:00\n"};

/* From 2030 on. */
static const Call big_call = {{10958 * 86400 * SEC, NONE, NONE, NONE}, "1\n",
	"3|null|null|null|null|2031-01-01 00:00:00+00|2031-01-12 13:46:40+00"
"|277:46:40|277:46:40|00:00:00\n"};

/* Of session 1, by page 1 of size 1 of window_call's window. */
static const Call json_call = {{AT(8, 5), AT(9, 0), 1, 1}, "4\n",
	"{\"sessions\":[{\"sessionId\":1,"
	"\"clientGuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\","
	"\"clientName\":\"PC \\\"1\\\"\",\"userId\":7,\"userName\":\"Zo\xc3\xab\","
	"\"loginDate\":\"2021-09-01T08:10:00+00:00\","
	"\"logoutDate\":\"2021-09-01T08:40:00+00:00\","
	"\"duration\":\"00:30:00\",\"productivityTime\":\"00:00:00\","
"\"idleTime\":\"00:30:00\"}],\"totalCount\":4}\n"};

static const Oid declared[] = {TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8};
static const Oid int4s[] = {TIMESTAMPTZ, TIMESTAMPTZ, INT4, INT4};
static const Oid jdbc_longs[] = {0, 0, INT8, INT8};
static const Oid jdbc_ints[] = {0, 0, INT4, INT4};
static const Oid psycopg[] = {TIMESTAMP, TIMESTAMP, INT2, INT2};

static const Style styles[] = {
	{"text, types inferred", TEXT_FORMAT, NULL},
	{"text, types declared", TEXT_FORMAT, declared},
	{"binary, types inferred", BINARY_FORMAT, NULL},
	{"binary, types declared", BINARY_FORMAT, declared},
	{"text, bigint as of JDBC's setLong", TEXT_FORMAT, jdbc_longs},
	{"text, int4 as of JDBC's setInt", TEXT_FORMAT, jdbc_ints},
	{"binary, int4", BINARY_FORMAT, int4s},
	{"binary, timestamp and int2 as of psycopg", BINARY_FORMAT, psycopg},
};

static const Style *const binary_style = &styles[2];

static const char columns[] =
"session_id 20, client_guid 2950, client_name 25, user_id 23, user_name 25, "
"login_date 1184, logout_date 1184, "
"duration 1186, productivity_time 1186, idle_time 1186, ";

static const BadCall bad_calls[] = {
	{"count 1001", SESSIONS_SQL, {NULL, NULL, "1001", NULL},
	"1001", "0 to 1000"},
	{"count -1", SESSIONS_SQL, {NULL, NULL, "-1", NULL},
	"-1", "0 to 1000"},
	{"page -1", SESSIONS_SQL, {NULL, NULL, NULL, "-1"},
	"-1", "0 or more"},
	{"start later than end", SESSIONS_SQL,
		{"2021-09-01T09:00:00", "2021-09-01T08:00:00", NULL, NULL},
	"2021-09-01 09:00:00", "not later than the end"},
	{"unknown after_session_id", AFTER_SQL, {NULL, NULL, NULL, "404"},
	"404", "an earlier row's session_id"},
	{"sessionCount 1001 of JSON", JSON_SQL, {NULL, NULL, "1001", NULL},
	"1001", "0 to 1000"},
};

static PGconn *conn;
static int	nchecks = 0;
static int	nfailures = 0;
static int	nwarnings = 0;

/*
 * TAP, and comparisons that say what differs.
 */

__attribute__((format(printf, 2, 3)))
static void
check(bool passed, const char *format,...)
{
	va_list		arguments;

	printf("%sok %d - ", passed ? "" : "not ", ++nchecks);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	if (!passed)
		nfailures++;
}

static bool
match_number(const char *what, int got, int expected)
{
	if (got != expected)
		printf("# %s: %d, expected %d\n", what, got, expected);
	return got == expected;
}

static bool
match_string(const char *what, const char *got, const char *expected)
{
	bool		same = got != NULL && strcmp(got, expected) == 0;

	if (!same)
		printf("# %s: %s\n# expected: %s\n",
			   what, got ? got : "none", expected);
	return same;
}

static bool
match_part(const char *what, const char *got, const char *part)
{
	bool		found = got != NULL && strstr(got, part) != NULL;

	if (!found)
		printf("# %s: %s\n# expected in it: %s\n",
			   what, got ? got : "none", part);
	return found;
}

static bool
match_status(const PGresult *result, ExecStatusType expected)
{
	bool		same = match_string("status",
									PQresStatus(PQresultStatus(result)),
									PQresStatus(expected));

	if (!same)
		printf("# %s\n", PQresultErrorMessage(result));
	return same;
}

/*
 * Values, decoded from the binary format to what the server writes in text,
 * so that the same expectation serves for both formats.
 */

static int64_t
decode_integer(const char *bytes, int width)
{
	uint64_t	value = bytes[0] & 0x80 ? UINT64_MAX : 0;

	for (int i = 0; i < width; i++)
		value = value << 8 | (unsigned char) bytes[i];
	return (int64_t) value;
}

static int
type_width(Oid type)
{
	return type == INT2 ? 2 : type == INT4 ? 4 :
		type == UUID || type == INTERVAL ? 16 : 8;
}

static char *
append_fraction(char *out, int64_t moment)
{
	return moment % SEC == 0 ? out :
		out + sprintf(out, ".%06d", (int) (moment % SEC));
}

static char *
append_moment(char *out, int64_t moment)
{
	time_t		seconds = (moment - UNIX_EPOCH) / SEC;

	out += strftime(out, 32, "%Y-%m-%d %H:%M:%S", gmtime(&seconds));
	out = append_fraction(out, moment);
	return out + sprintf(out, "+00");
}

/* Days and months would show; there must be none, for their length varies. */
static char *
append_interval(char *out, const char *bytes)
{
	int64_t		time = decode_integer(bytes, 8);
	int			days = (int) decode_integer(bytes + 8, 4);
	int			months = (int) decode_integer(bytes + 12, 4);

	if (days != 0 || months != 0)
		out += sprintf(out, "%d mons %d days ", months, days);
	out += sprintf(out, "%02d:%02d:%02d", (int) (time / SEC / 3600),
				   (int) (time / SEC / 60 % 60), (int) (time / SEC % 60));
	return append_fraction(out, time);
}

static char *
append_uuid(char *out, const char *bytes)
{
	for (int i = 0; i < 16; i++)
		out += sprintf(out, "%s%02x",
					   i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
					   (unsigned char) bytes[i]);
	return out;
}

static char *
append_value(char *out, const PGresult *result, int row, int column)
{
	const char *bytes = PQgetvalue(result, row, column);
	int			length = PQgetlength(result, row, column);
	Oid			type = PQftype(result, column);

	if (PQgetisnull(result, row, column))
		return out + sprintf(out, "null");
	if (PQfformat(result, column) == TEXT_FORMAT ||
		type == TEXT || type == JSON)
		return out + sprintf(out, "%.*s", length, bytes);
	if (length != type_width(type))
		return out + sprintf(out, "%d bytes of type %u", length, type);

	switch (type)
	{
		case UUID:
			return append_uuid(out, bytes);
		case INTERVAL:
			return append_interval(out, bytes);
		case TIMESTAMPTZ:
			return append_moment(out, decode_integer(bytes, length));
		default:
			return out + sprintf(out, "%" PRId64,
								 decode_integer(bytes, length));
	}
}

static char *
append_rows(char *out, const PGresult *result)
{
	for (int i = 0; i < PQntuples(result); i++)
	{
		for (int j = 0; j < PQnfields(result); j++)
		{
			if (j > 0)
				*out++ = '|';
			out = append_value(out, result, i, j);
		}
		*out++ = '\n';
	}
	*out = '\0';
	return out;
}

/* Frees the result, for calls are compared as they are made. */
static bool
match_rows(PGresult *result, const char *expected)
{
	char		rows[MAX_TEXT];
	bool		same = match_status(result, PGRES_TUPLES_OK);

	append_rows(rows, result);
	PQclear(result);
	return same && match_string("rows", rows, expected);
}

static bool
match_columns(const PGresult *result)
{
	char		text[MAX_TEXT] = "";
	char	   *out = text;

	for (int i = 0; i < PQnfields(result); i++)
		out += sprintf(out, "%s %u, ", PQfname(result, i), PQftype(result, i));
	return match_string("columns", text, columns);
}

/*
 * Calls.
 */

static void
encode_param(Params *params, int i, int64_t value, const Style *style)
{
	char	   *buffer = params->buffers[i];
	time_t		seconds = (value - UNIX_EPOCH) / SEC;

	params->values[i] = buffer;
	params->formats[i] = style->format;
	if (style->format == BINARY_FORMAT)
	{
		int			width = type_width(style->types ? style->types[i] : 0);

		for (int j = 0; j < width; j++)
			buffer[j] = (char) ((uint64_t) value >> 8 * (width - 1 - j));
		params->lengths[i] = width;
	}
	else if (i < 2)
		strftime(buffer, sizeof(params->buffers[i]), "%Y-%m-%dT%H:%M:%S",
				 gmtime(&seconds));
	else
		sprintf(buffer, "%" PRId64, value);
}

/* Valid until the next call. */
static const Params *
encode_params(const Call *call, const Style *style)
{
	static Params params;

	memset(&params, 0, sizeof(params));
	for (int i = 0; i < NUM_PARAMS; i++)
		if (call->params[i] != NONE)
			encode_param(&params, i, call->params[i], style);
	return &params;
}

/* The statement takes the first nparams of the call's parameters. */
static PGresult *
run_call(const char *sql, int nparams, const Call *call, const Style *style,
		 int result_format)
{
	const Params *params = encode_params(call, style);

	return PQexecParams(conn, sql, nparams, style->types, params->values,
						params->lengths, params->formats, result_format);
}

static PGresult *
run_sessions(const Call *call)
{
	return run_call(SESSIONS_SQL, NUM_PARAMS, call, binary_style,
					BINARY_FORMAT);
}

static PGresult *
run_prepared(const char *name, const Call *call)
{
	const Params *params = encode_params(call, binary_style);

	return PQexecPrepared(conn, name, NUM_PARAMS, params->values,
						  params->lengths, params->formats, BINARY_FORMAT);
}

static PGresult *
run_bad_call(const BadCall *bad)
{
	return PQexecParams(conn, bad->sql, NUM_PARAMS, NULL, bad->params, NULL,
						NULL, BINARY_FORMAT);
}

static bool
send_call(const char *sql, const Call *call)
{
	const Params *params = encode_params(call, binary_style);

	return PQsendQueryParams(conn, sql, NUM_PARAMS, NULL, params->values,
							 params->lengths, params->formats, BINARY_FORMAT);
}

/* For what is not under test: nothing makes sense if it fails. */
static void
run_sql(const char *sql)
{
	PGresult   *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
	{
		printf("Bail out! %s\n", PQerrorMessage(conn));
		exit(1);
	}
	PQclear(result);
}

/* Is the transaction in this state, and are a call's rows right? */
static bool
is_usable(PGTransactionStatusType state)
{
	return match_number("transaction", PQtransactionStatus(conn), state) &&
		match_rows(run_sessions(window_call), window_call->rows);
}

static bool
match_error(const PGresult *result, const BadCall *bad)
{
	return match_status(result, PGRES_FATAL_ERROR) &&
		match_string("SQLSTATE",
					 PQresultErrorField(result, PG_DIAG_SQLSTATE), "22023") &&
		match_part("message",
				   PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
				   bad->value) &&
		match_part("detail",
				   PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
				   bad->value) &&
		match_part("hint",
				   PQresultErrorField(result, PG_DIAG_MESSAGE_HINT),
				   bad->allowed);
}

static void
count_warning(void *argument, const char *message)
{
	(void) argument;
	nwarnings++;
	printf("# %s", message);
}

static int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SEC + time.tv_nsec / 1000;
}

/*
 * Tests.
 */

static void
test_rows(void)
{
	PGresult   *result = run_sessions(window_call);

	check(match_columns(result), "names and types of the ten columns");
	PQclear(result);

	for (int i = 0; i < LENGTH(styles); i++)
	{
		bool		same = true;

		for (int j = 0; j < LENGTH(calls); j++)
			for (int format = TEXT_FORMAT; format <= BINARY_FORMAT; format++)
				same &= match_rows(run_call(SESSIONS_SQL, NUM_PARAMS, &calls[j],
											&styles[i], format),
								   calls[j].rows);
		check(same, "rows in text and in binary, parameters: %s",
			  styles[i].what);
	}

	run_sql("SET ekran_sessions.idle_policy = excess");
	check(match_rows(run_sessions(&excess_call), excess_call.rows),
		  "rows by idle_policy excess");
	run_sql("RESET ekran_sessions.idle_policy");
}

static void
test_scalars(void)
{
	bool		same = true;

	for (int i = 0; i < LENGTH(calls); i++)
	{
		PGresult   *result = run_call(TOTAL_SQL, 2, &calls[i], binary_style,
									  BINARY_FORMAT);

		same &= match_number("type", (int) PQftype(result, 0), INT4) &&
			match_rows(result, calls[i].total);
	}
	check(same, "total counts in binary");

	for (int format = TEXT_FORMAT; format <= BINARY_FORMAT; format++)
	{
		PGresult   *result = run_call(JSON_SQL, NUM_PARAMS, &json_call,
									  binary_style, format);

		check(match_number("type", (int) PQftype(result, 0), JSON) &&
			  match_number("format", PQfformat(result, 0), format) &&
			  match_rows(result, json_call.rows),
			  "JSON in %s", format == TEXT_FORMAT ? "text" : "binary");
	}
}

static void
test_single_rows(void)
{
	char		rows[MAX_TEXT] = "";
	char	   *out = rows;
	PGresult   *result;
	bool		same = send_call(SESSIONS_SQL, window_call) &&
		match_number("PQsetSingleRowMode", PQsetSingleRowMode(conn), 1);

	while ((result = PQgetResult(conn)) != NULL &&
		   PQresultStatus(result) == PGRES_SINGLE_TUPLE)
	{
		same = same && match_number("rows", PQntuples(result), 1);
		out = append_rows(out, result);
		PQclear(result);
	}
	check(same && match_string("rows", rows, window_call->rows),
		  "single-row mode: rows one by one");
	check(match_rows(result, "") && PQgetResult(conn) == NULL,
		  "single-row mode: ends with a result without rows");
}

/*
 * With plan_cache_mode auto, the server goes on with custom plans for as long
 * as it deems them cheaper.
 */
static void
test_prepared(void)
{
	static const char *const modes[] = {"auto", "force_generic_plan"};
	PGresult   *result;
	bool		same;

	PQclear(PQprepare(conn, "page", SESSIONS_SQL, 0, NULL));
	result = PQdescribePrepared(conn, "page");
	same = match_status(result, PGRES_COMMAND_OK) &&
		match_number("parameters", PQnparams(result), NUM_PARAMS);
	for (int i = 0; i < NUM_PARAMS; i++)
		same = same && match_number("type", (int) PQparamtype(result, i),
									(int) declared[i]);
	check(same, "prepared: types of parameters");
	check(match_columns(result), "prepared: names and types of columns");
	PQclear(result);

	for (int i = 0; i < LENGTH(modes); i++)
	{
		char		sql[64];

		sprintf(sql, "SET plan_cache_mode = %s", modes[i]);
		run_sql(sql);
		same = true;
		for (int j = 0; j < LENGTH(calls); j++)
			same &= match_rows(run_prepared("page", &calls[j]), calls[j].rows);
		check(same, "prepared: rows of %d executions, plan_cache_mode %s",
			  LENGTH(calls), modes[i]);
	}

	if (PQserverVersion(conn) < 140000)
		check(true, "prepared: generic plan # SKIP no such count before 14");
	else
	{
		result = PQexec(conn, "SELECT generic_plans >= 10"
						" FROM pg_prepared_statements WHERE name = 'page'");
		check(match_rows(result, "t\n"), "prepared: generic plan");
	}
	run_sql("RESET plan_cache_mode; DEALLOCATE page");
}

static void
test_errors(void)
{
	PGresult   *result;

	for (int i = 0; i < LENGTH(bad_calls); i++)
	{
		result = run_bad_call(&bad_calls[i]);
		check(match_error(result, &bad_calls[i]) && is_usable(PQTRANS_IDLE),
			  "error for %s, then a call", bad_calls[i].what);
		PQclear(result);
	}

	run_sql("BEGIN; SAVEPOINT here");
	result = run_bad_call(&bad_calls[0]);
	check(match_error(result, &bad_calls[0]) &&
		  match_number("transaction", PQtransactionStatus(conn),
					   PQTRANS_INERROR),
		  "error in a transaction");
	PQclear(result);
	run_sql("ROLLBACK TO here");
	check(is_usable(PQTRANS_INTRANS), "rollback to a savepoint, then a call");

	/* A transaction that failed would answer ROLLBACK. */
	result = PQexec(conn, "COMMIT");
	check(match_string("command", PQcmdStatus(result), "COMMIT") &&
		  is_usable(PQTRANS_IDLE), "commit, then a call");
	PQclear(result);
}

#ifdef LIBPQ_HAS_PIPELINING

/*
 * The result of the next statement in the pipeline.  A null one ends each,
 * but for a sync; we would take a second result for that of the next one.
 */
static PGresult *
next_result(void)
{
	PGresult   *result = PQgetResult(conn);

	if (PQresultStatus(result) != PGRES_PIPELINE_SYNC)
		PQclear(PQgetResult(conn));
	return result;
}

static bool
match_next(ExecStatusType expected)
{
	PGresult   *result = next_result();
	bool		same = match_status(result, expected);

	PQclear(result);
	return same;
}

static void
test_pipeline(void)
{
	static const Call bad = {{NONE, NONE, 1001, NONE}, NULL, NULL};
	PGresult   *result;
	bool		same;

	check(PQenterPipelineMode(conn) &&
		  send_call(SESSIONS_SQL, &calls[0]) &&
		  send_call(SESSIONS_SQL, &calls[1]) &&
		  send_call(SESSIONS_SQL, &bad) &&
		  send_call(SESSIONS_SQL, &calls[2]) &&
		  send_call(JSON_SQL, &json_call) &&
		  PQpipelineSync(conn) &&
		  send_call(JSON_SQL, &json_call) &&
		  send_call(SESSIONS_SQL, &calls[2]) &&
		  PQpipelineSync(conn), "pipeline: takes calls");

	/* Every result is taken, whatever the one before was. */
	same = match_rows(next_result(), calls[0].rows);
	same &= match_rows(next_result(), calls[1].rows);
	check(same, "pipeline: rows of calls before an error");

	result = next_result();
	check(match_error(result, &bad_calls[0]), "pipeline: the error");
	PQclear(result);

	same = match_next(PGRES_PIPELINE_ABORTED);
	same &= match_next(PGRES_PIPELINE_ABORTED);
	same &= match_next(PGRES_PIPELINE_SYNC);
	check(same, "pipeline: calls from the error to the sync aborted");

	same = match_rows(next_result(), json_call.rows);
	same &= match_rows(next_result(), calls[2].rows);
	same &= match_next(PGRES_PIPELINE_SYNC);
	check(same, "pipeline: rows of calls after the sync");

	check(PQexitPipelineMode(conn) && is_usable(PQTRANS_IDLE),
		  "pipeline: left, then a call");
}

#else

static void
test_pipeline(void)
{
	check(true, "pipeline # SKIP libpq before 14");
}

#endif

static void
request_cancel(void)
{
	PGcancel   *cancel = PQgetCancel(conn);
	char		error[256] = "";

	if (!PQcancel(cancel, error, sizeof(error)))
		printf("# PQcancel: %s\n", error);
	PQfreeCancel(cancel);
}

/*
 * Cancel a call after a quarter of the time that it takes if let alone.
 *
 * A call that never looks for cancels still fails when the executor looks at
 * the end, so only a failure well before that counts.
 */
static bool
cancel_call(const char *sql, int64_t full_time)
{
	int64_t		begun = now();
	int64_t		wait = full_time / 4;
	struct timespec pause = {wait / SEC, wait % SEC * 1000};
	PGresult   *result;
	const char *sqlstate;
	int64_t		time;
	bool		cancelled;

	if (!send_call(sql, &big_call))
		return false;
	nanosleep(&pause, NULL);
	request_cancel();
	result = PQgetResult(conn);
	time = now() - begun;
	sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	cancelled = sqlstate != NULL && strcmp(sqlstate, "57014") == 0;
	printf("# SQLSTATE %s after %d of %d ms\n", sqlstate ? sqlstate : "00000",
		   (int) (time / 1000), (int) (full_time / 1000));
	PQclear(result);
	PQclear(PQgetResult(conn));
	return cancelled && time < full_time * 3 / 4;
}

/* Last of the tests, for others would see the big session too. */
static void
test_cancel(void)
{
	static const char *const statements[] = {SESSIONS_SQL, AFTER_SQL, JSON_SQL};
	int64_t		full_time = INT64_MAX;
	bool		same = true;

	run_sql(big_setup_sql);
	for (int i = 0; i < 3; i++)
	{
		int64_t		begun = now();
		int64_t		time;

		same &= match_rows(run_sessions(&big_call), big_call.rows);
		time = now() - begun;
		if (time < full_time)
			full_time = time;
	}
	check(same, "row of a session with a million activities");

	for (int i = 0; i < LENGTH(statements); i++)
	{
		bool		cancelled = false;

		/* A busy machine may cancel too early or too late. */
		for (int try = 0; !cancelled && try < 10; try++)
			cancelled = cancel_call(statements[i], full_time);
		check(cancelled, "cancelled in mid-call: %s", statements[i]);
		check(is_usable(PQTRANS_IDLE), "a call after the cancel");
	}
	check(match_rows(run_sessions(&big_call), big_call.rows),
		  "the cancelled call again, let alone");
}

int
main(void)
{
	conn = PQconnectdb("");
	if (PQstatus(conn) != CONNECTION_OK)
	{
		printf("Bail out! %s\n", PQerrorMessage(conn));
		return 1;
	}
	PQsetNoticeProcessor(conn, count_warning, NULL);
	run_sql(setup_sql);

	test_rows();
	test_scalars();
	test_single_rows();
	test_prepared();
	test_errors();
	test_pipeline();
	test_cancel();
	check(match_number("warnings", nwarnings, 0), "no warning from the server");

	run_sql("DROP SCHEMA libpq_client CASCADE");
	PQfinish(conn);
	printf("1..%d\n", nchecks);
	return nfailures > 0;
}
