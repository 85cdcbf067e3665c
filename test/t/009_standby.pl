# A streaming standby, and a standby of that: both answer as their primary does, exactly
# at every moment of the replay, or with the server's own recovery conflicts; they
# refuse what writes; and one that is promoted amid the load goes on.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run qw(start timer);
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'no part of --quick' if $ENV{EKRAN_TEST_QUICK};

# To compile the queries of the independent reading would take longer than they do.
$ENV{PGOPTIONS} = '-c jit=off -c search_path=ekran,public -c client_min_messages=warning -c timezone=UTC';

my $directory = PostgreSQL::Test::Utils::tempdir;

my $primary = start_cluster('primary');
$primary->append_conf('postgresql.conf', "max_wal_senders = 10\nwal_sender_timeout = 0\n");
$primary->restart;

$primary->safe_psql('postgres', slurp_file("$FindBin::RealBin/../$_.sql"))
  for qw(independent_reading independent_statistics independent_views);
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO client SELECT md5(i::text)::uuid, CASE WHEN i > 1 THEN 'PC ' || i END FROM generate_series(1, 5) i;
INSERT INTO app_user SELECT i, CASE WHEN i > 1 THEN 'user "' || i || '"' END FROM generate_series(1, 7) i;

-- up to 1000: anybody adds to them; each client of the load changes those of a thousand
INSERT INTO session
SELECT id, CASE WHEN id % 6 > 0 THEN md5((id % 6)::text)::uuid END, nullif(id % 8, 0), login,
	CASE WHEN id % 4 > 0 THEN login + (id * 37 % 700) * interval '1 minute' END
FROM (SELECT id, '2024-01-01'::timestamptz + (id * 7919 % 2880) * interval '1 minute' AS login
	FROM (SELECT generate_series(1, 32) UNION ALL SELECT 1000 * c + s FROM generate_series(1, 4) c, generate_series(1, 5) s) ids (id)) s;
