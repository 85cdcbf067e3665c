/*-------------------------------------------------------------------------
 *
 * names.c
 *	  The names of clients and users, looked up once a call for each that
 *	  occurs, as long as they are few: sessions are many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

/* By a join: a list would be gone through for each row of a small table. */
static const StoreQuery client_names = {
	.sql = "SELECT c.client_guid, c.client_name FROM pg_catalog.unnest($1) u (id)"
	" JOIN @store@.client c ON c.client_guid OPERATOR(pg_catalog.=) u.id",
	.parameters = {UUIDARRAYOID},
	.columns = {{UUIDOID, NOT_NULL}, {TEXTOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery user_names = {
	.sql = "SELECT a.user_id, a.user_name FROM pg_catalog.unnest($1) u (id)"
	" JOIN @store@.app_user a ON a.user_id OPERATOR(pg_catalog.=) u.id",
	.parameters = {INT4ARRAYOID},
	.columns = {{INT4OID, NOT_NULL}, {TEXTOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

/*
 * Names kept at the most: beyond that, they are looked up anew, so that what a call takes
 * does not grow with the store.
 */
#define MAX_NAMES	10000

/* The longer of the keys, a uuid; an int4 takes the front of it. */
typedef struct NameKey
{
	char		bytes[UUID_LEN];
} NameKey;

typedef struct NameEntry
{
	NameKey		key;			/* the hash key */
	Datum		name;
	bool		is_null;		/* also where there is no such row */
} NameEntry;

/* Names by their ids, of one kind. */
typedef struct NameTable
{
	const StoreQuery *query;	/* NULL: there is no such table */
	Oid			key_type;
	HTAB	   *entries;
} NameTable;

struct Names
{
	const Store *store;
	NameTable	clients;
	NameTable	users;
	MemoryContext context;		/* for the names */
};

/*
 * A store may lack the table: then nobody has a name.
 */
static void
begin_name_table(NameTable *table, MemoryContext context, const Store *store,
				 StoreTable which, const StoreQuery *query)
{
	HASHCTL		control = {0};

	table->query = OidIsValid(store->tables[which]) ? query : NULL;
	table->key_type = query->columns[0].type;
	control.keysize = sizeof(NameKey);
	control.entrysize = sizeof(NameEntry);
	control.hcxt = context;
	table->entries = hash_create("ekran_sessions names", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
begin_name_tables(Names *names)
{
	begin_name_table(&names->clients, names->context, names->store, TABLE_CLIENT,
					 &client_names);
	begin_name_table(&names->users, names->context, names->store, TABLE_APP_USER,
					 &user_names);
}

/*
 * Begin to look up names.
 */
Names *
begin_names(const Store *store)
{
	Names	   *names = palloc(sizeof(Names));

	names->store = store;
	names->context = AllocSetContextCreate(CurrentMemoryContext,
										   "ekran_sessions names",
										   ALLOCSET_DEFAULT_SIZES);
	begin_name_tables(names);
	return names;
}

static NameKey
name_key(const NameTable *table, Datum id)
{
	NameKey		key = {{0}};

	if (table->key_type == UUIDOID)
		memcpy(key.bytes, DatumGetUUIDP(id), UUID_LEN);
	else
	{
		int32		value = DatumGetInt32(id);

		memcpy(key.bytes, &value, sizeof(value));
	}
	return key;
}

static Datum
id_array(const NameTable *table, Datum *ids, int count)
{
	ArrayType  *array = table->key_type == UUIDOID ?
		construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR) :
		construct_array(ids, count, INT4OID, sizeof(int32), true, TYPALIGN_INT);

	return PointerGetDatum(array);
}

/*
 * Learn the names of those ids that are not known yet: one query for all.
 */
static void
learn_names(const Names *names, NameTable *table, Datum *ids, int count)
{
	Datum		parameters[] = {id_array(table, ids, count)};
	Rows		rows;

	begin_rows(&rows, names->store, table->query, parameters);
	while (next_row(&rows))
	{
		NameKey		key = name_key(table, rows.values[0]);
		NameEntry  *entry = hash_search(table->entries, &key, HASH_FIND, NULL);
		MemoryContext old_context;

		if (entry == NULL || rows.nulls[1])
			continue;
		old_context = MemoryContextSwitchTo(names->context);
		entry->name = PointerGetDatum(PG_DETOAST_DATUM_COPY(rows.values[1]));
		entry->is_null = false;
		MemoryContextSwitchTo(old_context);
	}
	end_rows(&rows);
	pfree(DatumGetPointer(parameters[0]));
}

/*
 * Find the entries of the ids that the sessions of a chunk have in a column, NULL
 * for those that have none.
 */
static void
find_names(const Names *names, NameTable *table, const Chunk *chunk,
		   int id_column, NameEntry **entries)
{
	Datum		unknown[CHUNK_SIZE];
	int			nunknown = 0;

	for (int i = 0; i < chunk->count; i++)
	{
		const Session *session = &chunk->sessions[i];
		NameKey		key;
		bool		is_known;

		entries[i] = NULL;
		if (session->is_null[id_column])
			continue;
		key = name_key(table, session->stored[id_column]);
		entries[i] = hash_search(table->entries, &key, HASH_ENTER, &is_known);
		if (is_known)
			continue;
		entries[i]->is_null = true;
		unknown[nunknown++] = session->stored[id_column];
	}
	if (nunknown > 0 && table->query != NULL)
		learn_names(names, table, unknown, nunknown);
}

/*
 * Give the sessions of a chunk the names of their clients and users, which are valid
 * until the next call.
 */
void
name_sessions(Names *names, Chunk *chunk)
{
	NameEntry  *clients[CHUNK_SIZE];
	NameEntry  *users[CHUNK_SIZE];

	if (hash_get_num_entries(names->clients.entries) +
		hash_get_num_entries(names->users.entries) > MAX_NAMES)
	{
		MemoryContextReset(names->context);
		begin_name_tables(names);
	}
	find_names(names, &names->clients, chunk, SESSION_CLIENT_GUID, clients);
	find_names(names, &names->users, chunk, SESSION_USER_ID, users);
	for (int i = 0; i < chunk->count; i++)
	{
		Session    *session = &chunk->sessions[i];

		session->has_client_name = clients[i] != NULL && !clients[i]->is_null;
		if (session->has_client_name)
			session->client_name = clients[i]->name;
		session->has_user_name = users[i] != NULL && !users[i]->is_null;
		if (session->has_user_name)
			session->user_name = users[i]->name;
	}
}
