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

#include "access/genam.h"
#include "commands/trigger.h"
#include "compat.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "storage/lock.h"
#include "utils/date.h"
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

/* Of which users, or clients, sessions are wanted. */
typedef struct Filter
{
	bool		is_given;		/* or else of all */
	bool		has_null;		/* those without one too? */
	int			count;			/* of the others */
	Datum		ids;			/* they, as an array without nulls */
} Filter;

typedef struct Filters
{
	Filter		users;
	Filter		clients;
} Filters;

typedef struct PageRequest
{
	int64		size;			/* 0 to MAX_PAGE_SIZE */
	int64		index;			/* counted from 0; unused by a keyset page */
	bool		is_keyset;		/* the page that follows a session? */
	int64		after_session_id;
} PageRequest;

extern Window get_window_arguments(FunctionCallInfo fcinfo, int first);
extern Filters get_filter_arguments(FunctionCallInfo fcinfo, int first);
extern PageRequest get_page_arguments(FunctionCallInfo fcinfo,
									  const char *count_name,
									  const char *page_name);
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
	TABLE_SESSION_COUNT,
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
	const char *generation;		/* of the trigger that is fired, or NULL */
	Rights		rights;
} Store;

#define MAX_QUERY_PARAMETERS	14
#define MAX_QUERY_COLUMNS		8

typedef struct QueryColumn
{
	Oid			type;
	bool		may_be_null;
} QueryColumn;

/* Both are said, for compilers that warn of initializers that leave out a field. */
#define NOT_NULL	false
#define NULLABLE	true

