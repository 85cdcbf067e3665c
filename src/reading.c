/*-------------------------------------------------------------------------
 *
 * reading.c
 *	  What a call reads sessions with, from its request to its end.
 *
 * A function of the query interface goes like this.  It takes the request, which
 * checks the arguments and copies the settings; begins to select sessions; and pulls
 * chunks of them, in order, to be clipped, measured or read activity by activity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"

/*
 * Take what all functions have: the window, the filters, and the settings.
 *
 * Errors: 22023 if start is later than end.
 */
void
take_request(Reader *reader, FunctionCallInfo fcinfo, int first_filter)
{
	take_request_at(reader, fcinfo, 0, first_filter);
}

/*
 * Likewise where other arguments come before the window.
 */
void
take_request_at(Reader *reader, FunctionCallInfo fcinfo, int window, int first_filter)
{
	memset(reader, 0, sizeof(*reader));
	reader->window = get_window_arguments(fcinfo, window);
	reader->filters = get_filter_arguments(fcinfo, first_filter);
	reader->rule = idle_rule_setting();
	reader->zone = session_timezone;
}

/*
 * Begin to read from a store that has been found, under the active snapshot.  From here
 * on to end_reading(), the current memory context is SPI's.
 */
void
begin_reading(Reader *reader)
{
	SPI_connect();
	reader->trust = trust_for_caller(&reader->store, &reader->rule, true);
	tell_trust(&reader->store, &reader->trust);
}

/*
 * Begin to select sessions of it.
 */
void
begin_selecting_there(Reader *reader)
{
	begin_reading(reader);
	reader->selection = begin_selection(&reader->store, &reader->window,
										&reader->filters, &reader->trust);
}

/*
 * Find the store, and begin to select sessions of it.
 *
 * Errors: those of find_store().
 */
void
begin_selecting(Reader *reader)
{
	find_store(&reader->store);
	begin_selecting_there(reader);
}

/*
 * Begin to name and measure what is selected.
 */
void
begin_measuring(Reader *reader)
{
	reader->names = begin_names(&reader->store);
	reader->clipping = begin_clipping(&reader->store, &reader->window, &reader->trust);
}

static void
name_chunk(Reader *reader, Chunk *chunk)
{
	if (reader->names != NULL)
		name_sessions(reader->names, chunk);
}

/*
 * Measure the sessions of a chunk, and name them, if names are asked for.
 */
void
measure_chunk(Reader *reader, Chunk *chunk)
{
	name_chunk(reader, chunk);
	measure_sessions(reader->clipping, &reader->rule, chunk);
}

/*
 * The next sessions, named, if names are asked for, and measured; NULL at the end.
 */
Chunk *
next_measured_chunk(Reader *reader)
{
	Chunk	   *chunk = next_chunk(reader->selection);

	if (chunk != NULL)
		measure_chunk(reader, chunk);
	return chunk;
}

/*
 * The next sessions, likewise named, for next_clipped() to return; false at the end.
 */
bool
clip_next_chunk(Reader *reader)
{
	Chunk	   *chunk = next_chunk(reader->selection);

	if (chunk == NULL)
		return false;
	name_chunk(reader, chunk);
	clip_sessions(reader->clipping, chunk->sessions, chunk->count);
	return true;
}

void
end_reading(Reader *reader)
{
	if (reader->activities != NULL)
		end_activities(reader->activities);
	if (reader->clipping != NULL)
		end_clipping(reader->clipping);
	SPI_finish();
}
