/*-------------------------------------------------------------------------
 *
 * usage.c
 *	  How long what was in use: per session and hour, each application, or each
 *	  host of a url.
 *
 * A session is read activity by activity, and what it has active is added up per hour
 * and label.  Labels are kept from one session to the next, as long as they are small,
 * for sessions have the same ones over and over.  Each knows the sum that it has been added to last, so that an activity like
 * the one before takes no look-up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "ekran_sessions.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ekran_application_statistics);
PG_FUNCTION_INFO_V1(ekran_application_statistics_json);
PG_FUNCTION_INFO_V1(ekran_part_usage);
PG_FUNCTION_INFO_V1(ekran_url_statistics);
PG_FUNCTION_INFO_V1(ekran_url_statistics_json);

/* What labels kept for the next session may take, in bytes. */
#define MAX_LABELS		((Size) 1024 * 1024)

typedef struct LabelKey
{
	const char *bytes;
	Size		length;
} LabelKey;

/* An application or a host. */
typedef struct Label
{
	LabelKey	key;			/* the hash key */
	text	   *name;			/* NULL: there is none */
	/* The sum that it has been added to last: */
	int64		session_number;
	TimestampTz hour;
	int			sum;
} Label;

/* What of a session's hour was spent in a label. */
typedef struct Sum
{
	TimestampTz hour;
	const Label *label;
	int64		duration;
} Sum;

typedef struct Usage
{
	Reader		reader;
	LabelKind	kind;
	Stretches	stretches;
	Hours		hours;
	Label		unlabelled;
	StringInfoData host;
	HTAB	   *labels;
	Size		label_bytes;	/* that they take */
	MemoryContext label_context;
	int64		session_number; /* of the session in hand, counted from 1 */
	int			count;			/* of its sums */
	int			allocated;
	Sum		   *sums;
} Usage;

static uint32
hash_label(const void *key, Size keysize)
{
	const LabelKey *label = key;

	(void) keysize;
	return hash_bytes((const unsigned char *) label->bytes, (int) label->length);
}

static int
match_labels(const void *a, const void *b, Size keysize)
{
	const LabelKey *left = a;
	const LabelKey *right = b;

	(void) keysize;
	return left->length != right->length ||
		memcmp(left->bytes, right->bytes, left->length) != 0;
}