typedef enum QueryMode
{
	/* reads under the snapshot in hand */
	QUERY_READS = 0,
	/* writes, or locks, under a new snapshot of the transaction's */
	QUERY_WRITES,
	/* the same, and sees what others have committed at any isolation level */
	QUERY_WRITES_LATEST,

	/*
	 * the same, and fails to serialize over a row to be changed that the
	 * transaction's own snapshot doesn't see
	 */
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

extern const char *const table_names[NUM_STORE_TABLES];

extern void find_store(Store *store);
extern void find_store_in(Store *store, Oid schema);
extern bool load_store(Store *store, Oid schema);
extern bool is_table_of(Oid relation, Oid owner, bool may_be_partitioned);
extern const char *why_of_views(const Store *store);
extern void refuse_views(const Store *store);
extern void begin_rows(Rows *rows, const Store *store, const StoreQuery *query,
					   const Datum *parameters);
pg_noreturn extern void refuse_null_column(const Store *store, const char *column);
extern bool next_row(Rows *rows);
extern void end_rows(Rows *rows);
extern bool read_row(const Store *store, const StoreQuery *query,
					 const Datum *parameters, Datum *values);
extern uint64 run_query(const Store *store, const StoreQuery *query,
						const Datum *parameters);
extern Datum int8_array(const int64 *values, int count);
extern Datum timestamptz_array(const TimestampTz *values, int count);
extern void install_query_guard(void);
extern void watch_catalog(void);

/* rights.c: whose rights we work with */

typedef enum OwnerWork
{
	OWNER_KEEPS,				/* what triggers look up, and fold */
	OWNER_CASCADES,				/* what referential integrity would do */
	OWNER_MAINTAINS				/* maintenance that somebody asked for */
} OwnerWork;

/* Whom to be again when the work with the owner's rights is done. */
typedef struct CallerRights
{
	Oid			user;
	int			security_context;
	int			guc_nest_level;
} CallerRights;

/* What who may not read a store is told. */
#define READER_GRANTS \
	"To read a store takes USAGE on its schema, SELECT on its tables session, client and app_user, " \
	"SELECT on the columns session_id and activity_date of activity (of application, or url, and activity_id too " \
	"for statistics of these), and what its policies and views read; to keep it takes the rights of its owner."

extern void pin_setting(const char *name, const char *value);
extern void pin_search_path(void);
extern void pin_quoting(void);
pg_noreturn extern void rethrow_with_grants(MemoryContext context, const char *grants);
extern void require_owner_rights(const Store *store);
extern void require_writing(const char *function);
extern CallerRights become_owner(Store *store, OwnerWork work);
extern void become_caller(Store *store, CallerRights caller);
extern CallerRights begin_maintenance(Store *store);
extern CallerRights begin_maintenance_of(Store *store, Oid schema);

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

extern const Window all_time;

extern bool is_selected(const SessionSpan *span, const Window *window);
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
extern int	gap_ending_after(const Gaps *gaps, TimestampTz moment);
extern int64 idle_between(const Gaps *gaps, const IdleRule *rule,
						  TimestampTz first, TimestampTz last);
extern void begin_region(Region *region);
extern void add_region_activity(Region *region, TimestampTz moment,
								TimestampTz range_start);
extern void end_region(Region *region, TimestampTz range_end);
extern Gaps region_gaps(const Region *region);
extern Gaps no_activity_gaps(void);
extern Gaps mend_gaps(const Gaps *gaps, const Region *region);
extern void free_gaps(Gaps *gaps);

/* activities.c: activities of many sessions, near some moment or one after the other */

/* What may have changed in a session since its gaps were stored. */
typedef struct Range
{
	TimestampTz first;
	TimestampTz last;
} Range;

/* A range of a session, and what lies around it. */
typedef struct RegionRequest
{
	int64		session_id;
	Range		range;
	Range		reach;			/* the last activity before the range, and the
								 * first after it, if any, are in this */
	bool		has_before;		/* is there one for sure? */
	bool		has_after;
	Region		region;			/* the answer */
	bool		is_lost;		/* is one not, that should be? */
} RegionRequest;

typedef struct ActivityProbe
{
	int64		session_id;
	TimestampTz moment;
	bool		is_found;
	TimestampTz found;			/* valid only if is_found */
} ActivityProbe;

/* What of an activity is wanted besides its time. */
typedef enum LabelKind
{
	NO_LABEL,
	APPLICATION_LABEL,
	URL_LABEL,
	NUM_LABELS
} LabelKind;

typedef struct Activity
{
	TimestampTz moment;
	text	   *label;			/* NULL: it has none */
} Activity;

typedef struct Activities Activities;

extern Activities *begin_activities(const Store *store, LabelKind kind);
extern void end_activities(Activities *activities);
extern void begin_session(Activities *activities, int64 session_id,
						  TimestampTz first, TimestampTz last);
extern bool next_in_session(Activities *activities, Activity *activity);
extern void end_session(Activities *activities);
extern void find_first_activities(Activities *activities,
								  ActivityProbe *probes, int count);
extern void find_last_activities(Activities *activities,
								 ActivityProbe *probes, int count);
extern void read_regions(Activities *activities, RegionRequest *requests,
						 int count);
extern TimestampTz latest_activity_of(Activities *activities, int64 session_id,
									  TimestampTz login);
extern bool is_read_straight(const Activities *activities);
extern int	count_activities(const Store *store, int64 session_id,
							 TimestampTz first, int limit);

/* day_counts.c: sessions by the day of their logins, as arithmetic */

typedef struct DayCount
{
	DateADT		day;			/* of UTC */
	int64		sessions;
} DayCount;

typedef struct DayCounts
{
	Size		count;
	Size		allocated;
	DayCount   *days;			/* in order once they are merged */
	MemoryContext context;		/* for them; NULL: the current one */
	bool		is_absurd;		/* has a sum gone beyond a bigint? */
} DayCounts;

extern DateADT day_of(TimestampTz moment);
extern TimestampTz beginning_of_day(DateADT day);
extern void add_to_day(DayCounts *counts, DateADT day, int64 sessions);
extern void merge_days(DayCounts *counts);
extern int64 sessions_on(const DayCounts *counts, DateADT day);
extern bool are_counts(DayCounts *counts);

/* touched.c: sets of sessions, as arithmetic */

/* A session that a statement touched, and the range of its moments there. */
typedef struct Touched
{
	int64		session_id;		/* the hash key */
	TimestampTz first;
	TimestampTz last;
	bool		has_session;	/* or else it is null, and touches nothing */
} Touched;

/*
 * Sessions that a statement touched.  Most touch one, or one after the other: the
 * table of them is made when there is a second, and not asked for the same again.
 */
typedef struct TouchedSet
{
	MemoryContext context;		/* for the table; NULL: the current one */
	Touched		single;
	bool		has_single;
	struct HTAB *many;			/* NULL: there is at most the single one */
	Touched    *latest;			/* touched last, or NULL */
} TouchedSet;

/* Touched sessions in ascending order of their ids. */
typedef struct TouchedSessions
{
	int			count;
	int64	   *ids;
	TimestampTz *first;			/* the range of the moments touched */
	TimestampTz *last;
} TouchedSessions;

extern void touch(TouchedSet *set, const Touched *row);
extern long count_touched(const TouchedSet *set);
extern void touch_all_of(TouchedSet *set, const TouchedSet *other);
extern void forget_all_of(TouchedSet *set, const TouchedSet *other);
extern void sort_sessions(TouchedSet *set, TouchedSessions *sessions);
extern bool is_same_session(const Touched *a, const Touched *b);
extern void touch_moved_row(TouchedSet *went, TouchedSet *came,
							const Touched *old, const Touched *new);

/* row_changes.c: what a statement changes, as its row triggers tell */

typedef struct RowChanges
{
	MemoryContext context;
	TouchedSet	deleted;		/* sessions */
	TouchedSet	left;			/* ids of sessions, or activities, that an
								 * UPDATE takes away */
	TouchedSet	came;			/* those that it brings */
	TouchedSet	changed;		/* sessions with another login, or logout or
								 * none */
	DayCounts	counts;			/* sessions more or fewer */
} RowChanges;

extern int	require_column(const TriggerData *trigger, const char *name, Oid type);
extern Touched activity_row(TupleTableSlot *slot, int id_column, int date_column);
extern RowChanges *begin_row_changes(MemoryContext parent);
extern void end_row_changes(RowChanges *changes);
extern void note_session_row(RowChanges *changes, const TriggerData *trigger,
							 bool is_updating);
extern void note_piece_row(RowChanges *changes, const TriggerData *trigger);
extern void sum_up_sessions(RowChanges *changes, TouchedSessions *deleted,
							TouchedSessions *renamed, TouchedSessions *changed);

/* subtransaction.c: trying what may fail */

extern ErrorData *run_in_subtransaction(void (*action) (void *argument), void *argument);
extern ErrorData *look_in_subtransaction(void (*action) (void *argument), void *argument);

/* transition.c: what a statement on activity touched */

extern void touch_rows(TouchedSet *set, const TriggerData *trigger,
					   Tuplestorestate *rows);
extern void touch_moved_rows(TouchedSet *went, TouchedSet *came,
							 const TriggerData *trigger);

/* trigger_sets.c: the triggers that note what is written */

/*
 * What the derived tables hold, how sessions are dealt out to those who fold, and which
 * triggers there are: libraries of which one knows less of that never share a
 * generation.  Stores that older versions have made are used as they are.
 */
#define GENERATION_FORMAT		"2"
#define UNGUARDED_FORMAT		"1"
#define GENERATION_SIZE			96


typedef struct StoreTrigger
{
	const char *name;
	int16		type;			/* as in pg_trigger.tgtype */
	const char *event;
	const char *level;
	const char *columns;		/* NULL: none */
	const char *condition;		/* likewise */
	bool		has_old_rows;	/* a transition table? */
	bool		has_new_rows;
	bool		is_for_partitions;	/* of no use on a table of one piece? */
	char		fires;			/* as in pg_trigger.tgenabled */
	const char *comment;
} StoreTrigger;

#define MAX_NAMED_COLUMNS	3
#define NUM_TRIGGER_SETS	2
#define NUM_GUARD_SETS		4

/* Those of a table, which all call one function. */
typedef struct TriggerSet
{
	StoreTable	table;
	const char *symbol;			/* of the function */
	const char *columns[MAX_NAMED_COLUMNS]; /* that must keep name and type */
	const StoreTrigger *triggers;	/* the leading one first */
	int			count;
} TriggerSet;

extern const TriggerSet trigger_sets[NUM_TRIGGER_SETS];
extern const TriggerSet guard_sets[NUM_GUARD_SETS];

extern const TriggerSet *triggers_of(StoreTable table);
extern bool is_wanted(const StoreTrigger *trigger, char kind);
extern AttrNumber column_number(Relation table, const char *name);
extern Oid	whole_table(Relation relation);
extern List *pieces_without_locks(Oid table);
extern const char *trigger_generation(const Trigger *trigger);
extern bool find_told_generation(Relation table, char *generation);
extern const char *other_generation(Relation table, StoreTable which,
									const char *generation);
extern const char *triggers_fault(const TriggerSet *set, Relation table,
								  Oid function, const char *generation);
extern const char *noted_table_fault(const TriggerSet *set, Relation table);
extern bool find_generation(const TriggerSet *set, Relation table,
							char *generation, const char **reason);
extern const char *guards_fault_of_piece(Relation table, StoreTable which,
										 const char *generation);
extern const char *guards_fault(Relation table, StoreTable which,
								const char *generation);
extern bool is_our_format(const char *generation);
extern bool is_guarded(const char *generation);

/* derived.c: whether the derived tables can be trusted */

/* What stands beside the generation, or in its place, where it can't be. */
#define MARK_TRUNCATED	"truncated"
#define MARK_LOST		"lost"
#define MARK_WRITTEN	"written"
#define MARK_RECOUNTED	"recounted"

/* Columns of session_idle and pending; the last one is the generation. */
#define DERIVED_SESSION_ID		1
#define DERIVED_FIRST			2	/* first_moment, or gap_start */
#define DERIVED_LAST			3	/* last_moment, or gap_end */
#define IDLE_REACH				4
#define NUM_IDLE_COLUMNS		5
#define NUM_PENDING_COLUMNS		4

/* Columns of session_count; likewise. */
#define COUNT_DAY				1
#define COUNT_SESSIONS			2
#define NUM_COUNT_COLUMNS		3

#define MAX_DERIVED_COLUMNS		NUM_IDLE_COLUMNS

typedef enum DerivedState
{
	DERIVED_OK,
	DERIVED_RAW,				/* to be made anew */
	DERIVED_BROKEN				/* not as ekran_create_store() makes them */
} DerivedState;

typedef struct Verdict
{
	DerivedState state;
	const char *reason;			/* NULL if there is nothing wrong */
} Verdict;

typedef struct DerivedStatus
{
	Verdict		gaps;			/* session_idle and pending, of activity */
	Verdict		counts;			/* session_count, of session */
	bool		is_empty;		/* activity; only if all is ok */
	char		generation[GENERATION_SIZE];	/* of the triggers, or "" */
} DerivedStatus;

/* The rows of a derived table of a session, or those that hold a generation. */
typedef struct DerivedScan
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	Snapshot	snapshot;
	bool		is_quiet;		/* do predicate locks disregard it? */
	MemoryContext context;		/* for the scan's own */
	/* Where it is among the sessions: */
	bool		is_ascending;	/* does it go through them in order? */
	int64		wanted_id;		/* asked for last; all lower ones lie behind */
	bool		has_row;		/* in the slot, of a session that has */
	int64		row_id;			/* this id or, without a row, none */
	TupleTableSlot *slot;		/* the row in hand */
} DerivedScan;

