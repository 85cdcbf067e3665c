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

#include "commands/trigger.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/timestamp.h"

/* module.c: the settings */

typedef enum IdlePolicy
{
	IDLE_POLICY_WHOLE,			/* an idle gap counts from end to end */
	IDLE_POLICY_EXCESS			/* only its part beyond the threshold */
} IdlePolicy;

/*
 * What of a gap is idle time.  Settings can change while a call runs, by
 * whatever runs inside its queries: a call goes by what it copied at its start.
 */
typedef struct IdleRule
{
	int64		threshold;		/* microseconds */
	IdlePolicy	policy;
} IdleRule;

extern const char *store_setting(void);
extern IdleRule idle_rule_setting(void);

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

/* store.c: the tables of a store, and how queries over them are run */

typedef enum StoreTable
{
	TABLE_CLIENT,
	TABLE_APP_USER,
	TABLE_SESSION,
	TABLE_ACTIVITY,
	TABLE_SESSION_IDLE,
	TABLE_PENDING,
	NUM_STORE_TABLES
} StoreTable;

/* Whose rights a store is worked on with. */
typedef enum Rights
{
	RIGHTS_OF_CALLER,
	RIGHTS_OF_OWNER
} Rights;

/*
 * A store as a call found it at its start.  Names can change from one moment
 * to the next; the OIDs say which tables the call is about.
 */
typedef struct Store
{
	NameData	name;			/* of its schema */
	Oid			schema;
	Oid			owner;			/* of table session, so of the store */
	Oid			tables[NUM_STORE_TABLES];	/* InvalidOid: there is none */
	bool		has_index;		/* both derived tables, and they are sound? */
	Rights		rights;
} Store;

#define MAX_QUERY_PARAMETERS	6
#define MAX_QUERY_COLUMNS		5

typedef struct QueryColumn
{
	Oid			type;
	bool		may_be_null;
} QueryColumn;

#define NULLABLE	true

typedef enum QueryMode
{
	/* reads under the snapshot in hand */
	QUERY_READS = 0,
	/* writes, or locks, under a new snapshot of the transaction's */
	QUERY_WRITES,
	/* the same, and sees what others have committed at any isolation level */
	QUERY_WRITES_LATEST,
	/* the same, and fails to serialize over a row to be changed that the
	 * transaction's own snapshot doesn't see */
	QUERY_WRITES_CHECKED
} QueryMode;

/*
 * A query over a store: a static object beside the function that uses it.
 *
 * The text names everything in full, operators too, so that no search_path has
 * a say in what it means; @store@ stands for the quoted name of the schema.
 */
typedef struct StoreQuery
{
	const char *sql;
	Oid			parameters[MAX_QUERY_PARAMETERS + 1];	/* up to InvalidOid */
	QueryColumn columns[MAX_QUERY_COLUMNS + 1]; /* of the result; likewise */
	QueryMode	mode;
	int			plan_options;	/* of SPI_prepare_cursor(); see below */
	int			batch;			/* rows fetched at a time; 0: all at once */
} StoreQuery;

/*
 * What runs often is planned once: planning takes longer than a page does, and
 * there is one good way by the keys, whatever the parameters.  What runs over
 * whole tables is planned for the tables as they are.
 */
#define PLAN_ONCE		CURSOR_OPT_GENERIC_PLAN
#define PLAN_EACH_TIME	CURSOR_OPT_CUSTOM_PLAN

/* Activities fetched at a time: what bounds the memory a long session takes. */
#define ACTIVITY_BATCH	1000

/* The result of a query, row by row. */
typedef struct Rows
{
	Datum		values[MAX_QUERY_COLUMNS];	/* of the row in hand */
	bool		nulls[MAX_QUERY_COLUMNS];
	const Store *store;
	const StoreQuery *query;
	SPITupleTable *tuples;		/* the batch in hand */
	uint64		count;			/* rows in it */
	uint64		next;
	Portal		portal;			/* NULL without batches */
	uint64		portal_position;
} Rows;

extern void find_store(Store *store);
extern bool load_store(Store *store, Oid schema);
extern bool is_table_of(Oid relation, Oid owner, bool may_be_partitioned);
extern void begin_rows(Rows *rows, const Store *store, const StoreQuery *query,
					   const Datum *parameters);
extern bool next_row(Rows *rows);
extern void end_rows(Rows *rows);
extern bool read_row(const Store *store, const StoreQuery *query,
					 const Datum *parameters, Datum *values);
extern uint64 run_query(const Store *store, const StoreQuery *query,
						const Datum *parameters);
extern Datum int8_array(const int64 *values, int count);
extern Datum timestamptz_array(const TimestampTz *values, int count);
extern void install_query_guard(void);

/* rights.c: whose rights we work with */

