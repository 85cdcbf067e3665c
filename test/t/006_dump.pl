# Dump and restore, in every way that pg_dump and pg_restore have: what is
# answered is the same as before, of the source's store and of one whose activity
# is partitioned, and what tells of it is as it was or is seen not to be.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run ();
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;

plan skip_all => 'no part of --quick' if $ENV{EKRAN_TEST_QUICK};

my $AWKWARD = 'My "Store"';
my %QUOTED = (ekran => 'ekran', $AWKWARD => '"My ""Store"""');
my @STORES = ('ekran', $AWKWARD);
my @DERIVED = ('session_idle', 'pending', 'session_count');
my @ALL_SCHEMAS = (@STORES, 'hr', 'own');

my $node = start_cluster('main');
my $directory = PostgreSQL::Test::Utils::tempdir;

# Calls of C functions are counted, for it to be seen that no trigger ran.
$node->append_conf('postgresql.conf', "track_functions = 'all'\njit = off\nautovacuum = off\n");
$node->reload;

sub run_program
{
	my (@command) = @_;
	my ($out, $err) = ('', '');
	my $has_run = IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$err);
	return ($has_run, $err, $out);
}

# Runs what must do its work in silence.
sub runs
{
	my ($name, @command) = @_;
	my ($has_run, $err) = run_program(@command);
	ok($has_run && $err eq '', $name) or diag "@command\n$err";
}

sub connection
{
	my ($database, $role) = @_;
	return $node->connstr($database) . (defined $role ? " user=$role" : '');
}

sub psql
{
	my ($database, @arguments) = @_;
	return ('psql', '-XAtq', '-d', connection($database), @arguments);
}

sub sql { my ($database, $sql) = @_; return $node->safe_psql($database, "SET client_min_messages = warning; $sql"); }

#
# The source
#

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE ekran_owner LOGIN;
CREATE ROLE ekran_clerk;
GRANT ekran_clerk TO ekran_owner;
CREATE ROLE ekran_reader;
CREATE ROLE ekran_analyst;
GRANT ekran_reader TO ekran_analyst;
CREATE ROLE ekran_agent LOGIN;
CREATE ROLE ekran_lead LOGIN;
CREATE DATABASE source;
SQL

# What is a store's own beside what ekran_create_store() makes; its tables are there.
my $PARTITIONED = <<'SQL';
CREATE TABLE "My ""Store""".activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL,
	activity_id bigint NOT NULL, application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE "My ""Store"""."early ones" PARTITION OF "My ""Store""".activity
	FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-01-08 00:00+00');
CREATE TABLE "My ""Store""".late PARTITION OF "My ""Store""".activity
	FOR VALUES FROM ('2024-01-08 00:00+00') TO ('2024-01-15 00:00+00');
CREATE TABLE "My ""Store""".others PARTITION OF "My ""Store""".activity DEFAULT;
SQL
my $OWN_COLUMN = "ALTER TABLE ekran.session ADD COLUMN \"remark's\" text DEFAULT 'none';\n";

$node->safe_psql('source', <<"SQL");
CREATE EXTENSION ekran_sessions;
CREATE SCHEMA ekran AUTHORIZATION ekran_owner;
CREATE SCHEMA $QUOTED{$AWKWARD} AUTHORIZATION ekran_owner;
CREATE SCHEMA hr AUTHORIZATION ekran_owner;
CREATE SCHEMA own AUTHORIZATION ekran_clerk;
SET ROLE ekran_owner;
$PARTITIONED
SELECT ekran_create_store(), ekran_create_store('$AWKWARD');
$OWN_COLUMN
SQL

