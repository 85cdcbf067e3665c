/*-------------------------------------------------------------------------
 *
 * wire.c
 *	  Rows on their way from a shard to a hub.
 *
 * Many at a time are packed into one bytea, for what brings them takes longer over a
 * value than the shard over a session.  A pack says which format it is in and how many
 * columns its rows have, and has a mark of the shard's connection; a row is a bit for each
 * column that is null, then the others: numbers, uuids as they are, texts with their length
 * before them and in UTF-8, whatever the databases' encodings.  What brings packs may write them in hexadecimal digits, so few
 * bytes count: numbers are told by what they have more than in the row before, in as many
 * groups of seven bits as that takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type_d.h"
#include "ekran_sessions.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

/* Another format is not understood: a hub and its shards are of one. */
#define WIRE_FORMAT		1

/* Bytes after which a pack is complete. */
#define PACK_SIZE		((int) 64 * 1024)

const PartShape sessions_shape = {
	NUM_PART_COLUMNS,
	{INT8OID, UUIDOID, TEXTOID, INT4OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
	INT8OID},
	/* a session, or what is known of all */
	{NULLABLE, NULLABLE, NULLABLE, NULLABLE, NULLABLE, NULLABLE, NULLABLE, NULLABLE, NULLABLE,
	NULLABLE, NULLABLE}
};

const PartShape steps_shape = {
	NUM_STEP_COLUMNS, {INT8OID, INT8OID, INT8OID, INT8OID},
	{NOT_NULL}
};

const PartShape number_shape = {
	1, {INT8OID}, {NOT_NULL}
};

const PartShape usage_shape = {
	NUM_PART_USAGE_COLUMNS, {INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID},
	{NOT_NULL, NOT_NULL, NOT_NULL, NULLABLE, NOT_NULL}
};

const PartShape productivity_shape = {
	NUM_PART_PRODUCTIVITY_COLUMNS, {INT4OID, TEXTOID, INT4OID, INT4OID, INT8OID},
	{NULLABLE, NULLABLE, NOT_NULL, NOT_NULL, NOT_NULL}
};

const PartShape timeline_shape = {
	NUM_PART_TIMELINE_COLUMNS, {INT8OID, INT8OID, INT4OID, TEXTOID},
	/* a part of its time, or that the session is here */
	{NULLABLE, NULLABLE, NULLABLE, NULLABLE}
};

static int
null_bytes(const PartShape *shape)
{
	return (shape->ncolumns + 7) / 8;
}

static void
begin_pack(PartRows *rows)
{
	resetStringInfo(&rows->pack);
	memset(rows->former, 0, sizeof(rows->former));
	pq_sendbyte(&rows->pack, WIRE_FORMAT);
	pq_sendbyte(&rows->pack, rows->shape->ncolumns);
	pq_sendint64(&rows->pack, rows->mark);
	rows->count = 0;
}

/*
 * Begin to return rows of a shape, as packs in a tuplestore.
 */
void
begin_part_rows(PartRows *rows, ReturnSetInfo *result, const PartShape *shape)
{
	rows->result = result;
	rows->shape = shape;
	/* Of all that are connected at a time, no two begin so. */
	rows->mark = MyStartTimestamp ^ ((int64) MyProcPid << 32) ^ (int64) GetSystemIdentifier();
	initStringInfo(&rows->pack);
	begin_pack(rows);
}

static void
put_pack(PartRows *rows)
{
	bytea	   *pack = cstring_to_text_with_len(rows->pack.data, rows->pack.len);
	Datum		values[] = {PointerGetDatum(pack)};
	bool		nulls[] = {false};

	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, values, nulls);
	pfree(pack);
	begin_pack(rows);
}

static void
pack_length(StringInfo pack, uint64 length)
{
	uint8		bytes[10];
	int			count = 0;

	do
	{
		bytes[count++] = (length & 0x7f) | (length > 0x7f ? 0x80 : 0);
		length >>= 7;
	} while (length > 0);
	appendBinaryStringInfo(pack, (char *) bytes, count);
}

/*
 * Pack a number by what it has more than the former one, or less: then by the odd ones.
 */
static void
pack_number(StringInfo pack, int64 number, int64 *former)
{
	uint64		difference = (uint64) number - (uint64) *former;

	*former = number;
	pack_length(pack, (difference << 1) ^ (0 - (difference >> 63)));
}

static void
pack_text(StringInfo pack, const text *value)
{
	int			length = VARSIZE_ANY_EXHDR(value);
	const char *bytes = VARDATA_ANY(value);
	char	   *converted = pg_server_to_any(bytes, length, PG_UTF8);

	if (converted != bytes)
		length = (int) strlen(converted);
	pack_length(pack, length);
	appendBinaryStringInfo(pack, converted, length);
	if (converted != bytes)
		pfree(converted);
}