typedef enum OwnerWork
{
	OWNER_KEEPS,				/* what triggers do to derived data */
	OWNER_CASCADES,				/* what referential integrity would do */
	OWNER_MAINTAINS				/* what somebody with the owner's rights asked for */
} OwnerWork;

/* Whom to be again when the work with the owner's rights is done. */
typedef struct CallerRights
{
	Oid			user;
	int			security_context;
	int			guc_nest_level;
} CallerRights;

extern void pin_search_path(void);
extern void pin_quoting(void);
extern void require_owner_rights(const Store *store);
extern CallerRights become_owner(Store *store, OwnerWork work);
extern void become_caller(Store *store, CallerRights caller);
extern CallerRights begin_maintenance(Store *store);

/* names.c: the names of clients and users */

typedef struct Names Names;

extern Names *begin_client_names(const Store *store);
extern Names *begin_user_names(const Store *store);
extern void learn_names(Names *names, const Datum *ids, int count);
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
extern int64 idle_part(const IdleRule *rule, int64 gap);
extern int64 elapsed(int64 session_id, TimestampTz first, TimestampTz last);
extern void begin_measure(Measure *measure);
extern void add_moment(Measure *measure, const IdleRule *rule,
					   int64 session_id, TimestampTz moment);

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

extern bool are_gaps(const Gaps *gaps);
extern bool read_gaps(const Datum *columns, const bool *nulls, Gaps *gaps);
extern void write_gaps(const Gaps *gaps, Datum *starts, Datum *ends);
extern bool equal_gaps(const Gaps *a, const Gaps *b);
extern bool find_first_activity(const Gaps *gaps, TimestampTz moment,
								TimestampTz *found);
extern bool find_last_activity(const Gaps *gaps, TimestampTz moment,
							   TimestampTz *found);
extern TimestampTz latest_activity(const Gaps *gaps);
extern int64 idle_between(const Gaps *gaps, const IdleRule *rule,
						  TimestampTz first, TimestampTz last);
extern void begin_region(Region *region);
extern void add_region_activity(Region *region, TimestampTz moment,
								TimestampTz range_start);
extern void end_region(Region *region, TimestampTz range_end);
extern Gaps mend_gaps(const Gaps *gaps, const Region *region);
extern void free_gaps(Gaps *gaps);

/* gap_index.c: a session's exact gaps, from those stored and what is pending */

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

extern bool index_is_usable(const Store *store, const IdleRule *rule);
extern void require_index(const Store *store);
extern bool add_pending_range(Ranges *ranges, const Datum *values,
							  const bool *nulls);
extern void read_regions(const Store *store, RegionRequest *requests,
						 int count);
extern bool mend_regions(Gaps *gaps, const RegionRequest *requests, int count);
extern bool exact_gaps(const Store *store, int64 session_id, Gaps *gaps,
					   const Ranges *pending);
extern Gaps raw_gaps(const Store *store, int64 session_id);

/* transition.c: what a statement touched */

/* Touched sessions in ascending order of their ids. */
typedef struct TouchedSessions
{
	int			count;
	int64	   *ids;
	TimestampTz *first;			/* the range of the moments touched */
	TimestampTz *last;
} TouchedSessions;

extern TouchedSessions touched_activities(TriggerData *trigger,
										  Tuplestorestate *rows);
extern void moved_activities(TriggerData *trigger, TouchedSessions *from,
							 TouchedSessions *to);
extern TouchedSessions touched_sessions(TriggerData *trigger,
										Tuplestorestate *rows,
										Tuplestorestate *without);

/* triggers.c: what keeps activities and sessions together */

/* Sessions that a query is asked about at a time. */
#define SESSION_BATCH	1000

extern void lock_existing_sessions(const Store *store, const int64 *ids,
								   int count, Rows *rows);

/* folding.c: keeping the index */

extern void add_idle_rows(const Store *store, const int64 *ids, int count);
extern void forget_sessions(const Store *store, const int64 *ids, int count);
extern void fold_by_chance(const Store *store, const TouchedSessions *sessions);
extern int64 rebuild_index(const Store *store);

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

extern void read_page(const Store *store, const IdleRule *rule,
					  const Window *window, const PageRequest *page,
					  SessionReceiver receive, void *state);
extern int32 count_sessions(const Store *store, const Window *window);

/* formatting.c: the result as rows and as the endpoint's JSON */

/* The state that receive_as_json works on. */
typedef struct JsonSessions
{
	StringInfoData text;
	bool		has_session;
	pg_tz	   *zone;			/* TimeZone at the start of the call */
} JsonSessions;

extern void receive_as_row(const MeasuredSession *session, void *rsinfo);
extern void begin_json_sessions(JsonSessions *json);
extern void receive_as_json(const MeasuredSession *session, void *json);
extern text *end_json_sessions(JsonSessions *json, int32 total_count);

#endif							/* EKRAN_SESSIONS_H */