static void
begin_labels(Usage *usage)
{
	HASHCTL		control = {0};

	MemoryContextReset(usage->label_context);
	usage->label_bytes = 0;
	control.keysize = sizeof(LabelKey);
	control.entrysize = sizeof(Label);
	control.hash = hash_label;
	control.match = match_labels;
	control.hcxt = usage->label_context;
	usage->labels = hash_create("ekran_sessions labels", 256, &control,
								HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/*
 * Begin to read the use of labels of a kind, as a request has asked for it.
 */
static void
begin_usage(Usage *usage, LabelKind kind)
{
	Reader	   *reader = &usage->reader;

	begin_selecting(reader);
	reader->clipping = begin_clipping(&reader->store, &reader->window, &reader->trust);
	reader->activities = begin_activities(&reader->store, kind);
	select_all(reader->selection);

	usage->kind = kind;
	usage->session_number = 0;
	usage->count = 0;
	usage->allocated = 64;
	usage->sums = palloc(usage->allocated * sizeof(Sum));
	memset(&usage->unlabelled, 0, sizeof(Label));
	begin_stretches(&usage->stretches, &reader->rule);
	begin_hours(&usage->hours, reader->zone);
	initStringInfo(&usage->host);

	usage->label_context = AllocSetContextCreate(CurrentMemoryContext,
												 "ekran_sessions labels",
												 ALLOCSET_DEFAULT_SIZES);
	begin_labels(usage);
}

static Label *
find_label(Usage *usage, const char *bytes, Size length)
{
	LabelKey	key = {bytes, length};
	bool		is_known;
	Label	   *label = hash_search(usage->labels, &key, HASH_ENTER, &is_known);

	if (!is_known)
	{
		label->name = MemoryContextAlloc(usage->label_context, length + VARHDRSZ);
		SET_VARSIZE(label->name, length + VARHDRSZ);
		memcpy(VARDATA(label->name), bytes, length);
		label->key.bytes = VARDATA(label->name);
		label->session_number = 0;
		usage->label_bytes += sizeof(Label) + VARSIZE(label->name);
	}
	return label;
}

/*
 * What the active time that begins with an activity belongs to, NULL if to nothing that
 * is asked for.
 *
 * Rule: rules.md, Stretches, Host.
 */
static Label *
label_of(Usage *usage, const text *label)
{
	if (usage->kind == APPLICATION_LABEL)
		return label == NULL ? &usage->unlabelled :
			find_label(usage, VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label));
	if (label != NULL && find_host(label, &usage->host))
		return find_label(usage, usage->host.data, usage->host.len);
	return NULL;
}

static void
add_to_hour(Usage *usage, Label *label, TimestampTz hour, int64 duration)
{
	Sum		   *sum;

	if (label->session_number == usage->session_number && label->hour == hour)
	{
		usage->sums[label->sum].duration += duration;
		return;
	}
	if (usage->count == usage->allocated)
	{
		usage->allocated *= 2;
		usage->sums = repalloc_huge(usage->sums, usage->allocated * sizeof(Sum));
	}
	label->session_number = usage->session_number;
	label->hour = hour;
	label->sum = usage->count;
	sum = &usage->sums[usage->count++];
	sum->hour = hour;
	sum->label = label;
	sum->duration = duration;
}

static void
add_span(Usage *usage, Label *label, const Span *span)
{
	TimestampTz to;

	for (TimestampTz from = span->from; from < span->to; from = to)
	{
		CHECK_FOR_INTERRUPTS();
		find_hour(&usage->hours, from);
		to = Min(span->to, usage->hours.until);
		add_to_hour(usage, label, usage->hours.begin, to - from);
	}
}

static int
compare_hours(const Sum *a, const Sum *b)
{
	return (a->hour > b->hour) - (a->hour < b->hour);
}

static int
compare_by_name(const void *a, const void *b)
{
	int			result = compare_hours(a, b);

	return result != 0 ? result :
		compare_names(((const Sum *) a)->label->name, ((const Sum *) b)->label->name);
}

/*
 * The order of the result: hours, then the longest first, then by name.
 */
static int
compare_by_duration(const void *a, const void *b)
{
	const Sum  *left = a;
	const Sum  *right = b;
	int			result = compare_hours(left, right);

	if (result != 0)
		return result;
	if (left->duration != right->duration)
		return left->duration > right->duration ? -1 : 1;
	return compare_names(left->label->name, right->label->name);
}

/*
 * Put the sums of a session in order, one for an hour and label.  There can be two, where
 * the clock is set back amid an hour, to one that has been before.
 */
static void
sort_sums(Usage *usage)
{
	Sum		   *sums = usage->sums;
	int			count = 0;

	if (usage->count < 2)
		return;
	qsort(sums, usage->count, sizeof(Sum), compare_by_name);
	for (int i = 0; i < usage->count; i++)
	{
		if (count > 0 && sums[count - 1].label == sums[i].label &&
			sums[count - 1].hour == sums[i].hour)
			sums[count - 1].duration += sums[i].duration;
		else
			sums[count++] = sums[i];
	}
	usage->count = count;
	qsort(sums, count, sizeof(Sum), compare_by_duration);
}

/*
 * Add up what a session has active.
 */
static void
add_session(Usage *usage, const Clipped *clipped)
{
	Label	   *label = NULL;
	Stretch		stretch;

	usage->session_number++;
	usage->count = 0;
	if (usage->label_bytes > MAX_LABELS)
		begin_labels(usage);
	begin_stretches_of(&usage->stretches, usage->reader.activities, clipped);
	while (next_stretch(&usage->stretches, &stretch))
	{
		if (!stretch.is_active)
			continue;
		if (stretch.is_label_new)
			label = label_of(usage, stretch.label);
		if (label != NULL)
			add_span(usage, label, &stretch.span);
	}
	sort_sums(usage);
}

/*
 * The next session that has sums, in the order of pages; NULL at the end.
 */
static const Session *
next_session_in_use(Usage *usage)
{
	Clipping   *clipping = usage->reader.clipping;

	do
	{
		const Clipped *clipped;

		while ((clipped = next_clipped(clipping)) != NULL)
		{
			add_session(usage, clipped);
			if (usage->count > 0)
				return clipped->session;
		}
	} while (clip_next_chunk(&usage->reader));
	return NULL;
}

static UsageRow
row_of(const Session *session, const Sum *sum)
{
	UsageRow	row = {session->span.login, session->session_id, sum->hour,
		sum->label->name, sum->duration};

	return row;
}

static void
put_rows(Usage *usage, void (*put_row) (void *result, const UsageRow *row), void *result)
{
	const Session *session;

	while ((session = next_session_in_use(usage)) != NULL)
		for (int i = 0; i < usage->count; i++)
		{
			UsageRow	row = row_of(session, &usage->sums[i]);

			put_row(result, &row);
		}
}

static Datum
return_usage(FunctionCallInfo fcinfo, LabelKind kind)
{
	Usage		usage;

	take_request(&usage.reader, fcinfo, ARG_FILTERS);
	InitMaterializedSRF(fcinfo, 0);
	begin_usage(&usage, kind);
	put_rows(&usage, put_usage_row, fcinfo->resultinfo);
	end_reading(&usage.reader);
	return (Datum) 0;
}

static Datum
return_usage_json(FunctionCallInfo fcinfo, LabelKind kind)
{
	Usage		usage;
	UsageJson	json;
	const Session *session;

	take_request(&usage.reader, fcinfo, ARG_FILTERS);
	begin_json_usage(&json, usage.reader.zone);
	begin_usage(&usage, kind);
	while ((session = next_session_in_use(&usage)) != NULL)
		for (int i = 0; i < usage.count; i++)
		{
			UsageRow	row = row_of(session, &usage.sums[i]);

			append_json_usage(&json, &row);
		}
	end_reading(&usage.reader);
	PG_RETURN_TEXT_P(end_json_usage(&json));
}

/*
 * ekran_application_statistics(start timestamptz, "end" timestamptz,
 *								users int[], clients uuid[])
 *		returns table (session_id bigint, time_of_day timestamptz,
 *					   application text, duration interval)
 *
 * The active time of the sessions in the window, per hour and application, in the order
 * of pages, hours, durations from the longest on, applications.  Errors: as
 * ekran_sessions, and 22008 for an hour that begins before all timestamps.
 * Rule: rules.md, Statistics.
 */
Datum
ekran_application_statistics(PG_FUNCTION_ARGS)
{
	return return_usage(fcinfo, APPLICATION_LABEL);
}

/*
 * ekran_application_statistics_json("start" timestamptz, "end" timestamptz,
 *									 "userIds" int[], "clientGuids" uuid[])
 *		returns json
 *
 * The same as the vendor's sibling endpoint writes it.  Errors: likewise.
 * Rule: rules.md, JSON.
 */
Datum
ekran_application_statistics_json(PG_FUNCTION_ARGS)
{
	return return_usage_json(fcinfo, APPLICATION_LABEL);
}

/*
 * ekran_url_statistics(start timestamptz, "end" timestamptz,
 *						users int[], clients uuid[])
 *		returns table (session_id bigint, time_of_day timestamptz,
 *					   host text, duration interval)
 *
 * Likewise per hour and host of the urls; what has no host is left out.
 * Rule: rules.md, Statistics.
 */
Datum
ekran_url_statistics(PG_FUNCTION_ARGS)
{
	return return_usage(fcinfo, URL_LABEL);
}

/*
 * ekran_url_statistics_json("start" timestamptz, "end" timestamptz,
 *							 "userIds" int[], "clientGuids" uuid[])
 *		returns json
 *
 * The same as the vendor's sibling endpoint writes it.  Errors: likewise.
 * Rule: rules.md, JSON.
 */
Datum
ekran_url_statistics_json(PG_FUNCTION_ARGS)
{
	return return_usage_json(fcinfo, URL_LABEL);
}

/*
 * ekran_part_usage(store name, idle_threshold int, idle_policy text, time_zone text,
 *					start timestamptz, "end" timestamptz, users int[], clients uuid[],
 *					or_no_user bool, or_no_client bool,
 *					is_of_urls bool)
 *		returns setof bytea: login, session_id, time_of_day bigint, label text,
 *							 duration bigint
 *
 * What a shard tells a hub of the use of applications, or of hosts, in the order of
 * ekran_application_statistics.  Errors: likewise.
 */
Datum
ekran_part_usage(PG_FUNCTION_ARGS)
{
	PartCall	call = begin_part_call(fcinfo, &usage_shape);
	Usage		usage;

	usage.reader = call.reader;
	begin_usage(&usage, PG_GETARG_BOOL(NUM_PART_ARGUMENTS) ? URL_LABEL : APPLICATION_LABEL);
	put_rows(&usage, put_part_usage, &call.rows);
	call.reader = usage.reader;
	end_part_call(&call);
	return (Datum) 0;
}
