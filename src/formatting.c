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
interval_datum(int64 microseconds)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = microseconds;
	return IntervalPGetDatum(interval);
}

/*
 * Put a session into the tuplestore of a set-returning function.
 */
void
receive_as_row(const MeasuredSession *session, void *rsinfo)
{
	ReturnSetInfo *result = rsinfo;
	const Measure *measure = &session->measure;
	Datum		values[NUM_SESSION_COLUMNS];
	bool		nulls[NUM_SESSION_COLUMNS] = {false};

	memcpy(values, session->identity, sizeof(session->identity));
	memcpy(nulls, session->identity_null, sizeof(session->identity_null));

	values[COLUMN_LOGIN_DATE] = TimestampTzGetDatum(measure->first);
	nulls[COLUMN_LOGIN_DATE] = !measure->has_moment;
	values[COLUMN_LOGOUT_DATE] = TimestampTzGetDatum(measure->last);
	nulls[COLUMN_LOGOUT_DATE] = !measure->has_moment;

	values[COLUMN_DURATION] = interval_datum(measure->duration);
	values[COLUMN_PRODUCTIVITY_TIME] =
		interval_datum(measure->duration - measure->idle);
	values[COLUMN_IDLE_TIME] = interval_datum(measure->idle);

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);

	pfree(DatumGetPointer(values[COLUMN_DURATION]));
	pfree(DatumGetPointer(values[COLUMN_PRODUCTIVITY_TIME]));
	pfree(DatumGetPointer(values[COLUMN_IDLE_TIME]));
}

static void
append_key(StringInfo out, const char *key)
{
	if (out->data[out->len - 1] != '{')
		appendStringInfoChar(out, ',');
	escape_json(out, key);
	appendStringInfoChar(out, ':');
}

static void
append_string(StringInfo out, const char *key, char *value)
{
	append_key(out, key);
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, value);
}

static void
append_number(StringInfo out, const char *key, int64 value, bool isnull)
{
	append_key(out, key);
	if (isnull)
		appendStringInfoString(out, "null");
	else
		appendStringInfo(out, INT64_FORMAT, value);
}

/*
 * Append a moment as the server's own JSON encoding writes it, but in the zone
 * of the response: TimeZone may change while sessions are read.
 */
static void
append_moment(JsonSessions *response, const char *key, TimestampTz moment,
			  bool isnull)
{
	char		buffer[MAXDATELEN + 1];
	struct pg_tm local;
	fsec_t		fraction;
	int			offset;
	const char *zone_name;

	if (isnull)
	{
		append_string(&response->text, key, NULL);
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
	append_string(&response->text, key, buffer);
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

	append_key(out, key);
	appendStringInfoChar(out, '"');
	if (days != 0)
		appendStringInfo(out, INT64_FORMAT ".", days);
	appendStringInfo(out, "%02d:%02d:%02d",
					 second / SECS_PER_HOUR,
					 second / SECS_PER_MINUTE % MINS_PER_HOUR,
					 second % SECS_PER_MINUTE);
	if (fraction != 0)
		appendStringInfo(out, ".%06d0", fraction);
	appendStringInfoChar(out, '"');
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
receive_as_json(const MeasuredSession *session, void *json)
{
	JsonSessions *response = json;
	StringInfo	out = &response->text;
	const Datum *identity = session->identity;
	const bool *isnull = session->identity_null;
	const Measure *measure = &session->measure;

	if (response->has_session)
		appendStringInfoChar(out, ',');
	response->has_session = true;

	appendStringInfoChar(out, '{');
	append_number(out, "sessionId",
				  DatumGetInt64(identity[COLUMN_SESSION_ID]), false);
	append_string(out, "clientGuid", isnull[COLUMN_CLIENT_GUID] ? NULL :
				  DatumGetCString(DirectFunctionCall1(uuid_out,
													  identity[COLUMN_CLIENT_GUID])));
	append_string(out, "clientName", isnull[COLUMN_CLIENT_NAME] ? NULL :
				  TextDatumGetCString(identity[COLUMN_CLIENT_NAME]));
	append_number(out, "userId",
				  DatumGetInt32(identity[COLUMN_USER_ID]),
				  isnull[COLUMN_USER_ID]);
	append_string(out, "userName", isnull[COLUMN_USER_NAME] ? NULL :
				  TextDatumGetCString(identity[COLUMN_USER_NAME]));
	append_moment(response, "loginDate", measure->first, !measure->has_moment);
	append_moment(response, "logoutDate", measure->last, !measure->has_moment);
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
