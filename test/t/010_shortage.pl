# Out of memory and out of disk in the middle: an error, 53200 or 53100, and nothing else,
# or what is right. The server lives, nothing is half done, answers are exact, and with
# memory or space given back, the same session goes on.
#
# EKRAN_SMALL_DISK names a directory on a small file system of its own, which only root
# can make: mount -t tmpfs -o size=64m,mode=1777 tmpfs DIRECTORY.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use FilledStore;
use Midway;
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;

plan skip_all => 'no part of --quick' if $ENV{EKRAN_TEST_QUICK};

my $SESSIONS = 3000;

my $node = start_cluster('main');
$node->append_conf('postgresql.conf', "jit = off\nmax_parallel_workers_per_gather = 0\n");
$node->restart;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(slurp_file("$FindBin::RealBin/../independent_reading.sql"));
my @window = "'2024-01-05 03:00+00', '2024-01-18 05:00+00'";

# Calls that read, with an answer of one row.
my @reads = (
	'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_sessions(count => 1000, page => 2) s',
	'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_sessions(\'2024-01-05 03:00+00\', \'2024-03-05 03:00+00\') s',
	'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_sessions_all() s',
	'SELECT md5(string_agg(s::text, $$,$$)) FROM (SELECT ekran_sessions_all() OFFSET 0) s',
	'SELECT md5(ekran_sessions_json(NULL::timestamptz, NULL, 1000)::text)',
	'SELECT md5(ekran_user_productivity_json(\'2024-01-05\', \'2024-03-05\')::text)',
	'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_application_statistics(\'2024-01-05\', \'2024-02-05\') s',
	'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_url_statistics(\'2024-01-05\', \'2024-02-05\') s',
	'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_user_productivity() s',
	'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_session_timeline(17) s',
	'SELECT md5(string_agg(s::text, $$,$$ ORDER BY session_id)) FROM ekran.session_overview s WHERE session_id < 2000',
	'SELECT ekran_sessions_total_count(\'2024-01-05 03:00+00\')',
	'SELECT count(*) FROM ekran_check()',
);

my $rows = join '', map { my $i = $_; map { "$i\t2024-01-05 12:00:00." . sprintf('%03d', $_) . "+00\n" } 1 .. 10 } 1 .. $SESSIONS;
sub copy { my ($store) = @_; return "COPY $store.activity (session_id, activity_date) FROM STDIN;\n$rows\\.\n"; }

# Calls that write, which are then undone, but for those that commit.
sub writes
{
	my ($store) = @_;
	my $name = $store->{name};
	return (
		{ name => 'COPY', call => copy($name) },
		{ name => 'INSERT', call => "INSERT INTO $name.activity (session_id, activity_date) SELECT session_id, login_date + i * interval '31 minutes' FROM $name.session, generate_series(1, 20) i" },
		{ name => 'ekran_refresh()', call => 'SELECT ekran_refresh()', prepare => sub { $store->touch } },
		{ name => 'ekran_rebuild()', call => 'SELECT ekran_rebuild()', prepare => sub { sql("TRUNCATE $name.session_idle, $name.session_count") }, state => 'raw' },
		{ name => 'ekran_maintain()', call => 'CALL ekran_maintain()', prepare => sub { sql("TRUNCATE $name.session_idle") }, state => 'raw', commits => 1 },
		{ name => 'ekran_purge()', call => "SELECT ekran_purge('2024-12-01')", prepare => sub { sql("VACUUM FULL $name.pending") } },
		{ name => 'ekran_close_sessions()', call => "SELECT count(*) FROM ekran_close_sessions('1 hour', '2026-01-01')" },
		{ name => 'ekran_create_store(), new', call => "SELECT ekran_create_store('fresh')" },
		{ name => 'ekran_create_store(), a table', call => "SELECT ekran_create_store('$name')", state => 'broken',
			prepare => sub { sql("DROP TABLE IF EXISTS $name.session_idle") } });
}

