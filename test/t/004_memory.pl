# Measuring a session takes bounded memory, however much happened in it; so do
# maintenance and pages, however many sessions there are.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run qw(start);
use StoreCluster;
use Test::More;

my $ACTIVITIES = 5_000_000;

plan skip_all => 'only Linux tells what memory is a process\'s own'
  unless private_memory($$);

my $node = start_cluster('main');
$node->safe_psql('postgres', <<"SQL");
SET max_parallel_maintenance_workers = 0;
INSERT INTO ekran.session (session_id, login_date, logout_date)
VALUES (1, '2024-01-01 00:00+00', '2024-06-30 00:00+00'),
	(2, '2024-01-01 00:00+00', '2024-01-01 01:00+00');
INSERT INTO ekran.activity (session_id, activity_date)
SELECT 1, '2024-01-01 00:00+00'::timestamptz + i * interval '2 seconds'
	+ CASE WHEN i % 1000 = 0 THEN interval '0.5 seconds' ELSE '0' END
FROM generate_series(1, $ACTIVITIES) i;
ANALYZE ekran.activity;
SQL

# Calls in one backend; samples the memory that is its own while it works.
sub peak_of
{
	my ($call, $settings) = (@_, '');
	my ($in, $out, $err) = ('', '', '');
	my $session = start(psql_command($node), '<', \$in, '>', \$out, '2>', \$err);

	# The just-in-time compiler takes some megabytes of its own when it is loaded.
	$in .= "$settings SET jit = off; SELECT 'pid ' || pg_backend_pid();\n"
	  # what any first call needs: the library, the plans, the caches
	  . "SELECT 'warm ' || count(*) FROM ekran_sessions('2024-01-01 00:00+00', '2024-01-01 00:10+00');\n";
	$session->pump until $out =~ /warm \d/;
	my ($pid) = $out =~ /pid (\d+)/;
	my $before = private_memory($pid) or die "no figure of the backend's memory";
	my $peak = $before;

	$in .= "$call\n\\echo done\n";
	$session->pump_nb;
	until ($out =~ /done/)
	{
		my $now = private_memory($pid);
		$peak = $now if $now > $peak;
		select(undef, undef, undef, 0.005);
		$session->pump_nb;
		last unless $session->pumpable;
	}
	$in .= "\\q\n";
	$session->finish;
	die $err if $err;
	my ($result) = $out =~ /result (.*)/;
	return ($result, $peak - $before);
}

# Kilobytes of memory that a process has for itself. Not as /proc/PID/status has it: Linux
# counts there processor by processor, and can be megabytes off where there are many.
sub private_memory
{
	my ($pid) = @_;
	open(my $pages, '<', "/proc/$pid/smaps_rollup") or return 0;
	my ($anonymous) = map { /^Anonymous:\s+(\d+)/ ? $1 : () } <$pages>;
	return $anonymous;
}

# The last activity is at 10 000 000.5 s of 181 days: one long gap to the logout.
my ($result, $growth) = peak_of(
	q{SELECT 'result ' || duration || ' ' || idle_time FROM ekran_sessions(count => 1);}
);
is($result, '4344:00:00 1566:13:19.5',
	"a session of $ACTIVITIES activities is measured right");
cmp_ok($growth, '<', 2048, "in less than 2 MB of memory: $growth kB");

# With it, 5 000 gaps of 2.5 s.
($result, $growth) = peak_of(
	q{SET ekran_sessions.idle_threshold = '2s';
	SELECT 'result ' || idle_time FROM ekran_sessions(count => 1);});
is($result, '1569:41:39.5', 'and by a threshold that many gaps exceed');
cmp_ok($growth, '<', 2048, "in less than 2 MB of memory: $growth kB");

($result, $growth) = peak_of(
	q{SELECT 'result ' || json_array_length(ekran_sessions_json('2024-01-01 00:05+00')->'sessions');}
);
is($result, 2, 'the JSON of a clipped page');
cmp_ok($growth, '<', 2048, "in less than 2 MB of memory: $growth kB");

# Activity by activity, and by gaps: 4 344 hours of which 1 566 h 13 m 19.5 s are idle in
# the first session, all of the other.
($result, $growth) = peak_of(
	q{SELECT 'result ' || sum(duration) || ' ' || count(*) FROM ekran_application_statistics();});
