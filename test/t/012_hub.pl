# A hub over shards: the functions of the same names, arguments and rows, against the
# independent reading of a store that holds what all shards do.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use FilledStore;
use Hub;
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;

my $node = start_cluster('main');
if (my $reason = Hub::missing($node))
{
	plan skip_all => $reason;
}
my $hub = Hub->new($node);
my $path = 'SET search_path = ekran, ekran_hub, public;';

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', "LOAD 'ekran_sessions'; SET client_min_messages = warning; SET TimeZone = 'UTC'; $path\n$sql");
}

# What is refused, and how.
sub refusal
{
	my ($sql, $more) = @_;
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET TimeZone = 'UTC'; $path $sql", %{ $more // {} });
	return $err =~ s/^psql:[^ ]*: //r;
}

$node->safe_psql('postgres', "SET check_function_bodies = off;\n" . slurp_file("$FindBin::RealBin/../$_"))
  for qw(helpers.sql independent_reading.sql independent_statistics.sql random_store.sql random_usage.sql);

# The same functions
is(ask(<<'SQL'), '', 'the hub has each function that reads, with the same arguments and rows');
WITH f AS (SELECT pronamespace::regnamespace::text AS schema, proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
	FROM pg_proc WHERE proname ~ '^ekran_' AND prosrc <> 'ekran_sessions_support' AND (provolatile = 's' OR proname ~ 'part')
		AND proname NOT IN ('ekran_status', 'ekran_check', 'ekran_session_figures', 'ekran_session_days'))
(SELECT proname, arguments, result FROM f WHERE schema = 'public' EXCEPT ALL SELECT proname, arguments, result FROM f WHERE schema = 'ekran_hub')
UNION ALL
(SELECT proname, arguments, result FROM f WHERE schema = 'ekran_hub' EXCEPT ALL SELECT proname, arguments, result FROM f WHERE schema = 'public')
SQL
is(ask("SELECT 'ekran_sessions'::regproc, count(*) FROM pg_proc WHERE pronamespace = 'ekran_hub'::regnamespace"),
	'ekran_sessions|21', 'which a client with that search_path calls');

# Random windows of random stores
for my $seed (0.11, 0.12)
{
	ask("SELECT testing.fill_random_store($seed)");
	$hub->distribute;
	is(ask("SELECT setseed($seed); SELECT compared, rows_compared > 100, different FROM testing.compare_random_windows(25)"),
		"\n25|t|0", "25 windows of a store of seed $seed: pages, keyset pages, total and JSON are equal");
	is(ask("SET ekran_sessions.idle_policy = excess; SET ekran_sessions.idle_threshold = '61s'; SELECT setseed($seed); SELECT compared, rows_compared > 100, different FROM testing.compare_random_windows(10)"),
		"\n10|t|0", 'likewise by other settings of the caller');
}
for my $zone ([ 'UTC', '2024-02-29' ], [ 'America/New_York', '2024-11-03' ], [ 'Asia/Kathmandu', '2024-01-01' ])
{
	my ($name, $day) = @$zone;
	ask("SET TimeZone = '$name'; SELECT testing.fill_random_usage(0.3, '$day 02:00')");
	$hub->distribute;
	is(ask("SET TimeZone = '$name'; SELECT setseed(0.3); SELECT compared, different FROM testing.compare_random_statistics(8)"),
		"\n8|0", "statistics and timelines in $name are equal");
	is(ask("SET TimeZone = '$name'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard';"
		  . " SELECT (SELECT array_agg(s::text) FROM ekran_sessions_all() s) = (SELECT array_agg(s::text) FROM public.ekran_sessions_all() s)"),
		't', 'whatever dates look like');
}