# Makes a call, which is undone where it can be; the SQLSTATE of what failed, or undef.
sub try_write
{
	my ($session, $write) = @_;
	ask($session, 'BEGIN') unless $write->{commits};
	ask($session, $write->{call});
	my ($state) = $session->{err} =~ /(?:ERROR|FATAL|PANIC):  (\w{5})/;
	$state = 'gone' if !defined $session->{state};
	ask($session, 'ROLLBACK') unless $write->{commits};
	return $state;
}

sub session_for
{
	my ($store) = @_;
	my $session = open_session($node, '-v', 'VERBOSITY=sqlstate');
	ask($session, "SET client_min_messages = warning; SET ekran_sessions.store = '$store->{name}'; SET search_path = $store->{name}, public");
	return $session;
}

# Address space that a backend may have, beyond what it has: all if undef. Its stack is
# all there already, for where that can't grow, the kernel kills it.
sub limit
{
	my ($session, $more) = @_;
	my ($size) = slurp_file("/proc/$session->{pid}/status") =~ /^VmSize:\s+(\d+)/m;
	my $limit = defined $more ? ($size + $more) * 1024 : 'unlimited';
	system_or_bail('prlimit', '--pid', $session->{pid}, "--as=$limit:unlimited");
}

my $has_prlimit = -d '/proc/self' && system('prlimit --version >/dev/null 2>&1') == 0;

