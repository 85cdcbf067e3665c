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
#include "utils/relcache.h"
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

/* rights.c: whose rights we work with */

/* Whom to be again when the work with the owner's rights is done. */
typedef struct CallerRights
{
	Oid			user;
	int			security_context;
	int			guc_nest_level;
} CallerRights;

extern void pin_search_path(void);
extern void pin_quoting(void);
extern void refuse_hidden_rows(void);
extern CallerRights become_owner(Relation relation);
extern void become_caller(CallerRights caller);

/* store.c: the tables of a store, and the saved plans over them */

typedef enum StoreQuery
{
	/* for readers, with the caller's rights */
	QUERY_PAGE_ACROSS,
	QUERY_PAGE_WITHIN,
	QUERY_CLIENT_NAMES,
	QUERY_USER_NAMES,
	QUERY_GAPS,
	QUERY_COUNT_ACROSS,
	QUERY_POSITION_WITHIN,
	QUERY_KEYSET_POSITION,
	QUERY_TOTAL_COUNT,
	QUERY_ACTIVITIES,
	QUERY_LATEST_ACTIVITY,
	QUERY_ANY_PENDING,
	QUERY_PENDING,
	QUERY_ACTIVITIES_AROUND,
	QUERY_FIRST_ACTIVITIES,
	QUERY_LAST_ACTIVITIES,
	/* for triggers, with the rights of the store's owner */
	QUERY_LOCK_SESSIONS,
	QUERY_LOCK_SESSIONS_ADD_PENDING,
	QUERY_LOCK_SESSION_ADD_PENDING,
	QUERY_ADD_PENDING,
	QUERY_ALL_PENDING,
	QUERY_ADD_IDLE,
	QUERY_DELETE_ACTIVITIES,
	QUERY_DELETE_PENDING,
	QUERY_DELETE_IDLE,
	QUERY_ADD_PENDING_OF_IDLE,
	QUERY_ANY_ACTIVITY_OF,
	QUERY_ANY_ACTIVITY,
	/* for folding */
	QUERY_PENDING_SESSIONS,
	QUERY_ALL_SESSIONS,
	QUERY_TRY_LOCK_IDLE,
	QUERY_LOCK_IDLE,
	QUERY_PENDING_OF_SESSION,
	QUERY_IDLE,
	QUERY_WRITE_IDLE,
	QUERY_DELETE_FOLDED,
	QUERY_DELETE_IDLE_OF_NONE,
	QUERY_DELETE_PENDING_OF_NONE,
	QUERY_SESSIONS_TO_CHECK,
	QUERY_ORPHANS,
	/* for keeping the store in order */
	QUERY_PURGE,
	QUERY_CLOSE_SESSIONS
} StoreQuery;

extern const char *current_store(void);
extern SPIPlanPtr store_plan(const char *store, StoreQuery query);
/* Activities fetched at a time: what bounds the memory a long session takes. */
#define ACTIVITY_BATCH	1000

extern void read_query(const char *store, StoreQuery query,
					   Datum *parameters);
extern Portal open_query(const char *store, StoreQuery query,
						 Datum *parameters);
extern uint64 fetch_batch(Portal portal, int size);
extern void check_result_shape(const char *store, int ncolumns,
							   const Oid *types);
extern Datum int8_array(const int64 *values, int count);
extern Datum timestamptz_array(const TimestampTz *values, int count);

/* names.c: the names of clients and users */

typedef struct Names Names;

extern Names *begin_names(StoreQuery query, Oid key_type);
extern void learn_names(Names *names, const char *store, const Datum *ids,
						int count);
extern bool find_name(const Names *names, Datum id, Datum *name);

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

/* What the moments in the window add up to. */
typedef struct Measure
{
	bool		has_moment;
	TimestampTz first;			/* valid only if has_moment */
	TimestampTz last;			/* likewise */
	int64		duration;
	int64		idle;
} Measure;

extern ClipBounds clip_bounds(const SessionSpan *span, const Window *window);
extern bool contains_moment(const ClipBounds *bounds, TimestampTz moment);
extern int64 idle_part(int64 gap);
extern int64 elapsed(int64 session_id, TimestampTz first, TimestampTz last);
extern void begin_measure(Measure *measure);
extern void add_moment(Measure *measure, int64 session_id,
					   TimestampTz moment);

/* gaps.c: the idle-gap index of a session, as arithmetic */

/*
 * What a store's session_idle leaves out: gaps up to this long.  A constant of
 * the stored data; changing it takes ekran_rebuild() of every store.
 */
#define MINIMUM_GAP		(60 * USECS_PER_SEC)

typedef struct Gaps
{
	int			count;
	const TimestampTz *start;
	const TimestampTz *end;
} Gaps;

typedef struct GapList
{
	int			count;
	int			allocated;
	TimestampTz *start;
	TimestampTz *end;
} GapList;

/* A part of the timeline, read anew. */
typedef struct Region
{
	TimestampTz first;			/* an activity, or -infinity */
	TimestampTz last;			/* an activity, or infinity */
	bool		is_empty;		/* no activity added so far? */
	GapList		gaps;
} Region;

extern bool read_gaps(Datum starts, Datum ends, Gaps *gaps);
extern void write_gaps(const Gaps *gaps, Datum *starts, Datum *ends);
extern bool equal_gaps(const Gaps *a, const Gaps *b);
extern bool find_first_activity(const Gaps *gaps, TimestampTz moment,
								TimestampTz *found);
extern bool find_last_activity(const Gaps *gaps, TimestampTz moment,
							   TimestampTz *found);
extern TimestampTz latest_activity(const Gaps *gaps);
extern int64 idle_between(const Gaps *gaps, TimestampTz first,
						  TimestampTz last);
extern void begin_region(Region *region);
extern void add_region_activity(Region *region, TimestampTz moment,
								TimestampTz range_start);
extern void end_region(Region *region, TimestampTz range_end);
extern Gaps mend_gaps(const Gaps *gaps, const Region *region);

/* index.c: reading the idle-gap index of a store */

/* What may have changed in a session since its gaps were stored. */
typedef struct Range
{
	TimestampTz first;
	TimestampTz last;
} Range;

typedef struct Ranges
{
	int			count;
	int			allocated;
	Range	   *ranges;			/* in ascending order, and apart */
} Ranges;

/* A range of a session, and what lies around it. */
typedef struct RegionRequest
{
	int64		session_id;
	Range		range;
	Region		region;			/* the answer */
} RegionRequest;

extern bool is_table_of(Oid relation, Oid owner, bool may_be_partitioned);
extern bool schema_has_index(Oid schema);
extern bool store_has_index(const char *store);
extern bool index_is_usable(const char *store);
extern void add_range(Ranges *ranges, TimestampTz first, TimestampTz last);
extern void read_regions(const char *store, RegionRequest *requests,
						 int count);
extern Gaps exact_gaps(const char *store, int64 session_id,
					   const Gaps *stored, const Ranges *pending);

/* folding.c: keeping the index */

typedef enum FoldMode
{
	FOLD_PENDING,				/* what is pending, if nobody else is at it */
	FOLD_ALL					/* everything, after waiting */
} FoldMode;

extern bool fold_session(const char *store, int64 session_id, FoldMode mode);
extern int64 rebuild_index(const char *store);

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
	Measure		measure;		/* without a moment, both dates are null */
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
