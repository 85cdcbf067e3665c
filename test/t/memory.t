# Measuring a session takes bounded memory, however much happened in it.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Database;
use IPC::Run qw(start);
use Test::More;

my $ACTIVITIES = 5_000_000;

my $db = Database->new('memory');
$db->query(<<"SQL");
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
	my ($call) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $session = start([ $db->file_command ], '<', \$in, '>', \$out, '2>', \$err);
	my $peak = 0;

	# The just-in-time compiler takes some megabytes of its own when it is loaded.
	$in .= "SET jit = off; SELECT 'pid ' || pg_backend_pid();\n"
	  # what any first call needs: the library, the plans, the caches
	  . "SELECT 'warm ' || count(*) FROM ekran_sessions('2024-01-01 00:00+00', '2024-01-01 00:10+00');\n";
	$session->pump until $out =~ /warm \d/;
	my ($pid) = $out =~ /pid (\d+)/;
	my $before = private_memory($pid) or die "no figure of the backend's memory";

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

# Kilobytes of memory that a process has for itself.
sub private_memory
{
	my ($pid) = @_;
	open(my $status, '<', "/proc/$pid/status") or return 0;
	my ($anonymous) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
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

$db->in('postgres', 'DROP DATABASE memory');
done_testing();
