/*-------------------------------------------------------------------------
 *
 * formatting.c
 *	  The result: measured sessions as rows and as the endpoints' JSON.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type_d.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

/*
 * Elapsed time as an interval of hours and less.
 *
 * It has no days, unlike what subtracting timestamps gives: a day of an
 * interval is a day of the calendar, which may have 23 or 25 hours, and
 * login_date + duration would miss logout_date there.
 */
Datum
interval_datum(Interval *interval, int64 microseconds)
{
	memset(interval, 0, sizeof(*interval));
	interval->time = microseconds;
	return IntervalPGetDatum(interval);
}

/*
 * The order that results have names in: that of collation "C", none last.
 */
int
compare_names(const text *a, const text *b)
{
	Size		length;
	Size		other;
	int			result;

	if (a == NULL || b == NULL)
		return (a == NULL) - (b == NULL);
	length = VARSIZE_ANY_EXHDR(a);
	other = VARSIZE_ANY_EXHDR(b);
	result = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(length, other));
	return result != 0 ? result : (length > other) - (length < other);
}

/*
 * Refuse rows whose columns are of other types than what is put into them.  The type's name
 * is looked up while the extension is made, in a schema that its owner may exchange for
 * another at that moment.
 */
static void
check_row_type(TupleDesc columns, int count, const Oid *types)
{
	bool		is_same = columns->natts == count;

	for (int i = 0; is_same && i < count; i++)
		is_same = TupleDescAttr(columns, i)->atttypid == types[i];
	if (!is_same)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("row type %s is not the extension's",
						format_type_be(columns->tdtypeid)),
				 errhint("Drop the extension, and have a superuser make it anew.")));
}

/*
 * A row of a function's type, whose columns are all of one length, so that a copy of it is
 * filled as the structure that it is: that takes a third of the time of forming one.  Of a
 * column that is to be null, counted from 0, there is no place in it.
 */
