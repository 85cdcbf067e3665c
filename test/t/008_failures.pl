# What fails in the middle: cancelled, ended, out of time, out of disk, out of memory. An
# error that says so, nothing half done, no lock and no right kept, and exact answers.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use FilledStore;
use Midway;
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'no part of --quick' if $ENV{EKRAN_TEST_QUICK};

my $SESSIONS = 1000;

my $node = start_cluster('main');
$node->append_conf('postgresql.conf', "jit = off\n");
$node->restart;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A store of an ordinary owner's, kept by a superuser, who is the owner while he does.
sql(slurp_file("$FindBin::RealBin/../independent_reading.sql"));
sql(<<'SQL');
SET client_min_messages = warning;
DROP SCHEMA ekran CASCADE;
CREATE ROLE regress_ekran_owner;
CREATE SCHEMA ekran AUTHORIZATION regress_ekran_owner;
GRANT CREATE ON DATABASE postgres TO regress_ekran_owner;
SET ROLE regress_ekran_owner;
SELECT ekran_create_store();
SQL
my $store = FilledStore->new($node, 'ekran', $SESSIONS);
$store->fill(40);
$store->sql('CALL ekran_maintain()');
$store->is_exact('at first', 'ok');
my @window = "'2024-01-05 03:00+00', '2024-01-08 05:00+00'";

my $copy = 'COPY ekran.activity (session_id, activity_date) FROM STDIN';
my $rows = join '', map { my $i = $_; map { "$i\t2024-01-05 12:00:00." . sprintf('%03d', $_) . "+00\n" } 1 .. 30 } 1 .. $SESSIONS;

# What writes to a store: what it takes to have something to do, the call, and what state
# it leaves where it fails. Most of them undo what they have done, so that it may be done
# again; {commits} are the others.
my @writes = (
	{ name => 'COPY', call => "$copy;\n$rows\\.\n" },
	{ name => 'INSERT', call => "INSERT INTO ekran.activity (session_id, activity_date) SELECT session_id, login_date + i * interval '31 minutes' FROM ekran.session, generate_series(1, 20) i" },
	{ name => 'ekran_refresh()', call => 'SELECT ekran_refresh()', prepare => sub { $store->touch } },
	{ name => 'ekran_rebuild()', call => 'SELECT ekran_rebuild()', prepare => sub { sql('TRUNCATE ekran.session_idle, ekran.session_count') }, state => 'raw' },
	{ name => 'ekran_maintain(), made anew', call => 'CALL ekran_maintain()', prepare => sub { sql('TRUNCATE ekran.session_idle') }, state => 'raw', commits => 1 },
	{ name => 'ekran_maintain()', call => 'CALL ekran_maintain()', commits => 1,
		prepare => sub { $store->touch; $store->swell } },
	{ name => 'ekran_purge()', call => "SELECT ekran_purge('2024-02-01')" },
	{ name => 'ekran_close_sessions()', call => "SELECT count(*) FROM ekran_close_sessions('1 hour', '2025-01-01')" },
	{ name => 'ekran_create_store(), new', call => "SELECT ekran_create_store('fresh')" },
	{ name => 'ekran_create_store(), a trigger', call => 'SELECT ekran_create_store()', state => 'broken',
		prepare => sub { sql('DROP TRIGGER IF EXISTS ekran_insert ON ekran.activity') } },
	{ name => 'ekran_create_store(), a table', call => 'SELECT ekran_create_store()', state => 'broken',
		prepare => sub { sql('DROP TABLE IF EXISTS ekran.session_idle') } },
);

# A session is as it was: nobody else's rights, nothing restricted, no lock.
sub is_as_before
{
	my ($session, $what) = @_;
	is(ask($session, <<'SQL'), 'postgres|postgres|"$user", public|0', "$what: the session has its own rights, and no lock");
CREATE TEMP TABLE of_ours ();
DROP TABLE of_ours;
SELECT current_user, session_user, current_setting('search_path'),
	(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (locktype = 'object' OR relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'ekran'::regnamespace)))
