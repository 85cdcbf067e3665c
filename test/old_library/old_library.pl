# Connections that hold the library of an older version beside those that hold this
# tree's, while an upgrade goes on and after it, and on the way back: what they are told
# is exact, or they fail clearly. script/test-old-library builds what this needs.

use strict;
use warnings;
use FindBin;
use IPC::Run qw(start timer);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my ($old_tree, $new_tree, $server) = @ENV{qw(EKRAN_OLD_TREE EKRAN_NEW_TREE EKRAN_SERVER)};
plan skip_all => 'script/test-old-library runs this' unless defined $server;

sub version_of
{
	my ($tree) = @_;
	return (slurp_file("$tree/ekran_sessions.control") =~ /default_version = '(.*)'/)[0];
}
my ($old, $new) = map { version_of($_) } $old_tree, $new_tree;
my @stores = qw(ekran ekran_parts);
# Do stores of the old version have the guards, whose lack is known?
my $old_is_guarded = -e "$old_tree/src/replicating.c";
# And does it make them?
my $old_makes_guards = slurp_file("$old_tree/ekran_sessions--$old.sql") =~ /ekran_derived_written/;
$ENV{PGOPTIONS} = '-c jit=off -c client_min_messages=warning -c timezone=UTC';
$ENV{PG_TEST_TIMEOUT_DEFAULT} //= 60;

# Files of a version, in the place of another's: as install does it, the library is a
# new file, and who has loaded the other one keeps that.
sub install
{
	my ($tree) = @_;
	system_or_bail("make --silent -C $tree PG_CONFIG=$server/bin/pg_config install >/dev/null");
}

sub new_cluster
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $server);
	$node->init(extra => [ '--no-locale', '--encoding', 'UTF8' ]);
	$node->append_conf('postgresql.conf', join "\n", 'log_statement = none', 'wal_level = replica', @settings, '');
	$node->start;
	return $node;
}

sub make_stores
{
	my ($node, $version, $database) = @_;
	my ($status, undef, $err) = $node->psql($database // 'postgres', '',
		extra_params => [ '-v', "version=$version", '-f', "$FindBin::RealBin/store.sql" ]);
	is($status, 0, $node->name . ": stores of $version") or BAIL_OUT $err;
}

