# Sixteen clients insert, change, delete, read and refresh at mixed isolation
# levels. No transaction fails or waits for derived data's sake, and what is
# returned is exact in the middle and at the end.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run qw(start);
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;

my $CLIENTS = 16;
my $SECONDS = 20;
my $SESSIONS_A_CLIENT = 20;

my $node = start_cluster('main');
my $directory = PostgreSQL::Test::Utils::tempdir;

# Each client changes sessions of its own only, so that no transaction has a
# reason to fail but one that derived data would give it. All add activities to
# the sessions that are everybody's.
$node->safe_psql('postgres', <<"SQL");
INSERT INTO ekran.session (session_id, login_date)
SELECT 1000 * c + s, '2024-01-01'::timestamptz + s * interval '10 minutes'
FROM generate_series(0, $CLIENTS - 1) c, generate_series(1, $SESSIONS_A_CLIENT) s;
INSERT INTO ekran.session (session_id, login_date)
SELECT 900000 + s, '2024-01-01' FROM generate_series(1, 50) s;
SQL

my $own = '\set own 1000 * :client_id + random(1, ' . $SESSIONS_A_CLIENT . ")\n";
my $shared = '\set shared 900000 + random(1, 50)' . "\n\\set other 900000 + random(1, 50)\n";
my $when = '\set minute random(0, 3000)' . "\n";
my $at = q{'2024-01-01'::timestamptz + :minute * interval '1 minute'};
my @levels = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
my @scripts;

sub script
{
	my ($name, $weight, $content) = @_;
	append_to_file("$directory/$name", $content);
	push @scripts, '--file', "$directory/$name\@$weight";
}

for my $level (@levels)
{
	my $name = lc $level =~ s/ /_/r;

	# Ingest alone: one row, and several of several sessions, in any order.
	script("one_$name", 10, $own . $shared . $when
		  . "BEGIN ISOLATION LEVEL $level;\n"
		  . "INSERT INTO ekran.activity (session_id, activity_date) VALUES (:shared, $at);\n"
		  . "COMMIT;\n");
	script("many_$name", 10, $own . $shared . $when
		  . "BEGIN ISOLATION LEVEL $level;\n"
		  . "INSERT INTO ekran.activity (session_id, activity_date) VALUES (:shared, $at), (:own, $at), (:other, $at - interval '5 minutes');\n"
		  . "INSERT INTO ekran.activity (session_id, activity_date) SELECT :own, $at + i * interval '20 seconds' FROM generate_series(1, 10) i;\n"
		  . "COMMIT;\n");
	script("read_$name", 3, $when
		  . "BEGIN ISOLATION LEVEL $level READ ONLY;\n"
		  . "SELECT count(s) FROM ekran_sessions($at, NULL, 50) s;\n"
		  . "SELECT ekran_sessions_total_count($at);\n"
		  . "COMMIT;\n");

	# In SERIALIZABLE, updates and deletes of sessions and activities that lie on
	# one page would conflict for what the user's own statements read.
	next if $level eq 'SERIALIZABLE';
	script("own_$name", 4, $own . $when
		  . "BEGIN ISOLATION LEVEL $level;\n"
		  . "UPDATE ekran.session SET logout_date = greatest(login_date, $at) WHERE session_id = :own;\n"
		  . "UPDATE ekran.activity SET activity_date = activity_date + interval '3 minutes' WHERE session_id = :own AND activity_date > $at;\n"
		  . "DELETE FROM ekran.activity WHERE session_id = :own AND activity_date < $at - interval '1 day';\n"
		  . "UPDATE ekran.session SET logout_date = NULL WHERE session_id = :own;\n"
		  . "COMMIT;\n");
	# A session that comes and goes, again and again with the same id.
	script("again_$name", 2, $when
		  . "BEGIN ISOLATION LEVEL $level;\n"
		  . "DELETE FROM ekran.session WHERE session_id = 500000 + :client_id;\n"
		  . "COMMIT;\n"
		  . "BEGIN ISOLATION LEVEL $level;\n"
		  . "INSERT INTO ekran.session (session_id, login_date) VALUES (500000 + :client_id, $at);\n"
		  . "INSERT INTO ekran.activity (session_id, activity_date) VALUES (500000 + :client_id, $at + interval '1 hour');\n"
		  . "COMMIT;\n");
}
script('refresh', 2, "SELECT ekran_refresh();\n");

my ($out, $err) = ('', '');
my $pgbench = start([
		'pgbench', '--no-vacuum', '--client', $CLIENTS, '--jobs', 2,
		'--time', $SECONDS, '--max-tries', 1, '--failures-detailed',
		@scripts, $node->connstr('postgres') ], '<', \undef, '>', \$out, '2>', \$err);

my $checks = 0;
my $differences = '';
for (1 .. 4)
{
	select(undef, undef, undef, $SECONDS / 5);
	$differences .= $node->safe_psql('postgres', 'SELECT * FROM ekran_check()');
	$checks++;
}
is($differences, '', "ekran_check() finds nothing, $checks times in the middle");
my $has_finished = $pgbench->finish;
ok($has_finished, 'no client gives up') or diag $out, $err;
is($err =~ s/^(?:pgbench \(|starting|progress|.*setting --).*\n//mgr, '', 'no error');
like($out, qr/number of failed transactions: 0 /, 'no transaction fails');
my ($transactions) = $out =~ /number of transactions actually processed: (\d+)/;
cmp_ok($transactions, '>', 1000, "$transactions transactions");
is($node->safe_psql('postgres', q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'}), 0,
	'no deadlock');

is($node->safe_psql('postgres', 'SELECT * FROM ekran_check()'), '', 'ekran_check() finds nothing at the end');
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../independent_reading.sql"));
sub differences
{
	return $node->safe_psql('postgres', <<'SQL');
LOAD 'ekran_sessions';
SET search_path = ekran, public;
SELECT * FROM independent.differences(NULL, NULL, 200)
UNION ALL SELECT * FROM independent.differences('2024-01-01 12:00', '2024-01-02 12:00', 200);
SQL
}
like(differences(), qr/^\d+\|0\|0\|0\|0\n\d+\|0\|0\|0\|0$/, 'rows equal the independent reading');
$node->safe_psql('postgres', 'SELECT ekran_refresh()');
is($node->safe_psql('postgres', 'SELECT count(session_id) FROM ekran.pending'), 0, 'a refresh leaves nothing pending');
like(differences(), qr/^\d+\|0\|0\|0\|0\n\d+\|0\|0\|0\|0$/, 'nor changes a row');
is($node->safe_psql('postgres', 'SELECT * FROM ekran_check()'), '', 'ekran_check() finds nothing');
is($node->safe_psql('postgres', 'SELECT count(session_id) FROM ekran.session_idle'), $node->safe_psql('postgres', 'SELECT count(DISTINCT session_id) FROM ekran.activity'),
	'a row of the index for each session with activity');

done_testing();