SQL
}

# After what has failed.
sub nothing_is_done
{
	my ($write, $what, $base, $derived, @windows) = @_;
	is($store->base, $base, "$what: activities and sessions as before");
	is($store->derived, $derived, "$what: derived data as before") unless $write->{commits};
	is(sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'fresh'"), 0, "$what: no new store");
	$store->is_exact($what, $write->{state} // 'ok', @windows);
}

sub undo_call
{
	my ($write) = @_;
	return $write->{call} if $write->{commits};
	return "BEGIN; $write->{call}" . ($write->{call} =~ /\n\z/ ? '' : ';') . ' ROLLBACK';
}

my $quiet = 'SET client_min_messages = warning';

for my $write (@writes)
{
	my $prepare = $write->{prepare} // sub { };

	$prepare->();
	my $bytes = wal_of($node, "$quiet; " . undo_call($write));
	my ($base, $derived, $session);

	# Cancelled, and ended.
	for my $way ([ cancelled => 'pg_cancel_backend', '57014', 0.1, 0.8 ], [ ended => 'pg_terminate_backend', '57P01', 0.5 ])
	{
		my ($how, $function, $code, @moments) = @$way;
		for my $moment (@moments)
		{
			my $what = "$write->{name} $how at $moment";
			my $state;
			for my $try (0 .. 9)
			{
				$prepare->();
				($base, $derived) = ($store->base, $store->derived);
				$session = open_session($node, '-v', 'VERBOSITY=sqlstate');
				ask($session, $quiet);
				midway($node, $session, $write->{commits} ? $write->{call} : "BEGIN; $write->{call}", int($bytes * $moment * (1 - $try / 10)),
					sub { ask($_[1], "SELECT $function($session->{pid})") });
				end_query($session);
				($state) = $session->{err} =~ /(?:ERROR|FATAL):  (\w{5})/;
				last if defined $state;
				ask($session, 'ROLLBACK');
				end_session($session);
			}
			is($state, $code, "$what: $code");
			if ($how eq 'cancelled')
			{
				ask($session, 'ROLLBACK') unless $write->{commits};
				is_as_before($session, $what);
			}
			nothing_is_done($write, $what, $base, $derived, @window);
			if ($how eq 'cancelled')
			{
				ask($session, undo_call($write));
				is($session->{err}, '', "$what: goes on in the same session");
				end_session($session);
			}
		}
	}

	# Out of time, somewhere.
	$prepare->();
	my $begun = time;
	sql("$quiet; " . undo_call($write));
	my $took = time - $begun;
	$session = open_session($node, '-v', 'VERBOSITY=sqlstate');
	ask($session, $quiet);
	my $failures = 0;
	# how long it takes differs: what is never out of time is given none at last
	for my $try (1 .. 8)
	{
		$prepare->();
		($base, $derived) = ($store->base, $store->derived);
		my $timeout = $try > 4 ? 1 : 1 + int(rand($took * 500 / $try));
		ask($session, 'BEGIN') unless $write->{commits};
		ask($session, "SET statement_timeout = '${timeout}ms'");
		ask($session, $write->{call});
		my ($state) = $session->{err} =~ /ERROR:  (\w{5})/;
		$failures++ if defined $state;
		is($state // '57014', '57014', "$write->{name} within $timeout ms");
		ask($session, 'ROLLBACK') unless $write->{commits};
		ask($session, 'RESET statement_timeout');
		is_as_before($session, "$write->{name} within $timeout ms");
		last if $try >= 3 && $failures;
	}
	cmp_ok($failures, '>', 0, "$write->{name}: $failures times out of time");
	end_session($session);
	nothing_is_done($write, "$write->{name} out of time", $base, $derived, @window) unless $write->{commits};
	$store->sql('SELECT ekran_create_store(); CALL ekran_maintain()');
}
$store->goes_on('what was stopped');

# Somebody has a table for himself, and nobody waits for ever. What is done all the same
# is undone, but for maintenance, which changes no answer.
my @calls = (
	(grep { !$_->{prepare} } @writes),
	{ name => 'one activity', call => "INSERT INTO ekran.activity (session_id, activity_date) VALUES (500, '2024-02-04 15:00+00')" },
	{ name => 'a session', call => "INSERT INTO ekran.session VALUES (700000, NULL, NULL, '2024-02-04 15:00+00', NULL)" },
	{ name => 'a logout', call => "UPDATE ekran.session SET logout_date = '2025-02-04 15:00+00' WHERE session_id = 500" },
	{ name => 'less activities', call => 'DELETE FROM ekran.activity WHERE session_id = 500' },
	{ name => 'ekran_refresh()', call => 'SELECT ekran_refresh()' },
	{ name => 'ekran_rebuild()', call => 'SELECT ekran_rebuild()' },
	{ name => 'ekran_maintain()', call => 'CALL ekran_maintain()', commits => 1 },
	{ name => 'ekran_create_store()', call => 'SELECT ekran_create_store()' },
	{ name => 'ekran_check()', call => 'SELECT count(*) FROM ekran_check()' },
	{ name => 'ekran_status()', call => 'SELECT state FROM ekran_status()' },
	{ name => 'ekran_sessions()', call => 'SELECT count(*) FROM ekran_sessions()' },
	{ name => 'ekran_sessions_all()', call => 'SELECT count(*) FROM ekran_sessions_all()' },
	{ name => 'ekran_sessions_json()', call => 'SELECT length(ekran_sessions_json()::text)' },
	{ name => 'ekran_sessions_total_count()', call => 'SELECT ekran_sessions_total_count()' },
	{ name => 'ekran_application_statistics()', call => 'SELECT count(*) FROM ekran_application_statistics()' },
	{ name => 'ekran_user_productivity()', call => 'SELECT count(*) FROM ekran_user_productivity()' },
	{ name => 'session_overview', call => 'SELECT count(session_id) FROM ekran.session_overview WHERE idle_seconds >= 0' });
$store->touch;
my $base = $store->base;
for my $table ('activity', 'session', 'pending', 'session_idle', 'session_count')
{
	my $holder = open_session($node);
	ask($holder, "BEGIN; LOCK TABLE ekran.$table IN ACCESS EXCLUSIVE MODE");
	my $session = open_session($node, '-v', 'VERBOSITY=sqlstate');
	ask($session, "$quiet; SET lock_timeout = '50ms'");
	my %stopped;
	for my $call (@calls)
	{
		ask($session, 'BEGIN') unless $call->{commits};
		ask($session, $call->{call});
		my ($state) = $session->{err} =~ /(?:ERROR|FATAL):  (\w{5})/;
		$stopped{ $call->{name} } = 1 if defined $state;
		is($state // '55P03', '55P03', "$table held: $call->{name} " . ($state // 'done'));
		ask($session, 'ROLLBACK') unless $call->{commits};
	}
	is_as_before($session, "$table held");
	ok($stopped{$_}, "$table held: $_ is stopped")
	  for $table eq 'activity' ? ('one activity', 'ekran_purge()', 'ekran_rebuild()', 'ekran_application_statistics()')
	  : $table eq 'session' ? ('one activity', 'a session', 'ekran_sessions()', 'ekran_sessions_total_count()')
	  : $table eq 'session_count' ? ('a session', 'ekran_maintain()')
	  : ($table eq 'pending' ? 'one activity' : (), 'ekran_refresh()', 'ekran_maintain()', 'ekran_sessions()');
	ask($holder, 'ROLLBACK');
	end_session($holder);
	is($store->base, $base, "$table was held: activities and sessions as before");
	$store->is_exact("$table was held", 'ok', @window);
	is($_->{commits} ? 0 : do { ask($session, 'BEGIN'); ask($session, $_->{call}); ask($session, 'ROLLBACK'); $session->{err} }, $_->{commits} ? 0 : '', "and $_->{name} is done in the same session")
	  for grep { $stopped{ $_->{name} } } @calls;
	end_session($session);
}

# Idle for too long, after any of them.
($base, my $derived) = ($store->base, $store->derived);
for my $write (grep { !$_->{commits} } @calls)
{
	my $session = open_session($node, '-v', 'VERBOSITY=sqlstate');
	ask($session, "$quiet; BEGIN");
	ask($session, $write->{call});
	is($session->{err}, '', "$write->{name} in a transaction");
	ask($session, "SET LOCAL idle_in_transaction_session_timeout = '10ms'");
	# gone, and not just leaving: what is said to who still listens may be lost with what he said
	my $begun = time;
	sleep 0.02 while kill(0, $session->{pid}) && time - $begun < 60;
	ask($session, 'SELECT 1');
	like($session->{err}, qr/FATAL:  25P03/, "$write->{name}, then idle for too long");
	end_session($session);
}
is($store->base, $base, 'activities and sessions as before');
is($store->derived, $derived, 'derived data as before');
$store->is_exact('after transactions that were idle', 'ok');

# Calls that read, out of time, by whatever they are answered: one connection.
my $many = FilledStore->new($node, 'many', 5000);
sql("SELECT ekran_create_store('many')");
$many->fill(40);
$many->sql('CALL ekran_maintain()');
my $session = open_session($node, '-v', 'VERBOSITY=sqlstate');
ask($session, "$quiet; SET ekran_sessions.store = 'many'; SET search_path = many, public; SET work_mem = '128kB'");
for my $threshold ('15min', '20s')
{
	ask($session, "SET ekran_sessions.idle_threshold = '$threshold'");
	for my $call (
		'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_sessions_all() s',
		'SELECT md5(string_agg(s::text, $$,$$)) FROM (SELECT ekran_sessions_all() OFFSET 0) s',
		'SELECT md5(string_agg(s::text, $$,$$)) FROM generate_series(0, 4) p, LATERAL ekran_sessions(page => p) s',
		"SELECT md5(string_agg(ekran_sessions_json(NULL::timestamptz, NULL, 1000, p)::text, ',')) FROM generate_series(0, 4) p",
		'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_application_statistics() s',
		'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_url_statistics() s',
		'SELECT md5(string_agg(s::text, $$,$$)) FROM ekran_user_productivity() s',
		'SELECT md5(string_agg(s::text, $$,$$ ORDER BY session_id)) FROM many.session_overview s',
		'SELECT count(*) FROM ekran_check()')
	{
		my $begun = time;
		my $right = ask($session, $call);
		my ($took, $failures) = (1000 * (time - $begun), 0);
		like($right, qr/^\w+$/, "$call, $threshold") or diag $session->{err};
		for my $try (1 .. 10)
		{
			my $timeout = $try > 6 ? 1 : 1 + int(rand($took / (1 + $try / 2)));
			ask($session, "SET statement_timeout = $timeout");
			my $answer = ask($session, $call);
			my ($state) = $session->{err} =~ /(?:ERROR|FATAL):  (\w{5})/;
			$failures++ if defined $state;
			is($state // $answer, defined $state ? '57014' : $right, "within $timeout ms: " . ($state // 'right'));
			ask($session, 'RESET statement_timeout');
			last if $failures > 1;
		}
		cmp_ok($failures, '>', 0, "$failures times out of time");
		is(ask($session, $call), $right, 'right afterwards');
	}
}
ask($session, 'RESET search_path');
is_as_before($session, 'after all these');
end_session($session);
$many->is_exact('calls that read were stopped', 'ok', @window);

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'the server lives');

done_testing();