# Pages far down: by the days of the shards' sessions, and where no day helps
my $store = FilledStore->new($node, 'ekran', 20000);
$node->safe_psql('postgres', 'TRUNCATE ekran.session, ekran.activity');
$store->fill(3);
# many at one moment, and some that run on across many days
$store->sql(<<'SQL');
INSERT INTO ekran.session SELECT 30000 + i, NULL, 1 + i % 30, '2025-01-01 00:00+00', '2025-01-01 01:00+00' FROM generate_series(1, 6000) i;
INSERT INTO ekran.session SELECT 40000 + i, NULL, 1 + i % 30, '2024-02-01 00:00+00'::timestamptz + i * interval '1 second', '2027-06-01' FROM generate_series(1, 5000) i;
CALL ekran_maintain();
SQL
$hub->distribute;

# Of a window and a filter, pages of a size: those that differ from the store's own.
sub different_pages
{
	my ($window, $filter, $size, @pages) = @_;
	my $page = "$window, $size, p, $filter";
	return ask(<<"SQL");
SELECT coalesce(string_agg(p::text, ' '), 'none') FROM unnest('{@{[join ', ', @pages]}}'::bigint[]) p
WHERE (SELECT coalesce(array_agg(s::text), '{}') FROM ekran_sessions($page) s) <> (SELECT coalesce(array_agg(s::text), '{}') FROM public.ekran_sessions($page) s)
	OR ekran_sessions_json($page)::text <> public.ekran_sessions_json($page)::text
SQL
}

for my $window (
	[ 'NULL, NULL', 31000 ],
	[ "'2024-06-01', NULL", 20000 ],
	[ "NULL, '2026-01-01'", 16000 ],
	[ "'2024-12-31', '2025-01-02'", 11000 ],
	[ "'2027-09-01', NULL", 0 ])
{
	my ($bounds, $at_least) = @$window;
	my $total = ask("SELECT ekran_sessions_total_count($bounds)");
	is($total, ask("SELECT public.ekran_sessions_total_count($bounds)"), "($bounds): $total sessions");
	cmp_ok($total, '>=', $at_least, 'as many as there should be');
	for my $size (1000, 700, 33)
	{
		my $last = int($total / $size);
		my @pages = map { int($last * $_ / 8) } 0 .. 8;
		is(different_pages($bounds, 'NULL, NULL', $size, @pages, $last + 1, 9000000000000000000), 'none', "($bounds): pages of $size, to the last and beyond");
	}
	is(different_pages($bounds, 'ARRAY[1, 2, 3], NULL', 300, 0, 3, 9), 'none', "($bounds): of three users");
	is(different_pages($bounds, '(SELECT array_agg(i) FROM generate_series(1, 25) i), NULL', 900, 0, 9, 17, 24), 'none', "($bounds): of many");
	is(ask("SELECT (SELECT array_agg(s::text) FROM ekran_sessions_all($bounds) s) IS NOT DISTINCT FROM (SELECT array_agg(s::text) FROM public.ekran_sessions_all($bounds) s)"),
		't', "($bounds): all");
}

# What is refused is refused as by a store.
for my $call ("ekran_sessions('2024-01-02', '2024-01-01')", 'ekran_sessions(count => 1001)', 'ekran_sessions(page => -1)', 'ekran_sessions_json("pageIndex" => -1)',
	"ekran_sessions_after(after_session_id => -7)", 'ekran_session_timeline(-7)', 'ekran_session_timeline(NULL)', "ekran_user_productivity('infinity', '-infinity')")
{
	my $refusal = refusal("SELECT * FROM $call");
	like($refusal, qr/^ERROR:  22023: /, "$call: refused");
	is($refusal, refusal("SELECT * FROM public.$call"), 'in the words of a store');
}
is(ask('SELECT count(*) FROM ekran_sessions(count => 0)'), 0, 'a page of none');
like(refusal("SET ekran_sessions.store = 'elsewhere'; SELECT ekran_sessions_total_count()"), qr/^ERROR:  42P01: .*\[shard\d\].* store "elsewhere" does not exist/, 'the store that the caller names is read on the shards');

