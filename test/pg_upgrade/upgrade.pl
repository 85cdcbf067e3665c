# A server with stores, of every version of the extension, which pg_upgrade takes from
# the server in EKRAN_OLD_SERVER to the one in the path, in each of its ways: what is
# answered stays the same, the derived data come along, and all goes on from there.

use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old_server = $ENV{EKRAN_OLD_SERVER} // '';
plan skip_all => 'EKRAN_OLD_SERVER names no server' unless -x "$old_server/bin/postgres";

# Who asks: the owner by its keeper, and who sees all, some, or some of it.
my @asking = qw(ekran_keeper ekran_reader ekran_analyst team_lead ekran_agent);
my @stores = qw(ekran ekran_parts);
my @cluster = (extra => [ '--locale', 'C.UTF-8', '--encoding', 'UTF8', '--data-checksums' ]);

sub ask
{
	my ($node, $database, $role, $sql) = @_;
	return $node->safe_psql($database, $sql, extra_params => [ '-U', $role ]);
}

# What a statement that must fail fails with.
sub refusal
{
	my ($node, $database, $role, $sql) = @_;
	my (undef, undef, $err) =
	  $node->psql($database, "\\set VERBOSITY sqlstate\n$sql", extra_params => [ '-U', $role ]);
	return $err =~ /ERROR:\s+(\w+)/ ? $1 : "no error: $err";
}

sub answers
{
	my ($node, $database, @roles) = @_;
	return [ map { split /\n/, ask($node, $database, $_, "SELECT '$_ ' || a FROM testing.answers() a") } @roles ];
}

