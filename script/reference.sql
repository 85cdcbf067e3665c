-- doc/reference.md, as script/reference makes it: of a new database.

SET client_min_messages = warning;
CREATE EXTENSION ekran_sessions;
SELECT ekran_create_store() \g /dev/null

-- Text for Markdown: what stands for itself there, and lines.
CREATE FUNCTION pg_temp.escaped(text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(replace($1, E'\n', ' '), '([\\*<|`\[\]])', '\\\1', 'g')
$$;

-- A comment: what it says of errors is a paragraph of its own.
CREATE FUNCTION pg_temp.described(text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(pg_temp.escaped($1), ' (Errors( otherwise)?:) ', E'\n\n**\\1** ')
$$;

-- Rows of a table, under its head.
CREATE FUNCTION pg_temp.tabled(head text, body text) RETURNS text LANGUAGE sql AS $$
	SELECT E'\n\n' || head || E'\n' || regexp_replace(head, '[^|]+', '---', 'g') || E'\n' || body
	WHERE body IS NOT NULL
$$;

CREATE TEMPORARY VIEW members AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'ekran_sessions';

-- Arguments and columns of functions, by their place.
CREATE TEMPORARY VIEW arguments AS
SELECT p.oid, a.place, a.name, a.mode, a.type,
	pg_get_function_arg_default(p.oid, (count(*) FILTER (WHERE a.mode <> 'o') OVER (PARTITION BY p.oid ORDER BY a.place))::integer) AS default_value
FROM pg_proc p,
	ROWS FROM (unnest(coalesce(p.proargnames, '{}')), unnest(coalesce(p.proargmodes, array_fill('i'::"char", ARRAY[p.pronargs]))),
		unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]))) WITH ORDINALITY a (name, mode, type, place);

-- A function as it is called: one argument a line, if they are many.
CREATE FUNCTION pg_temp.synopsis(function oid) RETURNS text LANGUAGE sql AS $$
	SELECT concat(CASE WHEN p.prokind = 'p' THEN 'CALL ' END, p.proname,
		'(', CASE WHEN p.pronargs > 2 THEN E'\n    ' END, string_agg(a.argument, CASE WHEN p.pronargs > 2 THEN E',\n    ' ELSE ', ' END ORDER BY a.place), ')',
		CASE WHEN p.prokind = 'f' THEN concat(' RETURNS ', CASE WHEN p.proretset THEN 'SETOF ' END, format_type(p.prorettype, NULL)) END)
	FROM pg_proc p LEFT JOIN
		(SELECT oid, place, concat_ws(' ', quote_ident(nullif(name, '')), format_type(type, NULL), 'DEFAULT ' || regexp_replace(default_value, '::[^'']*$', '')) AS argument
		FROM arguments WHERE mode <> 'o') a USING (oid)
	WHERE p.oid = function GROUP BY p.oid
$$;

\echo '# Reference'
\echo
\echo 'Every object of the extension, of the store that `ekran_create_store()` makes, and every'
\echo 'setting, by what the server itself says of them (`\\df+`, `\\d+`, `pg_settings`): `script/reference`'
\echo 'has made this page. [rules.md](rules.md) says what the figures mean, the'
\echo '[README](../README.md) shows them in use.'
\echo
\echo '## Functions'

SELECT concat(E'\n### ', pg_temp.escaped(p.proname), E'\n\n```\n', pg_temp.synopsis(p.oid), E'\n```\n\n',
	pg_temp.described(obj_description(p.oid, 'pg_proc')),
	pg_temp.tabled('| column | type |', (SELECT string_agg(format('| %s | %s |', pg_temp.escaped(name), pg_temp.escaped(format_type(type, NULL))), E'\n' ORDER BY place)
		FROM arguments a WHERE a.oid = p.oid AND a.mode = 'o')))
FROM pg_proc p JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
ORDER BY p.oid;

\echo
\echo '## Types'

SELECT concat(E'\n### ', pg_temp.escaped(t.typname), E'\n\n', pg_temp.described(obj_description(t.oid, 'pg_type')),
	pg_temp.tabled('| column | type | |', (SELECT string_agg(format('| %s | %s | %s |', pg_temp.escaped(attname),
			pg_temp.escaped(format_type(atttypid, atttypmod)), pg_temp.escaped(col_description(attrelid, attnum))), E'\n' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0)))
FROM pg_type t JOIN members m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
WHERE t.typtype = 'c' ORDER BY t.oid;

\echo
\echo '## Settings'

SELECT concat(E'\n### ', pg_temp.escaped(name), E'\n\n`', vartype, '`, ',
	CASE context WHEN 'user' THEN 'set by everybody for themselves' ELSE pg_temp.escaped(context) END,
	', by default `', boot_val, unit, '`', ', one of ' || pg_temp.escaped(array_to_string(enumvals, ', ')), ', from ' || min_val || ' to ' || max_val, E'.\n\n',
	pg_temp.escaped(concat_ws(' ', short_desc, extra_desc)))
FROM pg_settings WHERE name LIKE 'ekran\_sessions.%' ORDER BY name;

\echo
\echo '## A store'
\echo
\echo 'As `SELECT ekran_create_store()` makes it. Tables that are derived are written by the extension alone.'

SELECT concat(E'\n### ', CASE c.relkind WHEN 'v' THEN 'View ' ELSE 'Table ' END, pg_temp.escaped(c.relname), E'\n\n',
	pg_temp.described(obj_description(c.oid, 'pg_class')),
	pg_temp.tabled('| column | type | |', (SELECT string_agg(format('| %s | %s%s | %s |', pg_temp.escaped(attname),
			pg_temp.escaped(format_type(atttypid, atttypmod)), CASE WHEN attnotnull THEN ', not null' END,
			pg_temp.escaped(col_description(attrelid, attnum))), E'\n' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)),
	pg_temp.tabled('| constraint | is | |', (SELECT string_agg(format('| %s | %s | %s |', pg_temp.escaped(conname), pg_temp.escaped(pg_get_constraintdef(oid)),
			pg_temp.escaped(obj_description(oid, 'pg_constraint'))), E'\n' ORDER BY oid)
		FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'u', 'f', 'c'))),
	pg_temp.tabled('| index | on | |', (SELECT string_agg(format('| %s | %s | %s |', pg_temp.escaped(x.relname),
			pg_temp.escaped(regexp_replace(pg_get_indexdef(i.indexrelid), '.* USING ', '')), pg_temp.escaped(obj_description(i.indexrelid, 'pg_class'))), E'\n' ORDER BY i.indexrelid)
		FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid))),
	pg_temp.tabled('| trigger | |', (SELECT string_agg(format('| %s | %s |', pg_temp.escaped(tgname), pg_temp.escaped(obj_description(oid, 'pg_trigger'))), E'\n' ORDER BY tgname)
		FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)))
FROM pg_class c WHERE c.relnamespace = 'ekran'::regnamespace AND c.relkind IN ('r', 'v')
ORDER BY c.relkind, c.oid;

-- What nobody has described is not in the reference either.
SELECT 1 / (count(*) = 0)::integer AS described FROM members m
WHERE obj_description(m.objid, m.classid::regclass::name) IS NULL
AND NOT EXISTS (SELECT FROM pg_type t WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid AND t.typcategory = 'A') \g /dev/null