CREATE FUNCTION add_activities(id bigint, minute int, number int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO activity (session_id, activity_date, application, url)
	SELECT id, '2024-01-01'::timestamptz + (minute + i * i) * interval '1 minute',
		(ARRAY['excel.exe', 'chrome.exe', NULL])[1 + (id + i) % 3], (ARRAY['https://Example.com/a', 'localhost', NULL])[1 + i % 3]
	FROM generate_series(1, number) i
$$;
SELECT add_activities(session_id, (session_id * 7919 % 2880 + 3)::int, 12) FROM session WHERE session_id % 5 > 0;

-- whoever may not read the derived tables is answered by the activities, and counts sessions
CREATE ROLE regress_ekran_raw;
GRANT USAGE ON SCHEMA ekran TO regress_ekran_raw;
GRANT SELECT ON client, app_user, session, activity TO regress_ekran_raw;
CREATE FUNCTION by_activity(a timestamptz, b timestamptz) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
	AS $$ SELECT concat_ws(';', answered_by, counted_by, ekran_sessions_total_count(a, b),
		(SELECT string_agg(s::text, ';') FROM ekran_sessions_all(a, b) s)) FROM ekran_status() $$;
ALTER FUNCTION by_activity OWNER TO regress_ekran_raw;
CREATE FUNCTION by_caller(a timestamptz, b timestamptz) RETURNS text LANGUAGE sql STABLE
	AS $$ SELECT concat_ws(';', 'activity', 'session', ekran_sessions_total_count(a, b),
		(SELECT string_agg(s::text, ';') FROM ekran_sessions_all(a, b) s)) $$;

-- a second store, to be closed, purged and completed
SELECT ekran_create_store('spare');
INSERT INTO spare.session VALUES (1, NULL, NULL, '2024-01-01', NULL), (2, NULL, NULL, '2020-01-01', '2020-01-02');
INSERT INTO spare.activity (session_id, activity_date) VALUES (1, '2024-01-01 00:10'), (2, '2020-01-01 00:10');
SQL

# A server that follows another one; what it is made from was copied while that one was in use.
sub add_standby
{
	my ($root, $name) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$root->backup($name);
	$standby->init_from_backup($root, $name, has_streaming => 1);
	$standby->append_conf('postgresql.conf', 'wal_receiver_status_interval = 1');
	$standby->start;
	return $standby;
}

sub configure
{
	my ($node, @settings) = @_;
	$node->append_conf('postgresql.conf', join '', map { "$_\n" } @settings);
	$node->reload;
}

# Replayed by everyone who follows, up to what the primary has written.
sub catch_up
{
	my ($root, @standbys) = @_;
	my $lsn = $root->lsn($root->safe_psql('postgres', 'SELECT pg_is_in_recovery()') eq 't' ? 'replay' : 'write');
	for my $standby (@standbys)
	{
		$standby->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'")
		  or die $standby->name . ' does not catch up';
	}
}

# Everything that can be asked, under two settings.
sub questions
{
	my @questions = ('SELECT store, state, reason, answered_by, counted_by, indexed_sessions, pending_rows, pending_sessions FROM ekran_status()');

	for my $setting ("SET ekran_sessions.idle_threshold = '10min'; SET ekran_sessions.idle_policy = 'excess'", 'RESET ALL')
	{
		push @questions, $setting,
		  'SELECT * FROM session_overview ORDER BY session_id', 'SELECT * FROM user_day ORDER BY user_name, user_id, day',
		  'SELECT s.session_id, t.* FROM session s, ekran_session_timeline(s.session_id) t ORDER BY s.session_id, t.from_time',
		  'SELECT t.* FROM session s, ekran_session_timeline(s.session_id, \'2024-01-01 06:00\', \'2024-01-02\') t ORDER BY s.session_id, t.from_time';
		for my $window ('NULL, NULL', "'2024-01-01 06:00', '2024-01-02 06:00'", "'2024-01-02 12:00', NULL", "NULL, '2024-01-01 18:00'")
		{
			push @questions, map { "SELECT * FROM ekran_sessions($window, 20, $_)" } 0 .. 3;
			push @questions, "SELECT * FROM ekran_sessions($window, users => '{1, 2, NULL}')",
			  "SELECT * FROM ekran_sessions($window, clients => ARRAY[md5('1')::uuid])",
			  "SELECT * FROM ekran_sessions_after($window, 20, 17)", "SELECT * FROM ekran_sessions_all($window)",
			  "SELECT ekran_sessions_total_count($window), ekran_sessions_total_count($window, '{3, NULL}')",
			  "SELECT ekran_sessions_json($window, 10, 1)", "SELECT * FROM ekran_session_list($window)",
			  "SELECT * FROM ekran_application_statistics($window)", "SELECT * FROM ekran_url_statistics($window)",
			  "SELECT * FROM ekran_user_productivity($window) ORDER BY user_id, date, time_of_day",
			  map { "SELECT ekran_${_}_json($window)" } qw(session_list application_statistics url_statistics user_productivity);
		}
	}
	push @questions, 'SELECT * FROM ekran_check()';
	return @questions;
}

# What differs between a server and the independent reading there: nothing, of some sessions.
my $differences = <<'SQL';
LOAD 'ekran_sessions';
SELECT selected > 0, by_page + by_session + in_total + in_json FROM independent.differences(NULL, NULL, 20);
SELECT selected > 0, by_page + by_session + in_total + in_json FROM independent.differences('2024-01-01 06:00', '2024-01-02 06:00', 7);
SELECT selected > 0, in_applications + in_urls + in_productivity + in_list + in_all + in_timeline + in_hours + in_json
	FROM independent.statistics_differences('2024-01-01 12:00', '2024-01-02 12:00');
SELECT overview_rows > 0, overview_different + day_different FROM independent.view_differences();
SELECT count(*) > 0, count(*) FILTER (WHERE by_activity(d, d + '1 day') IS DISTINCT FROM by_caller(d, d + '1 day'))
	FROM generate_series('2023-12-31'::timestamptz, '2024-01-04', '6 hours') d;
SQL

# A standby says what its primary says, which is right.
sub says_the_same
{
	my ($root, $standby, $state, $answered_by, $name) = @_;
	my $sql = join ";\n", questions();

	catch_up($root, $standby);
	my @theirs = split /\n/, $root->safe_psql('postgres', $sql);
	my @ours = split /\n/, $standby->safe_psql('postgres', $sql);
	my ($at) = grep { ($ours[$_] // '') ne ($theirs[$_] // '') } 0 .. ($#ours > $#theirs ? $#ours : $#theirs);
	ok(!defined $at, "$name: as the primary") or diag "$ours[$at]\ninstead of\n$theirs[$at]";
	cmp_ok(scalar @ours, '>', 1000, 'in ' . @ours . ' lines');
	is($standby->safe_psql('postgres', 'SELECT state, answered_by FROM ekran_status()'), "$state|$answered_by", "$state, by $answered_by");
	is($standby->safe_psql('postgres', $differences), join("\n", ('t|0') x 5), 'and as the independent reading');
}

my $standby = add_standby($primary, 'standby');
says_the_same($primary, $standby, 'ok', 'index', 'all pending');
$primary->safe_psql('postgres', 'CALL ekran_maintain()');
says_the_same($primary, $standby, 'ok', 'index', 'all folded');
$primary->safe_psql('postgres', <<'SQL');
SELECT add_activities(session_id, (session_id * 7 % 2880)::int, 3) FROM session WHERE session_id % 3 = 0;
UPDATE session SET logout_date = NULL WHERE session_id % 10 = 1;
DELETE FROM session WHERE session_id IN (4, 7);
SQL
says_the_same($primary, $standby, 'ok', 'index', 'some pending');
$primary->safe_psql('postgres', 'TRUNCATE session_idle');
says_the_same($primary, $standby, 'raw', 'activity', 'a raw store');
$primary->safe_psql('postgres', 'CALL ekran_maintain(); TRUNCATE session_count');
catch_up($primary, $standby);
is($standby->safe_psql('postgres', 'SELECT state, counted_by FROM ekran_status()'), 'raw|session', 'without counts');
is($standby->safe_psql('postgres', $differences), join("\n", ('t|0') x 5), 'exact');
$primary->safe_psql('postgres', "CALL ekran_maintain(); INSERT INTO session VALUES (4, NULL, 1, '2024-01-01', NULL), (7, NULL, 1, '2024-01-01', NULL)");

# What writes is refused, with nothing but that it does.
sub failure
{
	my ($node, $sql) = @_;
	my (undef, undef, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

catch_up($primary, $standby);
my $spare = "SET ekran_sessions.store = 'spare'; ";
for my $refused (
	[ 'CALL ekran_maintain()', 'ekran_maintain\(\)' ],
	[ 'SELECT ekran_refresh()', 'ekran_refresh\(\)' ],
	[ 'SELECT ekran_rebuild()', 'ekran_rebuild\(\)' ],
	[ "${spare}SELECT ekran_purge('2024-01-01')", '(?:DELETE|ekran_purge\(\))' ],
	[ "${spare}SELECT ekran_close_sessions('1 hour', '2024-02-01')", '(?:SELECT FOR UPDATE|UPDATE|ekran_close_sessions\(\))' ],
	[ "SELECT ekran_create_store('another')", '(?:CREATE SCHEMA|ekran_create_store\(\))' ],
	[ "INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01')", 'INSERT' ])
{
	my ($sql, $command) = @$refused;
	like(failure($standby, $sql), qr/ERROR:  25006: cannot execute $command (?:in a read-only transaction|during recovery)/, "refused: $sql");
}
like(failure($standby, "SELECT ekran_create_store('spare')"), qr/^$|ERROR:  25006: cannot execute/, 'refused, or nothing to do: a store that lacks nothing');

# A connection that stays; ask() returns what it says, or dies with its error.
sub connect_to
{
	my ($node) = @_;
	my $session = { in => '', out => '', err => '', timer => timer(180) };
	$session->{run} = start(psql_command($node), '<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err}, $session->{timer});
	return $session;
}

sub ask
{
	my ($session, $sql) = @_;
	$session->{in} .= "$sql\n\\echo (end)\n";
	$session->{timer}->start;
	eval { $session->{run}->pump until $session->{out} =~ /^\(end\)$/m; 1 } or die "$@: $session->{err}";
	my $said = $session->{out} =~ s/^\(end\)\n//mr;
	$session->{out} = '';
	chomp $said;
	return $said;
}

# Prepared, with plans that are cached by the sixth time; and a cursor, under a snapshot
# that replay leaves behind.  With feedback the primary keeps what that snapshot sees.
my $prepare = <<'SQL';
LOAD 'ekran_sessions';
SET plan_cache_mode = auto;
PREPARE same (timestamptz, timestamptz) AS SELECT by_activity($1, $2) IS NOT DISTINCT FROM by_caller($1, $2);
PREPARE page (timestamptz) AS SELECT md5(string_agg(s::text, ';')) FROM ekran_sessions($1) s;
PREPARE overview AS SELECT md5(string_agg(o::text, ';' ORDER BY session_id)) FROM session_overview o;
SQL
my $same = "EXECUTE same('2024-01-01 06:00', '2024-01-02');\n";
my $page = "EXECUTE page('2024-01-01 12:00');\n";
my $unprepared = "SELECT md5(string_agg(s::text, ';')) FROM ekran_sessions('2024-01-01 12:00') s;\n";

configure($standby, 'hot_standby_feedback = on', 'max_standby_streaming_delay = 60s');
$primary->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL')
  or die 'no feedback';
my $prepared = connect_to($standby);
my $cursor = connect_to($standby);
ask($prepared, $prepare);
is(ask($prepared, $same x 8), join("\n", ('t') x 8), 'prepared');
my $before = ask($cursor, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT string_agg(s::text, E\'\n\') FROM ekran_sessions_all() s;');
ask($cursor, 'DECLARE c CURSOR FOR SELECT s::text FROM (SELECT ekran_sessions_all() AS s) q;');
my $fetched = ask($cursor, 'FETCH 7 FROM c;');
sleep 1.5;
$primary->safe_psql('postgres', <<'SQL');
SELECT add_activities(session_id, (session_id * 11 % 2880)::int, 3) FROM session;
DELETE FROM session WHERE session_id IN (31, 32);
CALL ekran_maintain();
UPDATE session SET logout_date = login_date + interval '2 days' WHERE session_id % 2 = 1;
SELECT ekran_refresh();
VACUUM session, activity, session_idle, pending, session_count;
ANALYZE session, activity;
SQL
catch_up($primary, $standby);
is(join("\n", $fetched, ask($cursor, 'FETCH ALL FROM c;')), $before, 'a cursor goes on under its own snapshot');
is(ask($cursor, "SELECT string_agg(s::text, E'\\n') FROM ekran_sessions_all() s;"), $before, 'which others share');
is(ask($cursor, 'SELECT by_page + by_session + in_total + in_json FROM independent.differences(NULL, NULL, 20);'), 0, 'exact under it')
  if ask($cursor, "LOAD 'ekran_sessions';") eq '';
isnt(ask($cursor, "COMMIT; SELECT string_agg(s::text, E'\\n') FROM ekran_sessions_all() s;"), $before, 'and not after it');
is(ask($prepared, $same x 8), join("\n", ('t') x 8), 'prepared before what was replayed');
is(ask($prepared, $page), ask($prepared, $unprepared), 'a page as one that is asked for anew');

# A cursor over a view has a page of its tables in hand, as any over a table has, for
# which replay may have to wait: so only activities are added.
my $viewer = connect_to($standby);
my $overview_before = ask($viewer, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT o::text FROM session_overview o ORDER BY login_date, session_id;');
ask($viewer, 'SET LOCAL enable_sort = off; DECLARE o CURSOR FOR SELECT o::text FROM session_overview o ORDER BY login_date, session_id;');
my $overview = ask($viewer, 'FETCH 7 FROM o;');
$primary->safe_psql('postgres', 'SELECT add_activities(session_id, (session_id * 13 % 2880)::int, 3) FROM session');
catch_up($primary, $standby);
is(join("\n", $overview, ask($viewer, 'FETCH ALL FROM o;')), $overview_before, 'a cursor over a view goes on');
isnt(ask($viewer, 'COMMIT; SELECT o::text FROM session_overview o ORDER BY login_date, session_id;'), $overview_before, 'and sees no more');
is(ask($prepared, 'EXECUTE overview;'), $primary->safe_psql('postgres', "SELECT md5(string_agg(o::text, ';' ORDER BY session_id)) FROM session_overview o"), 'and the view');

# Rewritten or indexed anew beyond a snapshot on the standby, of which the primary knows
# nothing, what was folded since then is not there for it; the server may cancel it.
configure($standby, 'hot_standby_feedback = off', 'max_standby_streaming_delay = 2s');
$primary->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL')
  or die 'feedback';
for my $command ('REINDEX TABLE pending', 'VACUUM FULL pending', 'REINDEX TABLE session_idle', 'VACUUM FULL session_idle')
{
	my ($said, $err) = ('', '');
	for (1 .. 3)
	{
		$primary->safe_psql('postgres', "CALL ekran_maintain(); DELETE FROM session WHERE session_id = 700000; INSERT INTO session VALUES (700000, NULL, NULL, '2024-01-01', '2024-01-02'); "
			  . "INSERT INTO activity (session_id, activity_date) VALUES (700000, '2024-01-01 09:00')");
		$primary->safe_psql('postgres', "CALL ekran_maintain(); INSERT INTO activity (session_id, activity_date) VALUES (700000, '2024-01-01 09:10')");
		catch_up($primary, $standby);
		my $session = connect_to($standby);
		ask($session, "LOAD 'ekran_sessions'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM client;");
		$primary->safe_psql('postgres', "SELECT ekran_refresh();");
		$primary->safe_psql('postgres', $command);
		catch_up($primary, $standby);
		last if eval { $said = ask($session, "SELECT by_page + by_session + in_total + in_json FROM independent.differences(NULL, NULL, 50);"); 1 };
		$err = $@;
		last if $err !~ /due to conflict with recovery/;
	}
	like($said ne '' ? $said : $err, qr/^0$|due to conflict with recovery/, "$command, beyond a snapshot");
}
$primary->safe_psql('postgres', 'DELETE FROM session WHERE session_id = 700000');

# The load: agents, each of which closes and deletes sessions of its own; and upkeep.
my $own = "\\set own 1000 * (:client_id + 1) + random(1, 5)\n\\set shared random(1, 30)\n\\set minute random(0, 3000)\n";
my $at = q{'2024-01-01'::timestamptz + :minute * interval '1 minute'};
my %scripts;

sub script
{
	my ($kind, $name, $weight, $content) = @_;
	append_to_file("$directory/$name", $content);
	push @{ $scripts{$kind} }, '--file', "$directory/$name\@$weight";
}

script('agents', 'ingest', 10, $own . "SELECT add_activities(:shared, :minute, 2);\nSELECT add_activities(:own, :minute, 3);\n");
script('agents', 'together', 4, $own . "BEGIN;\nSELECT add_activities(:own, :minute, 4);\nUPDATE session SET logout_date = greatest(login_date, $at) WHERE session_id = :own;\nCOMMIT;\n");
script('agents', 'move', 3, $own . "UPDATE activity SET activity_date = activity_date + interval '17 minutes' WHERE session_id = :own AND activity_date > $at;\n"
	  . "UPDATE session SET login_date = login_date - interval '7 hours', logout_date = NULL WHERE session_id = :own AND login_date > '2024-01-01';\n");
script('agents', 'thin', 8, $own . "DELETE FROM activity WHERE session_id = :own AND activity_date < $at;\n"
	  . "DELETE FROM activity WHERE session_id = :shared AND session_id % 4 = :client_id AND activity_date BETWEEN $at - interval '1 day' AND $at;\n");
script('agents', 'again', 3, $own . "BEGIN;\nDELETE FROM session WHERE session_id = :own;\nINSERT INTO session VALUES (:own, NULL, 1 + :own % 7, $at, NULL);\n"
	  . "SELECT add_activities(:own, :minute, 5);\nCOMMIT;\n");
script('upkeep', 'refresh', 6, "SELECT ekran_refresh();\n");
script('upkeep', 'maintain', 4, "CALL ekran_maintain();\n");
script('upkeep', 'rebuild', 1, "SELECT ekran_rebuild();\n");
script('upkeep', 'emptied', 2, "TRUNCATE session_idle;\n\\sleep 100 ms\nCALL ekran_maintain();\n");
script('upkeep', 'uncounted', 1, "TRUNCATE session_count;\nCALL ekran_maintain();\n");
script('upkeep', 'purge', 3, "BEGIN;\nINSERT INTO session VALUES (500000, NULL, 3, '2020-01-01', '2020-01-02');\nSELECT add_activities(500000, -2103840 + 30, 5);\n"
	  . "COMMIT;\n\\sleep 50 ms\nSELECT ekran_purge('2021-01-01');\n");
script('upkeep', 'vacuum', 6, "VACUUM session, activity, session_idle, pending, session_count;\n");
script('upkeep', 'rewrite', 2, "VACUUM FULL pending;\n");
script('upkeep', 'rewrite_gaps', 1, "VACUUM FULL session_idle;\n");

sub begin_load
{
	my ($node, $seconds) = @_;
	my @load;
	# Upkeep does as much however long it takes, for where the machine is busy it takes long.
	for my $of ([ 'agents', 4, 150, '--time', $seconds ], [ 'upkeep', 1, 8, '--transactions', 5 * $seconds ])
	{
		my ($kind, $clients, $rate, @extent) = @$of;
		my $one = { kind => $kind, out => '', err => '' };
		$one->{run} = start([ 'pgbench', '--no-vacuum', '--client', $clients, '--rate', $rate, @extent, '--max-tries', 10,
				@{ $scripts{$kind} }, $node->connstr('postgres') ], '<', \undef, '>', \$one->{out}, '2>', \$one->{err});
		push @load, $one;
	}
	return @load;
}

# All of it was done.
sub end_load
{
	for my $one (@_)
	{
		my $has_finished = $one->{run}->finish;
		my $errors = $one->{err} =~ s/^(?:pgbench \(|starting|progress|.*setting --).*\n//mgr;
		my ($transactions) = $one->{out} =~ /number of transactions actually processed: (\d+)/;
		ok($has_finished && $errors eq '', "$one->{kind}: no error") or diag $one->{out}, $one->{err};
		cmp_ok($transactions // 0, '>', 10, ($transactions // 0) . " transactions of $one->{kind}");
	}
}

sub random_window
{
	my @minutes = sort { $a <=> $b } map { int rand 3300 } 1, 2;
	my ($a, $b) = map { rand() < 0.2 ? 'NULL' : "('2024-01-01'::timestamptz + interval '$_ minutes')" } @minutes;
	return ("$a, $b");
}

# What a reader does in a transaction: looks at what it is answered by, and compares under
# that very snapshot, in one statement or over several.  Lines that begin with a name, and
# go on with zeros, are what is right.
sub transaction
{
	my $window = random_window();
	my @compared = (
		"SELECT 'rows', by_page, by_session, in_total, in_json FROM independent.differences($window, 1 + (random() * 20)::int);",
		"SELECT 'users', by_page, by_session, in_total, in_json FROM independent.differences($window, 9, '{1, 2, NULL}');",
		"SELECT 'callers', (by_activity($window) IS DISTINCT FROM by_caller($window))::int;",
		"SELECT 'callers', (by_activity($window) IS DISTINCT FROM by_caller($window))::int;");
	push @compared, "SELECT 'views', overview_different, day_different FROM independent.view_differences();" if rand() < 0.3;
	push @compared, "SELECT 'statistics', in_applications, in_urls, in_productivity, in_list, in_all, in_timeline, in_hours, in_json FROM independent.statistics_differences($window);" if rand() < 0.3;
	push @compared, "SELECT 'check', count(*) FROM ekran_check();";
	# The snapshot is from before the first of them; with the pause, replay overtakes it.
	my @some = grep { rand() < 0.7 } @compared;
	@some = @compared[ 0, 2 ] if !@some;
	return join "\n", 'BEGIN ISOLATION LEVEL REPEATABLE READ;', 'SELECT count(*) >= 0 AS snapshot FROM client \gset',
	  (rand() < 0.5 ? 'SELECT pg_sleep(0.15) AS pause \gset' : ()), "SELECT 'by', answered_by, counted_by FROM ekran_status();",
	  (sort { rand() <=> 0.5 } @some), 'COMMIT;';
}

# Each statement of a snapshot of its own, by a plan that has been cached.
sub statements
{
	return $prepare . join '', ("SELECT 'prepared', (NOT x.same)::int FROM (SELECT by_activity('2024-01-01 06:00', NULL) IS NOT DISTINCT FROM by_caller('2024-01-01 06:00', NULL) AS same) x;\n"
		  . "PREPARE again AS SELECT 'prepared', (by_activity('2024-01-01', '2024-01-02') IS DISTINCT FROM by_caller('2024-01-01', '2024-01-02'))::int;\n"
		  . ("EXECUTE again;\nSELECT pg_sleep(0.02) AS pause \\gset\n" x 30));
}

# The server's own ways to keep a standby going. The first is of one that has just connected;
# the second of a conflict whose reason a second one has overwritten (before 17), for nobody
# else cancels here.
my $conflict = join '|', 'psql: error: connection .* failed: FATAL:  terminating connection due to conflict with recovery',
  map { '(?:psql:\S+\s)?' . $_ } 'ERROR:  57014: canceling statement due to user request', 'ERROR:  40P01: deadlock detected',
  '(?:ERROR|FATAL):  (?:40001|57P01|57014|57P04): (?:canceling statement|terminating connection) due to conflict with recovery';
$conflict = qr/^(?:$conflict)/m;

# Readers on some servers, as long as a time lasts, and until they have compared so much.
sub read_meanwhile
{
	my ($seconds, $readers, $least, @nodes) = @_;
	my %seen = (compared => 0, wrong => '', conflicts => 0, errors => '', index => 0, activity => 0, session_count => 0, session => 0, starts => 0);
	my $begin = time;
	my @running;
	# a busy machine has more time, but not for ever
	my $goes_on = sub {
		my $passed = time - $begin;
		return $passed < $seconds || ($passed < 20 * $seconds && ($seen{compared} < $least || !$seen{index}));
	};

	while (@running || $goes_on->())
	{
		while (@running < $readers && $goes_on->())
		{
			my $node = $nodes[ $seen{starts} % @nodes ];
			my $sql = $seen{starts}++ % 4 == 3 ? statements() : "LOAD 'ekran_sessions';\n" . join "\n", map { transaction() } 1 .. 6;
			# Files, for one that fails doesn't read on.
			my $reader = { files => "$directory/reader_$seen{starts}_" . int(rand 1e9), node => $node->name };
			append_to_file("$reader->{files}.sql", "\\set VERBOSITY verbose\n$sql\n");
			$reader->{run} = start(psql_command($node), '<', "$reader->{files}.sql", '>', "$reader->{files}.out", '2>', "$reader->{files}.err");
			push @running, $reader;
		}
		my @still;
		for my $reader (@running)
		{
			if ($reader->{run}->pumpable) { push @still, $reader; next; }
			$reader->{run}->finish;
			my ($out, $err) = map { slurp_file("$reader->{files}.$_") } qw(out err);
			for my $line (split /\n/, $out)
			{
				if ($line =~ /^by\|(\w+)\|(\w+)$/) { $seen{$1}++; $seen{$2}++; }
				elsif ($line =~ /^\w+(?:\|0)+$/) { $seen{compared}++; }
				else { $seen{wrong} .= "$reader->{node}: $line\n"; }
			}
			if ($err =~ $conflict) { $seen{conflicts}++; }
			elsif ($err ne '') { $seen{errors} .= "$reader->{node}: $err"; }
		}
		@running = @still;
		sleep 0.01;
	}
	return \%seen;
}

sub all_exact
{
	my ($seen, $least, $name) = @_;
	is($seen->{wrong}, '', "$name: exact, $seen->{compared} times");
	# In the name too, for that is what a log that is cut keeps.
	is($seen->{errors}, '', "no error but conflicts with recovery, $seen->{conflicts} of them" . ($seen->{errors} =~ s/\s+/ /gr =~ s/^(.{1,300}).*/: $1/r));
	cmp_ok($seen->{compared}, '>=', $least, "$least comparisons or more");
	cmp_ok($seen->{index}, '>', 0, "answered by the index in $seen->{index} transactions, by activities in $seen->{activity}, "
		  . "counted by session_count in $seen->{session_count}, by session in $seen->{session}");
}

# No feedback, and hardly any patience: what readers see is taken away under them.
configure($standby, 'hot_standby_feedback = off', 'max_standby_streaming_delay = 100ms');
my @load = begin_load($primary, 7);
my $seen = read_meanwhile(7, 3, 30, $standby);
end_load(@load);
all_exact($seen, 30, 'without feedback nor patience');
cmp_ok($seen->{conflicts}, '>', 0, 'some are cancelled');
says_the_same($primary, $standby, 'ok', 'index', 'after that')
  if $primary->safe_psql('postgres', 'CALL ekran_maintain()') eq '';

# No feedback, and replay waits for readers instead.
configure($standby, 'max_standby_streaming_delay = 30s');
@load = begin_load($primary, 5);
$seen = read_meanwhile(5, 3, 30, $standby);
end_load(@load);
all_exact($seen, 30, 'without feedback');

# Feedback; and a base backup of the standby, in the middle, from which one follows that.
configure($standby, 'hot_standby_feedback = on', 'max_standby_streaming_delay = 30s');
@load = begin_load($primary, 10);
$seen = read_meanwhile(2, 2, 10, $standby);
$primary->safe_psql('postgres', 'CHECKPOINT');
my $cascade = add_standby($standby, 'cascade');
configure($cascade, 'hot_standby_feedback = on', 'max_standby_streaming_delay = 30s');
my $both = read_meanwhile(4, 3, 20, $standby, $cascade);
end_load(@load);
all_exact($seen, 10, 'with feedback');
all_exact($both, 20, 'and a cascade');
catch_up($primary, $standby, $cascade);
$primary->safe_psql('postgres', 'CALL ekran_maintain()');
catch_up($primary, $standby);
says_the_same($primary, $cascade, 'ok', 'index', 'the cascade');
is(ask($prepared, $same x 2), "t\nt", 'the connection of before');

# The primary dies amid the load, and the standby takes over, with its connections: one
# that is idle, one with a transaction and its cursor.
my $open = connect_to($standby);
is(ask($open, "LOAD 'ekran_sessions'; $prepare" . $same), 't', 'another connection');
@load = begin_load($primary, 30);
$seen = read_meanwhile(2, 2, 10, $standby);
$before = ask($cursor, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT string_agg(s::text, E\'\n\') FROM ekran_sessions_all() s;');
ask($cursor, 'DECLARE c CURSOR FOR SELECT s::text FROM (SELECT ekran_sessions_all() AS s) q;');
$fetched = ask($cursor, 'FETCH 7 FROM c;');
$primary->kill9;
$_->{run}->finish for @load;
$standby->promote;
all_exact($seen, 10, 'before the primary dies');
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 'f', 'promoted');
is(join("\n", $fetched, ask($cursor, 'FETCH ALL FROM c;')), $before, 'the cursor goes on');
is(ask($cursor, 'SELECT by_page + by_session + in_total + in_json FROM independent.differences(NULL, NULL, 20);'), 0, 'exact, in its transaction');
is(ask($cursor, "SELECT string_agg(s::text, E'\\n') FROM ekran_sessions_all() s;"), $before, 'whose snapshot stays');
ask($cursor, 'COMMIT;');
like($standby->safe_psql('postgres', 'SELECT state FROM ekran_status()'), qr/^(?:ok|raw)$/, 'in order, or not trusted');
is($standby->safe_psql('postgres', 'SELECT * FROM ekran_check()'), '', 'ekran_check() finds nothing');
is($standby->safe_psql('postgres', $differences), join("\n", ('t|0') x 5), 'exact');

# Those that have read there write.
for my $session ($cursor, $open, $prepared)
{
	is(ask($session, "SELECT count(*) FROM (SELECT add_activities(5, 100, 3)) x; UPDATE session SET logout_date = NULL WHERE session_id = 5;"), 1, 'a connection of before writes');
	is(ask($session, 'SELECT answered_by FROM ekran_status();'),
		$standby->safe_psql('postgres', 'SELECT answered_by FROM ekran_status()'), 'reads as others do');
	is(ask($session, "SELECT by_activity('2024-01-01', NULL) IS NOT DISTINCT FROM by_caller('2024-01-01', NULL);"), 't', 'exactly');
	ask($session, 'SELECT ekran_refresh(); CALL ekran_maintain();');
	is(ask($session, 'SELECT state, answered_by, pending_rows FROM ekran_status();'), 'ok|index|0', 'and maintains');
	ask($session, "INSERT INTO session VALUES (600000, NULL, NULL, '2020-01-01', '2020-01-02'); INSERT INTO activity (session_id, activity_date) VALUES (600000, '2020-01-01 10:00');");
	is(ask($session, "SELECT ekran_purge('2021-01-01') > 0;"), 't', 'and purges');
	is(ask($session, 'SELECT ekran_rebuild() > 0;'), 't', 'and rebuilds');
}
is(ask($prepared, $same x 3), join("\n", ('t') x 3), 'what was prepared goes on');
is(ask($prepared, $page), ask($prepared, $unprepared), 'a page as one that is asked for anew');

# It is a primary, with its load, and one that follows it across the change.
@load = begin_load($standby, 4);
$seen = read_meanwhile(4, 3, 20, $cascade, $standby);
end_load(@load);
all_exact($seen, 20, 'promoted');
$standby->safe_psql('postgres', 'CALL ekran_maintain()');
says_the_same($standby, $cascade, 'ok', 'index', 'what follows it');

# One that is promoted with a raw store sets it right.
$standby->safe_psql('postgres', 'TRUNCATE session_idle; SELECT add_activities(6, 200, 4)');
catch_up($standby, $cascade);
is($cascade->safe_psql('postgres', 'SELECT state, answered_by FROM ekran_status()'), 'raw|activity', 'raw');
$standby->kill9;
$cascade->promote;
is($cascade->safe_psql('postgres', $differences), join("\n", ('t|0') x 5), 'exact, promoted so');
$cascade->safe_psql('postgres', 'CALL ekran_maintain()');
is($cascade->safe_psql('postgres', 'SELECT state, answered_by FROM ekran_status()'), 'ok|index', 'made anew');
is($cascade->safe_psql('postgres', 'SELECT * FROM ekran_check()'), '', 'ekran_check() finds nothing');
is($cascade->safe_psql('postgres', $differences), join("\n", ('t|0') x 5), 'exact');

done_testing();
