-- Converts a store: its table activity becomes the first partition, of all time up to a
-- moment, of one that is partitioned by time. No row is copied, and none is lost.
--
-- Usage: psql -X -v store=ekran -v period='1 month' -v up_to='2027-01-01 00:00+00' -f script/partition.sql
--
-- As the store's owner. up_to is where the first partition ends and the next one begins: where
-- a period does (of UTC: a month, or a Monday), after the latest activity. Grants and policies
-- on activity are taken over; storage parameters, statistics targets, the replica identity and
-- a comment of yours are not. Refuses, and changes nothing, where the table has activities
-- from then on, or triggers, indexes, statistics, views or publications that are not the
-- store's own, or others depend on it (policies, functions, keys): drop them, and make them
-- again on the new one. Keeps readers and writers out until it is done, which takes as long as
-- ekran_rebuild(), and two looks at all activities, of which a valid CHECK (activity_date <
-- up_to) spares one.

\set ON_ERROR_STOP on
\if :{?store}
\else
	\set store ''
\endif
\if :{?period}
\else
	\set period ''
\endif
\if :{?up_to}
\else
	\set up_to ''
\endif
SELECT '' IN (:'store', :'period', :'up_to') AS is_lacking \gset
\if :is_lacking
	\warn 'Usage: psql -X -v store=ekran -v period=''1 month'' -v up_to=''2027-01-01 00:00+00'' -f script/partition.sql'
	\quit
\endif

BEGIN ISOLATION LEVEL READ COMMITTED;

-- The cast refuses a schema that is not there.
SELECT set_config('search_path', quote_ident(:'store')::regnamespace::text, true) AS search_path,
	set_config('ekran_partition.up_to', :'up_to', true) AS up_to,
	set_config('ekran_partition.period', :'period', true) AS period,
	(SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'ekran_sessions') AS extension,
	set_config('ekran_partition.store', :'store', true) AS store \gset

LOCK TABLE session, activity IN ACCESS EXCLUSIVE MODE;

DO $$
DECLARE
	store CONSTANT regnamespace := quote_ident(current_setting('ekran_partition.store'))::regnamespace;
	old CONSTANT oid := (SELECT oid FROM pg_class WHERE relname = 'activity' AND relnamespace = store);
	up_to CONSTANT timestamptz := current_setting('ekran_partition.up_to');
	period CONSTANT interval := current_setting('ekran_partition.period');
	-- of UTC, as ekran_create_store() counts them
	utc CONSTANT timestamp := up_to AT TIME ZONE 'UTC';
	months CONSTANT int := extract(year FROM period) * 12 + extract(month FROM period);
	is_beginning CONSTANT boolean := CASE WHEN NOT isfinite(up_to) THEN false
		WHEN months > 0 THEN utc = date_trunc('month', utc) AND ((extract(year FROM utc) - 2000) * 12 + extract(month FROM utc) - 1)::int % months = 0
		ELSE utc = date_bin(period, utc, '2000-01-03') END;
	latest timestamptz;
	-- the functions of the store's triggers
	ours CONSTANT oid[] := ARRAY(SELECT d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
		WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass AND e.extname = 'ekran_sessions');
	others text;
	made text;
