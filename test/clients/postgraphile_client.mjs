// What PostGraphile 4 makes of each call in a file such as calls.tsv: GraphQL over HTTP, on
// 127.0.0.1. Its arguments are the directory of its node_modules, and the file; the server
// connects by the environment (PGHOST, ...).
//
// No SQL is sent: a function is a field with its arguments, "all..." a relation, without a
// condition. Objects of an extension are only shown where includeExtensionResources says so.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const [directory, file] = process.argv.slice(2);
const require = createRequire(`${directory}/`);
const pg = require('pg');
const { postgraphile } = require('postgraphile');

// GraphQL's types, and what they are in the database.
const typeNames = {
	BigInt: 'int8', Boolean: 'bool', Date: 'date', Datetime: 'timestamptz', Float: 'float8',
	Int: 'int4', Interval: 'interval', JSON: 'json', String: 'text', UUID: 'uuid',
};
const toGraphQLType = (type) => type.endsWith('[]') ? `[${toGraphQLType(type.slice(0, -2))}]`
	: Object.keys(typeNames).find((name) => typeNames[name] === type);
const toCamelCase = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const toSnakeCase = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const readCalls = () => readFileSync(file, 'utf8').split('\n')
	.map((line, i) => ({ number: i + 1, line }))
	.filter(({ line }) => line !== '' && !line.startsWith('#'))
	.map(({ number, line }) => {
		const [kind, name, sql, ...params] = line.split('\t');
		return { number, kind, name, sql, params: params.map((param) => param.match(/^(\w+):([^:]+):(.*)$/).slice(1)) };
	});

function toVariable([, type, text]) {
	if (text === '\\N')
		return null;
	if (type.endsWith('[]'))
		return text.slice(1, -1).split(',').map((item) => item === 'NULL' ? null : toVariable([, type.slice(0, -2), item]));
	return type === 'timestamptz' ? `${text.replace(' ', 'T')}Z` : type === 'int4' ? Number(text) : text;
}

function toText(value, type) {
	if (value === null)
		return '\\N';
	if (type === 'Datetime') {
		const [, date, time, fraction] = value.match(/^(.{10})T(.{8})(?:\.(\d+))?\+00:00$/);
		return `${date} ${time}.${(fraction ?? '').padEnd(6, '0')}`;
	}
	if (type === 'Interval') {
		const { days, hours, minutes, seconds } = value;
		return `${((days * 24 + hours) * 60 + minutes) * 60_000_000 + Math.round(seconds * 1e6)}`;
	}
	if (type === 'Float') {
		const bytes = Buffer.alloc(8);
		bytes.writeDoubleBE(value);
		return bytes.toString('hex');
	}
	return `${value}`.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}

const pool = new pg.Pool();
const server = createServer(postgraphile(pool, ['public', 'ekran'], {
	includeExtensionResources: true, ignoreRBAC: false, disableQueryLog: true,
	extendedErrors: ['errcode'], pgSettings: { TimeZone: 'UTC' },
}));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

async function post(query, variables = {}) {
	const response = await fetch(`http://127.0.0.1:${server.address().port}/graphql`, {
		method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ query, variables }),
	});
	return response.json();
}

async function mustPost(query, variables) {
	const { data, errors } = await post(query, variables);
	if (errors)
		throw new Error(`${query}: ${JSON.stringify(errors)}`);
	return data;
}

// What there is, as a client learns it.
const { __schema: { types } } = await mustPost(`{ __schema { types {
	name fields { name args { name } type { name ofType { name ofType { name ofType { name } } } } } } } }`);
const nameOf = (type) => type.name ?? nameOf(type.ofType);
const fieldsOf = (name) => types.find((type) => type.name === name).fields;
const rootFields = fieldsOf('Query');

