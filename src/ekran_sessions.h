/*-------------------------------------------------------------------------
 *
 * ekran_sessions.h
 *	  What the files of ekran_sessions share, in the order a call goes
 *	  through them: settings, arguments, store, window rules, reading,
 *	  formatting.
 *
 * Moments are TimestampTz, spans of time are int64; both in microseconds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EKRAN_SESSIONS_H
#define EKRAN_SESSIONS_H

#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/timestamp.h"

/* module.c: the settings */

typedef enum IdlePolicy
{
	IDLE_POLICY_WHOLE,			/* an idle gap counts from end to end */
	IDLE_POLICY_EXCESS			/* only its part beyond the threshold */
} IdlePolicy;

extern char *ekran_store;
extern int	ekran_idle_threshold;	/* seconds */
extern int	ekran_idle_policy;	/* an IdlePolicy */

/* arguments.c: what the caller asks for */

#define MAX_PAGE_SIZE	1000

/* Both bounds exclusive; a bound left out is infinite. */
typedef struct Window
{
	TimestampTz start;
	TimestampTz end;
} Window;

typedef struct PageRequest
{
	int64		size;			/* 0 to MAX_PAGE_SIZE */
	int64		index;			/* counted from 0; unused by a keyset page */
	bool		is_keyset;		/* the page that follows a session? */
	int64		after_session_id;
} PageRequest;

extern Window get_window_arguments(FunctionCallInfo fcinfo);
extern PageRequest get_page_arguments(FunctionCallInfo fcinfo,
							   const char *count_name, const char *page_name);
extern PageRequest get_keyset_arguments(FunctionCallInfo fcinfo);

/* store.c: the tables of a store, and the saved plans over them */

typedef enum StoreQuery
{
	/* for readers, with the caller's rights */
	QUERY_PAGE,
	QUERY_KEYSET_PAGE,
	QUERY_KEYSET_POSITION,
	QUERY_TOTAL_COUNT,
	QUERY_ACTIVITIES,
	/* for triggers, with the rights of the store's owner */
	QUERY_LOCK_SESSIONS,
	QUERY_DELETE_ACTIVITIES,
	QUERY_ANY_ACTIVITY_OF,
	QUERY_ANY_ACTIVITY
} StoreQuery;

extern const char *current_store(void);
extern void pin_search_path(void);
extern SPIPlanPtr store_plan(const char *store, StoreQuery query);
extern void check_result_shape(const char *store, int ncolumns,
							   const Oid *types);

/* window.c: the rules */

/* What the rules need to know of a session. */
typedef struct SessionSpan
{
	TimestampTz login;
	TimestampTz finish;			/* the logout, else the latest moment */
	bool		is_finished;	/* does it have a logout? */
} SessionSpan;

/* The first and the last instant that a counted moment may lie on. */
typedef struct ClipBounds
{
	TimestampTz first;
	TimestampTz last;
} ClipBounds;

typedef struct Measure
{
	int64		session_id;
	int64		threshold;
	IdlePolicy	policy;
	bool		has_moment;
	TimestampTz first;			/* valid only if has_moment */
	TimestampTz last;			/* likewise */
	int64		idle;
} Measure;

extern ClipBounds clip_bounds(const SessionSpan *span, const Window *window);
extern bool contains_moment(const ClipBounds *bounds, TimestampTz moment);
extern void begin_measure(Measure *measure, int64 session_id);
extern void add_moment(Measure *measure, TimestampTz moment);
extern int64 measured_duration(const Measure *measure);

/* reading.c: from the store's tables to measured sessions */

/* Columns of ekran_session_row; the identity comes first, as stored. */
typedef enum SessionColumn
{
	COLUMN_SESSION_ID,
	COLUMN_CLIENT_GUID,
	COLUMN_CLIENT_NAME,
	COLUMN_USER_ID,
	COLUMN_USER_NAME,
	COLUMN_LOGIN_DATE,
	COLUMN_LOGOUT_DATE,
	COLUMN_DURATION,
	COLUMN_PRODUCTIVITY_TIME,
	COLUMN_IDLE_TIME,
	NUM_SESSION_COLUMNS
} SessionColumn;

#define NUM_IDENTITY_COLUMNS	(COLUMN_USER_NAME + 1)

typedef struct MeasuredSession
{
	Datum		identity[NUM_IDENTITY_COLUMNS];
	bool		identity_null[NUM_IDENTITY_COLUMNS];
	bool		has_moment;		/* if not, both dates are null */
	TimestampTz login;			/* clipped */
	TimestampTz logout;			/* clipped */
	int64		duration;
	int64		idle;
} MeasuredSession;

/* The session is valid during the call only. */
typedef void (*SessionReceiver) (const MeasuredSession *session, void *state);

extern void read_page(const char *store, const Window *window,
					  const PageRequest *page, SessionReceiver receive, void *state);
extern int32 count_sessions(const char *store, const Window *window);

/* formatting.c: the result as rows and as the endpoint's JSON */

/* The state that receive_as_json works on. */
typedef struct JsonSessions
{
	StringInfoData text;
	bool		has_session;
} JsonSessions;

extern void receive_as_row(const MeasuredSession *session, void *rsinfo);
extern void begin_json_sessions(JsonSessions *json);
extern void receive_as_json(const MeasuredSession *session, void *json);
extern text *end_json_sessions(JsonSessions *json, int32 total_count);

#endif							/* EKRAN_SESSIONS_H */