extern bool is_by_reach(Relation index);
extern const char *derived_index_fault(Relation table, Relation index,
									   StoreTable which);
extern const char *derived_table_misfit(Relation table, const Store *store,
										StoreTable which);
extern const char *derived_table_fault(Relation table, const Store *store,
									   StoreTable which);
extern bool holds_lock(Oid table, LOCKMODE least);
extern bool lock_if_free(const Store *store, StoreTable which, LOCKMODE mode);
extern bool lock_pieces_if_free(const Store *store, StoreTable which);
extern bool is_known_sound(const Store *store, StoreTable which);
extern uint64 changes_of_tables(void);
extern void watch_tables(void);
extern Relation open_sound_table(const Store *store, StoreTable which,
								 const char **reason);
extern Relation open_index(Relation table,
						   bool (*is_of_use) (Relation table, Relation index));
extern bool begin_derived_scan(DerivedScan *scan, Relation table,
							   Snapshot snapshot, bool quietly);
extern bool begin_generation_scan(DerivedScan *scan, Relation table,
								  Snapshot snapshot);
extern bool next_derived_row(DerivedScan *scan);
extern bool find_session_row(DerivedScan *scan, int64 session_id);
extern bool next_session_row(DerivedScan *scan);
extern bool find_first_session(DerivedScan *scan, int64 *session_id);
extern bool find_session_after(DerivedScan *scan, int64 session_id,
							   int64 *next_id);
extern void read_generation(TupleTableSlot *row, char *generation);
extern bool next_generation(DerivedScan *scan, char *generation);
extern void end_derived_scan(DerivedScan *scan);
extern int	show_generation(Relation table, Snapshot snapshot, char *generation);
extern bool is_mark(const char *generation);
extern const char *shown_fault(const char *name, int count, const char *shown,
							   const char *generation);
extern const char *generation_fault(Relation table, Snapshot snapshot,
									const char *generation);
extern DerivedStatus derived_status(const Store *store, Snapshot snapshot,
									bool keep_locked);
pg_noreturn extern void refuse_broken(const Store *store, const char *reason);
extern void refuse_if_broken(const Store *store, const DerivedStatus *status);

/* gap_index.c: a session's exact gaps, from those stored and what is pending */