for my $store (@STORES)
{
	my $shift = $store eq 'ekran' ? 0 : 7;

	# Two weeks, in the middle of which all is folded; the rest is pending.
	$node->safe_psql('source', <<"SQL");
SET ROLE ekran_owner;
SET search_path = $QUOTED{$store}, public;
SET ekran_sessions.store = '$store';
SET TimeZone = 'UTC';
SELECT setseed(0.25);
INSERT INTO client SELECT md5(i::text)::uuid, (ARRAY['PC-' || i, E'"PC"\\t' || i, NULL, ''])[1 + i % 4] FROM generate_series(1, 20) i;
INSERT INTO app_user SELECT i, (ARRAY['Zo\x{e9} O''Neill ' || i, E'tab\\tline\\nback\\\\slash\\\\.' || i, NULL, '\x{1f600} \x{4e2d}\x{6587} "' || i || '"', ''])[1 + i % 5] FROM generate_series(1, 30) i;
INSERT INTO session (session_id, client_guid, user_id, login_date, logout_date)
SELECT 10 * i - 1000, CASE WHEN i % 11 <> 0 THEN md5((1 + i % 20)::text)::uuid END, CASE WHEN i % 13 <> 0 THEN 1 + i % 30 END, t,
	CASE WHEN i % 9 <> 0 THEN t + random() * interval '9 hours' END
FROM generate_series(1, 300) i, LATERAL (SELECT timestamptz '2024-01-01 05:00' + i % 14 * interval '1 day' + random() * interval '13 hours' + i * interval '1 us' AS t) l;
CREATE TEMPORARY TABLE source AS
SELECT session_id, login_date - interval '10 minutes' + random() * random() * coalesce(logout_date - login_date + interval '30 minutes', '8 hours') AS activity_date,
	(ARRAY['excel.exe', 'psql', NULL, '\x{420}\x{430}\x{431}\x{43e}\x{442}\x{430}', E'a\\tb', '', '\\N'])[1 + i % 7] AS application,
	CASE WHEN i % 3 = 0 THEN 'https://h' || i % 5 || '.example.com/?q=''"&x=' || i END AS url,
	CASE WHEN i % 4 <> 0 THEN E'tit\\tle "' || i || E'"\\r\\n\\\\.\\n\\\\' END AS title
FROM session, generate_series(1, 40 + $shift) i;
INSERT INTO activity (session_id, activity_date, application, url, title)
SELECT * FROM source WHERE activity_date < '2024-01-09 13:00' ORDER BY activity_date;
SELECT ekran_refresh();
INSERT INTO activity (session_id, activity_date, application, url, title)
SELECT * FROM source WHERE activity_date >= '2024-01-09 13:00' ORDER BY session_id;
INSERT INTO session (session_id, user_id, login_date) VALUES (7, 1, '2023-12-31 23:59:59.999999'), (8, NULL, '2024-02-29 12:00');
UPDATE session SET logout_date = login_date + interval '2 hours' WHERE session_id BETWEEN 500 AND 900 AND logout_date IS NULL;
UPDATE session SET login_date = login_date - interval '20 hours' WHERE session_id BETWEEN 600 AND 640;
DELETE FROM session WHERE session_id BETWEEN 700 AND 740;
DELETE FROM activity WHERE session_id BETWEEN 800 AND 830 AND activity_id % 2 = 0;
GRANT USAGE ON SCHEMA $QUOTED{$store} TO ekran_reader, ekran_agent, ekran_lead;
GRANT SELECT ON session, client, app_user, session_overview, user_day TO ekran_reader, ekran_lead;
GRANT SELECT (session_id, activity_date) ON activity TO ekran_reader, ekran_lead;
GRANT SELECT ON session_idle, pending, session_count TO ekran_reader;
GRANT SELECT (activity_id, application, url) ON activity TO ekran_analyst WITH GRANT OPTION;
GRANT INSERT ON client, app_user, session, activity TO ekran_agent;
GRANT SELECT (session_id), UPDATE (logout_date) ON session TO ekran_agent;
REVOKE USAGE ON SEQUENCE activity_activity_id_seq FROM PUBLIC;
GRANT USAGE ON SEQUENCE activity_activity_id_seq TO ekran_agent;
CREATE INDEX "by application's" ON activity (application, activity_date) WHERE url IS NOT NULL;
COMMENT ON INDEX "by application's" IS 'the user''s own';
ALTER TABLE activity ALTER COLUMN title SET STATISTICS 7;
ALTER TABLE session SET (fillfactor = 80);
COMMENT ON SCHEMA $QUOTED{$store} IS E'ours:\\n"\x{fc}"';
COMMENT ON COLUMN session.user_id IS 'who it was';
SQL
}

$node->safe_psql('source', <<'SQL');
SET ROLE ekran_owner;
UPDATE ekran.session SET "remark's" = CASE WHEN session_id % 20 = 0 THEN E'it''s\t' || session_id END WHERE session_id % 30 <> 0;
COMMENT ON COLUMN ekran.session."remark's" IS 'a column of the user''s';
CREATE TABLE hr.team (lead name, user_id int, PRIMARY KEY (lead, user_id));
INSERT INTO hr.team SELECT 'ekran_lead', i FROM generate_series(1, 30, 4) i;
GRANT USAGE ON SCHEMA hr TO ekran_lead;
GRANT SELECT ON hr.team TO ekran_lead;
ALTER TABLE ekran.session ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_team ON ekran.session TO ekran_lead USING (user_id IN (SELECT t.user_id FROM hr.team t WHERE t.lead = current_user));
CREATE POLICY everything ON ekran.session TO ekran_reader, ekran_agent USING (true);
COMMENT ON POLICY own_team ON ekran.session IS 'leads see their team';
ALTER TABLE "My ""Store""".app_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY "odd ones" ON "My ""Store""".app_user FOR SELECT TO ekran_lead USING (user_id % 2 = 1);
GRANT REFERENCES ON ekran.session TO ekran_clerk;
CREATE TABLE own.note (note_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session_id bigint REFERENCES ekran.session ON DELETE CASCADE, note text);
INSERT INTO own.note (session_id, note) SELECT session_id, 'note' FROM ekran.session WHERE session_id % 50 = 0;
CREATE VIEW own.recent WITH (security_invoker) AS
	SELECT s.*, n.note FROM ekran_sessions('2024-01-10', '2024-01-12') s LEFT JOIN own.note n USING (session_id);
COMMENT ON VIEW own.recent IS 'a view of the user''s';
GRANT USAGE ON SCHEMA own TO ekran_reader;
GRANT SELECT ON own.note, own.recent TO ekran_reader;
ALTER TABLE own.note OWNER TO ekran_clerk;
ALTER VIEW own.recent OWNER TO ekran_clerk;
SQL
$node->safe_psql('source', 'ANALYZE');

#
# What is compared
#