sub same_answers
{
	my ($got, $expected, $title) = @_;
	my $last = $#$got > $#$expected ? $#$got : $#$expected;
	my @different = grep { ($got->[$_] // '') ne ($expected->[$_] // '') } 0 .. $last;
	ok(!@different, "$title (" . @$expected . ' of them)')
	  or diag map { sprintf "got      %s\nexpected %s\n", $got->[$_] // '', $expected->[$_] // '' }
	  grep { defined } @different[ 0 .. 4 ];
}

# How the stores are, a line each: state|reason|answered_by|counted_by|indexed_sessions|
# pending_rows|pending_sessions.
sub status
{
	my ($node, $database) = @_;
	return ask($node, $database, 'ekran_keeper', join '', map { <<SQL } @stores);
SET ekran_sessions.store = '$_';
SELECT state, reason, answered_by, counted_by, indexed_sessions, pending_rows, pending_sessions
FROM ekran_status();
SQL
}

# What is wrong with the derived data of the stores: nothing.
sub is_right
{
	my ($node, $database, $title) = @_;
	is( ask($node, $database, 'ekran_keeper',
			join '', map { "SET ekran_sessions.store = '$_'; SELECT * FROM ekran_check();" } @stores),
		'', "$title: ekran_check() finds nothing");
}

my $old = PostgreSQL::Test::Cluster->new('old', install_path => $old_server);
$old->init(@cluster);
$old->append_conf('postgresql.conf', "log_statement = none\nwal_level = replica\n");
$old->start;
my $from = $old->safe_psql('postgres', 'SHOW server_version');
my $to = (run_command([ 'postgres', '--version' ]))[0];
my ($to_major) = $to =~ /(\d+)/;
note "from PostgreSQL $from";
note "to $to";
$old->safe_psql('postgres', slurp_file("$FindBin::RealBin/roles.sql"));

my @versions = split /\n/, $old->safe_psql('postgres',
	"SELECT version FROM pg_available_extension_versions WHERE name = 'ekran_sessions' ORDER BY string_to_array(version, '.')::int[]");
my $newest = $versions[-1];
note "ekran_sessions @versions";
my %database = map { $_ => "of_$_" =~ tr/./_/r } @versions;
my (%answers, %status);

for my $version (@versions)
{
	my $database = $database{$version};
	$old->safe_psql('postgres', "CREATE DATABASE $database");
	my ($status, undef, $err) = $old->psql($database, '',
		extra_params => [ '-v', "version=$version", '-f', "$FindBin::RealBin/store.sql" ]);
	is($status, 0, "before, $version: there are stores") or BAIL_OUT $err;
	is($old->safe_psql($database, "SELECT extversion FROM pg_extension WHERE extname = 'ekran_sessions'"),
		$version, "before, $version: of that version");
	$status{$version} = status($old, $database);
	like($status{$version}, qr/^(?:ok\|[^|]*\|index\|session_count\|[1-9]\d*\|[1-9]\d*\|[1-9]\d*(?:\n|\z)){2}/,
		"before, $version: their state is ok, and something is pending");
	is_right($old, $database, "before, $version");
	$answers{$version} = answers($old, $database, @asking);
	my $told = grep { !/: (?:0|\w{5})$/ } @{ $answers{$version} };
	cmp_ok($told, '>', 300, "before, $version: they answer");
}
$old->stop;

my @ways = ([ 'copy', '--copy' ], [ 'link', '--link', '--jobs', '2' ]);
push @ways, [ 'swap', '--swap' ] if $to_major >= 18;
for (@ways)
{
	my ($way, @options) = @$_;

	# An old server of its own, for it is of no use afterwards.
	my $data = "${PostgreSQL::Test::Utils::tmp_check}/old_$way";
	system_or_bail('cp', '-a', $old->data_dir, $data);
	my $new = PostgreSQL::Test::Cluster->new("new_$way");
	$new->init(@cluster);
	$new->append_conf('postgresql.conf', "log_statement = none\nwal_level = replica\n");
	my @pg_upgrade = (
		'pg_upgrade', '--no-sync',
		'--old-datadir', $data, '--new-datadir', $new->data_dir,
		'--old-bindir', "$old_server/bin", '--new-bindir', $new->config_data('--bindir'),
		'--socketdir', $new->host, '--old-port', $old->port, '--new-port', $new->port, @options);
	chdir $PostgreSQL::Test::Utils::tmp_check;
	command_ok([ @pg_upgrade, '--check' ], "$way: pg_upgrade @options --check");
	command_ok(\@pg_upgrade, "$way: pg_upgrade @options");
	$new->start;

	arrived($new, $_, $way) for @versions;
	$new->command_ok([ 'vacuumdb', '--all', '--analyze-in-stages' ], "$way: vacuumdb --analyze-in-stages");
	same_answers(answers($new, $database{$newest}, @asking), $answers{$newest}, "$way, $newest, analyzed: the same answers");
	goes_on($new, $database{$_}, "$way, $_") for @versions;
	$new->stop;
	system_or_bail('rm', '-rf', $data);
}

# As it was, before anything is done to it; then with what is new in the extension.
sub arrived
{
	my ($node, $version, $way) = @_;
	my $database = $database{$version};
	my $title = "$way, $version";

	is(status($node, $database), $status{$version}, "$title: the state is ok, and as much is derived and pending");
	same_answers(answers($node, $database, @asking), $answers{$version}, "$title: the same answers");
	is_right($node, $database, $title);
	is( ask($node, $database, 'team_lead', 'SELECT DISTINCT user_id FROM ekran_sessions() ORDER BY 1'),
		"3\n5", "$title: policies hold");

	my ($status, undef, $err) = $node->psql($database, 'ALTER EXTENSION ekran_sessions UPDATE');
	is($status, 0, "$title: ALTER EXTENSION UPDATE");
	if ($version eq $newest)
	{
		like($err, qr/NOTICE:  version "\Q$version\E" of extension "ekran_sessions" is already installed/,
			"$title: which has nothing to do");
		return;
	}
	is(status($node, $database), $status{$version}, "$title, updated: the state is ok");
	ask($node, $database, 'ekran_keeper', <<'SQL');
SELECT ekran_create_store('ekran'), ekran_create_store('ekran_parts');
GRANT SELECT ON ekran.session_overview, ekran.user_day TO ekran_reader, team_lead;
SQL
	same_answers(answers($node, $database, @asking), $answers{$newest}, "$title, updated: the answers of $newest");
	is_right($node, $database, "$title, updated");
}

# Work by those whose work it is.
sub goes_on
{
	my ($node, $database, $title) = @_;

	ask($node, $database, 'ekran_agent', <<'SQL');
INSERT INTO ekran.session (session_id, user_id, login_date) VALUES (-1, 3, '2024-01-02 08:00'), (-2, 4, '2024-01-02 09:00');
INSERT INTO ekran.activity (session_id, activity_date, application)
SELECT -1, '2024-01-02 08:00'::timestamptz + a * interval '9 minutes', 'new.exe' FROM generate_series(0, 20) a;
INSERT INTO ekran.activity (session_id, activity_date) VALUES (801, '2024-01-02 08:00');
UPDATE ekran.session SET logout_date = '2024-01-02 12:00' WHERE session_id = -1;
SQL
	is( ask($node, $database, 'ekran_reader',
			"SELECT session_id, duration, idle_time FROM ekran_sessions('2024-01-02 08:10') WHERE session_id = -1"),
		'-1|03:42:00|01:00:00', "$title: an agent writes, and is read at once");
	is( refusal($node, $database, 'ekran_agent', "INSERT INTO ekran.activity (session_id, activity_date) VALUES (-3, now())"),
		'23503', "$title: no activity without a session");
	is( refusal($node, $database, 'ekran_keeper', "INSERT INTO ekran_parts.session_0 SELECT -1, NULL, NULL, now()"),
		'55000', "$title: no row past the triggers");
	is( ask($node, $database, 'ekran_keeper', <<'SQL'), '2', "$title: a partition is added, and written to");
CREATE TABLE ekran_parts.activity_2025 PARTITION OF ekran_parts.activity FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO ekran_parts.session (session_id, login_date) VALUES (-1, '2024-12-31 23:00');
INSERT INTO ekran_parts.activity (session_id, activity_date)
	VALUES (-1, '2024-12-31 23:30'), (-1, '2025-01-01 00:30'), (-1, '2025-01-01 00:35');
SELECT count(*) FROM ekran_parts.activity_2025;
SQL
	is_right($node, $database, "$title, written to");

	my $answers = answers($node, $database, 'ekran_keeper');
	like(ask($node, $database, 'ekran_keeper', 'SELECT ekran_refresh()'), qr/^[1-9]/, "$title: ekran_refresh() folds");
	ask($node, $database, 'ekran_keeper', join '', map { "SET ekran_sessions.store = '$_'; CALL ekran_maintain();" } @stores);
	like(status($node, $database), qr/^(?:ok\|[^|]*\|index\|session_count\|[1-9]\d*\|0\|0(?:\n|\z)){2}/,
		"$title: ekran_maintain() leaves nothing pending");
	same_answers(answers($node, $database, 'ekran_keeper'), $answers, "$title, folded: the same answers");
	is_right($node, $database, "$title, folded");

	like(ask($node, $database, 'ekran_keeper', "SELECT count(*) FROM ekran_close_sessions('1 hour', '2024-01-03')"),
		qr/^[1-9]/, "$title: ekran_close_sessions() closes");
	my $remarks = ask($node, $database, 'ekran_keeper', 'SELECT count(*) FROM ekran.remark');
	like(ask($node, $database, 'ekran_keeper', "SELECT ekran_purge('2024-01-01 02:00')"),
		qr/^[1-9]/, "$title: ekran_purge() purges");
	cmp_ok(ask($node, $database, 'ekran_keeper', 'SELECT count(*) FROM ekran.remark'), '<', $remarks,
		"$title: with what hangs on the sessions");
	is_right($node, $database, "$title, purged");

	$answers = answers($node, $database, 'ekran_keeper');
	like(ask($node, $database, 'ekran_keeper', 'SELECT ekran_rebuild()'), qr/^[1-9]/, "$title: ekran_rebuild()");
	ask($node, $database, 'ekran_keeper', 'SELECT ekran_create_store()');
	same_answers(answers($node, $database, 'ekran_keeper'), $answers, "$title, rebuilt: the same answers");
	is_right($node, $database, "$title, rebuilt");

	$node->safe_psql($database, 'CREATE SCHEMA another AUTHORIZATION ekran_owner');
	is( ask($node, $database, 'ekran_keeper', <<'SQL'), "1|00:05:00\nok|index", "$title: another store is created");
SELECT ekran_create_store('another') \g /dev/null
SET ekran_sessions.store = 'another';
INSERT INTO another.session VALUES (1, NULL, NULL, '2024-01-01 08:00', '2024-01-01 08:05');
INSERT INTO another.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:01');
SELECT session_id, duration FROM ekran_sessions();
SELECT state, answered_by FROM ekran_status();
SQL
}

done_testing();
