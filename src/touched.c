/*-------------------------------------------------------------------------
 *
 * touched.c
 *	  Sets of sessions that a statement touched, as arithmetic.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

static HTAB *
create_touched(const TouchedSet *set)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(int64);
	control.entrysize = sizeof(Touched);
	control.hcxt = set->context != NULL ? set->context : CurrentMemoryContext;
	return hash_create("touched sessions", 256, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Touched *
enter(TouchedSet *set, const Touched *row, bool *is_known)
{
	if (!set->has_single)
	{
		set->has_single = true;
		*is_known = false;
		return &set->single;
	}
	if (set->many == NULL)
	{
		/*
		 * A set that outlives a savepoint is whole where memory runs out,
		 * too.
		 */
		HTAB	   *many = create_touched(set);
		Touched    *first = hash_search(many, &set->single.session_id, HASH_ENTER,
										is_known);

		*first = set->single;
		set->many = many;
		set->latest = NULL;
	}
	return hash_search(set->many, &row->session_id, HASH_ENTER, is_known);
}

/*
 * Add a row: its session, or else the range of its moments to the session's.
 */
void
touch(TouchedSet *set, const Touched *row)
{
	Touched    *session = set->latest;
	bool		is_known = true;

	if (!row->has_session)
		return;
	if (session == NULL || session->session_id != row->session_id)
		session = enter(set, row, &is_known);
	if (!is_known)
		*session = *row;
	session->first = Min(session->first, row->first);
	session->last = Max(session->last, row->last);
	set->latest = session;
}

/*
 * Take a session out of the set again.
 */
static void
forget(TouchedSet *set, int64 session_id)
{
	set->latest = NULL;
	if (set->many != NULL)
		(void) hash_search(set->many, &session_id, HASH_REMOVE, NULL);
	else if (set->has_single && set->single.session_id == session_id)
		set->has_single = false;
}

long
count_touched(const TouchedSet *set)
{
	return set->many != NULL ? hash_get_num_entries(set->many) :
		set->has_single ? 1 : 0;
}

static int
compare_touched(const void *a, const void *b)
{
	int64		left = (*(Touched *const *) a)->session_id;
	int64		right = (*(Touched *const *) b)->session_id;

	return (left > right) - (left < right);
}

/*
 * Touched sessions in the order of their ids, in which all lock them.
 */
void
sort_sessions(TouchedSet *set, TouchedSessions *sessions)
{
	long		count = count_touched(set);
	Touched   **entries;
	HASH_SEQ_STATUS status;
	Touched    *entry;

	memset(sessions, 0, sizeof(*sessions));
	if (count == 0)
		return;
	entries = palloc_extended(count * sizeof(Touched *), MCXT_ALLOC_HUGE);
	sessions->ids = palloc_extended(count * sizeof(int64), MCXT_ALLOC_HUGE);
	sessions->first = palloc_extended(count * sizeof(TimestampTz), MCXT_ALLOC_HUGE);
	sessions->last = palloc_extended(count * sizeof(TimestampTz), MCXT_ALLOC_HUGE);

	if (set->many == NULL)
		entries[sessions->count++] = &set->single;
	else
	{
		hash_seq_init(&status, set->many);
		while ((entry = hash_seq_search(&status)) != NULL)
			entries[sessions->count++] = entry;
		qsort(entries, sessions->count, sizeof(Touched *), compare_touched);
	}
	for (int i = 0; i < sessions->count; i++)
	{
		sessions->ids[i] = entries[i]->session_id;
		sessions->first[i] = entries[i]->first;
		sessions->last[i] = entries[i]->last;
	}
	pfree(entries);
}

/*
 * Add all of another set.
 */
void
touch_all_of(TouchedSet *set, const TouchedSet *other)
{
	HASH_SEQ_STATUS status;
	Touched    *entry;

	if (other->many == NULL)
	{
		if (other->has_single)
			touch(set, &other->single);
		return;
	}
	hash_seq_init(&status, other->many);
	while ((entry = hash_seq_search(&status)) != NULL)
		touch(set, entry);
}

/*
 * Take all of another set out.
 */
void
forget_all_of(TouchedSet *set, const TouchedSet *other)
{
	HASH_SEQ_STATUS status;
	Touched    *entry;

	if (other->many == NULL)
	{
		if (other->has_single)
			forget(set, other->single.session_id);
		return;
	}
	hash_seq_init(&status, other->many);
	while ((entry = hash_seq_search(&status)) != NULL)
		forget(set, entry->session_id);
}

bool
is_same_session(const Touched *a, const Touched *b)
{
	return a->has_session == b->has_session &&
		(!a->has_session || a->session_id == b->session_id);
}

/*
 * Add the session of an updated activity, or both, if it was moved.  One that stays in
 * its session, at another moment, has come to none.
 */
void
touch_moved_row(TouchedSet *went, TouchedSet *came, const Touched *old,
				const Touched *new)
{
	bool		is_same = is_same_session(old, new);

	if (is_same && old->first == new->first)
		return;
	touch(went, old);
	touch(is_same ? went : came, new);
}
