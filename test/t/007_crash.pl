# Crashes: a backend is killed, which takes all others along, or the whole server, in the
# middle of what writes to a store. What was committed is there afterwards and nothing
# else, what is returned is what the raw tables say, and work goes on.
#
# Processes die here, not the machine: what the server has written, the kernel keeps.

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
$node->append_conf('postgresql.conf', "restart_after_crash = on\nmax_prepared_transactions = 10\n");
$node->restart;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(slurp_file("$FindBin::RealBin/../independent_reading.sql"));

my $store = FilledStore->new($node, 'ekran', $SESSIONS);
my @window = "'2024-01-05 03:00+00', '2024-01-08 05:00+00'";

# The ways to die.

sub wait_until_up
{
	my $begun = time;

	until ($node->psql('postgres', 'SELECT 1') == 0)
	{
		die 'the server does not come back' if time - $begun > 60;
		sleep 0.05;
	}
}

# Another backend is seen to be ended, by which the server has noticed.
sub kill_backend
{
	my ($session, $watcher) = @_;

	begin_query($watcher, 'SELECT pg_sleep(60)');
	kill 'KILL', $session->{pid};
	end_query($watcher);
	wait_until_up();
}

sub kill_server
{
	my ($session) = @_;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my @children = map { /^(\d+) \(.*\) \S $postmaster / ? $1 : () } map { eval { slurp_file("$_/stat") } // '' } glob '/proc/[0-9]*';

	$node->kill9;
	kill 'KILL', @children;
	my $begun = time;
	while (grep { kill 0, $_ } $postmaster, @children)
	{
		die 'processes stay' if time - $begun > 60;
		sleep 0.01;
	}
	$node->start;
}

sub stop_at_once
{
	$node->stop('immediate');
	$node->start;
}

my @ways = ([ 'backend killed', \&kill_backend ], [ 'server killed', \&kill_server ], [ 'server stopped at once', \&stop_at_once ]);
my $crashes = 0;

# Runs a statement as often as there are moments, given as parts of the log that it
# writes in all, and crashes then, each time another way.
sub crash_amid
{
	my ($name, %of) = @_;
	my ($of_store, $prepare, $call, $after) = ($of{store} // $store, $of{prepare} // sub { }, $of{call}, $of{after});
	my $set = "SET client_min_messages = warning; SET ekran_sessions.store = '$of_store->{name}';";
	my $does_commit = $call =~ /^CALL/;

	$prepare->();
	my $bytes = wal_of($node, $does_commit ? "$set $call" : "$set BEGIN; $call" . ($call =~ /\n\z/ ? '' : ';') . ' ROLLBACK');
	cmp_ok($bytes, '>', 0, "$name: writes $bytes bytes of log");
	for my $moment (@{ $of{moments} // [ 0.1, 0.7 ] })
	{
		my ($way, $crash) = @{ $ways[ $crashes++ % @ways ] };
		my $is_midway = 0;
		my ($base, $derived);

		# what is over before it can be killed is tried again, somewhat earlier
		for my $try (0 .. 9)
		{
			$prepare->();
			sql('CHECKPOINT') if $crashes % 2;
			($base, $derived) = ($of_store->base, $of_store->derived);
			my $session = open_session($node);
			ask($session, $set);
			$is_midway = midway($node, $session, $does_commit ? $call : "BEGIN; $call", int($bytes * $moment * (1 - $try / 10)), $crash);
			$is_midway &&= !defined((end_query($session), $session->{state})[1]);
			end_session($session);
			last if $is_midway;
		}
		ok($is_midway, "$name at $moment: $way");
		$after->("$name at $moment, $way", $base, $derived);
	}
	return;
}

# One transaction leaves nothing.
sub nothing_is_done
{
	my ($state) = @_;
	return sub {
		my ($what, $base, $derived) = @_;
		is($store->base, $base, "$what: activities and sessions as before");
		is($store->derived, $derived, "$what: derived data as before");
		$store->is_exact($what, $state);
	};
}

$store->fill(40);
$store->sql('CALL ekran_maintain()');

# COPY, while rows come, and while what they touched is noted.
my $rows = join '', map { my $i = $_; map { "$i\t2024-01-05 12:00:00." . sprintf('%03d', $_) . "+00\n" } 1 .. 30 } 1 .. $SESSIONS;
my $copy = 'COPY ekran.activity (session_id, activity_date) FROM STDIN';
crash_amid('COPY',
	call => "$copy;\n$rows\\.\n",
	moments => [ 0.3, 0.97 ],
	prepare => sub { sql("$copy;\n1\t2024-01-05 13:00+00\n\\.\n") },
	after => nothing_is_done('ok'));
$store->goes_on('COPY');

# A fold, of one activity more in each session.
crash_amid('ekran_refresh()',
	call => 'SELECT ekran_refresh()',
	prepare => sub { $store->touch },
	after => nothing_is_done('ok'));
$store->goes_on('ekran_refresh()');

# Folds of more than one transaction takes. What they have committed stays.
crash_amid('ekran_maintain()',
	call => 'CALL ekran_maintain()',
	prepare => sub {
		$store->touch;
		$store->swell;
	},
	after => sub {
		my ($what, $base) = @_;
		is($store->base, $base, "$what: activities and sessions as before");
		$store->is_exact($what, 'ok');
	});
$store->goes_on('ekran_maintain()');

# Made anew, in two transactions.
my $large = FilledStore->new($node, 'large', $SESSIONS);
sql("SELECT ekran_create_store('large')");
$large->fill(300);
my $made = 'SELECT count(session_id) FROM large.session_idle';
crash_amid('ekran_maintain(), made anew',
	store => $large,
	call => 'CALL ekran_maintain()',
	moments => [ 0.3, 0.85 ],
	prepare => sub { sql('TRUNCATE large.session_idle') },
	after => sub {
		my ($what, $base) = @_;
		is($large->base, $base, "$what: activities and sessions as before");
		my $found = sql($made);
		like($found, $what =~ /at 0.3/ ? qr/^0$/ : qr/^(?!0$|$SESSIONS$)\d+$/, "$what: $found sessions of $SESSIONS stay made");
		$large->is_exact($what, 'raw', @window);
		# an activity that comes now is not lost where it goes on
		sql("INSERT INTO large.activity (session_id, activity_date) VALUES (1, '2024-01-06 00:00+00')");
		$large->sql('CALL ekran_maintain()');
		$large->is_exact("$what, called again", 'ok', @window);
	});
sql('DROP SCHEMA large CASCADE');

crash_amid('ekran_rebuild()',
	call => 'SELECT ekran_rebuild()',
	prepare => sub { sql('TRUNCATE ekran.session_idle; TRUNCATE ekran.session_count') },
	after => nothing_is_done('raw'));
$store->goes_on('ekran_rebuild()');

crash_amid('ekran_purge()',
	call => "SELECT ekran_purge('2024-02-01')",
	prepare => sub { $store->fill(40) },
	after => nothing_is_done('ok'));
is(sql("SELECT ekran_purge('2024-01-03')"), sql("SELECT count(*) FROM generate_series(1, $SESSIONS) i WHERE i % 10 > 0 AND i * interval '100 minutes' < interval '40 hours'"),
	'ekran_purge() works');
$store->goes_on('ekran_purge()');

# A new store: all of it or nothing.
my $fresh = FilledStore->new($node, 'fresh', 100);
crash_amid('ekran_create_store()',
	call => "SELECT ekran_create_store('fresh')",
	prepare => sub { sql('SET client_min_messages = warning; DROP SCHEMA IF EXISTS fresh CASCADE') },
	after => sub {
		my ($what) = @_;
		is(sql(<<'SQL'), 0, "$what: nothing of it is there");
SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'fresh')
	+ (SELECT count(*) FROM pg_class WHERE NOT EXISTS (SELECT FROM pg_namespace n WHERE n.oid = relnamespace))
	+ (SELECT count(*) FROM pg_trigger WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = tgrelid))
SQL
		$store->is_exact($what, 'ok', @window);
		sql("SELECT ekran_create_store('fresh')");
		$fresh->fill(5);
		$fresh->goes_on($what);
	});
sql('SET client_min_messages = warning; DROP SCHEMA IF EXISTS fresh CASCADE');

# Completing one.
for my $loss ('TRIGGER ekran_insert ON ekran.activity', 'TABLE ekran.session_idle', 'TABLE ekran.session_count')
{
	crash_amid("ekran_create_store() after DROP $loss",
		call => 'SELECT ekran_create_store()',
		moments => [ 0.1, 0.7 ],
		prepare => sub { sql("DROP $loss") if sql('SELECT state FROM ekran_status()') ne 'broken' },
		after => nothing_is_done('broken'));
	sql('SELECT ekran_create_store()');
	$store->is_exact("completed after DROP $loss", 'ok');
	$store->goes_on("completed after DROP $loss");
}

# Transactions that are prepared hold what they have written, and noted, through a crash.
# Until they end, who would fold what they are folding leaves it to them.
sub prepare_transaction
{
	my ($name, $sql) = @_;
	sql("BEGIN; $sql; PREPARE TRANSACTION '$name'");
}
my $new_session = "INSERT INTO ekran.session VALUES (%d, NULL, NULL, '2024-01-06 12:00+00', NULL)";
my $new_activity = "INSERT INTO ekran.activity (session_id, activity_date) SELECT %d, '2024-01-06 12:00+00'::timestamptz + i * interval '4 minutes' FROM generate_series(1, 7) i";
for my $end ('COMMIT', 'ROLLBACK')
{
	my $id = $end eq 'COMMIT' ? 800_001 : 800_002;
	my $before = $store->base;

	prepare_transaction('session', sprintf("$new_session; $new_activity", $id, $id));
	prepare_transaction('activity', sprintf("$new_activity; UPDATE ekran.session SET logout_date = '2024-02-06' WHERE session_id = 211", 211));
	prepare_transaction('less', 'DELETE FROM ekran.session WHERE session_id = 221; DELETE FROM ekran.activity WHERE session_id = 231');
	prepare_transaction('fold', sprintf("$new_activity; SELECT ekran_refresh()", 241));
	prepare_transaction('store', "SELECT ekran_create_store(lower('held_to_$end'))");
	kill_server();
	is(sql('SELECT count(*) FROM pg_prepared_xacts'), 5, "prepared transactions are there, to $end");
	is($store->base, $before, 'what they hold is not seen');
	my $seen = sql(<<'SQL');
LOAD 'ekran_sessions';
SET search_path = ekran, public;
SELECT * FROM independent.differences('2024-01-05 03:00+00', '2024-01-08 05:00+00', 700);
SELECT state FROM ekran_status();
SELECT * FROM ekran_check();
SQL
	like($seen, qr/^\d+\|0\|0\|0\|0\nok$/, 'exact meanwhile');
	my ($status, undef, $err) = $node->psql('postgres', 'CALL ekran_maintain()');
	like($err, qr/some sessions were being folded by others, and left to them/, 'maintained meanwhile');
	($status, undef, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSET lock_timeout = '200ms'; SELECT ekran_rebuild()");
	like($err, qr/ERROR:  55P03/, 'ekran_rebuild() waits for who folds');
	($status, undef, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSET lock_timeout = '200ms'; SELECT ekran_purge('2024-02-01')");
	like($err, qr/ERROR:  55P03/, 'ekran_purge() waits for who adds to a session');
	sql(sprintf($new_activity, 41));
	$before = $store->base;
	# those that hold what folds lock first
	for my $name ('store', 'fold', 'less', 'session', 'activity')
	{
		sql("$end PREPARED '$name'");
		stop_at_once() if $name eq 'less';
		$store->is_exact("$end PREPARED $name", 'ok', @window) unless $name eq 'store';
	}
	is($store->base eq $before ? 'ROLLBACK' : 'COMMIT', $end, 'what they held is seen as they ended');
	is(sql("SELECT count(*) FROM ekran_sessions_all() WHERE session_id = $id AND logout_date = '2024-01-06 12:28+00'"),
		$end eq 'COMMIT' ? 1 : 0, 'a session of theirs');
	is(sql("SELECT count(*) FROM pg_namespace WHERE nspname = lower('held_to_$end')"), $end eq 'COMMIT' ? 1 : 0, 'a store of theirs');
	$store->goes_on("after $end PREPARED");
}
my $held = FilledStore->new($node, 'held_to_commit', 100);
$held->fill(5);
$held->goes_on('a store that was held');
sql('SET client_min_messages = warning; DROP SCHEMA held_to_commit CASCADE');

# Derived tables that are not logged are empty after a crash. What can't be noted there
# is refused while they are.
my %refused = (
	pending => [ sprintf($new_activity, 50), 'UPDATE ekran.session SET logout_date = login_date + interval \'9 hours\' WHERE session_id = 60', 'DELETE FROM ekran.session WHERE session_id = 52' ],
	session_idle => [ sprintf($new_activity, 50), 'DELETE FROM ekran.session WHERE session_id = 52' ],
	session_count => [ sprintf($new_session, 800_003), 'DELETE FROM ekran.session WHERE session_id = 52' ]);
for my $table (sort keys %refused)
{
	for my $way (@ways[ 0, 1 ])
	{
		my ($how, $crash) = @$way;
		my $what = "$table not logged, $how";

		# something is pending, of gaps and of counts
		$store->touch;
		sql("DELETE FROM ekran.session WHERE session_id = $SESSIONS + 1");
		sql("ALTER TABLE ekran.$table SET UNLOGGED");
		my $before = $store->base;
		for my $statement (@{ $refused{$table} })
		{
			my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$statement");
			is($err, 'psql:<stdin>:2: ERROR:  55000', "$table not logged: refused, $statement");
		}
		$store->is_exact("$table not logged", 'broken', @window);
		sql('CHECKPOINT') if $how =~ /backend/;
		my ($session, $watcher) = (open_session($node), open_session($node));
		$crash->($session, $watcher);
		end_session($_) for $session, $watcher;
		is(sql("SELECT count(*) FROM ekran.$table"), 0, "$what: empty");
		is($store->base, $before, "$what: activities and sessions as before");
		$store->is_exact($what, 'broken', @window);
		sql("ALTER TABLE ekran.$table SET LOGGED");
		$store->is_exact("$what, logged again", 'raw', @window);
		# raw, it is written to
		sql(sprintf($new_activity, 60));
		sql('SELECT ekran_create_store()') if $how =~ /backend/;
		$store->sql('CALL ekran_maintain()');
		$store->is_exact("$what, maintained", 'ok');
		$store->goes_on($what);
	}
}

# So are activities: what is derived of them tells of none then, or is not trusted.
for my $has_pending (0, 1)
{
	my $what = 'activity not logged, ' . ($has_pending ? 'pending' : 'folded');

	$store->fill(40);
	$store->sql('CALL ekran_maintain()');
	$store->touch if $has_pending;
	sql('ALTER TABLE ekran.activity SET UNLOGGED');
	kill_server();
	is(sql('SELECT count(*) FROM ekran.activity'), 0, "$what: empty");
	$store->is_exact($what, 'broken', @window);
	sql('ALTER TABLE ekran.activity SET LOGGED');
	$store->is_exact("$what, logged again", 'ok', @window);
	sql(sprintf($new_activity, 70));
	$store->is_exact("$what, with a row", 'raw');
	$store->goes_on($what);
	sql('TRUNCATE ekran.session, ekran.activity');
}

# And so are sessions, whose activities stay. Those that come again with the same ids need
# not be as they were: finished ones run.
for my $is_maintained (0, 1)
{
	my $what = 'session not logged, ' . ($is_maintained ? 'maintained' : 'raw');

	$store->fill(40);
	$store->sql('CALL ekran_maintain()');
	sql('DROP TABLE IF EXISTS saved; CREATE TABLE saved AS TABLE ekran.session; ALTER TABLE ekran.session SET UNLOGGED');
	kill_server();
	$store->{has_orphans} = 1;
	is(sql('SELECT count(*) FROM ekran.session'), 0, "$what: empty");
	$store->is_exact($what, 'broken', @window);
	sql('ALTER TABLE ekran.session SET LOGGED');
	$store->is_exact("$what, logged again", 'raw', @window);
	sql(sprintf($new_session, 800_004));
	$store->is_exact("$what, with a row", 'raw', @window);
	$store->sql('CALL ekran_maintain()') if $is_maintained;
	$store->is_exact("$what, with a row", $is_maintained ? 'ok' : 'raw', @window);
	delete $store->{has_orphans};
	sql('INSERT INTO ekran.session SELECT session_id, client_guid, user_id, login_date, NULL FROM saved');
	$store->is_exact("$what, come again", $is_maintained ? 'ok' : 'raw');
	$store->goes_on($what);
	sql('TRUNCATE ekran.session, ekran.activity');
}

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal (?!9:)/, 'nothing died but by our hand');

done_testing();