is($result, '2777:46:40.5 2778', 'applications of it, per hour');
cmp_ok($growth, '<', 2048, "in less than 2 MB of memory: $growth kB");
($result, $growth) = peak_of(
	q{SELECT 'result ' || count(*) || ' ' || min(to_time - from_time) FROM ekran_session_timeline(1);});
is($result, '2 65 days 06:13:19.5', 'its timeline');
cmp_ok($growth, '<', 2048, "in less than 2 MB of memory: $growth kB");
($result, $growth) = peak_of(
	q{SET ekran_sessions.idle_threshold = '2s';
	SELECT 'result ' || sum(total_minutes)::numeric(20, 6) || ' ' || count(*) FROM ekran_user_productivity();});
is($result, '166458.341667 2778', 'productivity, by raw activity');
cmp_ok($growth, '<', 2048, "in less than 2 MB of memory: $growth kB");

# Maintenance of many sessions takes no more than of a tenth of them, and so does
# a page of sessions with many gaps; in stores of their own, for both sizes.
sub fill_store
{
	my ($store, $sessions) = @_;
	$node->safe_psql('postgres', <<"SQL");
SELECT ekran_create_store('$store');
INSERT INTO $store.session SELECT i, NULL, NULL, '2024-01-01 00:00+00', '2024-01-02 00:00+00' FROM generate_series(1, $sessions) i;
INSERT INTO $store.activity (session_id, activity_date)
SELECT s, '2024-01-01 00:00+00'::timestamptz + i * interval '5 minutes' FROM generate_series(1, $sessions) s, generate_series(1, 6) i;
ANALYZE $store.session, $store.activity;
SQL
}

# The gaps alone, for a page of finished sessions reads nothing else.
sub fill_with_gaps
{
	my ($store, $sessions, $gaps) = @_;
	$node->safe_psql('postgres', <<"SQL");
SELECT ekran_create_store('$store');
INSERT INTO $store.session SELECT i, NULL, NULL, '2024-01-01 00:00+00', '2025-01-01 00:00+00' FROM generate_series(1, $sessions) i;
SQL
	forge($node, "$store.session_idle", <<"SQL");
INSERT INTO $store.session_idle
SELECT session_id, array_agg(t ORDER BY t), array_agg(next ORDER BY next)
	FROM (SELECT session_id, t, coalesce(lead(t) OVER (PARTITION BY session_id ORDER BY t), 'infinity') AS next
		FROM (SELECT session_id, '-infinity'::timestamptz AS t FROM $store.session
			UNION ALL SELECT session_id, '2024-01-01'::timestamptz + n * interval '90 s' + random() * interval '20 s'
			FROM $store.session, generate_series(1, $gaps) n) m) p
	GROUP BY session_id
SQL
}

# What the peak may differ by from one run to the next, in kB. More than any of these takes of
# itself: on a busy machine a short call can be over between two samples.
my $NOISE = 2048;

sub is_flat
{
	my ($what, $call, $small, $large, $in_small, $in_large) = @_;
	my @growth;

	my $statement = $call =~ /^CALL/ ? "$call;\nSELECT 'result ' || indexed_sessions FROM ekran_status();"
	  : "SELECT 'result ' || $call;";

	for ([ $small, $in_small ], [ $large, $in_large ])
	{
		my ($store, $expected) = @$_;
		my ($result, $growth) = peak_of("SET ekran_sessions.store = '$store'; SET client_min_messages = warning;\n$statement",
			# the rows of a result are the server's to keep, up to this
			"SET work_mem = '128kB';");
		is($result, $expected, "$what in store $store: $result");
		push @growth, $growth;
	}
	cmp_ok($growth[1], '<', 30 * 1024, "$what takes less than 30 MB: $growth[1] kB");
	cmp_ok($growth[1], '<', $growth[0] + $NOISE,
		"and no more than for a tenth of the sessions: $growth[0] kB");
}