typedef struct Ranges
{
	int			count;
	int			allocated;
	Range	   *ranges;			/* in ascending order, and apart */
} Ranges;

extern bool add_pending_range(Ranges *ranges, const Datum *values,
							  const bool *nulls);
extern void request_regions(RegionRequest *requests, int64 session_id, const Gaps *gaps,
							const Ranges *pending);
extern bool mend_regions(Gaps *gaps, const RegionRequest *requests, int count);
extern bool read_pending(DerivedScan *pending, int64 session_id,
						 Ranges *ranges);
extern bool exact_gaps(Activities *activities, int64 session_id, Gaps *gaps,
					   const Ranges *pending);
extern void raw_gaps_of(const Store *store, const int64 *ids, int count,
						Gaps *gaps);
extern Gaps raw_gaps(const Store *store, int64 session_id);

/* reach.c: running sessions with activity beyond the window's start */

typedef struct Reach
{
	bool		is_some;		/* or else it is null */
	TimestampTz first;
	TimestampTz last;			/* exclusive */
} Reach;

/* What it depends on besides activities. */
typedef struct SessionFacts
{
	bool		is_there;		/* in session? */
	bool		is_running;
	TimestampTz login;			/* valid only if is_running */
} SessionFacts;

extern SessionFacts session_facts(Datum login, bool is_null);
extern Reach reach_of(const SessionFacts *session, const Gaps *gaps);
extern bool covers(const Reach *reach, const Reach *other);
extern bool equal_reaches(const Reach *a, const Reach *b);
extern Datum reach_datum(const Reach *reach, bool *is_null);
extern Reach read_reach(const Datum *bounds, const bool *nulls);
extern bool has_session_key(const Store *store);
extern bool find_reaching(const Store *store, TimestampTz moment, Datum *ids);

/* losing.c: activities that were lost */

extern bool is_empty(Relation table, Snapshot snapshot);
extern bool has_no_session(const Store *store, Snapshot snapshot);
extern void mark_loss(const Store *store, StoreTable which, const char *mark);
extern void note_lost_rows_of_whole(Relation partition, const Store *store);
extern void note_lost_rows(Relation table, StoreTable which);

/* create_store.c */

extern void pin_schema(Oid schema, const char *name);
extern void run_sql(const char *sql);
extern Oid	owner_of_schema(Oid schema);
extern bool is_reserved_schema(const char *name);

/* retention.c */

pg_noreturn extern void refuse_null(const char *argument, const char *detail, const char *hint);
extern void require_triggers(const Store *store);
extern int64 purge_before(const Store *store, TimestampTz before);

/* partitions.c: activity in ranges of time */

typedef struct TimePartition
{
	Oid			oid;
	TimestampTz from;			/* -infinity: from the beginning */
	TimestampTz to;				/* exclusive; infinity: to the end */
} TimePartition;

typedef struct TimePartitions
{
	int			count;
	TimePartition *partitions;	/* in order */
	bool		has_default;	/* is there one besides, of the rest? */
} TimePartitions;

typedef struct MissingPartition
{
	char	   *name;
	char	   *from;			/* as a command has it */
	char	   *to;
} MissingPartition;

extern bool time_partitions(Relation activity, TimePartitions *result);
extern void check_period(const Interval *period);
extern List *missing_partitions(const TimePartitions *present, const Interval *period,
								TimestampTz moment, int ahead);

/* triggers.c: what statements do */

extern void check_idle(const Store *store);
extern void spare_in_cascades(Oid activity, TimestampTz from, TimestampTz to);
pg_noreturn extern void refuse_trigger(const TriggerData *trigger, const char *detail,
									   const char *hint);

/* replicating.c: what comes from another server */

extern bool is_replicating(void);
extern bool has_gathered(void);
extern void append_gathered(void);
extern void watch_replication(void);
extern void note_replicated_session(const TriggerData *trigger);
extern void begin_alone(const TriggerData *trigger);
extern void note_activity_alone(const TriggerData *trigger);

/* derived_table.c: writing to a derived table */

typedef struct DerivedIndex
{
	Relation	relation;
	struct IndexInfo *info;
	bool		is_by_reach;	/* of the sessions that have one? */
} DerivedIndex;

/* A derived table, open to be written to. */
typedef struct DerivedTable
{
	Relation	relation;
	TupleTableSlot *slot;
	int			nindexes;
	DerivedIndex *indexes;
} DerivedTable;

typedef struct DerivedRow
{
	Datum		values[MAX_DERIVED_COLUMNS];	/* as many as the table has */
	bool		nulls[MAX_DERIVED_COLUMNS];
} DerivedRow;

extern void open_derived_table(DerivedTable *table, const Store *store,
							   StoreTable which);
extern void close_derived_table(DerivedTable *table);
extern void append_pending(const DerivedTable *pending,
						   const TouchedSessions *sessions);
extern void insert_derived_row(const DerivedTable *table, const DerivedRow *row);
extern void update_derived_row(const DerivedTable *table, ItemPointer place,
							   const DerivedRow *row);
extern void delete_derived_row(const DerivedTable *table, ItemPointer place);
extern void insert_generation(const DerivedTable *table, StoreTable which,
							  const char *generation);
extern void set_generation(const DerivedTable *table, StoreTable which,
						   const char *generation);

/* statements.c: what they can't tell the transaction in hand */

extern int	trigger_depth(void);
extern void begin_statement(const TriggerData *trigger);
extern bool has_begun(const TriggerData *trigger);
extern bool has_statement(const TriggerData *trigger, TriggerEvent operation);
extern RowChanges *changes_of_statement(const TriggerData *trigger);
extern RowChanges *take_changes(const TriggerData *trigger);
extern void end_statement(const TriggerData *trigger);
extern bool is_statement_in_progress(void);
extern bool is_in_statement_of(const TriggerData *trigger);
extern void note_fold(void);
extern bool has_folded(void);
extern void note_counts(void);
extern bool sees_counts(Snapshot snapshot);
extern void watch_transactions(void);