my @WINDOWS = ('NULL, NULL', "'2024-01-04', '2024-01-05'", "'2024-01-08 13:00', '2024-01-08 14:00'", "'2024-01-01', '2024-01-08'",
	"'2024-01-11 09:30', NULL", "NULL, '2024-01-09 12:59:59.999999'");
my @SETTINGS = ([ '15min', 'whole' ], [ '61s', 'excess' ], [ '5s', 'whole' ]);

sub settings
{
	my ($store, $threshold, $policy) = @_;
	return "SET search_path = $QUOTED{$store}, public; SET ekran_sessions.store = '$store';"
	  . "SET ekran_sessions.idle_threshold = '$threshold'; SET ekran_sessions.idle_policy = '$policy';\n";
}

# What a role is told, in digests, a line each; without statistics for who may not have them.
sub answers
{
	my ($database, $store, $role) = @_;
	my $sql = "SET ROLE $role; SET TimeZone = 'Europe/Berlin';\n";
	my $windows = join ', ', map { "($_)" } @WINDOWS;
	my $statistics = $role eq 'ekran_lead' ? '' : <<'SQL';
	UNION ALL SELECT 'applications', (SELECT string_agg(s::text, E'\n') FROM ekran_application_statistics(a, b) s)
	UNION ALL SELECT 'hosts', (SELECT string_agg(s::text, E'\n') FROM ekran_url_statistics(a, b) s)
SQL
	for my $setting ($role eq 'ekran_owner' ? @SETTINGS : $SETTINGS[0])
	{
		$sql .= settings($store, @$setting) . <<"SQL";
SELECT '$store $role @$setting', what, a, b, length(told), md5(told)
FROM (VALUES $windows) w (a, b), LATERAL (SELECT a::timestamptz AS c, b::timestamptz AS d) t, LATERAL (
	SELECT 'all' AS what, (SELECT string_agg(s::text, E'\\n') FROM ekran_sessions_all(c, d) s) AS told
	UNION ALL SELECT 'page', (SELECT string_agg(s::text, E'\\n') FROM ekran_sessions(c, d, 20, 3) s)
	UNION ALL SELECT 'total', ekran_sessions_total_count(c, d)::text
	UNION ALL SELECT 'JSON', ekran_sessions_json(c, d, 50, 1)::text
	UNION ALL SELECT 'productivity', (SELECT string_agg((user_id, user_name, date, time_of_day, round(total_minutes::numeric, 9))::text, E'\\n'
			ORDER BY user_id, date, time_of_day) FROM ekran_user_productivity(c, d))
@{[ $statistics =~ s/\(a, b\)/(c, d)/gr ]}) x;
SELECT '$store $role @$setting overview', count(*), md5(string_agg(v::text, E'\\n' ORDER BY v::text)) FROM session_overview v;
SELECT '$store $role @$setting days', count(*), md5(string_agg(v::text, E'\\n' ORDER BY v::text)) FROM user_day v;
SQL
	}
	my ($has_run, $err, $out) = run_program(psql($database, '-v', 'ON_ERROR_STOP=1', '-c', $sql));
	return $out . $err;
}

sub status_of
{
	my ($database, $store, $role) = @_;
	return sql($database, "SET ROLE $role; SET ekran_sessions.store = '$store';"
		. 'SELECT state, reason, answered_by, counted_by, indexed_sessions, pending_rows, pending_sessions FROM ekran_status()');
}

sub state
{
	my ($database, $store) = @_;
	return sql($database, "SET ekran_sessions.store = '$store'; SELECT state FROM ekran_status()");
}