# Sessions that come and go before the page: it is one of some moments of the shards, 1200
# sessions deeper for each on which they are not.
my @writers = map {
	my $shard = $_;
	my $script = PostgreSQL::Test::Utils::tempdir() . "/come_and_go";
	PostgreSQL::Test::Utils::append_to_file($script, <<"SQL");
INSERT INTO ekran.session SELECT ${shard}00000 + i, NULL, NULL, '2023-01-01 00:00+00'::timestamptz + i * interval '1 minute', '2023-03-01 00:00+00' FROM generate_series(1, 1200) i;
DELETE FROM ekran.session WHERE session_id > 100000;
SQL
	IPC::Run::start([ 'pgbench', '-n', '-T', 8, '-f', $script, '-h', $node->host, '-p', $node->port, "shard$shard" ], '>', \my $out, '2>', \my $err)
} 1 .. 3;
is(ask(<<'SQL'), '150|t|0', 'pages while sessions come and go: none with a gap, or from nowhere');
CREATE TEMP TABLE placed AS SELECT session_id, ordinality - 1 AS place FROM public.ekran_sessions_all() WITH ORDINALITY;
CREATE TEMP TABLE page_read (page int, session_id bigint, ordinality bigint);
DO $$ BEGIN FOR p IN 0..149 LOOP INSERT INTO page_read SELECT p, session_id, ordinality - 1 FROM ekran_hub.ekran_sessions(page => 10 + p % 15, count => 400) WITH ORDINALITY; END LOOP; END $$;
SELECT count(*), count(DISTINCT 400 * (10 + page % 15) - first) > 1, count(*) FILTER (WHERE rows <> 400 OR gaps > 0 OR (400 * (10 + page % 15) - first) NOT IN (0, 1200, 2400, 3600))
FROM (SELECT r.page, count(*) AS rows, min(place - ordinality) AS first, max(place - ordinality) - min(place - ordinality) AS gaps
	FROM page_read r LEFT JOIN placed USING (session_id) GROUP BY 1) s
SQL
ok(IPC::Run::finish($_), 'they did') for @writers;

# What is on two shards
$hub->on_shard(0, "INSERT INTO session SELECT session_id, NULL, NULL, login_date, logout_date FROM (VALUES (1::bigint, '2024-01-01 01:40+00'::timestamptz, '2024-01-01 09:40+00'::timestamptz)) v (session_id, login_date, logout_date)");
like(refusal('SELECT count(*) FROM ekran_sessions()'), qr/^ERROR:  55000: session 1 is on more than one shard/, 'a session that is on two shards is refused');
like(refusal('SELECT count(*) FROM ekran_session_timeline(1)'), qr/^ERROR:  55000: session 1 is/, 'by its timeline too');
like(refusal('SELECT count(*) FROM ekran_sessions_after(after_session_id => 1)'), qr/^ERROR:  55000: session 1 is/, 'and as a position');
$hub->on_shard(0, "INSERT INTO activity (session_id, activity_date, application, url) SELECT 1, '2024-01-01 03:00+00'::timestamptz + i * interval '5 minutes', 'x', 'x.example/' FROM generate_series(0, 1) i");
like(refusal("SET ekran_sessions.idle_policy = excess; SELECT count(*) FROM $_()"), qr/^ERROR:  55000: session 1 is/, "in $_") for 'ekran_application_statistics', 'ekran_url_statistics';
like(refusal('SET ekran_sessions.idle_policy = excess; SELECT ekran_application_statistics_json()'), qr/^ERROR:  55000: session 1 is/, 'and their JSON');
$hub->on_shard(0, 'DELETE FROM session WHERE session_id = 1');
$hub->on_shard(3, "INSERT INTO session VALUES (1000000, NULL, 1, '2024-01-01 02:00+00', '2024-01-01 03:00+00'); INSERT INTO activity (session_id, activity_date) SELECT 1000000, '2024-01-01 02:00+00'::timestamptz + i * interval '1 minute' FROM generate_series(1, 60) i");
$hub->on_shard(0, "INSERT INTO session VALUES (1000001, NULL, 1, '2024-01-01 02:00+00', '2024-01-01 03:00+00'); INSERT INTO activity (session_id, activity_date) SELECT 1000001, '2024-01-01 02:00+00'::timestamptz + i * interval '1 minute' FROM generate_series(1, 60) i");
like(refusal("SELECT count(*) FROM $_(users => '{1}')"), qr/^ERROR:  55000: sessions of user 1 are on more than one shard/, "$_: a user whose hour is on two shards is refused") for 'ekran_user_productivity';
$hub->on_shard($_, 'DELETE FROM session WHERE session_id >= 1000000') for 0, 3;

