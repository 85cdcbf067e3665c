# ekran_maintain() in many transactions: cancelled half way, beside those who write
# and truncate, and two at a time.  At every moment what is returned is exact.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run qw(start);
use StoreCluster;
use Test::More;

# More activities than two transactions take.
my $SESSIONS = 80_000;

my $node = start_cluster('main');
$node->safe_psql('postgres', <<"SQL");
CREATE ROLE regress_ekran_raw;
GRANT USAGE ON SCHEMA ekran TO regress_ekran_raw;
GRANT SELECT ON ekran.client, ekran.app_user, ekran.session, ekran.activity TO regress_ekran_raw;
CREATE FUNCTION by_activity(sessions bigint) RETURNS SETOF ekran_session_row LANGUAGE sql STABLE SECURITY DEFINER
	AS 'SELECT * FROM ekran_sessions_after(after_session_id => sessions)';
ALTER FUNCTION by_activity OWNER TO regress_ekran_raw;
INSERT INTO ekran.session SELECT i, NULL, NULL, '2024-01-01 00:00+00'::timestamptz + i * interval '1 s', NULL FROM generate_series(0, $SESSIONS) i;
INSERT INTO ekran.activity (session_id, activity_date)
SELECT s, '2024-01-01 00:00+00'::timestamptz + s * interval '1 s' + i * interval '5 minutes' FROM generate_series(1, $SESSIONS) s, generate_series(1, 6) i;
ANALYZE ekran.session, ekran.activity;
SQL

# Pages here and there, of which by the index and by the activities differ.
sub differences
{
	return $node->safe_psql('postgres', <<"SQL");
SELECT count(*) FROM generate_series(0, $SESSIONS - 1000, $SESSIONS / 10) i
WHERE (SELECT string_agg(s::text, ';') FROM ekran_sessions_after(after_session_id => i) s)
	IS DISTINCT FROM (SELECT string_agg(a::text, ';') FROM by_activity(i) a);
SQL
}

sub state { return $node->safe_psql('postgres', 'SELECT state FROM ekran_status()'); }

# Begins to run SQL; what it says is in $out and $err of the handle returned.
sub begin
{
	my ($sql) = @_;
	my $handle = { sql => $sql, out => '', err => '' };
	$handle->{run} = start(psql_command($node), '<', \$handle->{sql}, '>', \$handle->{out}, '2>', \$handle->{err});
	return $handle;
}

# Counts the sessions that are in the index.
my $MADE = 'SELECT count(*) FROM ekran.session_idle WHERE session_id IS NOT NULL';

# Lets a call run until a count is not zero; fails where that takes half a minute.
sub wait_until_some
{
	my ($handle, $count, $name) = @_;
	my ($found, $begun) = (0, time);
	until (($found = $node->safe_psql('postgres', $count)) || time - $begun > 30)
	{
		$handle->{run}->pump_nb;
		select(undef, undef, undef, 0.002);
	}
	cmp_ok($found, '>', 0, $name);
}

sub finish
{
	my ($handle) = @_;
	$handle->{run}->finish;
	return $handle->{err};
}

is(differences(), 0, 'exact with all pending');
$node->safe_psql('postgres', 'SET client_min_messages = warning; CALL ekran_maintain()');
is($node->safe_psql('postgres', 'SELECT indexed_sessions, pending_rows FROM ekran_status()'), "$SESSIONS|0", 'all folded');
is(differences(), 0, 'exact with all folded');

# Made anew, and cancelled as soon as it has committed something.
$node->safe_psql('postgres', 'TRUNCATE ekran.session_idle');
is(state(), 'raw', 'emptied');
my $call = begin("SELECT 'pid ' || pg_backend_pid();\nCALL ekran_maintain();\n");
wait_until_some($call, $MADE, 'some are made');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($1)") if $call->{out} =~ /pid (\d+)/;
like(finish($call), qr/canceling statement due to user request/, 'cancelled half way');
my $done = $node->safe_psql('postgres', 'SELECT count(session_id) FROM ekran.session_idle');
cmp_ok($done, '>', 0, "of $SESSIONS sessions, $done stay made");
cmp_ok($done, '<', $SESSIONS, 'and not all');
is(state(), 'raw', 'which nobody trusts');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_class'::regclass"), 0,
	'no lock stays');
is(differences(), 0, 'exact half way');