# Rows of tables, in digests.
sub rows_of
{
	my ($database, @tables) = @_;
	return sql($database, join ' UNION ALL ',
		map { "SELECT '" . s/'/''/gr . "', count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM $_ t" } @tables);
}

sub base_tables { my ($store) = @_; return map { "$QUOTED{$store}.$_" } qw(client app_user session activity); }

sub derived_tables { my ($store) = @_; return map { "$QUOTED{$store}.$_" } @DERIVED; }

# Everything that the catalog has of some schemas, in words without OIDs.
sub listing
{
	my ($database, @schemas) = @_;
	my $schemas = join ', ', map { "'$_'" } @schemas;
	return sql($database, <<"SQL");
SET search_path = pg_catalog;
WITH n AS (SELECT * FROM pg_namespace WHERE nspname IN ($schemas)),
c AS (SELECT c.*, nspname, quote_ident(nspname) || '.' || quote_ident(relname) AS name FROM pg_class c JOIN n ON n.oid = relnamespace),
acls AS (
	SELECT 'schema ' || nspname AS name, nspacl AS acl, 'n' AS kind, nspowner AS owner FROM n
	UNION ALL SELECT name, relacl, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END, relowner FROM c
	UNION ALL SELECT name || '.' || attname, attacl, 'c', relowner FROM c JOIN pg_attribute a ON attrelid = c.oid WHERE attnum > 0 AND attacl IS NOT NULL
)
SELECT 'acl ' || name, owner::regrole::text, (SELECT string_agg(concat_ws(' ', grantor::regrole, CASE WHEN grantee <> 0 THEN grantee::regrole END, privilege_type, is_grantable), ', '
	ORDER BY grantor::regrole::text, grantee::regrole::text, privilege_type) FROM aclexplode(coalesce(acl, acldefault(kind::"char", owner)))), NULL FROM acls
UNION ALL SELECT 'extension ' || extname, extversion, extnamespace::regnamespace::text, obj_description(oid, 'pg_extension') FROM pg_extension
UNION ALL SELECT 'schema ' || nspname, NULL, NULL, obj_description(oid, 'pg_namespace') FROM n
UNION ALL SELECT 'relation ' || name, concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, relreplident, relispartition, relhastriggers), concat_ws(' ', reloptions, pg_get_expr(relpartbound, oid), pg_get_partkeydef(oid)), obj_description(oid, 'pg_class') FROM c
UNION ALL SELECT 'column ' || name || '.' || attname, concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull, attidentity, attstattarget, attstorage, attislocal, attinhcount), pg_get_expr(adbin, adrelid), col_description(c.oid, attnum)
	FROM c JOIN pg_attribute a ON attrelid = c.oid LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum WHERE attnum > 0 AND NOT attisdropped AND relkind <> 'i' AND relkind <> 'I'
UNION ALL SELECT 'index ' || name, pg_get_indexdef(indexrelid), concat_ws(' ', indisvalid, indisclustered, indisreplident, (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid)), NULL FROM c JOIN pg_index ON indexrelid = c.oid
UNION ALL SELECT 'constraint ' || name || '.' || conname, pg_get_constraintdef(k.oid), concat_ws(' ', convalidated, conislocal, coninhcount), obj_description(k.oid, 'pg_constraint') FROM c JOIN pg_constraint k ON conrelid = c.oid
UNION ALL SELECT 'trigger ' || name || '.' || tgname, pg_get_triggerdef(t.oid), concat_ws(' ', tgenabled, tgparentid <> 0), obj_description(t.oid, 'pg_trigger') FROM c JOIN pg_trigger t ON tgrelid = c.oid WHERE NOT tgisinternal
UNION ALL SELECT 'policy ' || name || '.' || polname, concat_ws(' ', polcmd, polpermissive, (SELECT array_agg(r::regrole::text ORDER BY r::regrole::text) FROM unnest(polroles) r)), concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), obj_description(p.oid, 'pg_policy') FROM c JOIN pg_policy p ON polrelid = c.oid
UNION ALL SELECT 'view ' || name, pg_get_viewdef(oid), NULL, NULL FROM c WHERE relkind = 'v'
UNION ALL SELECT 'sequence ' || name, pg_sequence_last_value(c.oid)::text, (SELECT format('%s %s %s', refobjid::regclass, refobjsubid, deptype) FROM pg_depend WHERE objid = c.oid AND classid = 'pg_class'::regclass AND refobjsubid > 0), NULL FROM c WHERE relkind = 'S'
ORDER BY 1, 2, 3
SQL
}

# Calls of functions that are anybody's triggers.
sub trigger_calls
{
	my ($database) = @_;
	return sql($database, 'SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcid IN (SELECT tgfoid FROM pg_trigger)');
}

my %has_reading;

# What is told is what the rules say of the rows that are there.
sub is_exact
{
	my ($database, $store, $name) = @_;

	if (!$has_reading{$database}++)
	{
		$node->safe_psql($database, slurp_file("$FindBin::RealBin/../$_"))
		  for 'independent_reading.sql', 'independent_statistics.sql';
		$node->safe_psql($database, 'ANALYZE');
	}
	my @windows = @WINDOWS[0, 2];
	my @differences = split /\n/, sql($database, join '',
		"SET TimeZone = 'Europe/Berlin';",
		(map { my $setting = $_; settings($store, @$setting) . join '', map { "SELECT by_page, by_session, in_total, in_json FROM independent.differences($_, 100);\n" } @windows } @SETTINGS[0, 1]),
		settings($store, @{ $SETTINGS[0] }), "SELECT in_applications, in_urls, in_productivity, in_all FROM independent.statistics_differences($WINDOWS[2]);\n");
	is("@differences", join(' ', ('0|0|0|0') x 5), "$store: $name equals the independent reading");
}

sub nothing_differs
{
	my ($database, $store) = @_;
	is(sql($database, "SET ekran_sessions.store = '$store'; SELECT * FROM ekran_check() LIMIT 3"), '', "$store: ekran_check() finds nothing");
}

# Lines; a few that differ are shown.
sub same
{
	my ($got, $expected, $name) = @_;
	my %is_there = map { $_ => 1 } split /\n/, $got;
	my %is_wanted = map { $_ => 1 } split /\n/, $expected;
	my @differences = ((map { "lacks $_" } grep { !$is_there{$_} } split /\n/, $expected),
		map { "has $_" } grep { !$is_wanted{$_} } split /\n/, $got);
	ok($got eq $expected && $got ne '', $name)
	  or diag join "\n", scalar(@differences) . ' lines differ:', splice(@differences, 0, 6);
}

