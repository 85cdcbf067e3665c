# A store that logical replication writes to, which fires no triggers of statements:
# it answers exactly, by its own index, whatever is published and however it got there.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;

my $publisher = start_cluster('publisher');
$publisher->append_conf('postgresql.conf', "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\nlogical_decoding_work_mem = 64kB\nmax_prepared_transactions = 5\n");
$publisher->restart;
my $subscriber = start_cluster('subscriber');
$subscriber->append_conf('postgresql.conf', "wal_retrieve_retry_interval = 100ms\nwal_receiver_status_interval = 1s\nmax_logical_replication_workers = 20\nmax_worker_processes = 30\nmax_sync_workers_per_subscription = 4\nmax_prepared_transactions = 5\n");
$subscriber->restart;

my $published = $publisher->connstr . ' dbname=postgres';
my $reading = slurp_file("$FindBin::RealBin/../independent_reading.sql");

sub on_publisher { return $publisher->safe_psql('postgres', $_[0]); }
sub on_subscriber { return $subscriber->safe_psql($_[1] // 'postgres', $_[0]); }

# Every answer that differs from the rules, of the store in a database.
sub differences
{
	my ($node, $database, $store) = @_;
	my $windows = join "\nUNION ALL ", map { "SELECT * FROM independent.differences($_, 100)" }
	  'NULL, NULL', q{'2024-01-03 12:00', '2024-01-04 13:30'}, q{'2024-01-02', NULL};
	return $node->safe_psql($database, <<"SQL");
LOAD 'ekran_sessions';
SET timezone = 'UTC';
SET search_path = $store, public;
SET ekran_sessions.store = '$store';
SELECT sum(s) || '|' || sum(r + p + k + j) FROM ($windows) d (s, r, p, k, j);
SQL
}

# Says that a subscriber's store has what the publisher's has, answers as the rules say,
# by the index, and holds the derived rows that it should.
sub is_exact
{
	my ($name, %given) = @_;
	my $database = $given{database} // 'postgres';
	my $store = $given{store} // 'ekran';
	my $rows = sub {
		my ($schema) = @_;
		return "SELECT (SELECT count(*) || ' ' || coalesce(sum(hashtextextended(s::text, 0)), 0) FROM $schema.session s), "
		  . "(SELECT count(*) || ' ' || coalesce(sum(hashtextextended(a::text, 0)), 0) FROM $schema.activity a)";
	};

	$publisher->wait_for_catchup($_) for @{ $given{subscriptions} // ['everything'] };
	is(on_subscriber($rows->($store), $database), $publisher->safe_psql($given{publisher} // 'postgres', $rows->($store)), "$name: the same rows")
	  unless $given{is_apart};
	like(differences($subscriber, $database, $store), qr/^[1-9]\d*\|0$/, "$name: as the rules say");
	is(on_subscriber("SET ekran_sessions.store = '$store'; SELECT state, answered_by, counted_by FROM ekran_status()", $database),
		$given{status} // 'ok|index|session_count', "$name: by the index");
	is(on_subscriber("SET client_min_messages = warning; SET ekran_sessions.store = '$store'; SELECT * FROM ekran_check()", $database),
		$given{check} // '', "$name: ekran_check() finds nothing");
}

on_publisher($reading);
on_subscriber($reading);
on_publisher(<<'SQL');
INSERT INTO ekran.client SELECT md5(i::text)::uuid, 'host ' || i FROM generate_series(1, 5) i;
INSERT INTO ekran.app_user SELECT i, 'user ' || i FROM generate_series(1, 5) i;
SQL
my $sessions = <<'SQL';
INSERT INTO ekran.session SELECT i, md5((1 + i % 5)::text)::uuid, 1 + i % 5, '2024-01-01 08:00+00'::timestamptz + i * interval '47 min',
	CASE WHEN i % 3 <> 0 THEN '2024-01-01 08:00+00'::timestamptz + i * interval '47 min' + interval '3 hours' END
FROM generate_series(1, 200) i;
INSERT INTO ekran.activity (session_id, activity_date, application)
SELECT s, '2024-01-01 08:00+00'::timestamptz + s * interval '47 min' + i * i * interval '53 s', 'app ' || i FROM generate_series(1, 200) s, generate_series(1, 12) i;
SELECT ekran_refresh();
INSERT INTO ekran.activity (session_id, activity_date)
SELECT s, '2024-01-01 09:00+00'::timestamptz + s * interval '47 min' FROM generate_series(1, 200, 7) s;
SQL
on_publisher($sessions . 'CREATE PUBLICATION everything FOR ALL TABLES');

# All tables, the derived ones among them, of which there are rows already.
on_subscriber("CREATE SUBSCRIPTION everything CONNECTION '$published' PUBLICATION everything WITH (streaming = on)");
$subscriber->wait_for_subscription_sync($publisher, 'everything');
is_exact('copied');
isnt(on_subscriber('SELECT generation FROM ekran.pending WHERE session_id IS NULL'),
	on_publisher('SELECT generation FROM ekran.pending WHERE session_id IS NULL'), 'the generation is its own');
cmp_ok(on_subscriber('SELECT count(*) FROM ekran.pending WHERE session_id IS NOT NULL'), '<=', 200,
	'what a copy brings is told a session at a time');
on_subscriber('CALL ekran_maintain()');
is_exact('copied and maintained');

# Everything that can become of rows.
my @changes = (
	[ 'activities come', q{INSERT INTO ekran.activity (session_id, activity_date) SELECT s, '2024-01-04 00:00+00'::timestamptz + s * interval '3 min' FROM generate_series(1, 200, 3) s} ],
	[ 'sessions come', q{INSERT INTO ekran.session SELECT i, NULL, NULL, '2024-01-05 08:00+00'::timestamptz + i * interval '1 min' FROM generate_series(301, 330) i} ],
	[ 'with activities', q{INSERT INTO ekran.activity (session_id, activity_date) SELECT i, '2024-01-05 14:00+00'::timestamptz + i * interval '1 min' FROM generate_series(301, 330) i} ],
	[ 'activities move', q{UPDATE ekran.activity SET activity_date = activity_date + interval '40 min' WHERE session_id % 10 = 0} ],
	[ 'to other sessions', q{UPDATE ekran.activity SET session_id = session_id + 1 WHERE session_id % 20 = 1 AND activity_date > '2024-01-02'} ],
	[ 'titles change', q{UPDATE ekran.activity SET title = 'x' WHERE session_id % 10 = 2} ],
	[ 'activities go', q{DELETE FROM ekran.activity WHERE session_id % 10 = 3 AND activity_id % 2 = 0} ],
	[ 'sessions are closed', q{UPDATE ekran.session SET logout_date = login_date + interval '5 hours' WHERE session_id % 6 = 0} ],
	[ 'and reopened', q{UPDATE ekran.session SET logout_date = NULL WHERE session_id % 12 = 0} ],
	[ 'logins change', q{UPDATE ekran.session SET login_date = login_date - interval '1 day' WHERE session_id % 12 = 0} ],
	[ 'sessions go', q{DELETE FROM ekran.session WHERE session_id % 9 = 0} ],
	[ 'and come again', q{INSERT INTO ekran.session SELECT i, NULL, NULL, '2023-12-31' FROM generate_series(9, 90, 9) i; INSERT INTO ekran.activity (session_id, activity_date) SELECT i, '2024-01-03' FROM generate_series(9, 90, 9) i} ],
	[ 'an id changes', q{INSERT INTO ekran.session VALUES (900, NULL, NULL, '2024-01-04'); UPDATE ekran.session SET session_id = 901, logout_date = '2024-01-05' WHERE session_id = 900} ],
	[ 'the index is folded', 'SELECT ekran_refresh()' ],
	[ 'and made anew', 'SELECT ekran_rebuild()' ],
	[ 'and maintained', 'INSERT INTO ekran.activity (session_id, activity_date) SELECT 2, now() FROM generate_series(1, 3); CALL ekran_maintain()' ],
	[ 'sessions are purged', q{SELECT ekran_purge('2024-01-02 12:00')} ],
	[ 'and closed for silence', q{SELECT count(*) FROM ekran_close_sessions('1 hour', '2024-01-05')} ],
	[ 'a savepoint is taken back', q{BEGIN; INSERT INTO ekran.session VALUES (950, NULL, NULL, '2024-01-04'); SAVEPOINT s; INSERT INTO ekran.session VALUES (951, NULL, NULL, '2024-01-04'); ROLLBACK TO s; INSERT INTO ekran.activity (session_id, activity_date) VALUES (950, '2024-01-04 01:00'); COMMIT} ],
	[ 'a large transaction is streamed', q{BEGIN; INSERT INTO ekran.session SELECT i, NULL, NULL, '2024-01-03', NULL FROM generate_series(2001, 2200) i; INSERT INTO ekran.activity (session_id, activity_date, title) SELECT i, '2024-01-03'::timestamptz + j * interval '17 min', repeat('x', 100) FROM generate_series(2001, 2200) i, generate_series(1, 15) j; COMMIT} ],
);
for my $fold (0, 1)
{
	on_publisher("DELETE FROM ekran.session; $sessions") if $fold;
	for my $change (@changes)
	{
		my ($name, $sql) = @$change;

		on_publisher($sql);
		is_exact($name . ($fold ? ', each folded' : ''));
		on_subscriber('SELECT ekran_refresh()') if $fold;
	}
}

# What is written beside it, on the subscriber.
on_subscriber(<<'SQL');
INSERT INTO ekran.session VALUES (5000, NULL, NULL, '2024-01-03');
INSERT INTO ekran.activity (session_id, activity_date) SELECT session_id, '2024-01-03 05:00:07' FROM ekran.session WHERE session_id IN (200, 5000);
SQL
is_exact('written to beside', is_apart => 1);
on_subscriber('DELETE FROM ekran.session WHERE session_id = 5000; DELETE FROM ekran.activity WHERE activity_date = $$2024-01-03 05:00:07$$');

# What reads there before the row that it is told of is noted, as who has no part in it.
on_subscriber(<<'SQL');
CREATE TABLE seen (what text, sessions bigint, differences bigint);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SET session_replication_role = origin SET search_path = ekran, public SET timezone = UTC
	SET ekran_sessions.idle_threshold = '1 min' AS $$
BEGIN
	INSERT INTO seen SELECT TG_OP || ' of ' || TG_TABLE_NAME, s, r + p + k + j FROM independent.differences(NULL, NULL, 1000) d (s, r, p, k, j);
	RETURN NULL;
END
$$;
CREATE TRIGGER a_see AFTER INSERT OR UPDATE OR DELETE ON ekran.session FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER a_see AFTER INSERT OR UPDATE OR DELETE ON ekran.activity FOR EACH ROW EXECUTE FUNCTION see();
ALTER TABLE ekran.session ENABLE REPLICA TRIGGER a_see;
ALTER TABLE ekran.activity ENABLE REPLICA TRIGGER a_see;
CALL ekran_maintain();
SQL
on_publisher($_) for 'INSERT INTO ekran.session VALUES (6000, NULL, NULL, $$2024-01-03$$)', 'INSERT INTO ekran.activity (session_id, activity_date) VALUES (6000, $$2024-01-03 00:07$$)',
  'UPDATE ekran.activity SET activity_date = $$2024-01-03 00:33$$ WHERE session_id = 6000', 'UPDATE ekran.session SET logout_date = $$2024-01-03 02:00$$ WHERE session_id = 6000',
  'DELETE FROM ekran.activity WHERE session_id = 6000', 'DELETE FROM ekran.session WHERE session_id = 6000';
is_exact('what is read from a trigger');
is(on_subscriber('SELECT count(*), bool_and(sessions > 100), sum(differences) FROM seen'), '6|t|0', 'it is told what is there') or diag on_subscriber('TABLE seen');
on_subscriber('DROP FUNCTION see() CASCADE; DROP TABLE seen');

# TRUNCATE comes as a statement.
on_publisher(q{TRUNCATE ekran.session, ekran.activity; INSERT INTO ekran.session VALUES (1, NULL, NULL, '2024-01-03'); INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2024-01-03 20:00')});
is_exact('truncated', status => 'raw|activity|session');
on_subscriber('SET client_min_messages = warning; CALL ekran_maintain()');
is_exact('truncated and maintained');

# A subscriber whose tables are a dump's, with the triggers' generation and all: there
# is no index before it is maintained, and none comes with what is copied.
sub copy_schema
{
	my ($database) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/schema.sql';

	$publisher->command_ok([ 'pg_dump', '-s', '--no-publications', '-f', $file, '-d', $publisher->connstr($database) ], "schema of $database");
	return $file;
}

on_subscriber('CREATE DATABASE dumped');
$subscriber->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $subscriber->connstr('dumped'), '-f', copy_schema('postgres') ], 'made elsewhere');
on_publisher("INSERT INTO ekran.session SELECT i, NULL, NULL, '2024-01-03' FROM generate_series(2, 50) i; INSERT INTO ekran.activity (session_id, activity_date) SELECT i, '2024-01-03 01:00' FROM generate_series(2, 50) i");
on_subscriber("CREATE SUBSCRIPTION dumped CONNECTION '$published' PUBLICATION everything WITH (two_phase = on)", 'dumped');
$subscriber->wait_for_subscription_sync($publisher, 'dumped', 'dumped');
my @dumped = (database => 'dumped', subscriptions => ['dumped']);
is_exact('a schema alone', @dumped, status => 'raw|activity|session');
on_subscriber('SET client_min_messages = warning; CALL ekran_maintain()', 'dumped');
is_exact('a schema alone, maintained', @dumped);
on_publisher(q{BEGIN; INSERT INTO ekran.session VALUES (60, NULL, NULL, '2024-01-04'); INSERT INTO ekran.activity (session_id, activity_date) VALUES (60, '2024-01-04 03:00'), (3, '2024-01-04 03:00'); DELETE FROM ekran.session WHERE session_id = 4; PREPARE TRANSACTION 'sessions'});
is_exact('prepared', @dumped);
on_publisher(q{COMMIT PREPARED 'sessions'});
is_exact('and committed', @dumped);

# Row security and rights are as ever for who reads there.
on_subscriber(<<'SQL', 'dumped');
CREATE ROLE reader;
GRANT USAGE ON SCHEMA ekran TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ekran TO reader;
SQL
is(on_subscriber('SET ROLE reader; SELECT answered_by, counted_by FROM ekran_status()', 'dumped'), 'index|session_count', 'a reader is answered by the index');

# Partitions: what is published of each goes to one of the same name, or to the whole.
my $parts = $publisher->connstr . ' dbname=parts';
on_publisher('CREATE DATABASE parts');
on_subscriber("CREATE DATABASE $_") for 'leaves', 'whole';
my $partitioned = <<'SQL';
CREATE SCHEMA ekran;
CREATE TABLE ekran.activity (session_id bigint NOT NULL, activity_date timestamptz NOT NULL, activity_id bigint NOT NULL, application text, url text, title text) PARTITION BY RANGE (activity_date);
CREATE TABLE ekran.activity_1 PARTITION OF ekran.activity FOR VALUES FROM ('2024-01-01') TO ('2024-01-02');
CREATE TABLE ekran.activity_2 PARTITION OF ekran.activity DEFAULT;
CREATE TABLE ekran.session (session_id bigint NOT NULL, client_guid uuid, user_id int, login_date timestamptz NOT NULL, logout_date timestamptz) PARTITION BY HASH (session_id);
CREATE TABLE ekran.session_1 PARTITION OF ekran.session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE ekran.session_2 PARTITION OF ekran.session FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE EXTENSION ekran_sessions;
SELECT ekran_create_store();
SQL
$publisher->safe_psql('parts', $partitioned . <<'SQL');
CREATE PUBLICATION leaves FOR ALL TABLES;
CREATE PUBLICATION whole FOR TABLE ekran.client, ekran.app_user, ekran.session, ekran.activity WITH (publish_via_partition_root = true);
INSERT INTO ekran.session SELECT i, NULL, NULL, '2024-01-01 08:00', NULL FROM generate_series(1, 100) i;
INSERT INTO ekran.activity (session_id, activity_date) SELECT i, '2024-01-01 08:00'::timestamptz + j * i * interval '3 min' FROM generate_series(1, 100) i, generate_series(1, 10) j;
SQL
on_subscriber($partitioned . $reading, 'leaves');
on_subscriber('CREATE EXTENSION ekran_sessions; SELECT ekran_create_store();' . $reading, 'whole');
for my $how ('leaves', 'whole')
{
	on_subscriber("CREATE SUBSCRIPTION $how CONNECTION '$parts' PUBLICATION $how", $how);
	$subscriber->wait_for_subscription_sync($publisher, $how, $how);
}
for my $change (
	[ 'copied', 'SELECT 1' ],
	[ 'activities come', q{INSERT INTO ekran.activity (session_id, activity_date) SELECT i, '2024-01-01 22:00'::timestamptz + i * interval '3 min' FROM generate_series(1, 100) i} ],
	[ 'and move', q{UPDATE ekran.activity SET activity_date = activity_date + interval '6 hours' WHERE session_id % 3 = 0} ],
	[ 'sessions move', q{UPDATE ekran.session SET session_id = session_id + 1000, login_date = login_date + interval '1 hour' WHERE NOT EXISTS (SELECT FROM ekran.activity a WHERE a.session_id = session.session_id); UPDATE ekran.session SET logout_date = '2024-01-02' WHERE session_id % 4 = 0} ],
	[ 'and go', q{DELETE FROM ekran.session WHERE session_id % 5 = 0} ])
{
	my ($name, $sql) = @$change;

	$publisher->safe_psql('parts', $sql);
	for my $how ('leaves', 'whole')
	{
		is_exact("$how, $name", database => $how, subscriptions => [$how], publisher => 'parts',
			($how eq 'leaves' ? (status => on_subscriber('SELECT state, answered_by, counted_by FROM ekran_status()', $how)) : ()));
		on_subscriber('SET client_min_messages = warning; CALL ekran_maintain()', $how);
		is_exact("$how, $name and maintained", database => $how, subscriptions => [$how], publisher => 'parts');
	}
}

# Only sessions are published, or only activities, whose sessions are not there.
on_subscriber("CREATE DATABASE $_") for 'sessions', 'activities';
on_publisher('CREATE PUBLICATION sessions FOR TABLE ekran.session; CREATE PUBLICATION activities FOR TABLE ekran.activity');
for my $what ('sessions', 'activities')
{
	on_subscriber('CREATE EXTENSION ekran_sessions; SELECT ekran_create_store(); ALTER TABLE ekran.session DROP CONSTRAINT session_client_guid_fkey, DROP CONSTRAINT session_user_id_fkey;' . $reading, $what);
	on_subscriber("CREATE SUBSCRIPTION $what CONNECTION '$published' PUBLICATION $what", $what);
	$subscriber->wait_for_subscription_sync($publisher, $what, $what);
}
is_exact('sessions alone', database => 'sessions', subscriptions => ['sessions'], is_apart => 1, status => 'ok|activity|session_count');
like(on_subscriber('SELECT count(*), min(difference) FROM ekran_check()', 'activities'), qr/^[1-9]\d*\|1 activity has no session/, 'activities alone: which ekran_check() tells');
on_subscriber("INSERT INTO ekran.session SELECT DISTINCT session_id, NULL::uuid, NULL::int, '2024-01-02'::timestamptz FROM ekran.activity", 'activities');
is_exact('until their sessions come', database => 'activities', subscriptions => ['activities'], is_apart => 1);

# The subscriber takes over.
on_subscriber("DROP SUBSCRIPTION $_->[0]", $_->[1]) for [ 'everything', 'postgres' ], [ 'dumped', 'dumped' ], [ 'leaves', 'leaves' ], [ 'whole', 'whole' ], [ 'sessions', 'sessions' ], [ 'activities', 'activities' ];
on_subscriber("SELECT setval('ekran.activity_activity_id_seq', (SELECT max(activity_id) FROM ekran.activity)); INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2024-01-03 20:30'); SELECT ekran_refresh(); DELETE FROM ekran.session WHERE session_id = 2");
like(differences($subscriber, 'postgres', 'ekran'), qr/^[1-9]\d*\|0$/, 'taken over: as the rules say');
is(on_subscriber('SELECT * FROM ekran_check()'), '', 'taken over: ekran_check() finds nothing');

# No worker has failed on its way, and nothing of the derived tables was sent. But for the
# server's own: one that comes back before the last one has gone tries again.
is(join("\n", grep { /ERROR:/ && !/replication origin with ID \d+ is already active/ } split /\n/, slurp_file($subscriber->logfile)), '', 'nothing has failed to be applied');
on_publisher(q{SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')});
on_publisher(<<'SQL');
INSERT INTO ekran.session SELECT i, NULL, NULL, '2024-01-03' FROM generate_series(3001, 3300) i;
INSERT INTO ekran.activity (session_id, activity_date) SELECT i, '2024-01-03' FROM generate_series(3001, 3300) i;
SELECT ekran_refresh();
INSERT INTO ekran.activity (session_id, activity_date) SELECT i, '2024-01-04' FROM generate_series(3001, 3300) i;
CALL ekran_maintain();
SQL
is(on_publisher(<<'SQL'), "ekran.activity: INSERT\nekran.pending: DELETE (no-tuple-data)\nekran.session: INSERT\nekran.session_count: DELETE (no-tuple-data)\nekran.session_idle: DELETE (no-tuple-data)", 'nothing is decoded of what is derived');
SELECT DISTINCT regexp_replace(data, '^table (\S+: (INSERT|UPDATE|DELETE)).*?( \(no-tuple-data\))?$', '\1\3')
FROM pg_logical_slot_get_changes('decoded', NULL, NULL) WHERE data LIKE 'table %' ORDER BY 1;
SQL

done_testing();