BEGIN
	IF (SELECT relkind FROM pg_class WHERE oid = old) <> 'r' THEN
		RAISE 'activity is partitioned already';
	END IF;

	IF (SELECT relowner FROM pg_class WHERE oid = old) <> quote_ident(current_user)::regrole THEN
		RAISE 'activity belongs to role %', (SELECT relowner::regrole FROM pg_class WHERE oid = old)
			USING HINT = 'Convert it as that role, by SET ROLE.';
	END IF;

	IF NOT is_beginning THEN
		RAISE 'up_to % is not where a period of % begins', up_to, period USING HINT = 'Months are counted from January 2000, days and hours from a Monday, in UTC.';
	END IF;
	SELECT max(activity_date) INTO latest FROM activity WHERE activity_date >= up_to;
	IF latest IS NOT NULL THEN
		RAISE 'activities reach beyond up_to %, to %', up_to, latest USING HINT = 'Give a later one, or look whether these are the work of a wrong clock.';
	END IF;

	-- What is left behind, and can't be made again without knowing what it is for.
	SELECT string_agg(object, ', ' ORDER BY object) INTO others FROM (
		SELECT format('trigger %I', tgname) FROM pg_trigger WHERE tgrelid = old AND NOT tgisinternal AND tgfoid <> ALL (ours)
		UNION ALL SELECT format('index %s', indexrelid::regclass) FROM pg_index i WHERE indrelid = old
			AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype = 'p')
		UNION ALL SELECT format('constraint %I', conname) FROM pg_constraint WHERE conrelid = old AND contype NOT IN ('p', 'c', 'n')
		UNION ALL SELECT format('identity of column %I', attname) FROM pg_attribute WHERE attrelid = old AND attidentity <> ''
		UNION ALL SELECT format('statistics %I', stxname) FROM pg_statistic_ext WHERE stxrelid = old
		UNION ALL SELECT format('publication %I', pubname) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE prrelid = old
		-- others would send its partitions by their own names
		UNION ALL SELECT format('publication %I (which may SET (publish_via_partition_root))', p.pubname) FROM pg_publication p
			WHERE NOT p.pubviaroot AND (p.puballtables OR EXISTS (SELECT FROM pg_publication_namespace n JOIN pg_class c ON c.oid = old WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace))
		-- of others: views, policies, functions, keys, columns of its row type
		UNION ALL SELECT DISTINCT coalesce((SELECT 'view ' || ev_class::regclass FROM pg_rewrite WHERE d.classid = 'pg_rewrite'::regclass AND oid = d.objid),
				pg_describe_object(d.classid, d.objid, 0)) FROM pg_depend d
			WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid = old
				OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT t.oid FROM pg_type t JOIN pg_class c ON c.oid = old WHERE c.reltype IN (t.oid, t.typelem)))
			AND d.deptype IN ('n', 'a')
			AND NOT (d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid FROM pg_constraint WHERE conrelid = old))
			AND NOT (d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = old))
			AND NOT (d.classid = 'pg_trigger'::regclass AND d.objid IN (SELECT oid FROM pg_trigger WHERE tgrelid = old))
			AND NOT (d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT oid FROM pg_policy WHERE polrelid = old))
			AND NOT (d.classid = 'pg_class'::regclass AND d.objid IN (SELECT indexrelid FROM pg_index WHERE indrelid = old))
			AND NOT (d.classid = 'pg_class'::regclass AND d.deptype = 'a' AND (SELECT relkind FROM pg_class WHERE oid = d.objid) = 'S')
			AND d.classid NOT IN ('pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass)
	) o (object);
	IF others IS NOT NULL THEN
		RAISE 'activity has what its successor would not have: %', others
			USING HINT = 'Drop it, and make it again afterwards.';
	END IF;

	-- What the successor has, too, as commands.
	SELECT string_agg(command, '; ') INTO made FROM (
		SELECT format('GRANT %s ON activity TO %s%s', privilege_type,
				CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
			FROM pg_class c, aclexplode(c.relacl) WHERE c.oid = old AND grantee <> c.relowner
		UNION ALL SELECT format('GRANT %s (%I) ON activity TO %s%s', privilege_type, attname,
				CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
			FROM pg_attribute a, aclexplode(a.attacl) WHERE a.attrelid = old AND NOT attisdropped
		UNION ALL SELECT format('CREATE POLICY %I ON activity AS %s FOR %s TO %s%s%s', polname, CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
				CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
				(SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ') FROM unnest(polroles) r),
				' USING (' || pg_get_expr(polqual, polrelid) || ')', ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
			FROM pg_policy WHERE polrelid = old
		UNION ALL SELECT 'ALTER TABLE activity ENABLE ROW LEVEL SECURITY' FROM pg_class WHERE oid = old AND relrowsecurity
		UNION ALL SELECT 'ALTER TABLE activity FORCE ROW LEVEL SECURITY' FROM pg_class WHERE oid = old AND relforcerowsecurity
		-- a default's sequence goes with the table that it belongs to
		UNION ALL SELECT format('ALTER SEQUENCE %s OWNED BY activity.%I', objid::regclass, attname)
			FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
			WHERE refclassid = 'pg_class'::regclass AND refobjid = old AND classid = 'pg_class'::regclass AND deptype = 'a'
			AND (SELECT relkind FROM pg_class WHERE oid = objid) = 'S'
	) m (command);

	-- its triggers keep a table from becoming a partition
	EXECUTE (SELECT string_agg(format('DROP TRIGGER %I ON activity', tgname), '; ') FROM pg_trigger WHERE tgrelid = old AND NOT tgisinternal);
	ALTER TABLE activity RENAME TO activity_before;
	EXECUTE (SELECT string_agg(format('ALTER TABLE activity_before RENAME CONSTRAINT %I TO activity_before_pkey', conname), '; ')
		FROM pg_constraint WHERE conrelid = old AND contype = 'p');
	CREATE TABLE activity (LIKE activity_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS INCLUDING GENERATED)
		PARTITION BY RANGE (activity_date);
	-- nothing but what was granted before, whatever default privileges say
	EXECUTE (SELECT coalesce(string_agg(format('REVOKE ALL ON activity FROM %s CASCADE', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END), '; '), 'SELECT')
		FROM (SELECT DISTINCT grantee FROM pg_class c, aclexplode(c.relacl) WHERE c.oid = 'activity'::regclass AND grantee <> c.relowner) g);
	-- the policies of the whole hold for who reads the whole; nobody reads the partition by itself
	EXECUTE format('ALTER TABLE activity ATTACH PARTITION activity_before FOR VALUES FROM (MINVALUE) TO (%L)', up_to);
	EXECUTE (SELECT coalesce(string_agg(format('REVOKE ALL ON activity_before FROM %s CASCADE', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END), '; '), 'SELECT')
		FROM (SELECT grantee FROM pg_class c, aclexplode(c.relacl) WHERE c.oid = old AND grantee <> c.relowner
			UNION SELECT grantee FROM pg_attribute a, aclexplode(a.attacl) WHERE a.attrelid = old AND NOT attisdropped) g);
	EXECUTE coalesce(made, 'SELECT');
	COMMENT ON TABLE activity_before IS 'What of table activity came before it was partitioned.';
END
$$;

SELECT :"extension".ekran_create_store(:'store', partition_by => :'period');

COMMIT;