my %source_answers;
my @ROLES = ('ekran_owner', 'ekran_analyst', 'ekran_lead');
for my $store (@STORES)
{
	for my $role (@ROLES)
	{
		my $answers = $source_answers{"$store $role"} = answers('source', $store, $role);
		unlike($answers, qr/ERROR/, "$store: $role is answered") or diag $answers;
		like(status_of('source', $store, $role), $role eq 'ekran_lead' ? qr/^ok\|.*\|activity\|session\|/ : qr/^ok\|.*\|index\|/, "$store: $role is by what they may read");
	}
	my ($pending, $folded) = split /\|/, sql('source', "SELECT (SELECT count(DISTINCT session_id) FROM $QUOTED{$store}.pending), (SELECT count(session_id) FROM $QUOTED{$store}.session_idle)");
	cmp_ok($pending, '>', 50, "$store: $pending sessions are pending");
	cmp_ok($folded, '>', 50, "$store: $folded sessions are folded");
	nothing_differs('source', $store);
	is_exact('source', $store, 'what is told');
}
# The reading is no part of the dump.
$node->safe_psql('source', 'DROP SCHEMA independent CASCADE; ANALYZE');
# Roles are told different things, or comparing them would show little.
isnt($source_answers{'ekran ekran_lead'} =~ s/lead/owner/gr, $source_answers{'ekran ekran_owner'}, 'policies matter');
my $recent = "SET ROLE ekran_reader; SET TimeZone = 'UTC'; SELECT r::text FROM own.recent r ORDER BY session_id, note";
cmp_ok(scalar(split /\n/, sql('source', $recent)), '>', 20, "the user's view has rows");

#
# After a restore
#