/* references.c: what a foreign key of activity to session would do */

/* Sessions that a query is asked about at a time. */
#define SESSION_BATCH	1000

extern void lock_referenced_sessions(Relation activity, const Store *store,
									 const TouchedSessions *sessions);

/* folding.c: keeping the index */

/* A bit for each slice of the sessions. */
typedef uint32 SliceSet;

#define ALL_SLICES	((SliceSet) PG_UINT32_MAX)

/* A fold under way, with its snapshot active. */
typedef struct Fold
{
	const Store *store;
	SliceSet	slices;			/* that it has locked */
	DerivedStatus status;		/* under its snapshot */
	DerivedTable idle;
	DerivedTable pending;
	Activities *activities;
} Fold;

/* Where to go on, for who works through the sessions in several transactions. */
typedef struct Continuation
{
	bool		is_at_end;
	int64		next_id;		/* valid only if not */
} Continuation;

extern const char *why_not_fold(void);
extern LOCKTAG part_lock_tag(Oid pending, uint16 part);
extern void begin_fold(Fold *fold, const Store *store, SliceSet wanted,
					   bool wait);
extern void end_fold(Fold *fold);
extern int64 fold_sessions(const Fold *fold, int64 first_id, int64 limit,
						   Continuation *continuation);
extern SliceSet slice_of(int64 session_id);
extern void fold_session(const Fold *fold, int64 session_id);
extern void write_idle(const Fold *fold, int64 session_id,
					   const Gaps *gaps, const Reach *reach, ItemPointer place,
					   const Gaps *stored, const Reach *stored_reach);
extern void set_generations(const Fold *fold, const char *generation);

/* rebuilding.c: making the index anew */

extern int64 rebuild_sessions(const Fold *fold, int64 first_id, int64 limit,
							  Continuation *continuation, int64 *lacking);
extern void warn_of_lacking_sessions(const Store *store, int64 lacking);
extern int64 rebuild_derived(const Store *store);

/* counting.c: the counts of sessions by day */

/* Counts on their way to be put together, with the fold's snapshot active. */
typedef struct CountFold
{
	const Store *store;
	Verdict		verdict;		/* under its snapshot */
	char		generation[GENERATION_SIZE];
	DerivedTable table;
} CountFold;

/* What there is beside the counts. */
typedef struct CountsFound
{
	int			generations;	/* rows that hold one */
	char		generation[GENERATION_SIZE];	/* of the last of these, or a
												 * mark */
	bool		is_sound;		/* is all such as we write it? */
} CountsFound;

extern CountsFound read_day_counts(Relation table, Snapshot snapshot,
								   DayCounts *counts);
extern Verdict load_day_counts(const Store *store, Snapshot snapshot,
							   const char *generation, DayCounts *counts);
extern void count_logins(const Store *store, DayCounts *counts);
extern void append_counts(const DerivedTable *table, const DayCounts *counts);
extern bool begin_count_fold(CountFold *fold, const Store *store, bool wait);
extern void end_count_fold(CountFold *fold);
extern void compact_counts(const CountFold *fold, int64 limit);
extern void recount_sessions(const CountFold *fold);

/* chance.c: what agents fold by the way */

extern void fold_by_chance(const Store *store, const TouchedSessions *sessions);
extern void compact_by_chance(const Store *store);

/* trust.c: what may answer a caller */

typedef struct Trust
{
	/* Why not, or NULL if it may: */
	const char *not_by_index;	/* session_idle and pending, */
	const char *not_by_reach;	/* they for running sessions, */
	const char *not_by_counts;	/* session_count */
	char		generation[GENERATION_SIZE];	/* that it must hold */
} Trust;

extern Trust trust_for_caller(const Store *store, const IdleRule *rule,
							  bool keep_locked);
extern void tell_trust(const Store *store, const Trust *trust);

/* sessions.c: the sessions that a call is about, in order */

/*
 * The columns of session that a call reads, in one list for SQL and C: how C calls
 * it, its name, its type, and whether it may be null.
 */
#define SESSION_COLUMNS(first, next, alias) \
	first(alias, SESSION_ID, session_id, INT8OID, false) \
	next(alias, CLIENT_GUID, client_guid, UUIDOID, true) \
	next(alias, USER_ID, user_id, INT4OID, true) \
	next(alias, LOGIN, login_date, TIMESTAMPTZOID, false) \
	next(alias, LOGOUT, logout_date, TIMESTAMPTZOID, true)

#define SESSION_SYMBOL(alias, symbol, name, type, may_be_null)	SESSION_##symbol,

enum
{
	SESSION_COLUMNS(SESSION_SYMBOL, SESSION_SYMBOL,)
	NUM_SESSION_COLUMNS
};

/* A session of a chunk: as stored, then what names.c and measuring.c add. */
typedef struct Session
{
	Datum		stored[NUM_SESSION_COLUMNS];
	bool		is_null[NUM_SESSION_COLUMNS];
	int64		session_id;
	SessionSpan span;			/* a running one's finish is measured */
	Datum		client_name;
	Datum		user_name;
	bool		has_client_name;
	bool		has_user_name;
	Measure		measure;		/* without a moment, both dates are null */
} Session;

/* Sessions read at a time. */
#define CHUNK_SIZE	250

typedef struct Chunk
{
	int			count;
	Session		sessions[CHUNK_SIZE];	/* in order */
} Chunk;

/* A place in the order of sessions. */
typedef struct Position
{
	TimestampTz login;
	int64		session_id;
} Position;

extern const Position before_all;
extern const Position after_all;

extern Position position_of(const Session *session);
extern int	compare_positions(const Position *a, const Position *b);

/* steps.c: how deep the parts of an order are, as arithmetic */

/* So many sessions lie from one place to another, which both belong to it. */
typedef struct Step
{
	Position	from;
	Position	to;
	int64		sessions;
} Step;

#define MAX_STEPS	4096