# Connections that stay.  say() returns what a query returns, then "ERROR code: text".
sub connect_to
{
	my ($node, $name, $role, $database) = @_;
	my $c = { name => $name, in => '', out => '', err => '', timer => timer(180), store => 'ekran' };
	$c->{run} = start([ "$server/bin/psql", '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($database // 'postgres') . ($role ? " user=$role" : '') ],
		'<', \$c->{in}, '>', \$c->{out}, '2>', \$c->{err}, $c->{timer});
	$c->{pid} = say_to($c, 'SELECT pg_backend_pid()');
	say_to($c, 'SET search_path = ekran, public');
	return $c;
}

sub send_to
{
	my ($c, $sql) = @_;
	# After the data of a COPY comes no semicolon.
	$c->{in} .= $sql . ($sql =~ m{\n\z} ? "" : ";\n") . "\\echo (end)\n\\warn (end)\n";
	$c->{timer}->start;
	$c->{run}->pump_nb;
}

sub answer_of
{
	my ($c) = @_;
	eval { $c->{run}->pump until $c->{out} =~ /^\(end\)$/m && $c->{err} =~ /^\(end\)$/m; 1 }
	  or return "LOST $@: $c->{out} $c->{err}";
	my ($said, $err) = map { s/^\(end\)\n//mr } $c->{out}, $c->{err};
	$c->{out} = $c->{err} = '';
	$said .= "ERROR $1: $2\n" while $err =~ /ERROR:  (\w{5}): (.*)/g;
	chomp $said;
	return $said;
}

sub say_to
{
	my ($c, $sql) = @_;
	send_to($c, $sql);
	return answer_of($c);
}

sub disconnect
{
	my ($c) = @_;
	$c->{in} .= "\\q\n";
	$c->{run}->finish;
}

sub use_store
{
	my ($store, @connections) = @_;
	say_to($_, "SET ekran_sessions.store = '$store'; SET search_path = $store, public") for @connections;
}

# Does a backend hold a library whose file is no more?  Where that can be seen.
sub holds_old
{
	my ($c) = @_;
	my $maps = -r "/proc/$c->{pid}/maps" ? slurp_file("/proc/$c->{pid}/maps") : return 'unknown';
	return $maps =~ /ekran_sessions\.so \(deleted\)/ ? 'old' : $maps =~ /ekran_sessions\.so/ ? 'new' : 'none';
}

sub is_held
{
	my ($which, $title, @connections) = @_;
	is(join(' ', map { holds_old($_) =~ s/unknown/$which/r } @connections), join(' ', ($which) x @connections), $title);
}

# A store of a newer format the old library reads from its activities, and keeps nothing;
# what a partition's trigger calls for updated rows it doesn't have.
my $left_alone = qr/^(?:\n?ERROR 55000: store "\w+" is broken: the derived tables are of another version of ekran_sessions)+$/;

sub leaves_alone
{
	my ($c, $said) = @_;
	return !$old_is_guarded && $c->{name} =~ /^A\./ &&
	  ($said =~ $left_alone || $said =~ /^ERROR 42883: could not find function "ekran_activity_replicated" in file "[^"]*"$/);
}

# Every connection given is told what the rules say, and ekran_check() by an owner's
# finds nothing.
sub is_exact
{
	my ($title, @connections) = @_;
	my @wrong;
	$title =~ s/\n.*//s;
	for my $c (@connections)
	{
		my $said = say_to($c, 'SELECT testing.compared()');
		push @wrong, "$c->{name} compares: $said" if $said ne 'exact';
		next unless $c->{checks};
		$said = say_to($c, 'SELECT * FROM ekran_check()');
		push @wrong, "$c->{name} checks: $said" if $said ne '' && !leaves_alone($c, $said);
	}
	ok(!@wrong, "$title: exact") or diag join "\n", map { substr $_, 0, 400 } @wrong;
	return !@wrong;
}

# What a connection says is as expected.
sub says
{
	my ($c, $sql, $expected, $title) = @_;
	my $said = say_to($c, $sql);
	ref $expected ? like($said, $expected, "$title: $c->{name}") : is($said, $expected, "$title: $c->{name}");
}

# Everything that is written, and by whom: an agent or the owner.
my @work = (
	[ agent => 'a session and its activities', q{INSERT INTO session (session_id, user_id, login_date) VALUES (:id, 3, '2024-01-01 10:00'); INSERT INTO activity (session_id, activity_date, application) SELECT :id, '2024-01-01 10:00'::timestamptz + i * i * interval '3 min', 'x' FROM generate_series(1, 10) i} ],
	[ agent => 'COPY', qq{COPY activity (session_id, activity_date) FROM stdin;\n:id\t2024-01-01 21:00:00\n:id\t2024-01-01 21:40:00\n1\t2024-01-01 03:33:00\n\\.\n} ],
	[ agent => 'COPY of sessions', qq{COPY session (session_id, login_date) FROM stdin;\n100:id\t2024-01-01 05:00:00\n\\.\n} ],
	[ agent => 'activities moved', q{UPDATE activity SET activity_date = activity_date + interval '37 min' WHERE session_id % 7 = :id % 7} ],
	[ agent => 'activities moved to another day', q{UPDATE activity SET activity_date = activity_date + interval '1 day' WHERE session_id % 10 = :id % 10 AND activity_id % 3 = 0} ],
	[ agent => 'to another session', q{UPDATE activity SET session_id = :id WHERE session_id % 13 = 4 AND activity_id % 5 = 0} ],
	[ agent => 'activities deleted', q{DELETE FROM activity WHERE activity_id % 19 = :id % 19} ],
	[ agent => 'closed', q{UPDATE session SET logout_date = login_date + interval '5 hours' WHERE session_id % 10 = 5} ],
	[ agent => 'reopened', q{UPDATE session SET logout_date = NULL WHERE session_id % 20 = 5} ],
	[ agent => 'login changed', q{UPDATE session SET login_date = login_date - interval '25 hours' WHERE session_id % 20 = :id % 20; UPDATE session SET login_date = login_date + interval '25 hours' WHERE session_id % 20 = :id % 20 AND session_id % 3 > 0} ],
	[ agent => 'a savepoint taken back', q{BEGIN; INSERT INTO session (session_id, login_date) VALUES (300:id, '2024-01-01'); SAVEPOINT s; INSERT INTO activity (session_id, activity_date) VALUES (300:id, '2024-01-01 04:00'); ROLLBACK TO s; COMMIT} ],
	[ owner => 'refreshed', 'SELECT count(*) FROM (SELECT ekran_refresh()) r' ],
	[ agent => 'sessions deleted', q{DELETE FROM session WHERE session_id % 17 = :id % 17} ],
	[ agent => 'merged', q{MERGE INTO session USING (VALUES (:id), (400:id)) v (id) ON session_id = id WHEN MATCHED THEN UPDATE SET logout_date = '2024-01-01 22:00' WHEN NOT MATCHED THEN INSERT (session_id, login_date) VALUES (id, '2024-01-01 20:00')} ],
	[ owner => 'maintained', 'CALL ekran_maintain()' ],
	[ owner => 'closed for silence', q{SELECT 1 FROM ekran_close_sessions('2 hours', '2024-01-01 23:00') LIMIT 1} ],
	[ owner => 'rebuilt', 'SELECT count(*) FROM (SELECT ekran_rebuild()) r' ],
	[ owner => 'purged', q{SELECT count(*) FROM (SELECT ekran_purge('2024-01-01 04:00')) p} ],
	[ owner => 'emptied and filled', 'TRUNCATE session, activity; CALL ekran.fill()' ],
	[ owner => 'maintained again', 'CALL ekran_maintain()' ],
);

# Does all of it by each connection in turn; both sides are told what is exact after it.
my $id = 1000;
sub work
{
	my ($title, $a, $b) = @_;
	for my $store (@stores)
	{
		use_store($store, map { values %$_ } $a, $b);
		for my $side ($a, $b)
		{
			$id++;
			# what B has appended, A folds, and the other way round
			for (@work)
			{
				my ($who, $what, $sql) = @$_;
				my $name = "$title: $store, $what by $side->{$who}{name}";
				my $said = say_to($side->{$who}, $sql =~ s/:id/$id/gr);
				unlike($said, qr/ERROR|LOST/, $name) if $said =~ /ERROR|LOST/ && !leaves_alone($side->{$who}, $said);
				is_exact($name, $a->{reader}, $b->{reader}, $a->{owner}, $b->{owner});
			}
			says($side->{agent}, "INSERT INTO activity (session_id, activity_date) VALUES (-1, '2024-01-01')", qr/^ERROR 23503/, "$title: $store, no activity without a session");
		}
		for my $c ($a->{owner}, $b->{owner})
		{
			says($c, 'SELECT state, answered_by, counted_by FROM ekran_status()', $c == $a->{owner} ? qr/^(?:ok\|index\|session_count|broken\|activity\|session)$/ : 'ok|index|session_count', "$title: $store: the state");
		}
	}
	use_store('ekran', map { values %$_ } $a, $b);
}

sub connect_side
{
	my ($node, $name) = @_;
	my %side = (agent => connect_to($node, "$name.agent", 'ekran_agent'), owner => connect_to($node, "$name.owner", 'ekran_keeper'),
		reader => connect_to($node, "$name.reader", 'ekran_reader'), super => connect_to($node, "$name.super"));
	say_to($side{owner}, 'SET ROLE ekran_owner');
	$side{owner}{checks} = $side{super}{checks} = 1;
	# the library is loaded
	say_to($_, 'SELECT ekran_sessions_total_count(); PREPARE told AS SELECT testing.told(NULL, NULL) = testing.right(NULL, NULL)') for values %side;
	return \%side;
}

# Guards call functions that an old library doesn't have.
my $lacks = qr/^ERROR 42883: could not find function "ekran_\w+" in file "[^"]*ekran_sessions\.so"$/;

sub is_alive
{
	my ($node, $title) = @_;
	my $log = slurp_file($node->logfile);
	unlike($log, qr/PANIC|terminated by signal|was terminated|TRAP|server process .* exited with exit code [^01]/, "$title: no crash");
	unlike($log, qr/inexact|internal_error|XX000/, "$title: no internal error");
}

#
# An upgrade, step by step.
#
install($old_tree);
my $node = new_cluster('upgraded', 'max_connections = 60');
note "from $old to $new, " . $node->safe_psql('postgres', 'SHOW server_version');
make_stores($node, $old);
my $A = connect_side($node, 'A');
is_held('new', 'A holds the library', values %$A);
is_exact('before', @$A{qw(reader owner super)});

# Eight that were connected before and keep writing, and telling of what they read.
my $script = "$PostgreSQL::Test::Utils::tmp_check/writer.sql";
append_to_file($script, <<'SQL');
\set id random(1, 120)
\set minute random(1, 900)
\set way random(1, 20)
\if :way <= 9
INSERT INTO ekran.activity (session_id, activity_date) SELECT session_id, login_date + :minute * interval '1 min' FROM ekran.session WHERE session_id = :id;
\elif :way <= 11
UPDATE ekran.activity SET activity_date = activity_date + interval '7 min' WHERE activity_id = (SELECT max(activity_id) FROM ekran.activity WHERE session_id = :id);
\elif :way <= 13
DELETE FROM ekran.activity WHERE session_id = :id AND activity_id % 40 = :minute % 40;
\elif :way <= 15
UPDATE ekran.session SET logout_date = CASE WHEN logout_date IS NULL THEN login_date + interval '10 hours' END WHERE session_id = :id;
\elif :way <= 16
INSERT INTO ekran.session (session_id, login_date) SELECT 100000 + nextval('testing.ids'), timestamptz '2024-01-01' + :minute * interval '1 min';
\elif :way <= 17
DELETE FROM ekran.session WHERE session_id = (SELECT max(session_id) FROM ekran.session WHERE session_id > 100000 AND session_id % 8 = :client_id);
\elif :way <= 18
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT testing.must_be_exact();
SELECT testing.must_be_exact();
COMMIT;
\else
SELECT testing.must_be_exact();
\endif
SQL
$node->safe_psql('postgres', 'CREATE SEQUENCE testing.ids; GRANT USAGE ON testing.ids TO PUBLIC');

sub start_load
{
	my ($seconds) = @_;
	my $load = { out => '', err => '' };
	local $ENV{PGOPTIONS} = "$ENV{PGOPTIONS} -c search_path=ekran,public";
	$load->{run} = start([ "$server/bin/pgbench", '-n', '-c', 8, '-j', 2, '-T', $seconds, '--rate', 60, '--max-tries', 10, '-f', $script,
			'dbname=postgres application_name=load user=ekran_agent host=' . $node->host . ' port=' . $node->port ], '<', \undef, '>', \$load->{out}, '2>', \$load->{err});
	$node->poll_query_until('postgres', "SELECT count(*) = 8 FROM pg_stat_activity WHERE application_name = 'load'") or die "no load: $load->{out} $load->{err}";
	my $holding = 0;
	for (1 .. 600)
	{
		$holding = grep { holds_old($_) eq 'none' } load_pids() and sleep 0.1 or last;
	}
	is($holding, 0, 'the load has loaded the library');
	return $load;
}

sub load_pids
{
	return map { { pid => $_ } } split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'load'");
}

sub end_load
{
	my ($load, $title) = @_;
	my $has_run = $load->{run}->finish;
	my ($transactions, $failed) = (map { $_ // 0 } $load->{out} =~ /actually processed: (\d+)/, $load->{out} =~ /failed transactions: (\d+)/);
	ok($has_run, "$title: nobody failed");
	cmp_ok($transactions, '>', 200, "$title: transactions");
	is($failed, 0, "$title: none was given up");
	is($load->{err} =~ /^pgbench: error.*/m ? $& : '', '', "$title: and had no error") or diag $load->{err};
}

# With the old library, while everything is replaced under them.
my $load = start_load(25);

# Snapshots and cursors that are older than what comes, which hold no lock, or one.
sub take_snapshot
{
	my ($name) = @_;
	my $c = connect_to($node, $name, 'ekran_reader');
	say_to($c, 'SELECT ekran_sessions_total_count(); BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	return $c;
}
my @snapshots = (take_snapshot('a snapshot of the old files'));

install($new_tree);
is_held('old', 'new files: A holds the old library', values %$A);
is_held('old', 'new files: so does the load', load_pids());
my $B = connect_side($node, 'B');
is_held('new', 'new files: B holds the new one', values %$B);
is_exact('new files', map { @$_{qw(reader owner super)} } $A, $B);
work('new files', $A, $B) if !$ENV{EKRAN_TEST_QUICK};
push @snapshots, take_snapshot('a snapshot of the new files');

says($A->{super}, 'ALTER EXTENSION ekran_sessions UPDATE', $lacks, 'who holds the old library updates nothing') if !$old_is_guarded;
says($B->{super}, 'ALTER EXTENSION ekran_sessions UPDATE', '', 'who holds the new one does');
is($node->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'ekran_sessions'"), $new, 'updated');
is_exact('updated', map { @$_{qw(reader owner super)} } $A, $B);
end_load($load, 'a load while files and extension are replaced');
work('updated', $A, $B) if !$ENV{EKRAN_TEST_QUICK};

# The stores are completed. A cursor of A's keeps that waiting, and is right to its end.
$load = start_load(25);
push @snapshots, take_snapshot('a snapshot of the updated extension');
my $prepare = 'EXECUTE told';
says($_->{reader}, $prepare, 't', 'prepared') for $A, $B;
is(say_to($A->{reader}, 'BEGIN; DECLARE c CURSOR FOR SELECT (ekran_sessions_all()).session_id; FETCH 3 FROM c') =~ tr/\n//, 2, 'a cursor is open')
  if $old ne '1.0';
send_to($B->{owner}, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')");
sleep 1;
if ($old ne '1.0')
{
	unlike(say_to($A->{reader}, 'FETCH ALL FROM c'), qr/ERROR|LOST/, 'the cursor goes on');
	says($A->{reader}, 'SELECT testing.compared()', 'exact', 'amid the waiting');
	say_to($A->{reader}, 'COMMIT');
}
is(answer_of($B->{owner}), "\n", 'the stores are completed');
my $generations = q{SELECT string_agg(left(encode(tgargs, 'escape'), 2), ' ' ORDER BY tgrelid::regclass::text) FROM pg_trigger WHERE tgname = 'ekran_begin'};
is($node->safe_psql('postgres', $generations), '2- 2- 2- 2-', 'and guarded');
is_exact('completed', map { @$_{qw(reader owner super)} } $A, $B);
says($_->{reader}, $prepare, 't', 'prepared before') for $A, $B;
# (a TRUNCATE empties tables under older snapshots too)
says($_, 'SELECT testing.compared()', qr/^(?:exact|nothing there)$/, 'completed: as of before') for @snapshots;
for my $c (@snapshots)
{
	say_to($c, 'COMMIT');
	says($c, 'SELECT testing.compared()', 'exact', 'completed: and after it');
	disconnect($c);
}

# A completes it once more, and maintains it.
for my $c ($A->{owner}, $A->{super}, $B->{owner}, $A->{owner})
{
	says($c, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')", "\n", 'completed again');
	is_exact("completed again by $c->{name}", map { @$_{qw(reader owner)} } $A, $B);
	says($A->{owner}, 'SELECT state, answered_by FROM ekran_status()', qr/^(?:ok\|index|broken\|activity)$/, "completed again by $c->{name}");
	says($B->{owner}, 'SELECT state, answered_by FROM ekran_status()', 'ok|index', "completed again by $c->{name}");
	says($A->{owner}, 'CALL ekran_maintain()', qr/^$|$left_alone/, "maintained");
	says($B->{owner}, 'CALL ekran_maintain()', '', "maintained");
}
end_load($load, 'a load while stores are completed');
says($B->{owner}, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')", "\n", 'completed again');
is($node->safe_psql('postgres', $generations), '2- 2- 2- 2-', 'guarded again');
work('completed', $A, $B);

# Queries with parallel workers, which load the files that are there now.
for my $c ($A->{reader}, $B->{reader})
{
	say_to($c, 'SET force_parallel_mode = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0');
	says($c, 'SELECT count(*) > 1000 FROM activity', 't', 'with parallel workers');
	is_exact('with parallel workers', $c);
	say_to($c, 'RESET force_parallel_mode');
}

# The views of a store, whose functions the oldest libraries lack.
for my $store (@stores)
{
	my $differing = "SELECT count(*) FROM session_overview o FULL JOIN ekran_sessions() s USING (session_id)
		WHERE (o.idle_seconds = extract(epoch FROM s.idle_time)) IS NOT TRUE OR (o.active_seconds = extract(epoch FROM s.productivity_time)) IS NOT TRUE";
	use_store($store, map { $_->{owner} } $A, $B);
	says($_->{owner}, $differing, $_ == $A && $old =~ /^1\.[01]$/ ? $lacks : 0, "$store: views") for $A, $B;
}
use_store('ekran', map { $_->{owner} } $A, $B);

# What guards see, the old library has no functions for.
if (!$old_is_guarded)
{
	for my $store (@stores)
	{
		use_store($store, map { values %$_ } $A, $B);
		for my $derived (qw(session_idle pending session_count))
		{
			for my $sql ("INSERT INTO $derived SELECT * FROM $derived LIMIT 1", "UPDATE $derived SET generation = generation",
				"DELETE FROM $derived", "COPY $derived FROM stdin;\n\\.\n")
			{
				says($A->{owner}, $sql, $lacks, "$store: written to a derived table");
			}
		}
		is_exact("$store: written to derived tables", map { @$_{qw(reader owner super)} } $A, $B);

		# In that role, rows of activity are refused to A; what is none of them is noted.
		say_to($_->{super}, 'SET session_replication_role = replica') for $A, $B;
		for my $sql ("INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01 03:00')", "UPDATE activity SET activity_date = activity_date + interval '1 min' WHERE session_id = 1",
			"DELETE FROM activity WHERE session_id = 1", "COPY activity (session_id, activity_date) FROM stdin;\n1\t2024-01-01 03:00\n\\.\n")
		{
			says($A->{super}, $sql, $lacks, "$store: replica");
			is_exact("$store: replica: $sql", map { @$_{qw(reader owner super)} } $A, $B);
		}
		for my $side ($A, $B)
		{
			for my $sql ("INSERT INTO session (session_id, login_date) VALUES (7001, '2024-01-01 03:00')", "UPDATE session SET logout_date = login_date + interval '99 min' WHERE session_id % 3 = 0",
				"UPDATE session SET session_id = 7002 WHERE session_id = 7001", "DELETE FROM session WHERE session_id = 7002", 'SELECT ekran_refresh() IS NOT NULL')
			{
				my $said = say_to($side->{super}, $sql);
				unlike($said, qr/ERROR|LOST/, "$store: replica: $sql by $side->{super}{name}") if !leaves_alone($side->{super}, $said);
				is_exact("$store: replica: $sql by $side->{super}{name}", map { @$_{qw(reader owner super)} } $A, $B);
			}
		}
		unlike(say_to($B->{super}, "INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01 03:00')"), qr/ERROR|LOST/, "$store: replica: by B.super");
		is_exact("$store: replica, by B", map { @$_{qw(reader owner super)} } $A, $B);
		say_to($_->{super}, 'RESET session_replication_role') for $A, $B;

		# Emptied by A, which no trigger sees.
		say_to($A->{owner}, 'TRUNCATE pending');
		is_exact("$store: a derived table is emptied", map { @$_{qw(reader owner super)} } $A, $B);
		say_to($B->{owner}, 'CALL ekran_maintain()');
		# What B writes to them, A trusts no more.
		say_to($B->{owner}, 'DELETE FROM session_idle');
		is_exact("$store: B writes to a derived table", map { @$_{qw(reader super)} } $A, $B);
		says($A->{owner}, 'SELECT state FROM ekran_status()', 'broken', "$store: B writes to a derived table");
		says($B->{owner}, 'SELECT state FROM ekran_status()', 'raw', "$store: B writes to a derived table");
		say_to($B->{owner}, 'CALL ekran_maintain()');
		is_exact("$store: and B maintains it", map { @$_{qw(reader owner super)} } $A, $B);
		says($B->{owner}, 'SELECT state FROM ekran_status()', 'ok', "$store: and B maintains it");
	}
	use_store('ekran', map { values %$_ } $A, $B);
}

# All triggers disabled for a load, and enabled: the old library reads activities anyway.
# It makes triggers of its own when it completes the store, and all anew.
my $load_unseen = join '; ', (map { "ALTER TABLE $_ DISABLE TRIGGER ALL" } qw(activity session)),
  "INSERT INTO session (session_id, login_date) VALUES (8000, '2024-01-01 10:00')", map { "ALTER TABLE $_ ENABLE TRIGGER ALL" } qw(activity session);
say_to($B->{super}, $load_unseen);
is_exact('all triggers disabled and enabled', $A->{reader}, $B->{reader});
says($A->{owner}, 'SELECT ekran_create_store()', '', 'all triggers disabled and enabled: completed');
says($B->{owner}, 'SELECT state FROM ekran_status()', $old_is_guarded && !$old_makes_guards ? 'broken' : 'ok', 'all triggers disabled and enabled: completed by A');
says($B->{owner}, 'SELECT ekran_create_store()', '', 'all triggers disabled and enabled: completed');
is_exact('all triggers disabled and enabled, completed by B', map { @$_{qw(reader owner super)} } $A, $B);

# A trigger is missing, and A makes all of them: as the old version does.
for my $store (@stores)
{
	use_store($store, map { values %$_ } $A, $B);
	say_to($B->{owner}, 'DROP TRIGGER ekran_update ON activity');
	says($_->{agent}, "INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01 03:01')", qr/^ERROR 55000/, "$store: a trigger is missing") for $A, $B;
	is_exact("$store: a trigger is missing", map { @$_{qw(reader)} } $A, $B);
	says($A->{owner}, "SELECT ekran_create_store('$store')", '', "$store: a trigger is missing, and made");
	is_exact("$store: made by A", map { @$_{qw(reader owner super)} } $A, $B);
}
work('made by A', $A, $B);
says($B->{owner}, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')", "\n", 'made by A, completed');
is($node->safe_psql('postgres', $generations), '2- 2- 2- 2-', 'made by A, completed: guarded');
work('made by A, completed', $A, $B) if !$ENV{EKRAN_TEST_QUICK};
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT relreplident::text, ' ') FROM pg_class WHERE relname IN ('session_idle', 'pending', 'session_count') AND relkind = 'r'"), 'n', 'completed by B: nothing of derived tables is sent');

# A store that A makes, without guards.
$node->safe_psql('postgres', 'CREATE SCHEMA ekran_more AUTHORIZATION ekran_owner; GRANT USAGE ON SCHEMA ekran_more TO PUBLIC');
says($A->{owner}, "SELECT ekran_create_store('ekran_more')", '', 'another store');
say_to($A->{owner}, 'GRANT SELECT ON ALL TABLES IN SCHEMA ekran_more TO PUBLIC');
use_store('ekran_more', map { values %$_ } $A, $B);
say_to($B->{owner}, 'CALL ekran.fill()');
is_exact('another store', map { @$_{qw(reader owner super)} } $A, $B);
says($B->{owner}, "SELECT ekran_create_store('ekran_more')", '', 'another store, completed');
is_exact('another store, completed', map { @$_{qw(reader owner super)} } $A, $B);
use_store('ekran', map { values %$_ } $A, $B);
is_held('old', 'A holds the old library to the end', values %$A);
is_held('new', 'B holds the new one', values %$B);

#
# The way back: the extension goes, the stores stay.
#
my $dump = "$PostgreSQL::Test::Utils::tmp_check/new.dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'back: a dump before it');
disconnect($_) for values %$B;
$node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION ekran_sessions CASCADE');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'ekran%'"), 0, 'back: no trigger is left');
say_to($A->{agent}, "INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2024-01-01 04:44')");
install($old_tree);
$node->safe_psql('postgres', "CREATE EXTENSION ekran_sessions VERSION '$old'");
for my $round ('before it is completed', 'completed')
{
	$B = connect_side($node, 'C');
	if ($round eq 'completed')
	{
		says($B->{owner}, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')", "\n", "back: $round");
		is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT relreplident::text, ' ') FROM pg_class WHERE relname IN ('session_idle', 'pending', 'session_count') AND relkind = 'r' AND relnamespace <> 'ekran_more'::regnamespace"), 'f', 'back: derived tables are the old ones') if !$old_is_guarded;
		work("back: $round", $A, $B);
	}
	is_exact("back: $round", map { @$_{qw(reader)} } $A, $B);
	disconnect($_) for values %$B;
}
is_alive($node, 'upgrade');

# Forward again, at once.
install($new_tree);
$node->safe_psql('postgres', 'ALTER EXTENSION ekran_sessions UPDATE');
$B = connect_side($node, 'D');
is_exact('forward again', map { @$_{qw(reader owner super)} } $A, $B);
says($B->{owner}, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')", "\n", 'forward again: completed');
is_exact('forward again, completed', map { @$_{qw(reader owner super)} } $A, $B);
disconnect($_) for map { values %$_ } $A, $B;
is_alive($node, 'to the end');
$node->stop;

#
# Dumps: of the old version's store to the new files; and a store of the new version's,
# restored where the old files are, with what is said.
#
install($old_tree);
my $dumped = new_cluster('dumped');
make_stores($dumped, $old);
my $of_old = "$PostgreSQL::Test::Utils::tmp_check/old.dump";
$dumped->command_ok([ 'pg_dump', '-Fc', '-f', $of_old, '-d', $dumped->connstr('postgres') ], 'a dump of the old version');
install($new_tree);
for my $jobs (1, 2)
{
	my $database = "restored_$jobs";
	$dumped->safe_psql('postgres', "CREATE DATABASE $database");
	$dumped->command_ok([ 'pg_restore', '--exit-on-error', '-j', $jobs, '-d', $dumped->connstr($database), $of_old ], "restored with new files, -j $jobs");
	my @c = map { connect_to($dumped, "R.$_->[0]", $_->[1], $database) } [ 'super' ], [ reader => 'ekran_reader' ];
	$c[0]{checks} = 1;
	for my $when ('restored', 'completed', 'maintained')
	{
		say_to($c[0], "SET ROLE ekran_owner; SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts'); RESET ROLE") if $when eq 'completed';
		for my $store (@stores)
		{
			use_store($store, @c);
			say_to($c[0], 'CALL ekran_maintain()') if $when eq 'maintained';
			is_exact("-j $jobs, $when: $store", @c);
			says($c[0], 'SELECT state FROM ekran_status()', 'ok', "-j $jobs, $when: $store");
		}
	}
	disconnect($_) for @c;
}
is_alive($dumped, 'dumps');
$dumped->stop;

#
# Where the server itself has loaded the library, all connections hold the old one until
# it is started again; where sessions do, as without.
#
for my $way (qw(shared_preload_libraries session_preload_libraries))
{
	install($old_tree);
	my $preloaded = new_cluster($way, "$way = 'ekran_sessions'");
	make_stores($preloaded, $old);
	my $A = connect_side($preloaded, 'A');
	install($new_tree);
	my $B = connect_side($preloaded, 'B');
	is_held('old', "$way: A holds the old library", values %$A);
	is_held($way =~ /^shared/ ? 'old' : 'new', "$way: B holds its own", values %$B);
	is_exact("$way: new files", map { @$_{qw(reader owner super)} } $A, $B);
	says($B->{super}, 'ALTER EXTENSION ekran_sessions UPDATE', $way =~ /^shared/ ? $lacks : '', "$way: update");
	is_exact("$way: updated or not", map { @$_{qw(reader owner super)} } $A, $B);
	says($B->{owner}, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')", "\n", "$way: completed or not");
	is_exact("$way: completed or not", map { @$_{qw(reader owner super)} } $A, $B);
	disconnect($_) for map { values %$_ } $A, $B;
	$preloaded->restart;
	$B = connect_side($preloaded, 'B');
	is_held('new', "$way: started again", values %$B);
	$preloaded->safe_psql('postgres', 'ALTER EXTENSION ekran_sessions UPDATE');
	says($B->{owner}, "SELECT ekran_create_store(); SELECT ekran_create_store('ekran_parts')", "\n", "$way: started again, completed");
	is_exact("$way: started again", map { @$_{qw(reader owner super)} } $B);
	disconnect($_) for values %$B;
	is_alive($preloaded, $way);
	$preloaded->stop;
}

#
# Who subscribes to all tables of a store whose writers and folds hold the old library.
#
install($old_tree);
my $publisher = new_cluster('publisher', 'wal_level = logical', 'max_wal_senders = 10', 'max_replication_slots = 10');
make_stores($publisher, $old);
$A = connect_side($publisher, 'A');
install($new_tree);
$publisher->safe_psql('postgres', "ALTER EXTENSION ekran_sessions UPDATE; SELECT ekran_create_store(), ekran_create_store('ekran_parts'); CREATE PUBLICATION everything FOR ALL TABLES");
$B = connect_side($publisher, 'B');
my $subscriber = new_cluster('subscriber', 'wal_retrieve_retry_interval = 100ms');
make_stores($subscriber, $new);
$subscriber->safe_psql('postgres', "TRUNCATE $_.session, $_.activity, $_.client, $_.app_user") for @stores;
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION everything CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 'everything');
my $S = connect_side($subscriber, 'S');
# Does all that the publisher has written arrive?
sub arrives
{
	my ($title) = @_;
	my $lsn = $publisher->lsn('write');
	for (1 .. 100)
	{
		return pass("$title: arrives")
		  if $publisher->safe_psql('postgres', "SELECT coalesce(bool_and(replay_lsn >= '$lsn'), false) FROM pg_stat_replication") eq 't';
		sleep 0.1;
	}
	my @errors = grep { /ERROR/ } split /^/, slurp_file($subscriber->logfile);
	fail("$title: arrives");
	diag $errors[-1] // 'no error';
	return 0;
}

sub publish
{
	my ($side, $what, $sql) = @_;
	my $title = "publisher: $what by $side->{owner}{name}";
	unlike(say_to($side->{owner}, $sql), qr/ERROR|LOST/, $title);
	is_exact($title, map { @$_{qw(reader owner)} } $A, $B);
	my $arrived = arrives($title);
	is_exact("subscriber: $what", @$S{qw(reader owner super)});
	return $arrived;
}
publish(@$_) for [ $A, 'written', $work[0][2] =~ s/:id/801/gr ],
  [ $B, 'folded', 'CALL ekran_maintain()' ],
  [ $A, 'written again', "INSERT INTO activity (session_id, activity_date) SELECT session_id, login_date + interval '44 min' FROM session; INSERT INTO session (session_id, login_date) SELECT i, '2024-01-01 12:00' FROM generate_series(901, 950) i" ],
  [ $B, 'folded again', 'CALL ekran_maintain()' ],
  [ $A, 'purged', "SELECT count(*) FROM (SELECT ekran_purge('2024-01-01 05:00')) p" ],
  [ $A, 'completed', 'SELECT ekran_create_store()' ],
  [ $B, 'written and folded', "UPDATE activity SET activity_date = activity_date + interval '1 min'; CALL ekran_maintain()" ],
  [ $B, 'deleted', 'DELETE FROM session WHERE session_id % 3 = 0; CALL ekran_maintain()' ],
  [ $A, 'rebuilt', 'SELECT 1 FROM (SELECT ekran_rebuild()) r' ],
  [ $B, 'completed', 'SELECT ekran_create_store()' ],
  [ $B, 'rebuilt', 'SELECT 1 FROM (SELECT ekran_rebuild()) r' ];
# The old library would update derived rows, which the log says without a key.
say_to($A->{owner}, $work[0][2] =~ s{:id}{803}gr . '; CALL ekran_maintain()');
arrives('publisher: not folded by A');
disconnect($_) for map { values %$_ } $A, $B, $S;
is_alive($publisher, 'publisher');
$subscriber->stop('immediate');
$publisher->stop('immediate');

done_testing();