HeapTuple
model_row(FunctionCallInfo fcinfo, int count, const Oid *types, int null_column)
{
	Datum	   *values = palloc0(count * sizeof(Datum));
	bool	   *nulls = palloc0(count * sizeof(bool));
	TupleDesc	columns;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_row_type(columns, count, types);
	if (null_column >= 0)
		nulls[null_column] = true;
	return heap_form_tuple(BlessTupleDesc(columns), values, nulls);
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

static const Oid row_types[NUM_ROW_COLUMNS] = {
	INT8OID, UUIDOID, TEXTOID, INT4OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	INTERVALOID, INTERVALOID, INTERVALOID
};

/* A row of a session, for as long as it is in use. */
typedef struct SessionRow
{
	Interval	spans[3];
	Datum		values[NUM_ROW_COLUMNS];
	bool		nulls[NUM_ROW_COLUMNS];
} SessionRow;

static void
fill_session_row(SessionRow *row, const Session *session)
{
	const Measure *measure = &session->measure;
	Datum	   *values = row->values;
	bool	   *nulls = row->nulls;

	memset(nulls, 0, sizeof(row->nulls));
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

	values[ROW_DURATION] = interval_datum(&row->spans[0], measure->duration);
	values[ROW_PRODUCTIVITY_TIME] =
		interval_datum(&row->spans[1], measure->duration - measure->idle);
	values[ROW_IDLE_TIME] = interval_datum(&row->spans[2], measure->idle);
}

/* Refuse another type than ekran_session_row. */
void
check_session_row(TupleDesc columns)
{
	check_row_type(columns, NUM_ROW_COLUMNS, row_types);
}

/*
 * Begin to return rows of type ekran_session_row.
 */
ReturnSetInfo *
begin_session_rows(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	check_session_row(result->setDesc);
	return result;
}

/*
 * Put a session into the tuplestore of a set-returning function.
 */
void
put_session_row(ReturnSetInfo *result, const Session *session)
{
	SessionRow	row;

	fill_session_row(&row, session);
	tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
}

/*
 * The same row for a function that returns one after the other.
 */
HeapTuple
form_session_row(TupleDesc columns, const Session *session)
{
	SessionRow	row;

	fill_session_row(&row, session);
	return heap_form_tuple(columns, row.values, row.nulls);
}

/* Columns of ekran_session_list. */
enum
{
	LIST_CLIENT_GUID,
	LIST_LOGOUT_DATE,
	LIST_LOGIN_DATE,
	LIST_SESSION_ID,
	LIST_USER_ID,
	NUM_LIST_COLUMNS
};

/*
 * Put what a list tells of a session into the tuplestore of a set-returning function.
 */
void
put_list_row(ReturnSetInfo *result, const Session *session)
{
	const Measure *measure = &session->measure;
	Datum		values[NUM_LIST_COLUMNS];
	bool		nulls[NUM_LIST_COLUMNS] = {false};

	values[LIST_CLIENT_GUID] = session->stored[SESSION_CLIENT_GUID];
	nulls[LIST_CLIENT_GUID] = session->is_null[SESSION_CLIENT_GUID];
	values[LIST_LOGOUT_DATE] = TimestampTzGetDatum(measure->last);
	nulls[LIST_LOGOUT_DATE] = !measure->has_moment;
	values[LIST_LOGIN_DATE] = TimestampTzGetDatum(measure->first);
	nulls[LIST_LOGIN_DATE] = !measure->has_moment;
	values[LIST_SESSION_ID] = session->stored[SESSION_SESSION_ID];
	values[LIST_USER_ID] = session->stored[SESSION_USER_ID];
	nulls[LIST_USER_ID] = session->is_null[SESSION_USER_ID];
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * Append a session to the response of the Sessions (Post) endpoint.
 *
 * Rule: rules.md, JSON.
 */
void
append_json_session(Json *json, const Session *session)
{
	const Datum *stored = session->stored;
	const bool *is_null = session->is_null;
	const Measure *measure = &session->measure;

	begin_json_object(json);
	append_json_number(json, "sessionId", session->session_id, false);
	append_json_uuid(json, "clientGuid", stored[SESSION_CLIENT_GUID],
					 is_null[SESSION_CLIENT_GUID]);
	append_json_text(json, "clientName",
					 session->has_client_name ? DatumGetTextPP(session->client_name) : NULL);
	append_json_number(json, "userId", DatumGetInt32(stored[SESSION_USER_ID]),
					   is_null[SESSION_USER_ID]);
	append_json_text(json, "userName",
					 session->has_user_name ? DatumGetTextPP(session->user_name) : NULL);
	append_json_moment(json, "loginDate", measure->first, !measure->has_moment);
	append_json_moment(json, "logoutDate", measure->last, !measure->has_moment);
	append_json_duration(json, "duration", measure->duration);
	append_json_duration(json, "productivityTime", measure->duration - measure->idle);
	append_json_duration(json, "idleTime", measure->idle);
	end_json_object(json);
}

/*
 * Append a session to the response of the list of sessions.
 *
 * Rule: rules.md, JSON.
 */
void
append_json_list_session(Json *json, const Session *session)
{
	const Datum *stored = session->stored;
	const bool *is_null = session->is_null;
	const Measure *measure = &session->measure;

	begin_json_object(json);
	append_json_uuid(json, "clientGuid", stored[SESSION_CLIENT_GUID],
					 is_null[SESSION_CLIENT_GUID]);
	append_json_moment(json, "logoutDate", measure->last, !measure->has_moment);
	append_json_moment(json, "loginDate", measure->first, !measure->has_moment);
	append_json_number(json, "sessionId", session->session_id, false);
	append_json_number(json, "userId", DatumGetInt32(stored[SESSION_USER_ID]),
					   is_null[SESSION_USER_ID]);
	end_json_object(json);
}

/* Columns of ekran_application_statistics and ekran_url_statistics. */
enum
{
	USAGE_SESSION_ID,
	USAGE_TIME_OF_DAY,
	USAGE_LABEL,
	USAGE_DURATION,
	NUM_USAGE_COLUMNS
};

/*
 * Put how long a session had something in use in an hour.
 */
void
put_usage_row(void *materialized, const UsageRow *row)
{
	ReturnSetInfo *result = materialized;
	Interval	interval;
	Datum		values[NUM_USAGE_COLUMNS];
	bool		nulls[NUM_USAGE_COLUMNS] = {false};

	values[USAGE_SESSION_ID] = Int64GetDatum(row->session_id);
	values[USAGE_TIME_OF_DAY] = TimestampTzGetDatum(row->hour);
	values[USAGE_LABEL] = PointerGetDatum(row->label);
	nulls[USAGE_LABEL] = row->label == NULL;
	values[USAGE_DURATION] = interval_datum(&interval, row->duration);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void
begin_json_usage(UsageJson *json, pg_tz *zone)
{
	begin_json(&json->json, zone, "[");
	json->has_hour = false;
}

static void
end_json_hour(UsageJson *json)
{
	if (!json->has_hour)
		return;
	end_json_array(&json->json);
	append_json_number(&json->json, "sessionId", json->session_id, false);
	append_json_moment(&json->json, "timeOfDay", json->hour, false);
	end_json_object(&json->json);
}

/*
 * Append such a row: what is of one session and hour is one element.
 *
 * Rule: rules.md, JSON.
 */
void
append_json_usage(UsageJson *json, const UsageRow *row)
{
	if (!json->has_hour || json->session_id != row->session_id || json->hour != row->hour)
	{
		end_json_hour(json);
		json->has_hour = true;
		json->session_id = row->session_id;
		json->hour = row->hour;
		begin_json_object(&json->json);
		begin_json_array(&json->json, "data");
	}
	begin_json_object(&json->json);
	append_json_duration(&json->json, "duration", row->duration);
	append_json_text(&json->json, "key", row->label);
	end_json_object(&json->json);
}

text *
end_json_usage(UsageJson *json)
{
	end_json_hour(json);
	return end_json(&json->json, "]");
}

/* Columns of ekran_user_productivity. */
enum
{
	PRODUCTIVITY_USER_ID,
	PRODUCTIVITY_USER_NAME,
	PRODUCTIVITY_DATE,
	PRODUCTIVITY_TIME_OF_DAY,
	PRODUCTIVITY_TOTAL_MINUTES,
	NUM_PRODUCTIVITY_COLUMNS
};

static double
minutes_of(int64 microseconds)
{
	return microseconds / (double) USECS_PER_MINUTE;
}

/*
 * Put how long a user was active in an hour.
 */
void
put_productivity_row(void *materialized, const ProductivityRow *row)
{
	ReturnSetInfo *result = materialized;
	Datum		values[NUM_PRODUCTIVITY_COLUMNS];
	bool		nulls[NUM_PRODUCTIVITY_COLUMNS] = {false};

	values[PRODUCTIVITY_USER_ID] = Int32GetDatum(row->user_id);
	nulls[PRODUCTIVITY_USER_ID] = row->is_of_no_user;
	values[PRODUCTIVITY_USER_NAME] = PointerGetDatum(row->user_name);
	nulls[PRODUCTIVITY_USER_NAME] = row->user_name == NULL;
	values[PRODUCTIVITY_DATE] = DateADTGetDatum(row->date);
	values[PRODUCTIVITY_TIME_OF_DAY] = Int32GetDatum(row->hour);
	values[PRODUCTIVITY_TOTAL_MINUTES] = Float8GetDatum(minutes_of(row->active));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * Append such a row to the response.
 *
 * Rule: rules.md, JSON.
 */
void
append_json_productivity(Json *json, const ProductivityRow *row)
{
	begin_json_object(json);
	append_json_moment(json, "date", midnight_of(row->date, json->zone), false);
	append_json_double(json, "totalMinutes", minutes_of(row->active));
	append_json_text(json, "userName", row->user_name);
	append_json_number(json, "timeOfDay", row->hour, false);
	end_json_object(json);
}

/* Columns of ekran_session_timeline. */
enum
{
	TIMELINE_FROM_TIME,
	TIMELINE_TO_TIME,
	TIMELINE_STATE,
	TIMELINE_APPLICATION,
	NUM_TIMELINE_COLUMNS
};

/*
 * Put a part of a session's time.
 */
void
put_timeline_row(void *materialized, const TimelineRow *row)
{
	ReturnSetInfo *result = materialized;
	Datum		values[NUM_TIMELINE_COLUMNS];
	bool		nulls[NUM_TIMELINE_COLUMNS] = {false};
	text	   *state = cstring_to_text(row->is_active ? "active" : "idle");

	values[TIMELINE_FROM_TIME] = TimestampTzGetDatum(row->span.from);
	values[TIMELINE_TO_TIME] = TimestampTzGetDatum(row->span.to);
	values[TIMELINE_STATE] = PointerGetDatum(state);
	values[TIMELINE_APPLICATION] = PointerGetDatum(row->application);
	nulls[TIMELINE_APPLICATION] = row->application == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	pfree(state);
}