/*
 * So many sessions are told one by one, as far as they are wanted; of more, where all
 * of them lie.
 */
#define FEW_STEPS	4000

/* Steps in order, which get longer as they get many. */
typedef struct Steps
{
	int			count;
	int64		grain;			/* neighbours with no more are put together */
	Step	   *steps;
} Steps;

/* What lies beyond one place, up to another, which may be a session's. */
typedef struct OrderRange
{
	Position	after;
	Position	until;
	int64		least_before;	/* so many sessions lie before it at the
								 * least, */
	int64		most_before;	/* at the most */
	int64		sessions;		/* and so many about in it, */
	bool		is_exact;		/* or is it known one by one? */
} OrderRange;

extern void begin_steps(Steps *steps, int64 grain);
extern void add_step(Steps *steps, const Step *step);
extern void narrow_range(OrderRange *range, Step *steps, int count, int64 first, int64 end);

typedef struct Selection Selection;

extern Selection *begin_selection(const Store *store, const Window *window,
								  const Filters *filters, const Trust *trust);
extern void select_page(Selection *selection, const PageRequest *page);
extern void select_all(Selection *selection);
extern void select_beyond(Selection *selection, const Position *position, int64 wanted);
extern bool find_session(const Store *store, int64 session_id, Session *session);
pg_noreturn extern void refuse_unknown_session(const char *store, const char *argument,
											   int64 session_id, const char *hint);
pg_noreturn extern void refuse_unknown_keyset(const char *store, int64 session_id);
extern Chunk *next_chunk(Selection *selection);
extern void end_selection(Selection *selection);
extern bool has_days(Selection *selection, const Position *after, const Position *until);
extern void step_by_days(const Selection *selection, const Position *after,
						 const Position *until, Steps *steps);
extern int64 count_selected(Selection *selection);
extern int32 total_count_of(int64 count);

/* names.c: the names of clients and users */

typedef struct Names Names;

extern Names *begin_names(const Store *store);
extern void name_sessions(Names *names, Chunk *chunk);

/* clipping.c: where a window clips sessions, and their gaps */

/* A session that a window selects, with a running one's finish. */
typedef struct Clipped
{
	Session    *session;
	Activities *activities;		/* to read its from, without labels */
	bool		has_gaps;		/* or else they are to be read */
	Gaps		gaps;
	Ranges		pending;
	ClipBounds	bounds;
	/* With gaps, and where these activities are asked for: */
	TimestampTz first_activity; /* in bounds, or infinity */
	TimestampTz last_activity;	/* in bounds, or -infinity */
} Clipped;

typedef struct Clipping Clipping;

extern Clipping *begin_clipping(const Store *store, const Window *window,
								const Trust *trust);
extern void end_clipping(Clipping *clipping);
extern void clip_sessions(Clipping *clipping, Session *sessions, int count);
extern const Clipped *next_clipped(Clipping *clipping);
extern bool is_clipped_straight(const Clipping *clipping);
extern bool clipped_ends(const Clipped *clipped, TimestampTz *first,
						 TimestampTz *last);

/* moments.c: the moments of a session that a window leaves */

typedef enum MomentStage
{
	MOMENTS_LOGIN,
	MOMENTS_ACTIVITIES,
	MOMENTS_LOGOUT,
	MOMENTS_END
} MomentStage;

typedef struct Moments
{
	Activities *activities;
	const Clipped *clipped;
	MomentStage stage;			/* where the next one is looked for */
	Activity	current;		/* login and logout have no label */
} Moments;

extern void begin_moments(Moments *moments, Activities *activities,
						  const Clipped *clipped);
extern bool next_moment(Moments *moments);

/* measuring.c: what a window leaves of sessions */

extern void measure_session(const Clipped *clipped, const IdleRule *rule);
extern void measure_sessions(Clipping *clipping, const IdleRule *rule, Chunk *chunk);

/* stretches.c: the active and the idle parts of a session */

/* From one instant to another, which is later. */
typedef struct Span
{
	TimestampTz from;
	TimestampTz to;
} Span;

/* A part of what lies between two moments, active or idle. */
typedef struct Stretch
{
	Span		span;
	bool		is_active;
	const text *label;			/* of an active one: that of the activity it
								 * begins with, or NULL */
	bool		is_label_new;	/* may it be another than that of the one
								 * before? */
} Stretch;

/* The stretches of sessions, one session after the other. */
typedef struct Stretches
{
	const IdleRule *rule;
	Moments		moments;
	bool		has_begun;
	TimestampTz previous;		/* the moment before the one in hand */
	TimestampTz told;			/* up to where stretches have been returned */
	char	   *label;			/* of the previous moment, a text */
	Size		allocated;
	bool		has_label;
	bool		is_label_new;
} Stretches;

extern void begin_stretches(Stretches *stretches, const IdleRule *rule);
extern void begin_stretches_of(Stretches *stretches, Activities *activities,
							   const Clipped *clipped);
extern bool next_stretch(Stretches *stretches, Stretch *stretch);

/* All that is active of a session, in spans apart from each other. */
typedef struct ActiveSpans
{
	const IdleRule *rule;
	const Clipped *clipped;
	TimestampTz from;			/* where the next one begins */
	TimestampTz last;			/* by gaps: where all ends; else: the previous
								 * moment */
	int			gap;			/* the next one to be looked at */
	bool		is_at_end;
	Moments		moments;
} ActiveSpans;

extern void begin_active_spans(ActiveSpans *spans, const IdleRule *rule,
							   const Clipped *clipped);
extern bool next_active_span(ActiveSpans *spans, Span *span);

/* hours.c: the hours and the days of a time zone */

typedef struct Hours
{
	pg_tz	   *zone;
	/* The hour in hand: */
	TimestampTz from;			/* first instant that is known to lie in it */
	TimestampTz until;			/* first one that isn't */
	TimestampTz begin;			/* date_trunc('hour') of it */
	DateADT		date;
	int			hour;			/* of the date, 0 to 23 */
} Hours;

