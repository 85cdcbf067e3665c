/*-------------------------------------------------------------------------
 *
 * json.c
 *	  The pieces of a JSON response: objects in arrays, keys and values.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/shortest_dec.h"
#include "ekran_sessions.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/uuid.h"

/*
 * Begin a response, in the current memory context, whose dates are of a time zone.
 */
void
begin_json(Json *json, pg_tz *zone, const char *opening)
{
	initStringInfo(&json->text);
	json->zone = zone;
	appendStringInfoString(&json->text, opening);
}

/*
 * End a response: the result of a function of type json.
 */
text *
end_json(Json *json, const char *closing)
{
	appendStringInfoString(&json->text, closing);
	return cstring_to_text_with_len(json->text.data, json->text.len);
}

static char
last_character(const Json *json)
{
	return json->text.data[json->text.len - 1];
}

/*
 * Begin the next object of an array.
 */
void
begin_json_object(Json *json)
{
	appendStringInfoString(&json->text, last_character(json) == '[' ? "{" : ",{");
}

void
end_json_object(Json *json)
{
	appendStringInfoChar(&json->text, '}');
}

/*
 * Append a key, which needs no escaping.
 */
static void
append_key(Json *json, const char *key)
{
	appendStringInfoString(&json->text, last_character(json) == '{' ? "\"" : ",\"");
	appendStringInfoString(&json->text, key);
	appendStringInfoString(&json->text, "\":");
}

/*
 * Begin an array under a key of an object.
 */
void
begin_json_array(Json *json, const char *key)
{
	append_key(json, key);
	appendStringInfoChar(&json->text, '[');
}

void
end_json_array(Json *json)
{
	appendStringInfoChar(&json->text, ']');
}

static void
append_null(Json *json)
{
	appendStringInfoString(&json->text, "null");
}

static void
append_quoted(Json *json, const char *string)
{
	appendStringInfoChar(&json->text, '"');
	appendStringInfoString(&json->text, string);
	appendStringInfoChar(&json->text, '"');
}

/*
 * Append a text; NULL is null.
 */
void
append_json_text(Json *json, const char *key, const text *value)
{
	append_key(json, key);
	if (value == NULL)
		append_null(json);
	else
	{
		char	   *string = text_to_cstring(value);

		escape_json(&json->text, string);
		pfree(string);
	}
}

void
append_json_uuid(Json *json, const char *key, Datum uuid, bool isnull)
{
	append_key(json, key);
	if (isnull)
		append_null(json);
	else
	{
		char	   *string = DatumGetCString(DirectFunctionCall1(uuid_out, uuid));

		append_quoted(json, string);
		pfree(string);
	}
}

void
append_json_number(Json *json, const char *key, int64 value, bool isnull)
{
	append_key(json, key);
	if (isnull)
		append_null(json);
	else
	{
		char		digits[MAXINT8LEN + 1];

		appendBinaryStringInfo(&json->text, digits, pg_lltoa(value, digits));
	}
}

/*
 * Append a finite number in as few digits as tell it from all others.
 */
void
append_json_double(Json *json, const char *key, double value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	append_key(json, key);
	appendBinaryStringInfo(&json->text, digits,
						   double_to_shortest_decimal_bufn(value, digits));
}

/*
 * Append a moment as the server's own JSON encoding writes it, but in the zone
 * of the response: TimeZone may change while sessions are read.
 */
void
append_json_moment(Json *json, const char *key, TimestampTz moment, bool isnull)
{
	char		buffer[MAXDATELEN + 1];
	struct pg_tm local;
	fsec_t		fraction;
	int			offset;
	const char *zone_name;

	append_key(json, key);
	if (isnull)
	{
		append_null(json);
		return;
	}
	if (TIMESTAMP_NOT_FINITE(moment))
		EncodeSpecialTimestamp(moment, buffer);
	else if (timestamp2tm(moment, &offset, &local, &fraction, &zone_name,
						  json->zone) == 0)
		EncodeDateTime(&local, fraction, true, offset, zone_name,
					   USE_XSD_DATES, buffer);
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	append_quoted(json, buffer);
}

/*
 * Append a duration in the .NET TimeSpan's constant format,
 * [d.]hh:mm:ss[.fffffff], whose fraction counts tenths of a microsecond.
 */
void
append_json_duration(Json *json, const char *key, int64 microseconds)
{
	int64		seconds = microseconds / USECS_PER_SEC;
	int			fraction = (int) (microseconds % USECS_PER_SEC);
	int64		days = seconds / SECS_PER_DAY;
	int			second = (int) (seconds % SECS_PER_DAY);
	char		buffer[MAXINT8LEN + sizeof(".hh:mm:ss.fffffff")];
	char	   *end = buffer;

	/* there would be no room for its digits */
	if (microseconds < 0)
		elog(ERROR, "negative duration");
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
	*end = '\0';
	append_key(json, key);
	append_quoted(json, buffer);
}