# As in the source in all that there is: answers, rows, catalog. What has come is not
# to be told from the source, derived tables to the letter, so no trigger had a part.
sub is_whole
{
	my ($database, %but) = @_;
	my @stores = @{ $but{stores} // \@STORES };
	my @schemas = @{ $but{schemas} // \@ALL_SCHEMAS };

	is(trigger_calls($database), 0, 'no trigger has been called');
	same(listing($database, @schemas), listing('source', @schemas), 'the catalog has the same') unless $but{no_listing};
	for my $store (@stores)
	{
		same(rows_of($database, derived_tables($store)), rows_of('source', derived_tables($store)), "$store: the same rows in the derived tables");
		same(rows_of($database, base_tables($store)), rows_of('source', base_tables($store)), "$store: the same rows in the others");
		for my $role (@ROLES)
		{
			is(status_of($database, $store, $role), status_of('source', $store, $role), "$store: $role has the same status");
			same(answers($database, $store, $role), $source_answers{"$store $role"}, "$store: $role is told the same");
		}
		nothing_differs($database, $store);
	}
	same(sql($database, $recent), sql('source', $recent), "the user's view shows the same") if grep { $_ eq 'own' } @schemas;
	goes_on($database, $_) for @stores;
}

# All there, and what is derived not to be trusted: exact, and mended.
sub is_raw
{
	my ($database, %but) = @_;
	my @stores = @{ $but{stores} // \@STORES };
	my @roles = @{ $but{roles} // \@ROLES };

	for my $store (@stores)
	{
		my $state = $but{state} // 'raw';
		is(state($database, $store), $state, "$store: it is $state");
		same(rows_of($database, base_tables($store)), rows_of('source', base_tables($store)), "$store: the same rows");
		same(answers($database, $store, $_), $source_answers{"$store $_"}, "$store: $_ is told the same") for @roles;
		nothing_differs($database, $store) if $state eq 'raw';
		is_mended($database, $store, $but{mend});
		same(answers($database, $store, $_), $source_answers{"$store $_"}, "$store: $_ is told the same") for @roles;
		goes_on($database, $store);
	}
}

sub is_mended
{
	my ($database, $store, $mend) = @_;
	$mend //= 'CALL ekran_maintain()';
	sql($database, "SET ekran_sessions.store = '$store';\n$mend");
	is(state($database, $store), 'ok', "$store: ok after $mend");
	nothing_differs($database, $store);
}

# Agents go on: what they write is noted and checked.
sub goes_on
{
	my ($database, $store) = @_;
	my $has_grants = sql($database, "SELECT has_table_privilege('ekran_agent', '$QUOTED{$store}.activity', 'INSERT')") eq 't';
	my $err = '';
	$node->psql($database, <<"SQL", stderr => \$err);
\\set VERBOSITY verbose
SET ROLE @{[ $has_grants ? 'ekran_agent' : 'ekran_owner' ]};
SET search_path = $QUOTED{$store}, public;
INSERT INTO session (session_id, user_id, login_date) VALUES (9001, 1, '2024-01-12 08:00+00'), (9002, 2, '2024-01-12 08:00+00');
INSERT INTO activity (session_id, activity_date, application) VALUES (9001, '2024-01-12 09:00+00', 'psql'), (9002, '2024-01-12 09:00+00', NULL), (-990, '2024-01-20 09:00+00', 'late');
UPDATE session SET logout_date = '2024-01-12 10:00+00' WHERE session_id = 9001;
SET ROLE ekran_owner;
DELETE FROM session WHERE session_id = 9002;
INSERT INTO activity (session_id, activity_date) VALUES (9002, '2024-01-12 09:01+00');
SQL
	like($err, qr/ERROR:  23503: /, "$store: a session that is gone is none");
	is(sql($database, "SELECT count(*), max(activity_id) > 12000 FROM $QUOTED{$store}.activity WHERE session_id IN (9001, 9002)"), '1|t', "$store: agents go on, with numbers that go on");
	nothing_differs($database, $store);
	is_exact($database, $store, 'what they write');
}

my $number = 0;

# A database to restore to.
sub new_database
{
	my $name = 'restored_' . ++$number;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
	return $name;
}

sub restore
{
	my ($database, @arguments) = @_;
	return ('pg_restore', '-d', connection($database), @arguments);
}

my $plain = "$directory/plain.sql";
my $custom = "$directory/custom";
my $folder = "$directory/folder";

runs('pg_dump, plain', 'pg_dump', '-f', $plain, connection('source'));
runs('pg_dump, custom', 'pg_dump', '-Fc', '-f', $custom, connection('source'));
runs('pg_dump, a directory', 'pg_dump', '-Fd', '-j4', '-f', $folder, connection('source'));

# The whole of it, in one go.
my @ways = (
	[ 'plain, psql', sub { psql($_[0], '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f', $plain) } ],
	[ 'plain, in one transaction', sub { psql($_[0], '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '--single-transaction', '-f', $plain) } ],
	[ 'custom', sub { restore($_[0], '--exit-on-error', $custom) } ],
	[ 'custom, four jobs', sub { restore($_[0], '--exit-on-error', '-j4', $custom) } ],
	[ 'custom, in one transaction', sub { restore($_[0], '--single-transaction', $custom) } ],
	[ 'a directory', sub { restore($_[0], '--exit-on-error', $folder) } ],
	[ 'a directory, four jobs', sub { restore($_[0], '--exit-on-error', '-j4', $folder) } ]);
for my $way (@ways)
{
	my ($name, $command) = @$way;
	subtest $name => sub {
		my $database = new_database();
		runs('it is restored', $command->($database));
		is_whole($database);
	};
}

# In sections, as for a large one; over what is there already.
subtest 'a section at a time' => sub {
	my $database = new_database();
	runs($_, restore($database, '--exit-on-error', '-j2', "--section=$_", $custom)) for 'pre-data', 'data', 'post-data';
	is_whole($database);
};
subtest 'over a store that has gone on' => sub {
	# Not the other: pg_restore doesn't know how to drop a key of a partition (PostgreSQL 15).
	my @schemas = ('ekran', 'hr', 'own');
	sql('restored_1', 'SELECT pg_stat_reset()');
	runs('it is restored', restore('restored_1', '--clean', '--if-exists', '--single-transaction', (map { ('-n', $_) } @schemas), $custom));
	is_whole('restored_1', stores => ['ekran'], schemas => \@schemas);
};
# By the owner, who isn't a superuser. The complaint is one of doc/operations.md.
subtest 'by the owner' => sub {
	my $database = new_database();
	my $dump = "$directory/owners";
	sql($database, "CREATE EXTENSION ekran_sessions; GRANT CREATE ON DATABASE $database TO ekran_owner");
	runs('pg_dump', 'pg_dump', '-Fc', '-f', $dump, connection('source', 'ekran_owner'));
	my ($has_run, $err) = run_program('pg_restore', '-d', connection($database, 'ekran_owner'), $dump);
	my @complaints = $err =~ /ERROR: .*/g;
	is("@complaints", 'ERROR:  must be owner of extension ekran_sessions', 'a complaint about a comment alone') or diag $err;
	is_whole($database);
};

# One schema, and then the others, which its policies, keys and views would miss.
subtest 'a schema at a time' => sub {
	my $database = new_database();
	sql($database, 'CREATE EXTENSION ekran_sessions');
	for my $schema ($AWKWARD, 'hr', 'ekran', 'own')
	{
		my $dump = "$directory/one_schema";
		my $pattern = $QUOTED{$schema} // $schema;
		runs("pg_dump -n $pattern", 'pg_dump', '-Fc', '-n', $pattern, '-f', $dump, connection('source'));
		runs("$schema is restored", restore($database, '--exit-on-error', $dump));
		same(listing($database, $schema), listing('source', $schema), "$schema: the catalog has the same");
	}
	is_whole($database);
};
subtest 'a schema out of a full dump' => sub {
	my $database = new_database();
	# which leaves out the schema itself
	sql($database, "CREATE EXTENSION ekran_sessions; CREATE SCHEMA $QUOTED{$AWKWARD} AUTHORIZATION ekran_owner;"
		. "GRANT USAGE ON SCHEMA $QUOTED{$AWKWARD} TO ekran_reader, ekran_agent, ekran_lead");
	runs('it is restored', restore($database, '--exit-on-error', '-n', $AWKWARD, $custom));
	is_whole($database, stores => [$AWKWARD], schemas => [], no_listing => 1);
};
# Without the extension and the policies' tables: what is refused is made anew.
subtest 'a schema, and nothing that it needs' => sub {
	my $database = new_database();
	my $dump = "$directory/ekran.sql";
	runs('pg_dump', 'pg_dump', '-n', 'ekran', '-f', $dump, connection('source'));
	my ($has_run, $err) = run_program(psql($database, '-o', '/dev/null', '-f', $dump));
	my @complaints = map { s/.*ERROR:  //r } grep { /ERROR:/ } split /\n/, $err;
	my @others = grep { !/^(?:function public\.ekran_\w+\(.*\) does not exist|relation "(?:ekran\.)?(?:session_overview|user_day)" does not exist|relation "hr\.team" does not exist|policy "own_team" for table "session" does not exist|trigger "ekran_\w+" for table "\w+" does not exist)$/ } @complaints;
	is("@others", '', 'no complaints but of the extension and the team');
	same(rows_of($database, base_tables('ekran')), rows_of('source', base_tables('ekran')), 'the same rows');
	sql($database, 'CREATE EXTENSION ekran_sessions');
	is(state($database, 'ekran'), 'broken', 'it is broken');
	is_exact($database, 'ekran', 'what is told');
	sql($database, 'SET ROLE ekran_owner; SELECT ekran_create_store(); RESET ROLE; GRANT SELECT ON ekran.session_overview, ekran.user_day TO ekran_reader, ekran_lead');
	is(sql($database, 'SET ROLE ekran_lead; SELECT ekran_sessions_total_count()'), 0, 'who was under a policy sees nothing');
	is_mended($database, 'ekran');
	same(answers($database, 'ekran', $_), $source_answers{"ekran $_"}, "$_ is told the same") for 'ekran_owner', 'ekran_analyst';
	goes_on($database, 'ekran');
};

# An extension in a schema of its own.
subtest 'functions elsewhere' => sub {
	$node->safe_psql('postgres', 'CREATE DATABASE elsewhere TEMPLATE source');
	$node->safe_psql('elsewhere', 'CREATE SCHEMA "the code"; GRANT USAGE ON SCHEMA "the code" TO PUBLIC; ALTER EXTENSION ekran_sessions SET SCHEMA "the code"');
	my $database = new_database();
	my $dump = "$directory/elsewhere";
	runs('pg_dump', 'pg_dump', '-Fc', '-f', $dump, connection('elsewhere'));
	runs('it is restored', restore($database, '--exit-on-error', $dump));
	same(listing($database, @ALL_SCHEMAS, 'the code'), listing('elsewhere', @ALL_SCHEMAS, 'the code'), 'the catalog has the same');
	sql($_, "ALTER DATABASE $_ SET search_path = \"the code\"") for $database, 'elsewhere';
	for my $store (@STORES)
	{
		same(rows_of($database, derived_tables($store)), rows_of('source', derived_tables($store)), "$store: the same rows in the derived tables");
		is(state($database, $store), 'ok', "$store: ok");
		nothing_differs($database, $store);
	}
};

# Without what is derived.
subtest 'without the data of derived tables' => sub {
	my $database = new_database();
	my $dump = "$directory/base";
	runs('pg_dump', 'pg_dump', '-Fc', (map { "--exclude-table-data=*.$_" } @DERIVED), '-f', $dump, connection('source'));
	runs('it is restored', restore($database, '--exit-on-error', '-j2', $dump));
	is(trigger_calls($database), 0, 'no trigger has been called');
	same(listing($database, @ALL_SCHEMAS), listing('source', @ALL_SCHEMAS), 'the catalog has the same');
	is_raw($database);
};

#
# Data alone
#

sub new_shape
{
	my $database = new_database();
	runs('a schema', restore($database, '--exit-on-error', '--schema-only', $custom));
	is(state($database, $_), 'raw', "$_ without data is raw") for @STORES;
	return $database;
}

# Stores that have never seen the source.
sub new_stores
{
	my $database = new_database();
	sql($database, <<"SQL");
CREATE EXTENSION ekran_sessions;
CREATE SCHEMA ekran AUTHORIZATION ekran_owner;
CREATE SCHEMA $QUOTED{$AWKWARD} AUTHORIZATION ekran_owner;
SET ROLE ekran_owner;
$PARTITIONED
SELECT ekran_create_store(), ekran_create_store('$AWKWARD');
$OWN_COLUMN
SQL
	is(state($database, $_), 'ok', "$_ is made and ok") for @STORES;
	return $database;
}

# Triggers that pg_restore has disabled it enables otherwise than they were.
my %ENABLED_AGAIN = (state => 'broken', mend => q{SELECT ekran_create_store(current_setting('ekran_sessions.store')::name)});

my $data = "$directory/data.sql";
my $stores_data = "$directory/stores_data";
my @only_stores = map { ('-n', $QUOTED{$_}) } @STORES;
runs('pg_dump of data', 'pg_dump', '--data-only', '--disable-triggers', '-f', $data, connection('source'));
runs('pg_dump of stores', 'pg_dump', '-Fc', @only_stores, '--load-via-partition-root', '-f', $stores_data, connection('source'));

subtest 'a schema, then data, triggers disabled' => sub {
	my $database = new_shape();
	runs('data', restore($database, '--exit-on-error', '--data-only', '--disable-triggers', $custom));
	is_raw($database, %ENABLED_AGAIN);
};
subtest 'a schema, then data, triggers disabled, plain' => sub {
	my $database = new_shape();
	runs('data', psql($database, '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '--single-transaction', '-f', $data));
	is_raw($database, %ENABLED_AGAIN);
};
subtest 'new stores, then data, triggers disabled' => sub {
	my $database = new_stores();
	runs('data', restore($database, '--exit-on-error', '--data-only', '--disable-triggers', '-j2', (map { ('-n', $_) } @STORES), $folder));
	is(trigger_calls($database), 0, 'no trigger has been called');
	is_raw($database, roles => ['ekran_owner'], %ENABLED_AGAIN);
};

# What each store's tables are restored by, a table at a time.
my %PIECES = (ekran => [qw(client app_user session activity)], $AWKWARD => [ 'client', 'app_user', 'session', 'early ones', 'late', 'others' ]);

sub restore_pieces
{
	my ($database, $store, @tables) = @_;
	for my $table (@tables)
	{
		my ($has_run, $err) = run_program('pg_restore', '-d', connection($database, 'ekran_owner'), '--exit-on-error', '--data-only', '-n', $store, '-t', $table, $stores_data);
		# Ingest may have folded a session by the way, whose row is there then.
		my $is_there = $table eq 'session_idle' && $err =~ /duplicate key value violates unique constraint "session_idle_session_id_key"/;
		ok($has_run && $err eq '' || $is_there, "$store: data of $table") or diag $err;
	}
}

for my $kind ('a schema', 'new stores')
{
	my $new = $kind eq 'a schema' ? \&new_shape : \&new_stores;
	my @roles = $kind eq 'a schema' ? @ROLES : ('ekran_owner');

	subtest "$kind, then tables, one at a time, by the owner" => sub {
		my $database = $new->();
		restore_pieces($database, $_, @{ $PIECES{$_} }, 'activity_activity_id_seq') for @STORES;
		runs('the team', restore($database, '--exit-on-error', '--data-only', '-n', 'hr', $custom)) if $kind eq 'a schema';
		cmp_ok(trigger_calls($database), '>=', 4, 'triggers have been called');
		is_raw($database, roles => \@roles) if $kind eq 'a schema';
		if ($kind ne 'a schema')
		{
			# All of it has come through the triggers of a store that was ok.
			is(state($database, $_), 'ok', "$_ is ok") for @STORES;
			same(answers($database, $_, 'ekran_owner'), $source_answers{"$_ ekran_owner"}, "$_: the same is told") for @STORES;
			is_mended($database, $_) for @STORES;
			same(answers($database, $_, 'ekran_owner'), $source_answers{"$_ ekran_owner"}, "$_: the same is told") for @STORES;
		}
	};

	# What tells of it comes on top of what the triggers note.
	for my $order ('after', 'before')
	{
		subtest "$kind, then derived tables too, $order the others" => sub {
			my $database = $new->();
			for my $store (@STORES)
			{
				restore_pieces($database, $store, @DERIVED) if $order eq 'before';
				restore_pieces($database, $store, @{ $PIECES{$store} }, 'activity_activity_id_seq');
				restore_pieces($database, $store, @DERIVED) if $order eq 'after';
			}
			runs('the team', restore($database, '--exit-on-error', '--data-only', '-n', 'hr', $custom)) if $kind eq 'a schema';
			is_raw($database, roles => \@roles);
		};
	}

	# Alphabetically, activities come before their sessions.
	subtest "$kind, then data in pg_dump's own order" => sub {
		my $database = $new->();
		my $alone = "$directory/alone.sql";
		runs('pg_dump', 'pg_dump', '--data-only', '-n', 'ekran', '-f', $alone, connection('source'));
		my ($has_run, $err) = run_program(psql($database, '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-f', $alone));
		ok(!$has_run, 'it stops');
		like($err, qr/ERROR:  23503: /, 'at activities without sessions');
		like($err, qr/^HINT: .*restore table "session" before "activity"/mi, 'says what goes before what');
		is_exact($database, 'ekran', 'what is told when it has stopped');

		($has_run, $err) = run_program(psql($database, '-o', '/dev/null', '-f', $alone));
		my @complaints = $err =~ /ERROR: .*/g;
		is(scalar @complaints, 1, 'if told to go on, nothing else fails') or diag $err;
		same(rows_of($database, (base_tables('ekran'))[ 0 .. 2 ]), rows_of('source', (base_tables('ekran'))[ 0 .. 2 ]), 'the rows of the others');
		is(state($database, 'ekran'), 'raw', 'it is raw');
		is_exact($database, 'ekran', 'what is told');
		nothing_differs($database, 'ekran');
		is_mended($database, 'ekran');
		is_exact($database, 'ekran', 'what is told then');
		restore_pieces($database, 'ekran', 'activity');
		same(rows_of($database, base_tables('ekran')), rows_of('source', base_tables('ekran')), 'the rows of all');
		same(answers($database, 'ekran', 'ekran_owner'), $source_answers{'ekran ekran_owner'}, 'the owner is told the same');
		nothing_differs($database, 'ekran');
		is_mended($database, 'ekran');

		($has_run, $err) = run_program('pg_restore', '-d', connection($database), '--data-only', '-n', $AWKWARD, $custom);
		ok(!$has_run, "$AWKWARD: it is refused");
		is(sql($database, "SELECT count(*) FROM $QUOTED{$AWKWARD}.activity"), 0, "$AWKWARD: no activity has come");
		is(state($database, $AWKWARD), 'raw', "$AWKWARD: raw");
		is_exact($database, $AWKWARD, 'what is told');
		is_mended($database, $AWKWARD);
		is_exact($database, $AWKWARD, 'what is told then');
	};
}

done_testing();
