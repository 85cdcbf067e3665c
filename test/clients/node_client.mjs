// What node-postgres makes of each call in a file such as calls.tsv. Its arguments are the
// directory of its node_modules, and the file; connects by the environment (PGHOST, ...).
//
// Ids come as strings, as they are. A Date has milliseconds, and an object of an interval
// too; JSON.parse makes doubles of ids: so of these three types the text is asked for, as
// a program had better do, and "defaults" shows what comes without.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [directory, file] = process.argv.slice(2);
const pg = createRequire(`${directory}/`)('pg');
const typeNames = {
	16: 'bool', 20: 'int8', 23: 'int4', 25: 'text', 114: 'json', 701: 'float8',
	1082: 'date', 1184: 'timestamptz', 1186: 'interval', 2950: 'uuid',
};
const asText = { getTypeParser: (oid) => [114, 1082, 1184, 1186].includes(oid) ? (text) => text : pg.types.getTypeParser(oid) };

const readCalls = () => readFileSync(file, 'utf8').split('\n')
	.map((line, i) => ({ number: i + 1, line }))
	.filter(({ line }) => line !== '' && !line.startsWith('#'))
	.map(({ number, line }) => {
		const [kind, , sql, ...params] = line.split('\t');
		return { number, kind, sql, params: params.map((param) => param.match(/^(\w+):([^:]+):(.*)$/).slice(1)) };
	});

// A parameter of the type that a program would have it in, but for times: see above.
function toParam([, type, text]) {
	if (text === '\\N')
		return null;
	if (type.endsWith('[]'))
		return text.slice(1, -1).split(',').map((item) => item === 'NULL' ? null : item);
	return type === 'timestamptz' ? `${text}+00` : type === 'int8' ? BigInt(text) : text;
}

function microseconds(interval) {
	const [, sign, hours, minutes, seconds, fraction] = interval.match(/^(-?)(\d+):(\d+):(\d+)(?:\.(\d+))?$/);
	const sum = ((BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds)) * 1000000n + BigInt((fraction ?? '').padEnd(6, '0'));
	return sign ? -sum : sum;
}

function toText(value, type) {
	if (value === null)
		return '\\N';
	if (type === 'timestamptz') {
		const [, moment, fraction] = value.match(/^(.{19})(?:\.(\d+))?\+00$/);
		return `${moment}.${(fraction ?? '').padEnd(6, '0')}`;
	}
	if (type === 'interval')
		return `${microseconds(value)}`;
	if (type === 'float8') {
		const bytes = Buffer.alloc(8);
		bytes.writeDoubleBE(value);
		return bytes.toString('hex');
	}
	return `${value}`.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}

const show = (title, lines) => console.log([`== ${title}`, ...lines].join('\n'));
const toLines = ({ rows, fields }) => rows.map((row) =>
	row.map((value, i) => toText(value, typeNames[fields[i].dataTypeID])).join('\t'));

const client = new pg.Client();
await client.connect();
await client.query("SET TimeZone = 'UTC'");
const query = (text, values = [], name = undefined) =>
	client.query({ text, values, name, rowMode: 'array', types: asText });

// It has no functions that list things; this is how a program looks.
show('functions', toLines(await query(`
	SELECT routine_name::text FROM information_schema.routines
	WHERE routine_name LIKE 'ekran%' AND routine_type = 'FUNCTION' ORDER BY routine_name COLLATE "C"`)));
show('relations', toLines(await query(`
	SELECT table_name::text, column_name::text, udt_name::text FROM information_schema.columns
	WHERE table_schema = 'ekran' ORDER BY table_name COLLATE "C", ordinal_position`)));

for (const { number, kind, sql, params } of readCalls()) {
	const values = params.map(toParam);
	if (kind === 'error') {
		await query(sql, values).catch((error) => show(`error ${number}`, [`${error.code}\t${error.message}`]));
		continue;
	}
	const { fields } = await query(`SELECT * FROM (${sql}) q LIMIT 0`, values);
	show(`columns ${number}`, fields.map(({ name, dataTypeID }) => `${name}\t${typeNames[dataTypeID]}`));

	// A statement with a name is prepared once.
	const lines = [];
	for (;;) {
		const result = await query(sql, values, `call${number}`);
		lines.push(...toLines(result));
		if (kind !== 'pages' || result.rows.length === 0)
			break;
		values.push(params.at(-1)[0] === 'page' ? values.pop() + 1n : (values.pop(), result.rows.at(-1)[0]));
	}
	show(`rows ${number}`, lines);
}

// What the types are where nothing is said.
const { rows: [row] } = await client.query(`
	SELECT session_id, login_date, duration, ekran_sessions_json('2024-03-01 08:00', "sessionCount" => 1, "pageIndex" => 1) AS json
	FROM ekran_sessions('2024-03-01 08:00', count => 1, page => 1)`);
show('defaults', [
	`session_id\t${typeof row.session_id}\t${row.session_id}`,
	`login_date\t${row.login_date.constructor.name}\t${row.login_date.toISOString()}`,
	`duration\t${row.duration.constructor.name}\t${JSON.stringify(row.duration)}`,
	`json\t${typeof row.json}\t${JSON.stringify(row.json.sessions[0].sessionId)}`,
]);
await client.end();
