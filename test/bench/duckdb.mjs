// The pages that script/bench peers measures, in DuckDB.
// Usage: node duckdb.mjs PACKAGE DIRECTORY RUNS
//
// Loads page.csv, session.csv, client.csv, app_user.csv and activity.csv of the
// directory into memory, and answers each page on one thread and on all. Leaves there
// page_row.csv, the rows, and round.csv, the milliseconds of so many runs each, after as
// many for warming up. Prints the versions and how many threads all are.

import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';

const [packagePath, directory, runs] = process.argv.slice(2);
const { DuckDBInstance, version } = createRequire(import.meta.url)(packagePath);
const connection = await (await DuckDBInstance.create(':memory:')).connect();

const query = async (sql) => (await connection.runAndReadAll(sql)).getRowObjects();
const file = (name) => `'${`${directory}/${name}.csv`.replaceAll("'", "''")}'`;

// Times are in UTC: arithmetic on those with a time zone takes an extension, which costs
// time and may not be there. The files are sorted by session and time, so are the tables.
await connection.run(`
	CREATE TABLE session (session_id BIGINT, client_guid UUID, user_id INTEGER, login_date TIMESTAMP, logout_date TIMESTAMP);
	CREATE TABLE client (client_guid UUID, client_name VARCHAR);
	CREATE TABLE app_user (user_id INTEGER, user_name VARCHAR);
	CREATE TABLE activity (session_id BIGINT, activity_date TIMESTAMP, activity_id BIGINT, application VARCHAR, url VARCHAR, title VARCHAR);
	CREATE TABLE page_row (taker VARCHAR, page VARCHAR, place BIGINT, session_id BIGINT,
		client_guid UUID, client_name VARCHAR, user_id INTEGER, user_name VARCHAR, login_date TIMESTAMP,
		logout_date TIMESTAMP, duration BIGINT, productivity_time BIGINT, idle_time BIGINT)`);
for (const table of ['session', 'client', 'app_user', 'activity']) {
	await connection.run(`COPY ${table} FROM ${file(table)} (HEADER)`);
}

// The first thousand finished sessions of a window by the rules: clipped to the moments
// inside, idle in every gap of more than 15 minutes between two of them. Gaps in whole
// microseconds are quicker here than intervals, and one window over all moments than a
// lateral one, or lists, by session. (A lag over nothing, which trusts the rows to lie in
// order, takes a third of it; but no table that is written to keeps them so.)
const pageQuery = (start, end) => `
	WITH page AS (
		SELECT * FROM session
		WHERE logout_date > ${start} AND login_date < ${end}
		ORDER BY login_date, session_id LIMIT 1000
	), moments AS (
		SELECT session_id, epoch_us(login_date) AS t FROM page WHERE login_date >= ${start}
		UNION ALL
		SELECT session_id, epoch_us(activity_date)
		FROM activity JOIN page USING (session_id)
		WHERE activity_date > greatest(login_date, ${start}) AND activity_date < least(logout_date, ${end})
		UNION ALL
		SELECT session_id, epoch_us(logout_date) FROM page WHERE logout_date <= ${end}
	), gaps AS (
		SELECT session_id, t, t - lag(t) OVER (PARTITION BY session_id ORDER BY t) AS gap FROM moments
	), figures AS (
		SELECT session_id, min(t) AS first, max(t) AS last, coalesce(sum(gap) FILTER (WHERE gap > 15 * 60 * 1000000), 0) AS idle
		FROM gaps GROUP BY session_id
	)
	SELECT session_id, client_guid, client_name, user_id, user_name,
		make_timestamp(first) AS login_date, make_timestamp(last) AS logout_date,
		coalesce(last - first, 0) AS duration, coalesce(last - first - idle, 0) AS productivity_time,
		coalesce(idle, 0) AS idle_time
	FROM page
	LEFT JOIN figures USING (session_id)
	LEFT JOIN client USING (client_guid)
	LEFT JOIN app_user USING (user_id)
	ORDER BY page.login_date, session_id`;

const bound = (time) => `TIMESTAMP '${time}'`;
const pages = (await query(`
	SELECT page, coalesce(start::VARCHAR, '-infinity') AS start, coalesce("end"::VARCHAR, 'infinity') AS "end"
	FROM read_csv(${file('page')}, header = true, types = {'start': 'TIMESTAMP', 'end': 'TIMESTAMP'})`))
	.map(({ page, start, end }) => ({ page, sql: pageQuery(bound(start), bound(end)) }));

// What the server takes: the rows are made in DuckDB, and not turned into objects here.
const rounds = [];
const all = Number((await query("SELECT current_setting('threads') AS threads"))[0].threads);
for (const threads of new Set([1, all])) {
	const taker = `DuckDB on ${threads} thread${threads > 1 ? 's' : ''}`;
	await connection.run(`SET threads = ${threads}`);
	for (const { page, sql } of pages) {
		const prepared = await connection.prepare(sql);
		for (let run = 1; run <= 2 * runs; run++) {
			const begun = process.hrtime.bigint();
			await prepared.run();
			if (run > runs) {
				rounds.push(`${page} ${taker},f,${Number(process.hrtime.bigint() - begun) / 1e6}\n`);
			}
		}
		await connection.run(`INSERT INTO page_row SELECT '${taker}', '${page}', row_number() OVER (), * FROM (${sql})`);
	}
}
writeFileSync(`${directory}/round.csv`, rounds.join(''));
await connection.run(`COPY page_row TO ${file('page_row')} (HEADER)`);
console.log(`DuckDB ${version().replace(/^v/, '')}, node ${process.versions.node}`);