fill_store('thousands', 2000);
fill_store('tens_of_thousands', 20_000);
my @stores = ('thousands', 'tens_of_thousands');
# what the insert trigger has folded by chance is pending again
forge($node, "$_.pending", "INSERT INTO $_.pending SELECT session_id, '-infinity', 'infinity' FROM $_.session") for @stores;
is_flat('ekran_refresh()', 'ekran_refresh()', @stores, 2000, 20_000);
is_flat('ekran_rebuild()', 'ekran_rebuild()', @stores, 2000, 20_000);
forge($node, "$_.pending", "INSERT INTO $_.pending SELECT session_id, '-infinity', 'infinity' FROM $_.session") for @stores;
is_flat('ekran_maintain() of what is pending', 'CALL ekran_maintain()', @stores, 2000, 20_000);
$node->safe_psql('postgres', "TRUNCATE $_.session_idle") for @stores;
is_flat('ekran_maintain() of a raw store', 'CALL ekran_maintain()', @stores, 2000, 20_000);
is_flat('ekran_check()', '(SELECT count(*) FROM ekran_check())', @stores, 0, 0);
forge($node, "$_.pending", "INSERT INTO $_.pending SELECT session_id, '-infinity', 'infinity' FROM $_.session") for @stores;
# of each session a row of its own, of its half an hour
is_flat($_->[0], "(SELECT count(*) FROM $_->[1])", @stores, 2000, 20_000)
  for [ 'ekran_sessions_all() in FROM', 'ekran_sessions_all()' ],
  [ 'ekran_sessions_all() row by row', '(SELECT ekran_sessions_all() OFFSET 0) r' ],
  [ 'ekran_application_statistics()', 'ekran_application_statistics()' ];
is_flat('ekran_user_productivity()', '(SELECT sum(total_minutes) FROM ekran_user_productivity())', @stores, 30, 30);
is_flat('ekran_check() of what is pending', '(SELECT count(*) FROM ekran_check())', @stores, 0, 0);
$node->safe_psql('postgres', "UPDATE $_.session SET logout_date = NULL") for @stores;
is_flat('ekran_close_sessions()', "(SELECT count(*) FROM ekran_close_sessions('0', '2026-01-01'))", @stores, 2000, 20_000);
is_flat('ekran_purge()', "ekran_purge('2026-01-01')", @stores, 2000, 20_000);

# Agents fold by chance, each time in a subtransaction.
sub insert_many
{
	my ($statements) = @_;
	return peak_of(<<"SQL");
DO \$\$ BEGIN FOR i IN 1..$statements LOOP
	INSERT INTO ekran.activity (session_id, activity_date) VALUES (2, '2024-01-01 00:00+00'::timestamptz + i * interval '1 ms');
END LOOP; END \$\$;
SELECT 'result ' || count(*) FROM ekran.activity WHERE session_id = 2;
SQL
}
my (undef, $few) = insert_many(10_000);
($result, $growth) = insert_many(100_000);
is($result, 110_000, '100 000 statements in a transaction');
cmp_ok($growth, '<', $few + $NOISE, "take $growth kB, no more than 10 000: $few kB");

fill_with_gaps('hundred', 100, 5000);
fill_with_gaps('thousand', 1000, 5000);
is_flat('a page of sessions with 5 000 gaps each',
	'(SELECT count(q) FROM generate_series(1, 20) i, LATERAL ekran_sessions(page => i * 0) q)',
	'hundred', 'thousand', 2000, 20_000);

# The same where much is pending, which is mended range by range.
$node->safe_psql('postgres', <<'SQL');
SELECT ekran_create_store('mended');
INSERT INTO mended.session SELECT i, NULL, NULL, '2024-01-01 00:00+00', '2025-01-01 00:00+00' FROM generate_series(1, 100) i;
INSERT INTO mended.activity (session_id, activity_date)
SELECT s, '2024-01-01 00:00+00'::timestamptz + n * interval '90 s' FROM generate_series(1, 100) s, generate_series(1, 5000) n;
SET ekran_sessions.store = 'mended';
SELECT ekran_refresh();
SQL
forge($node, 'mended.pending', <<'SQL');
INSERT INTO mended.pending SELECT s, m, m + interval '1 minute'
FROM generate_series(1, 100) s, generate_series('2024-01-01 01:00+00'::timestamptz, '2024-01-06 00:00+00', '3 hours') m
SQL
($result, $growth) = peak_of(q{SET ekran_sessions.store = 'mended'; SET ekran_sessions.idle_threshold = '1min';
	SELECT 'result ' || sum(idle_time) FROM ekran_sessions();});
is($result, '878400:00:00', 'a page of sessions with 5 000 gaps each and 40 ranges pending');
cmp_ok($growth, '<', 30 * 1024, "in less than 30 MB: $growth kB");

done_testing();
