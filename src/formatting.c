/*-------------------------------------------------------------------------
 *
 * formatting.c
 *	  The result: measured sessions as rows and as the endpoint's JSON.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

/*
 * Elapsed time as an interval of hours and less.
 *
 * It has no days, unlike what subtracting timestamps gives: a day of an
 * interval is a day of the calendar, which may have 23 or 25 hours, and
 * login_date + duration would miss logout_date there.
 */
static Datum
interval_datum(Interval *interval, int64 microseconds)
{
	interval->time = microseconds;
	return IntervalPGetDatum(interval);
}

/* Columns of ekran_session_row. */
enum
{
	ROW_SESSION_ID,
	ROW_CLIENT_GUID,
	ROW_CLIENT_NAME,
	ROW_USER_ID,
	ROW_USER_NAME,
	ROW_LOGIN_DATE,
	ROW_LOGOUT_DATE,
	ROW_DURATION,
	ROW_PRODUCTIVITY_TIME,
	ROW_IDLE_TIME,
	NUM_ROW_COLUMNS
};

/*
 * Put a session into the tuplestore of a set-returning function.
 */
void
put_session_row(ReturnSetInfo *result, const Session *session)
{
	const Measure *measure = &session->measure;
	Interval	spans[3] = {{0}};
	Datum		values[NUM_ROW_COLUMNS];
	bool		nulls[NUM_ROW_COLUMNS] = {false};

	values[ROW_SESSION_ID] = session->stored[SESSION_SESSION_ID];
	values[ROW_CLIENT_GUID] = session->stored[SESSION_CLIENT_GUID];
	nulls[ROW_CLIENT_GUID] = session->is_null[SESSION_CLIENT_GUID];
	values[ROW_CLIENT_NAME] = session->client_name;
	nulls[ROW_CLIENT_NAME] = !session->has_client_name;
	values[ROW_USER_ID] = session->stored[SESSION_USER_ID];
	nulls[ROW_USER_ID] = session->is_null[SESSION_USER_ID];
	values[ROW_USER_NAME] = session->user_name;
	nulls[ROW_USER_NAME] = !session->has_user_name;

	values[ROW_LOGIN_DATE] = TimestampTzGetDatum(measure->first);
	nulls[ROW_LOGIN_DATE] = !measure->has_moment;
	values[ROW_LOGOUT_DATE] = TimestampTzGetDatum(measure->last);
	nulls[ROW_LOGOUT_DATE] = !measure->has_moment;

	values[ROW_DURATION] = interval_datum(&spans[0], measure->duration);
	values[ROW_PRODUCTIVITY_TIME] =
		interval_datum(&spans[1], measure->duration - measure->idle);
	values[ROW_IDLE_TIME] = interval_datum(&spans[2], measure->idle);

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * Append a key, which needs no escaping.
 */
static void
append_key(StringInfo out, const char *key)
{
	appendStringInfoString(out, out->data[out->len - 1] == '{' ? "\"" : ",\"");
	appendStringInfoString(out, key);
	appendStringInfoString(out, "\":");
}

static void
append_null(StringInfo out)
{
	appendStringInfoString(out, "null");
}

static void
append_text(StringInfo out, const char *key, Datum value, bool isnull)
{
	append_key(out, key);
	if (isnull)
		append_null(out);
	else
	{
		char	   *string = TextDatumGetCString(value);

		escape_json(out, string);
		pfree(string);
	}
}

static void
append_quoted(StringInfo out, const char *string, int length)
{
	appendStringInfoChar(out, '"');
	appendBinaryStringInfo(out, string, length);
	appendStringInfoChar(out, '"');
}

static void
append_uuid(StringInfo out, const char *key, Datum uuid, bool isnull)
{
	append_key(out, key);
	if (isnull)
		append_null(out);
	else
	{
		char	   *string = DatumGetCString(DirectFunctionCall1(uuid_out, uuid));

		append_quoted(out, string, strlen(string));
		pfree(string);
	}
}

static void
append_number(StringInfo out, const char *key, int64 value, bool isnull)
{
	append_key(out, key);
	if (isnull)
		append_null(out);
	else
	{
		char		digits[MAXINT8LEN + 1];

		appendBinaryStringInfo(out, digits, pg_lltoa(value, digits));
	}
}

/*
 * Append a moment as the server's own JSON encoding writes it, but in the zone
 * of the response: TimeZone may change while sessions are read.
 */
static void
append_moment(JsonSessions *response, const char *key, TimestampTz moment,
			  bool isnull)
{
	StringInfo	out = &response->text;
	char		buffer[MAXDATELEN + 1];
	struct pg_tm local;
	fsec_t		fraction;
	int			offset;
	const char *zone_name;

	append_key(out, key);
	if (isnull)
	{
		append_null(out);
		return;
	}
	if (TIMESTAMP_NOT_FINITE(moment))
		EncodeSpecialTimestamp(moment, buffer);
	else if (timestamp2tm(moment, &offset, &local, &fraction, &zone_name,
						  response->zone) == 0)
		EncodeDateTime(&local, fraction, true, offset, zone_name,
					   USE_XSD_DATES, buffer);
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	append_quoted(out, buffer, strlen(buffer));
}

/*
 * Append a duration in the .NET TimeSpan's constant format,
 * [d.]hh:mm:ss[.fffffff], whose fraction counts tenths of a microsecond.
 */
static void
append_duration(StringInfo out, const char *key, int64 microseconds)
{
	int64		seconds = microseconds / USECS_PER_SEC;
	int			fraction = (int) (microseconds % USECS_PER_SEC);
	int64		days = seconds / SECS_PER_DAY;
	int			second = (int) (seconds % SECS_PER_DAY);
	char		buffer[MAXINT8LEN + sizeof(".hh:mm:ss.fffffff")];
	char	   *end = buffer;

	if (days != 0)
	{
		end += pg_lltoa(days, end);
		*end++ = '.';
	}
	end = pg_ultostr_zeropad(end, second / SECS_PER_HOUR, 2);
	*end++ = ':';
	end = pg_ultostr_zeropad(end, second / SECS_PER_MINUTE % MINS_PER_HOUR, 2);
	*end++ = ':';
	end = pg_ultostr_zeropad(end, second % SECS_PER_MINUTE, 2);
	if (fraction != 0)
	{
		*end++ = '.';
		end = pg_ultostr_zeropad(end, fraction, 6);
		*end++ = '0';
	}
	append_key(out, key);
	append_quoted(out, buffer, end - buffer);
}

/*
 * Begin the endpoint's response, in the current memory context.
 */
void
begin_json_sessions(JsonSessions *json)
{
	initStringInfo(&json->text);
	json->has_session = false;
	json->zone = session_timezone;
	appendStringInfoString(&json->text, "{\"sessions\":[");
}

/*
 * Append a session to the endpoint's response.
 *
 * Rule: rules.md, JSON.
 */
void
append_json_session(JsonSessions *json, const Session *session)
{
	StringInfo	out = &json->text;
	const Datum *stored = session->stored;
	const bool *is_null = session->is_null;
	const Measure *measure = &session->measure;

	if (json->has_session)
		appendStringInfoChar(out, ',');
	json->has_session = true;

	appendStringInfoChar(out, '{');
	append_number(out, "sessionId", session->session_id, false);
	append_uuid(out, "clientGuid", stored[SESSION_CLIENT_GUID],
				is_null[SESSION_CLIENT_GUID]);
	append_text(out, "clientName", session->client_name,
				!session->has_client_name);
	append_number(out, "userId", DatumGetInt32(stored[SESSION_USER_ID]),
				  is_null[SESSION_USER_ID]);
	append_text(out, "userName", session->user_name, !session->has_user_name);
	append_moment(json, "loginDate", measure->first, !measure->has_moment);
	append_moment(json, "logoutDate", measure->last, !measure->has_moment);
	append_duration(out, "duration", measure->duration);
	append_duration(out, "productivityTime", measure->duration - measure->idle);
	append_duration(out, "idleTime", measure->idle);
	appendStringInfoChar(out, '}');
}

/*
 * End the endpoint's response: the result of a function of type json.
 */
text *
end_json_sessions(JsonSessions *json, int32 total_count)
{
	appendStringInfo(&json->text, "],\"totalCount\":%d}", total_count);
	return cstring_to_text_with_len(json->text.data, json->text.len);
}