SKIP:
{
	skip 'no prlimit here, to take memory away', 1 unless $has_prlimit;

	my $store = FilledStore->new($node, 'ekran', $SESSIONS);
	$store->fill(40);
	$store->sql('CALL ekran_maintain()');
	$store->touch;
	sql('ANALYZE');
	# goes down as far as may be, and takes no other memory for it
	my $deep = q{SELECT repeat('[', 1000000)::json};
	$store->is_exact('before', 'ok', @window);

	my $warm = session_for($store);
	my %right = map { $_ => ask($warm, $_) } @reads;
	end_session($warm);
	my $failures = 0;
	for my $more (0, 300, 3000, 10_000)
	{
		my $session = session_for($store);
		ask($session, $deep);
		is($session->{state}, '54001', "$more kB more: all of the stack has been there");
		# what any first call needs
		ask($session, "SELECT ekran_sessions_total_count('2024-01-05 03:00+00'), count(*) FROM ekran_sessions(count => 1)");
		ask($session, "SET idle_in_transaction_session_timeout = 0");
		limit($session, $more);
		for my $call (@reads)
		{
			my $answer = ask($session, $call);
			my ($state) = $session->{err} =~ /(?:ERROR|FATAL|PANIC):  (\w{5})/;
			$failures++ if defined $state;
			is($state // $answer, defined $state ? '53200' : $right{$call}, "$more kB more: " . ($state // 'right') . " by $call");
		}
		limit($session);
		is(join(' ', map { ask($session, $_) } @reads), join(' ', map { $right{$_} } @reads), 'with memory given back, all are right');
		end_session($session);
	}
	cmp_ok($failures, '>', 5, "$failures times out of memory");

	$failures = 0;
	for my $write (writes($store))
	{
		my $state;
		for my $more (0, 300, 3000, 10_000)
		{
			my $what = "$write->{name} with $more kB more";
			$write->{prepare}->() if $write->{prepare};
			my ($base, $derived) = ($store->base, $store->derived);
			my $session = session_for($store);
			ask($session, $deep);
			ask($session, 'SELECT state FROM ekran_status()');
			limit($session, $more);
			$state = try_write($session, $write);
			$failures++ if defined $state;
			is($state // '53200', '53200', "$what: " . ($state // 'done'));
			limit($session);
			# with no memory, not even that may be understood
			ask($session, 'ROLLBACK') unless $write->{commits};
			is($store->base, $base, "$what: activities and sessions as before");
			is($store->derived, $derived, "$what: derived data as before") unless $write->{commits};
			$store->is_exact($what, $write->{commits} && !defined $state ? 'ok' : $write->{state} // 'ok', @window);
			is(try_write($session, $write), undef, "$what: goes on with memory given back");
			end_session($session);
			last unless defined $state;
		}
		is($state, undef, "$write->{name} is done at last");
		$store->sql("SELECT ekran_create_store('$store->{name}'); CALL ekran_maintain()") if $write->{state};
	}
	cmp_ok($failures, '>', 5, "$failures times out of memory");
	$store->goes_on('out of memory');
	sql('SET client_min_messages = warning; DROP SCHEMA ekran CASCADE');
}
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'the server lives');

SKIP:
{
	my $disk = $ENV{EKRAN_SMALL_DISK};
	skip 'no small disk to fill: EKRAN_SMALL_DISK names none, which takes root and mount', 1 unless defined $disk && $disk ne '' && -w $disk;

	# all but so many kilobytes
	my $ballast = "$disk/ballast";
	my $leave = sub {
		my ($kilobytes) = @_;
		open(my $file, '>>', $ballast) or die "$ballast: $!";
		for my $piece (1 << 20, 1 << 12) { 1 while syswrite($file, "\1" x $piece); }
		truncate $file, (-s $ballast) - 1024 * $kilobytes or die "$ballast: $!";
		close $file;
	};
	my $give_back = sub { unlink $ballast; };

	$give_back->();
	mkdir "$disk/tablespace" or die "$disk/tablespace: $!";
	sql("CREATE TABLESPACE small LOCATION '$disk/tablespace'");
	sql('ALTER DATABASE postgres SET default_tablespace = small');
	sql("SELECT ekran_create_store('small')");
	is(sql(q{SELECT count(*) FROM pg_class WHERE relnamespace = 'small'::regnamespace AND reltablespace = 0 AND relkind IN ('r', 'i')}), 0, 'all of the store is on the small disk');
	my $store = FilledStore->new($node, 'small', 1000);
	$rows = join '', map { my $i = $_; map { "$i\t2024-01-05 12:00:00." . sprintf('%03d', $_) . "+00\n" } 1 .. 30 } 1 .. 1000;
	$store->fill(40);
	$store->sql('CALL ekran_maintain()');
	my $in_all = 0;
	for my $write (writes($store))
	{
		my ($failures, $state) = 0;
		for my $kilobytes (0, 40, 400)
		{
			my $what = "$write->{name} with $kilobytes kB of disk";
			sql('VACUUM') if $kilobytes;
			$write->{prepare}->() if $write->{prepare};
			my ($base, $derived) = ($store->base, $store->derived);
			my $session = session_for($store);
			$leave->($kilobytes);
			$state = try_write($session, $write);
			$failures++ if defined $state;
			is($state // '53100', '53100', "$what: " . ($state // 'done'));
			is($store->base, $base, "$what: activities and sessions as before");
			is($store->derived, $derived, "$what: derived data as before") unless $write->{commits};
			$store->is_exact($what, $write->{commits} && !defined $state ? 'ok' : $write->{state} // 'ok');
			$give_back->();
			is(try_write($session, $write), undef, "$what: goes on with space given back");
			end_session($session);
		}
		note "$write->{name}: $failures times out of disk";
		$in_all += $failures;
		$store->sql("SELECT ekran_create_store('$store->{name}'); CALL ekran_maintain()");
		$store->goes_on($write->{name});
	}

	# One alone may find room in the pages that it has.
	cmp_ok($in_all, '>=', 8, "$in_all times out of disk");

	# What is kept while a call reads, or a statement writes, in files.
	my $session = session_for($store);
	ask($session, "SET temp_tablespaces = small; SET work_mem = '64kB'");
	for my $call ('SELECT count(*) FROM ekran_sessions_all()', 'SELECT count(*) FROM ekran_application_statistics()', "SELECT json_array_length(ekran_sessions_json(NULL::timestamptz, NULL, 1000) -> 'sessions')")
	{
		my $right = ask($session, $call);
		is($session->{err}, '', $call);
		$leave->(0);
		my $answer = ask($session, $call);
		like($session->{err} . $answer, $session->{err} ? qr/ERROR:  53100$/ : qr/^$right$/, "$call, with no disk for files: $session->{err}");
		$give_back->();
		is(ask($session, $call), $right, 'with space given back');
	}
	end_session($session);
	unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'the server lives');
	sql('ALTER DATABASE postgres RESET default_tablespace; SET client_min_messages = warning; DROP SCHEMA small CASCADE');
	sql('DROP TABLESPACE small');
	rmdir "$disk/tablespace";
}

done_testing();