# A shard that is not there
$node->safe_psql('postgres', "ALTER DATABASE shard2 ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shard2'");
for my $call ('ekran_sessions()', 'ekran_sessions_after()', 'ekran_sessions_all()', 'ekran_sessions_total_count()', 'ekran_sessions_json()', 'ekran_application_statistics()',
	'ekran_user_productivity_json()', 'ekran_session_list()', 'ekran_session_timeline(1)')
{
	like(refusal("SELECT count(*) FROM $call"), qr/^ERROR:  08006: a shard can't be asked: \[?.*shard2/, "$call: a shard that can't be reached is named, and there is no answer");
}
$node->safe_psql('postgres', 'ALTER DATABASE shard2 ALLOW_CONNECTIONS true');
like(refusal("SELECT ekran_sessions_total_count() > 0; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shard2'; SELECT ekran_sessions_total_count()"),
	qr/^ERROR:  08006: a shard can't be asked: .*shard2/, 'and one that goes away');
is(ask('SELECT ekran_sessions_total_count() = public.ekran_sessions_total_count()'), 't', 'when it is back, all is well');

# What shards send that is no answer, or another version's
my $mark = '00' x 8;
for my $pack ([ '\x02040000', '42804' ], [ '\x0105' . $mark . 'ff', '42804' ], [ '\x01', '08P01' ], [ '\x010b' . $mark . '00', '08P01' ], [ '\x010b' . $mark . '0000ffffffff', '08P01' ],
	[ '\x010b' . $mark . '0000' . 'ff' x 12, '08P01' ], [ '\x010b' . $mark . 'fb07ffffffff0f', '08P01' ], [ '\x010b' . $mark . 'fb0701ff', '22021' ], [ '\x010b' . $mark . 'ff07', '08P01' ], [ '\x010b' . $mark . 'f70702', '08P01' ],
	[ '\x010b' . $mark . 'fe0702', '08P01' ])
{
	my ($bytes, $state) = @$pack;
	$hub->on_shard(1, "ALTER FUNCTION public.ekran_part_sessions RENAME TO hidden");
	$hub->on_shard(1, "CREATE FUNCTION public.ekran_part_sessions(name, int, text, text, timestamptz, timestamptz, int[], uuid[], bool, bool, bigint, bigint, bigint, bigint, bigint, bool, bool, bool) RETURNS SETOF bytea LANGUAGE sql AS 'SELECT ''$bytes''::bytea'");
	like(refusal('SELECT count(*) FROM ekran_sessions_all()'), qr/^ERROR:  $state: /, "a pack $bytes is refused");
	$hub->on_shard(1, 'DROP FUNCTION public.ekran_part_sessions; ALTER FUNCTION public.hidden RENAME TO ekran_part_sessions');
}

# Who may
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE analyst LOGIN;
CREATE ROLE planter LOGIN;
GRANT USAGE ON SCHEMA ekran_hub TO analyst;
SQL
my $as_analyst = { extra_params => [ '-U', 'analyst' ] };
like(refusal('SELECT ekran_sessions_total_count()', $as_analyst), qr/^ERROR:  (42501: permission denied for foreign server shards|42704: user mapping not found)/, 'nobody asks shards without USAGE on the server');
$node->safe_psql('postgres', 'GRANT USAGE ON FOREIGN SERVER shards TO analyst; CREATE USER MAPPING FOR analyst SERVER shards OPTIONS (user \'analyst\')');
like(refusal('SELECT ekran_sessions_total_count()', $as_analyst), qr/^ERROR:  42501: .*\[shard\d\].*permission denied for schema ekran/, 'nor with none on the shards');
$hub->on_shard($_, 'GRANT USAGE ON SCHEMA ekran TO analyst; GRANT SELECT ON session, client, app_user TO analyst; GRANT SELECT (session_id, activity_date) ON activity TO analyst;'
	  . 'ALTER TABLE session ENABLE ROW LEVEL SECURITY; DROP POLICY IF EXISTS team ON session; CREATE POLICY team ON session TO analyst USING (user_id IN (5, 6))') for 0 .. 3;
my ($seen) = $node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT user_id), ekran_hub.ekran_sessions_total_count() FROM ekran_hub.ekran_sessions_all()', extra_params => [ '-U', 'analyst' ]);
is($seen, ask('SELECT count(*), 2, count(*) FROM ekran.session WHERE user_id IN (5, 6)'), 'policies of the shards hold for the role that they see');
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION ekran_hub.ekran_part_total_count FROM PUBLIC');
like(refusal('SELECT ekran_sessions_total_count()', $as_analyst), qr/^ERROR:  42501: permission denied for function ekran_part_total_count/, 'nor without EXECUTE');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION ekran_hub.ekran_part_total_count TO PUBLIC');

# Who may make one, and where
like(refusal("SELECT ekran_create_hub('shards', 'other')", $as_analyst), qr/^ERROR:  42501: must be superuser/, 'superusers alone make hubs');
like(refusal("SELECT ekran_create_hub('nowhere')"), qr/^ERROR:  42704: /, 'over a server that is there');
like(refusal("SELECT ekran_create_hub(NULL)"), qr/^ERROR:  22004: /, 'and has a name');
like(refusal("CREATE FOREIGN DATA WRAPPER other; CREATE SERVER another FOREIGN DATA WRAPPER other; SELECT ekran_create_hub('another')"), qr/ERROR:  42809: /, 'of PL/Proxy');
like(refusal("SELECT ekran_create_hub('shards', 'public')"), qr/^ERROR:  22023: /, 'not in the place of the functions themselves');
like(refusal("CREATE SCHEMA planted AUTHORIZATION planter; SELECT ekran_create_hub('shards', 'planted')"), qr/ERROR:  42501: schema "planted" belongs to role "planter"/, 'nor in the schema of somebody who could exchange them');
$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA sown;
GRANT ALL ON SCHEMA sown TO planter;
SET ROLE planter;
CREATE FUNCTION sown.ekran_sessions_total_count(timestamptz = NULL, timestamptz = NULL, users int[] = NULL, clients uuid[] = NULL) RETURNS int LANGUAGE sql AS 'SELECT 666';
SQL
like(refusal("SELECT ekran_create_hub('shards', 'sown')"), qr/ERROR:  42\w{3}: /, 'nor around functions of another role\'s');
like(refusal("CREATE SCHEMA open_to_all; GRANT CREATE ON SCHEMA open_to_all TO PUBLIC; SELECT ekran_create_hub('shards', 'open_to_all')"), qr/ERROR:  42501: role "\w+" may create functions in schema/, 'nor where others could put some');
$node->safe_psql('postgres', 'CREATE SCHEMA littered; GRANT ALL ON SCHEMA littered TO planter; SET ROLE planter; CREATE VIEW littered.session AS SELECT 1; RESET ROLE; REVOKE ALL ON SCHEMA littered FROM planter');
like(refusal("SELECT ekran_create_hub('shards', 'littered')"), qr/ERROR:  42501: view littered.session belongs to role "planter"/, 'nor beside a view of theirs');
like(refusal("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT ekran_create_hub('shards', 'later')"), qr/ERROR:  25001: /, 'nor without seeing what is there');
like(refusal("SELECT ekran_create_hub('shards', 'pg_catalog')"), qr/ERROR:  42939: /, 'nor among the server\'s own');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE pronamespace = 'sown'::regnamespace"), 1, 'nothing is made then');
$node->safe_psql('postgres', <<'SQL');
GRANT CREATE ON SCHEMA ekran_hub TO planter;
DROP FUNCTION ekran_hub.ekran_part_total_count;
SET ROLE planter;
CREATE FUNCTION ekran_hub.ekran_part_total_count(name, int, text, text, timestamptz, timestamptz, int[], uuid[], bool, bool) RETURNS SETOF bytea LANGUAGE sql AS 'SELECT NULL::bytea';
SQL
like(refusal('SELECT ekran_sessions_total_count()'), qr/^ERROR:  42501: .* is not as ekran_create_hub\(\) makes it/, 'a hub calls nothing of another role\'s');
$node->safe_psql('postgres', 'DROP FUNCTION ekran_hub.ekran_part_total_count');
like(refusal('SELECT ekran_sessions_total_count()'), qr/^ERROR:  42883: /, 'and says what is missing');
like(refusal("SELECT ekran_create_hub('shards')"), qr/^ERROR:  42501: role "planter" may create functions/, 'a hub is not made anew beside who may');
is(ask("REVOKE CREATE ON SCHEMA ekran_hub FROM planter; SELECT ekran_create_hub('shards'); SELECT ekran_sessions_total_count() = public.ekran_sessions_total_count()"), "\nt", 'made anew it is complete');
for my $change ("SET datestyle = 'German'", 'SECURITY DEFINER', 'OWNER TO planter', 'STABLE')
{
	$node->safe_psql('postgres', "ALTER FUNCTION ekran_hub.ekran_part_total_count $change");
	like(refusal('SELECT ekran_sessions_total_count()'), qr/^ERROR:  42501: .* is not as ekran_create_hub\(\) makes it/, "altered by $change, it is not called");
	$node->safe_psql('postgres', "DROP FUNCTION ekran_hub.ekran_part_total_count; SELECT ekran_create_hub('shards')");
}

# Another superuser completes it. Functions beside the extension's own are none of it.
is($node->safe_psql('postgres', <<'SQL'), '', 'another superuser may make it anew');
CREATE ROLE second LOGIN SUPERUSER;
CREATE FUNCTION public.ekran_part_planted(x text) RETURNS SETOF text LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.ekran_sessions(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';
SET ROLE second;
SELECT ekran_create_hub('shards');
DROP FUNCTION public.ekran_part_planted, public.ekran_sessions(int);
SELECT proname FROM pg_proc WHERE pronamespace = 'ekran_hub'::regnamespace AND proname ~ 'planted';
SQL

# Where the server is gone, PL/Proxy would ask functions that anybody may have made.
$node->safe_psql('postgres', "SELECT ekran_create_hub('shards', 'fresh')");
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass WHERE d.refclassid = 'pg_foreign_server'::regclass AND p.pronamespace = 'fresh'::regnamespace"), 7, 'the server stays');
like(refusal('DROP SERVER shards'), qr/^ERROR:  2BP01: /, 'as long as there are hubs');
$node->safe_psql('postgres', 'DROP SCHEMA fresh CASCADE');
$node->safe_psql('postgres', <<'SQL');
ALTER SERVER shards RENAME TO away;
GRANT CREATE ON DATABASE postgres TO planter;
SET ROLE planter;
CREATE SCHEMA plproxy;
GRANT USAGE ON SCHEMA plproxy TO PUBLIC;
CREATE FUNCTION plproxy.get_cluster_version(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION SQLSTATE ''66666''; END';
CREATE FUNCTION plproxy.get_cluster_partitions(text) RETURNS SETOF text LANGUAGE sql AS 'SELECT ''dbname=postgres''';
CREATE FUNCTION plproxy.get_cluster_config(IN text, OUT key text, OUT val text) RETURNS SETOF record LANGUAGE sql AS 'SELECT ''connection_lifetime'', ''60''';
SQL
like(refusal('SELECT ekran_sessions_total_count()'), qr/^ERROR:  42704: server "shards" of hub "ekran_hub" does not exist/, 'a hub whose server has another name asks nobody else');
$node->safe_psql('postgres', "GRANT USAGE ON FOREIGN DATA WRAPPER plproxy TO planter; SET ROLE planter; CREATE SERVER shards FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'dbname=postgres')");
like(refusal('SELECT ekran_sessions_total_count()'), qr/^ERROR:  42501: server "shards" belongs to role "planter"/, 'nor another server of that name');
like(refusal("SELECT ekran_create_hub('shards', 'other')"), qr/^ERROR:  42501: server "shards" belongs to role "planter"/, 'over which none is made');
$node->safe_psql('postgres', 'DROP SERVER shards; ALTER SERVER away RENAME TO shards');

# What the owner of a shard's database makes of the names of types
$hub->on_shard(3, <<'SQL');
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.run(pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION SQLSTATE ''66666''; END';
CREATE DOMAIN hostile.name AS pg_catalog.name CHECK (hostile.run(VALUE::pg_catalog.text));
ALTER DATABASE shard3 SET search_path = hostile, pg_catalog;
SQL
is(ask('SELECT ekran_sessions_total_count() = public.ekran_sessions_total_count()'), 't', 'types of another schema are not what is meant');
$hub->on_shard(3, 'ALTER DATABASE shard3 RESET search_path');

# What a shard's role has set, and zones that are far away
$hub->on_shard(0, 'ALTER DATABASE shard0 SET array_nulls = off');
is(ask("SELECT ekran_sessions_total_count(users => '{1,NULL}') = public.ekran_sessions_total_count(users => '{1,NULL}')"), 't', 'a filter with a null, whatever arrays are to hold');
$hub->on_shard(0, 'ALTER DATABASE shard0 RESET array_nulls');
is(ask("SET TimeZone = '<X>+20'; SELECT ekran_sessions_total_count('2024-03-10') = public.ekran_sessions_total_count('2024-03-10')"), 't', 'a time zone that no server reads');

# As a server is named, so it is quoted
is(ask(sprintf(<<'SQL', $node->host, $node->port)), "\n1000", 'names that need quoting');
CREATE SERVER "it's \; a ""server""" FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'dbname=shard1 host=%s port=%s');
CREATE USER MAPPING FOR CURRENT_USER SERVER "it's \; a ""server""";
SELECT ekran_create_hub('it''s \; a "server"', 'a "hub", DROP');
SELECT count(*) FROM "a ""hub"", DROP".ekran_sessions();
SQL

# A hub is in a dump, and goes with the extension.
my $dump = "$hub->{directory}/hub.dump";
$node->command_ok([ 'pg_dump', '-Fc', '-n', 'ekran_hub', '-f', $dump, $node->connstr('postgres') ], 'a hub is dumped');
is(ask("DROP SCHEMA ekran_hub CASCADE; SELECT to_regnamespace('ekran_hub') IS NULL"), 't', 'dropped');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('postgres'), $dump ], 'and restored');
is(ask('SELECT ekran_sessions_total_count() = public.ekran_sessions_total_count(), obj_description(\'ekran_hub.ekran_sessions\'::regproc) ~ \'server "shards"\''), 't|t', 'it works again');
is(ask("DROP EXTENSION ekran_sessions CASCADE; SELECT count(*) FROM pg_proc WHERE pronamespace = 'ekran_hub'::regnamespace"), 0, 'its functions go with the extension');

done_testing();