/* The day in hand, likewise. */
typedef struct Days
{
	pg_tz	   *zone;
	TimestampTz from;
	TimestampTz until;
	TimestampTz midnight;		/* when it would have begun by the clock as it
								 * is */
	DateADT		date;
} Days;

extern void begin_hours(Hours *hours, pg_tz *zone);
extern void find_hour(Hours *hours, TimestampTz moment);
extern TimestampTz midnight_of(DateADT date, pg_tz *zone);
extern void begin_days(Days *days, pg_tz *zone);
extern void find_day(Days *days, TimestampTz moment);

/* hosts.c: the host of a url */

extern bool find_host(const text *url, StringInfo host);

/* reading.c: what a call reads with */

/* Where functions have their filters: those without a page, and those with one. */
#define ARG_FILTERS			2
#define ARG_PAGE_FILTERS	4

typedef struct Reader
{
	/* As the call began: */
	Window		window;
	Filters		filters;
	IdleRule	rule;
	pg_tz	   *zone;			/* TimeZone */
	Store		store;
	/* Then, as far as the call needs it: */
	Trust		trust;
	Selection  *selection;
	Names	   *names;
	Clipping   *clipping;
	Activities *activities;		/* with labels */
} Reader;

extern void take_request(Reader *reader, FunctionCallInfo fcinfo, int first_filter);
extern void take_request_at(Reader *reader, FunctionCallInfo fcinfo, int window,
							int first_filter);
extern void begin_reading(Reader *reader);
extern void begin_selecting_there(Reader *reader);
extern void begin_selecting(Reader *reader);
extern void begin_measuring(Reader *reader);
extern void measure_chunk(Reader *reader, Chunk *chunk);
extern Chunk *next_measured_chunk(Reader *reader);
extern bool clip_next_chunk(Reader *reader);
extern void end_reading(Reader *reader);

/* one_by_one.c: sessions that a query asks about one by one */

typedef struct OneByOne OneByOne;

extern OneByOne *make_one_by_one(MemoryContext query_context);
extern void begin_one(OneByOne *one, FunctionCallInfo fcinfo);
extern const Clipped *clip_one(OneByOne *one);
extern const IdleRule *rule_of_one(const OneByOne *one);
extern void end_one(OneByOne *one);
extern void watch_open_ones(void);

/* json.c: the pieces of a JSON response */

typedef struct Json
{
	StringInfoData text;
	pg_tz	   *zone;			/* of its dates */
} Json;

extern void begin_json(Json *json, pg_tz *zone, const char *opening);
extern text *end_json(Json *json, const char *closing);
extern void begin_json_object(Json *json);
extern void end_json_object(Json *json);
extern void begin_json_array(Json *json, const char *key);
extern void end_json_array(Json *json);
extern void append_json_text(Json *json, const char *key, const text *value);
extern void append_json_uuid(Json *json, const char *key, Datum uuid, bool isnull);
extern void append_json_number(Json *json, const char *key, int64 value, bool isnull);
extern void append_json_double(Json *json, const char *key, double value);
extern void append_json_moment(Json *json, const char *key, TimestampTz moment,
							   bool isnull);
extern void append_json_duration(Json *json, const char *key, int64 microseconds);

/* formatting.c: sessions as rows and as the endpoints' JSON */

extern int	compare_names(const text *a, const text *b);
extern Datum interval_datum(Interval *interval, int64 microseconds);
extern HeapTuple model_row(FunctionCallInfo fcinfo, int count, const Oid *types,
						   int null_column);
extern void check_session_row(TupleDesc columns);
extern ReturnSetInfo *begin_session_rows(FunctionCallInfo fcinfo);
extern void put_session_row(ReturnSetInfo *result, const Session *session);
extern HeapTuple form_session_row(TupleDesc columns, const Session *session);
extern void put_list_row(ReturnSetInfo *result, const Session *session);
extern void append_json_session(Json *json, const Session *session);
extern void append_json_list_session(Json *json, const Session *session);

/* How long a session had an application, or a host, in use in an hour. */
typedef struct UsageRow
{
	TimestampTz login;			/* of the session */
	int64		session_id;
	TimestampTz hour;			/* its beginning */
	const text *label;			/* NULL: none */
	int64		duration;
} UsageRow;

/* A response of these, an element for a session and hour. */
typedef struct UsageJson
{
	Json		json;
	bool		has_hour;		/* is there an element in hand? */
	int64		session_id;
	TimestampTz hour;
} UsageJson;

extern void put_usage_row(void *result, const UsageRow *row);
extern void begin_json_usage(UsageJson *json, pg_tz *zone);
extern void append_json_usage(UsageJson *json, const UsageRow *row);
extern text *end_json_usage(UsageJson *json);

/* How long a user was active in an hour. */
typedef struct ProductivityRow
{
	bool		is_of_no_user;	/* but of the sessions without one */
	int32		user_id;
	const text *user_name;		/* or NULL */
	DateADT		date;
	int			hour;
	int64		active;
} ProductivityRow;

typedef void (*PutProductivity) (void *result, const ProductivityRow *row);

extern void put_productivity_row(void *result, const ProductivityRow *row);
extern void append_json_productivity(Json *json, const ProductivityRow *row);

/* A part of a session's time. */
typedef struct TimelineRow
{
	Span		span;
	bool		is_active;
	const text *application;	/* or NULL */
} TimelineRow;

typedef void (*PutTimeline) (void *result, const TimelineRow *row);

/* What who asks for the timeline of an unknown session is told. */
#define TIMELINE_HINT \
	"Give the session_id of a session that ekran_sessions_all() returns."

extern int64 get_session_id(FunctionCallInfo fcinfo);
extern void put_timeline_row(void *result, const TimelineRow *row);

/* parts.c: what a shard tells a hub */