// The columns of a field's rows; of a scalar, itself.
function columnsOf(field) {
	if (typeNames[nameOf(field.type)])
		return [{ name: toSnakeCase(field.name), type: nameOf(field.type) }];
	return fieldsOf(rowTypeOf(field))
		.filter(({ type }) => typeNames[nameOf(type)])
		.map(({ name, type }) => ({ name: toSnakeCase(name), key: name, type: nameOf(type) }));
}

function rowTypeOf(field) {
	const nodes = fieldsOf(nameOf(field.type))?.find(({ name }) => name === 'nodes');
	return nodes && nameOf(nodes.type);
}

const toTypeName = (name) => name[0].toUpperCase() + toCamelCase(name.slice(1));
const findField = ({ kind, name }) => rootFields.find((field) => name.startsWith('ekran_')
	? field.name === toCamelCase(name)
	: kind === 'relation' && field.name.startsWith('all') && rowTypeOf(field) === toTypeName(name));
const toVariables = (params, values) => Object.fromEntries(params.map(([name], i) => [toCamelCase(name), values[i]]));

// The field with its arguments, which are variables, and part of its rows.
function toQuery(field, params, part = '') {
	const declared = params.map(([name, type]) => `$${toCamelCase(name)}: ${toGraphQLType(type)}`);
	const passed = params.map(([name]) => `${toCamelCase(name)}: $${toCamelCase(name)}`);
	const list = (items) => items.length > 0 ? `(${items.join(', ')})` : '';
	const columns = columnsOf(field);
	const selected = columns.map(({ key, type }) => type === 'Interval' ? `${key} { days hours minutes seconds }` : key);
	return `query ${list(declared)} { it: ${field.name}${list(part ? [...passed, part] : passed)} ${
		columns[0].key ? `{ nodes { ${selected.join(' ')} } }` : ''} }`;
}

async function rows(field, params, values, part) {
	const columns = columnsOf(field);
	const { it } = await mustPost(toQuery(field, params, part), toVariables(params, values));
	return columns[0].key ? it.nodes.map((node) => columns.map(({ key, type }) => toText(node[key], type)))
		: [[toText(it, columns[0].type)]];
}

const show = (title, lines) => console.log([`== ${title}`, ...lines].join('\n'));
const toLines = (found) => found.map((row) => row.join('\t'));

show('functions', rootFields.map(({ name }) => toSnakeCase(name)).filter((name) => name.startsWith('ekran')).sort());
show('function columns', rootFields.filter(({ name }) => name.startsWith('ekran'))
	.flatMap(({ name, args }) => args.map((arg) => `${toSnakeCase(name)}\t${arg.name}`))
	.filter((line) => !/\t(first|last|offset|before|after)$/.test(line)).sort());

for (const call of readCalls()) {
	const { number, kind, params } = call;
	const field = findField(call);
	const values = params.map(toVariable);
	if (!field || kind === 'relation' && params.length > 0)
		continue;
	if (kind === 'error') {
		const { errors } = await post(toQuery(field, params), toVariables(params, values));
		show(`error ${number}`, errors.map(({ errcode, message }) => `${errcode}\t${message}`));
		continue;
	}
	show(`columns ${number}`, columnsOf(field).map(({ name, type }) => `${name}\t${typeNames[type]}`));
	if (kind === 'pages') {
		const lines = [];
		for (;;) {
			const page = await rows(field, params, values);
			if (page.length === 0)
				break;
			lines.push(...toLines(page));
			values.push(params.at(-1)[0] === 'page' ? `${Number(values.pop()) + 1}` : (values.pop(), page.at(-1)[0]));
		}
		show(`rows ${number}`, lines);
		continue;
	}
	show(`rows ${number}`, toLines(await rows(field, params, values)));
	if (!rowTypeOf(field))
		continue;

	// Once more, in its own pages.
	const lines = [];
	for (let offset = 0; ; offset += 500) {
		const page = await rows(field, params, values, `first: 500, offset: ${offset}`);
		if (page.length === 0)
			break;
		lines.push(...toLines(page));
	}
	show(`rows ${number}`, lines);
}
server.close();
server.closeAllConnections();
await pool.end();