void
put_part_row(PartRows *rows, const Datum *values, const bool *nulls)
{
	const PartShape *shape = rows->shape;
	StringInfo	pack = &rows->pack;
	uint8		bits[(MAX_PART_COLUMNS + 7) / 8] = {0};

	for (int i = 0; i < shape->ncolumns; i++)
		if (nulls[i])
			bits[i / 8] |= 1 << i % 8;
	appendBinaryStringInfo(pack, (char *) bits, null_bytes(shape));
	for (int i = 0; i < shape->ncolumns; i++)
	{
		if (nulls[i])
			continue;
		switch (shape->columns[i])
		{
			case INT8OID:
				pack_number(pack, DatumGetInt64(values[i]), &rows->former[i]);
				break;
			case INT4OID:
				pack_number(pack, DatumGetInt32(values[i]), &rows->former[i]);
				break;
			case UUIDOID:
				appendBinaryStringInfo(pack, (char *) DatumGetUUIDP(values[i])->data,
									   UUID_LEN);
				break;
			case TEXTOID:
				pack_text(pack, DatumGetTextPP(values[i]));
				break;
		}
	}
	rows->count++;
	if (pack->len >= PACK_SIZE)
		put_pack(rows);
}

void
end_part_rows(PartRows *rows)
{
	if (rows->count > 0)
		put_pack(rows);
	pfree(rows->pack.data);
}

/*
 * Refuse what no shard sends.
 *
 * Errors: 08P01.
 */
void
refuse_pack(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("a shard's answer is none of ekran_sessions"),
			 errhint("Let the functions that begin with ekran_part_ on the shards be the extension's own.")));
}

static uint64
unpack_length(StringInfo pack)
{
	uint64		length = 0;

	for (int shift = 0; shift < 64; shift += 7)
	{
		int			byte = pq_getmsgbyte(pack);

		length |= (uint64) (byte & 0x7f) << shift;
		if (byte <= 0x7f)
			return length;
	}
	refuse_pack();
}

static int64
unpack_number(StringInfo pack, int64 *former)
{
	uint64		code = unpack_length(pack);

	*former = (int64) ((uint64) *former + ((code >> 1) ^ (0 - (code & 1))));
	return *former;
}

static Datum
unpack_text(StringInfo pack)
{
	uint64		told = unpack_length(pack);
	int			length = told > PG_INT32_MAX ? -1 : (int) told;
	const char *bytes = pq_getmsgbytes(pack, length);
	char	   *converted = pg_any_to_server(bytes, length, PG_UTF8);

	return PointerGetDatum(cstring_to_text_with_len(converted, converted == bytes ?
													length : (int) strlen(converted)));
}

static Datum
unpack_uuid(StringInfo pack)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, pq_getmsgbytes(pack, UUID_LEN), UUID_LEN);
	return UUIDPGetDatum(uuid);
}

/*
 * Take the rows of a pack, in the current memory context.
 *
 * Errors: 42804 for one of another format or shape, 08P01 for one that is no pack.
 */
void
take_pack(const PartShape *shape, bytea *packed, Shard *shard, TakeRow take, void *state)
{
	StringInfoData pack = {
		.data = VARDATA_ANY(packed),
		.len = VARSIZE_ANY_EXHDR(packed),
	};
	int64		former[MAX_PART_COLUMNS];
	int64		mark;

	if (pq_getmsgbyte(&pack) != WIRE_FORMAT || pq_getmsgbyte(&pack) != shape->ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a shard has another version of ekran_sessions than the hub"),
				 errhint("Bring all of them to the same version, and call ekran_create_hub() again.")));
	mark = pq_getmsgint64(&pack);
	if (shard->number == 0 || shard->mark != mark)
		shard->number++;
	shard->mark = mark;
	memset(former, 0, sizeof(former));
	while (pack.cursor < pack.len)
	{
		Datum		values[MAX_PART_COLUMNS] = {0};
		bool		nulls[MAX_PART_COLUMNS];
		const		uint8 *bits = (const uint8 *) pq_getmsgbytes(&pack, null_bytes(shape));

		for (int i = 0; i < shape->ncolumns; i++)
		{
			nulls[i] = (bits[i / 8] & (1 << i % 8)) != 0;
			if (nulls[i])
			{
				if (!shape->may_be_null[i])
					refuse_pack();
				continue;
			}
			switch (shape->columns[i])
			{
				case INT8OID:
					values[i] = Int64GetDatum(unpack_number(&pack, &former[i]));
					break;
				case INT4OID:
					values[i] = Int32GetDatum((int32) unpack_number(&pack, &former[i]));
					break;
				case UUIDOID:
					values[i] = unpack_uuid(&pack);
					break;
				case TEXTOID:
					values[i] = unpack_text(&pack);
					break;
			}
		}
		take(state, shard->number, values, nulls);
	}
}