/* The arguments that all functions for hubs have. */
enum
{
	PART_STORE,
	PART_IDLE_THRESHOLD,		/* seconds */
	PART_IDLE_POLICY,
	PART_TIME_ZONE,
	PART_START,
	PART_END,
	PART_USERS,					/* or null; none of them is */
	PART_CLIENTS,
	PART_OR_NO_USER,			/* those without one too? */
	PART_OR_NO_CLIENT,
	NUM_PART_ARGUMENTS
};

/* Columns of ekran_part_sessions. */
enum
{
	PART_SESSION_ID,
	PART_CLIENT_GUID,
	PART_CLIENT_NAME,
	PART_USER_ID,
	PART_USER_NAME,
	PART_LOGIN,
	PART_FIRST_MOMENT,
	PART_LAST_MOMENT,
	PART_IDLE,
	PART_PRECEDING,
	PART_TOTAL,
	NUM_PART_COLUMNS
};

/* Columns of ekran_part_steps. */
enum
{
	STEP_FROM_LOGIN,
	STEP_TO_LOGIN,
	STEP_TO_SESSION_ID,
	STEP_SESSIONS,
	NUM_STEP_COLUMNS
};

/* Columns of ekran_part_usage. */
enum
{
	PART_USAGE_LOGIN,
	PART_USAGE_SESSION_ID,
	PART_USAGE_TIME_OF_DAY,
	PART_USAGE_LABEL,
	PART_USAGE_DURATION,
	NUM_PART_USAGE_COLUMNS
};

/* Columns of ekran_part_productivity. */
enum
{
	PART_PRODUCTIVITY_USER_ID,
	PART_PRODUCTIVITY_USER_NAME,
	PART_PRODUCTIVITY_DAY,		/* since the beginning of 2000 */
	PART_PRODUCTIVITY_HOUR,
	PART_PRODUCTIVITY_ACTIVE,
	NUM_PART_PRODUCTIVITY_COLUMNS
};

/* Columns of ekran_part_timeline. */
enum
{
	PART_TIMELINE_FROM_TIME,
	PART_TIMELINE_TO_TIME,
	PART_TIMELINE_IS_ACTIVE,
	PART_TIMELINE_APPLICATION,
	NUM_PART_TIMELINE_COLUMNS
};

/* wire.c: rows on their way from a shard to a hub */

#define MAX_PART_COLUMNS	NUM_PART_COLUMNS

/* Their columns, of types bigint, integer, text and uuid. */
typedef struct PartShape
{
	int			ncolumns;
	Oid			columns[MAX_PART_COLUMNS];
	bool		may_be_null[MAX_PART_COLUMNS];
} PartShape;

extern const PartShape sessions_shape;
extern const PartShape steps_shape;
extern const PartShape number_shape;
extern const PartShape usage_shape;
extern const PartShape productivity_shape;
extern const PartShape timeline_shape;

/* The rows that a shard returns. */
typedef struct PartRows
{
	ReturnSetInfo *result;
	const PartShape *shape;
	int64		mark;
	StringInfoData pack;
	int			count;			/* of rows in it */
	int64		former[MAX_PART_COLUMNS];	/* numbers, of the row before */
} PartRows;

/* Takes a row of a shard, which is gone afterwards. */
typedef void (*TakeRow) (void *state, int shard, const Datum *values, const bool *nulls);

/* The shard in hand. */
typedef struct Shard
{
	int			number;			/* counted from 1 */
	int64		mark;			/* of its call, which each pack has */
} Shard;

extern void begin_part_rows(PartRows *rows, ReturnSetInfo *result, const PartShape *shape);
extern void put_part_row(PartRows *rows, const Datum *values, const bool *nulls);
extern void end_part_rows(PartRows *rows);
pg_noreturn extern void refuse_pack(void);
extern void take_pack(const PartShape *shape, bytea *packed, Shard *shard,
					  TakeRow take, void *state);

/* A hub's call of a shard. */
typedef struct PartCall
{
	Reader		reader;
	int			guc_nest_level; /* of the hub's settings */
	PartRows	rows;			/* that are returned */
} PartCall;

extern PartCall begin_part_call(FunctionCallInfo fcinfo, const PartShape *shape);
extern void end_part_call(PartCall *call);
extern void put_part_usage(void *rows, const UsageRow *row);
extern void put_part_productivity(void *rows, const ProductivityRow *row);
extern void put_part_timeline(void *rows, const TimelineRow *row);

/* hub.c: asking all shards of a hub */

/* The name of PL/Proxy's language, and of its foreign-data wrapper. */
#define HUB_LANGUAGE		"plproxy"

#define MAX_PART_ARGUMENTS	18
#define MAX_MERGE_KEYS		4

/* A function of a shard, and of a hub, which asks all shards by it. */
typedef struct PartFunction
{
	const char *name;
	int			narguments;
	Oid			arguments[MAX_PART_ARGUMENTS];
	const PartShape *shape;
} PartFunction;

/* A call of a hub's function. */
typedef struct Hub
{
	Oid			schema;
	Reader		request;		/* its window and settings */
	NameData	store;			/* that the shards are to read */
	/* What all shards are told: */
	Datum		arguments[NUM_PART_ARGUMENTS];
	bool		is_null[NUM_PART_ARGUMENTS];
} Hub;

typedef struct Merge Merge;

extern void check_hub_server(const ForeignServer * server);
extern void begin_hub_call(Hub *hub, FunctionCallInfo fcinfo, int window, int first_filter);
extern void ask_shards(const Hub *hub, const PartFunction *part, const Datum *arguments,
					   TakeRow take, void *state);
extern Merge *begin_merge(const PartShape *shape, int nkeys, const int *keys);
extern void add_to_merge(void *state, int shard, const Datum *values, const bool *nulls);
extern void sort_merge(Merge *merge);
extern bool next_merged(Merge *merge, int *shard, const Datum **values, const bool **nulls);
extern void end_merge(Merge *merge);

#endif							/* EKRAN_SESSIONS_H */