# Called again with time for a stretch or two: each call goes on where the last was.
my ($calls, $milliseconds) = (0, 100);
while (state() eq 'raw' && $calls++ < 60)
{
	finish(begin("SET statement_timeout = '${milliseconds}ms';\nCALL ekran_maintain();\n"));
	my $now = $node->safe_psql('postgres', 'SELECT count(session_id) FROM ekran.session_idle');
	$milliseconds += 50 if $now == $done;
	cmp_ok($now, '>=', $done, "call $calls, ended after $milliseconds ms or less, leaves $now");
	$done = $now;
}
is(state(), 'ok', "made anew in $calls calls");
is(differences(), 0, 'exact');
is($node->safe_psql('postgres', 'SELECT * FROM ekran_check()'), '', 'ekran_check() finds nothing');

# Called beside another one, and those who write.
$node->safe_psql('postgres', 'TRUNCATE ekran.session_idle');
my $writer = begin(join '', map {
		my $id = 1 + ($_ * 7919) % $SESSIONS;
		"INSERT INTO ekran.activity (session_id, activity_date) VALUES ($id, '2024-01-01 12:00+00');\n"
		  . ($_ % 10 == 0 ? 'DELETE FROM ekran.session WHERE session_id = ' . (1 + ($_ * 104729) % $SESSIONS) . " AND session_id % 8000 <> 0;\n" : '')
	} 1 .. 3000);
my $folder = begin("BEGIN;\nSELECT 'has folded ' || ekran_refresh();\n");
$folder->{run}->pump until $folder->{out} =~ /has folded/;
$call = begin("CALL ekran_maintain();\n");
wait_until_some($call, "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND NOT granted", 'it waits');
like(finish(begin("CALL ekran_maintain();\n")), qr/is being maintained already/,
	'another one leaves it to the first, which waits for who folds');
finish($folder);
my @seen;
push @seen, differences() for 1 .. 3;
is("@seen", '0 0 0', 'exact meanwhile');
like(finish($call), qr/making the idle-gap index of store "ekran" anew/, 'and the first does it');
finish($writer);
is(state(), 'ok', 'made anew');
is(differences(), 0, 'exact');
is($node->safe_psql('postgres', 'SELECT * FROM ekran_check()'), '', 'ekran_check() finds nothing');

# Truncated while it is made anew: it begins again.
$node->safe_psql('postgres', 'TRUNCATE ekran.session_idle');
$call = begin("CALL ekran_maintain();\n");
wait_until_some($call, $MADE, 'some are made again');
$node->safe_psql('postgres', 'TRUNCATE ekran.activity');
$node->safe_psql('postgres', "INSERT INTO ekran.activity (session_id, activity_date) VALUES (8000, '2024-01-01 13:00+00')");
like(finish($call), qr/has been changed meanwhile, beginning anew/, 'truncated meanwhile');
$node->safe_psql('postgres', 'SET client_min_messages = warning; CALL ekran_maintain()');
is(state(), 'ok', 'made anew all the same');
is($node->safe_psql('postgres', 'SELECT indexed_sessions FROM ekran_status()'), 1, 'of what there is');
is(differences(), 0, 'exact');

# Of ids at the far end, a call that goes on begins where it was too.
$node->safe_psql('postgres', <<'SQL');
SELECT ekran_create_store('far');
INSERT INTO far.session SELECT i, NULL, NULL, '2024-01-01 00:00+00', '2024-01-05 00:00+00'
FROM (SELECT -9223372036854775808 + i FROM generate_series(0, 399) i UNION ALL SELECT -i FROM generate_series(1, 20) i UNION ALL SELECT 9223372036854775807 - i FROM generate_series(0, 199) i) x (i);
INSERT INTO far.activity (session_id, activity_date) SELECT session_id, '2024-01-01 00:00+00'::timestamptz + i * interval '2 min' FROM far.session, generate_series(1, 1000) i;
ANALYZE far.session, far.activity;
TRUNCATE far.session_idle, far.pending;
SQL
my $far = 'SET ekran_sessions.store = far;';
($calls, $milliseconds, $done) = (0, 30, 0);
while ($node->safe_psql('postgres', "$far SELECT state FROM ekran_status()") eq 'raw' && $calls++ < 60)
{
	finish(begin("$far\nSET statement_timeout = '${milliseconds}ms';\nCALL ekran_maintain();\n"));
	my $now = $node->safe_psql('postgres', 'SELECT count(session_id) FROM far.session_idle');
	$milliseconds += 50 if $now == $done;
	$done = $now;
}
cmp_ok($calls, '>', 1, "far ids made anew in $calls calls");
is($done, 620, 'all of them');
is($node->safe_psql('postgres', "$far SELECT * FROM ekran_check()"), '', 'ekran_check() finds nothing');

done_testing();
