/*-------------------------------------------------------------------------
 *
 * names.c
 *	  The names of clients and users, looked up once a call for each that
 *	  occurs: sessions are many, clients and users few.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ekran_sessions.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/uuid.h"

static const StoreQuery client_names = {
	.sql = "SELECT c.client_guid, c.client_name FROM @store@.client c"
	" WHERE c.client_guid OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {UUIDARRAYOID},
	.columns = {{UUIDOID}, {TEXTOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

static const StoreQuery user_names = {
	.sql = "SELECT u.user_id, u.user_name FROM @store@.app_user u"
	" WHERE u.user_id OPERATOR(pg_catalog.=) ANY ($1)",
	.parameters = {INT4ARRAYOID},
	.columns = {{INT4OID}, {TEXTOID, NULLABLE}},
	.plan_options = PLAN_ONCE
};

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

struct Names
{
	const Store *store;
	const StoreQuery *query;
	Oid			key_type;
	HTAB	   *entries;
	MemoryContext context;		/* where names stay for the call */
};

static Names *
begin_names(const Store *store, const StoreQuery *query)
{
	Names	   *names = palloc(sizeof(Names));
	HASHCTL		control = {0};

	names->store = store;
	names->query = query;
	names->key_type = query->columns[0].type;
	names->context = CurrentMemoryContext;
	control.keysize = sizeof(NameKey);
	control.entrysize = sizeof(NameEntry);
	control.hcxt = CurrentMemoryContext;
	names->entries = hash_create("ekran_sessions names", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return names;
}

/*
 * Begin to look up names, which stay in the current memory context.
 */
Names *
begin_client_names(const Store *store)
{
	return begin_names(store, &client_names);
}

Names *
begin_user_names(const Store *store)
{
	return begin_names(store, &user_names);
}

static NameKey
name_key(const Names *names, Datum id)
{
	NameKey		key = {{0}};

	if (names->key_type == UUIDOID)
		memcpy(key.bytes, DatumGetUUIDP(id), UUID_LEN);
	else
	{
		int32		value = DatumGetInt32(id);

		memcpy(key.bytes, &value, sizeof(value));
	}
	return key;
}

static Datum
id_array(const Names *names, Datum *ids, int count)
{
	ArrayType  *array = names->key_type == UUIDOID ?
		construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR) :
		construct_array(ids, count, INT4OID, sizeof(int32), true, TYPALIGN_INT);

	return PointerGetDatum(array);
}

/*
 * Learn the names of those ids that are not known yet: one query for all.
 */
void
learn_names(Names *names, const Datum *ids, int count)
{
	Datum	   *unknown = palloc(Max(count, 1) * sizeof(Datum));
	int			nunknown = 0;
	Datum		parameters[1];
	Rows		rows;

	for (int i = 0; i < count; i++)
	{
		NameKey		key = name_key(names, ids[i]);
		bool		found;
		NameEntry  *entry = hash_search(names->entries, &key, HASH_ENTER,
										&found);

		if (found)
			continue;
		entry->is_null = true;
		unknown[nunknown++] = ids[i];
	}
	if (nunknown == 0)
		return;

	parameters[0] = id_array(names, unknown, nunknown);
	begin_rows(&rows, names->store, names->query, parameters);
	while (next_row(&rows))
	{
		NameKey		key = name_key(names, rows.values[0]);
		NameEntry  *entry = hash_search(names->entries, &key, HASH_FIND, NULL);
		MemoryContext old_context;

		if (entry == NULL || rows.nulls[1])
			continue;
		old_context = MemoryContextSwitchTo(names->context);
		entry->name = PointerGetDatum(PG_DETOAST_DATUM_COPY(rows.values[1]));
		entry->is_null = false;
		MemoryContextSwitchTo(old_context);
	}
	end_rows(&rows);
}

/*
 * The name of an id that has been learnt; false if there is none.
 */
bool
find_name(const Names *names, Datum id, Datum *name)
{
	NameKey		key = name_key(names, id);
	NameEntry  *entry = hash_search(names->entries, &key, HASH_FIND, NULL);

	Assert(entry != NULL);
	if (entry->is_null)
		return false;
	*name = entry->name;
	return true;
}
