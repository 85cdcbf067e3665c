# script/demo as a new user runs it: on sample data, on data of the user's, on
# wrong input; and it leaves nothing behind.

use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Files;
use IPC::Run qw(run);
use JSON::PP;
use Test::More;

my $root = "$FindBin::Bin/../..";
my $clusters_before = clusters();
my @files_before = temporary_files();
my ($out, $err, $seconds);

# The demo writes its picture where it is called.
my $called = tempdir(CLEANUP => 1);
chdir $called or die;

# On sample data.
is(demo(), 0, 'the demo runs') or diag $out, $err;
cmp_ok($seconds, '<', 60, 'in less than a minute');
like($out, qr/^Loaded: 50 users, 638 sessions, 215054 activities\.$/m,
	'it loads its sample data');
like($out, qr/^ Keiko Tanaka +\| 2026-03-03 07:44:44 \| 2026-03-03 16:53:27 \| 09:08:43 \| 06:45:42 +\| 02:23:01$/m,
	'it shows a page of one day');
like($out, qr/^ +70$/m, 'and the total count');
my $response = response();
is($response->{totalCount}, 70, 'and the same as JSON');
is(scalar @{ $response->{sessions} }, 2, 'a page of it');
is($response->{sessions}[0]{userName}, 'Wanda Krol', 'from the same session on');
is((split /\n/, $out)[-1], "The picture of 2026-03-03 is in $called/demo.html: open it in a browser.", 'and says where its picture is');
like(picture(), qr/"name" : "Wanda Krol"/, 'which shows the same sessions');

# On a folder of the user's: a finished and a running session.
my $directory = tempdir(CLEANUP => 1);
write_file("$directory/session.csv", <<'CSV');
session_id,user_id,login_time,logout_time
2,7,2024-01-01T08:00:00.000Z,2024-01-01T09:30:00.000Z
5000000000,,2024-01-01T08:30:00.000Z,
CSV
write_activities(<<'CSV');
session_id,activity_time
2,2024-01-01T08:01:00.000Z
2,2024-01-01T08:10:00.000Z
5000000000,2024-01-01T08:35:00.250Z
2,2024-01-01T09:05:00.000Z
2,2024-01-01T08:40:00.000Z
CSV
is(demo($directory), 0, "the demo runs on a folder of the user's") or diag $out, $err;
like($out, qr/^Loaded: 1 users, 2 sessions, 5 activities\.$/m, 'it loads what is there');
$response = response();
is_deeply(
	$response,
	{
		totalCount => 2,
		sessions => [
			{
				sessionId => 2, clientGuid => undef, clientName => undef,
				userId => 7, userName => 'user 7',
				loginDate => '2024-01-01T08:00:00+00:00',
				logoutDate => '2024-01-01T09:30:00+00:00',
				duration => '01:30:00', productivityTime => '00:10:00',
				idleTime => '01:20:00'
			},
			{
				sessionId => 5000000000, clientGuid => undef, clientName => undef,
				userId => undef, userName => undef,
				loginDate => '2024-01-01T08:30:00+00:00',
				logoutDate => '2024-01-01T08:35:00.25+00:00',
				duration => '00:05:00.2500000',
				productivityTime => '00:05:00.2500000', idleTime => '00:00:00'
			}
		]
	},
	'and shows its figures');
like(picture(), qr/"id" : "5000000000", "user" : null/, 'and draws a picture of them');

# Wrong input: a clear word, and an exit status that says so.
write_activities("session_id,activity_time\n3,2024-01-01T08:01:00.000Z\n");
isnt(demo($directory), 0, 'an activity of an unknown session is refused');
like("$out$err", qr/activity refers to session 3, which is not in table/, 'by name');
write_activities("session,time\n");
is(demo($directory), 2, 'a file with another header is refused');
like($err, qr/activity\.csv\.gz: the first line must be/, 'by name');
unlink "$directory/session.csv";
is(demo($directory), 2, 'a folder without the files is refused');
like($err, qr/session\.csv: no such file/, 'by name');
is(demo('/nowhere'), 2, 'so is a folder that is not there');
is_deeply([ glob '*' ], ['demo.html'], 'the picture is all that is left where it was called');
unlink 'demo.html';
mkdir 'demo.html';
is(demo(), 2, "a picture that can't be written is refused");
like($err, qr/^demo: \Q$called\E\/demo\.html: can't be written/, 'by name');
is($out, '', 'before the work begins');
rmdir 'demo.html';

# Real input, where there is some.
my $real = $ENV{EKRAN_SESSIONS_DATA} // "$root/../shared/data/balabit";
SKIP:
{
	skip "no real sessions in $real", 4 unless -r "$real/activity.csv.gz";
	is(demo($real), 0, 'the demo runs on real sessions') or diag $out, $err;
	cmp_ok($seconds, '<', 60, 'in less than a minute');
	like($out, qr/^Loaded: 6 users, 1096 sessions, 348744 activities\.$/m, 'loads them all');
	is(response()->{totalCount}, 39, 'and shows the first day');
}

is(clusters(), $clusters_before, 'no cluster was made, changed or left behind');
is_deeply([ temporary_files() ], \@files_before, 'no file was left behind');
chdir '/';
done_testing();

sub demo
{
	my $begun = time;
	run([ "$root/script/demo", @_ ], '<', \undef, '>', \$out, '2>', \$err);
	$seconds = time - $begun;
	return $? >> 8;
}

# The JSON that the demo ends with.
sub response
{
	my ($json) = $out =~ /^(\{"sessions".*\})$/m or return {};
	return decode_json($json);
}

sub picture
{
	return read_file("$called/demo.html");
}

sub clusters
{
	return join '', map { (split)[ 0, 1, 3 ] } `pg_lsclusters --no-header 2>/dev/null`;
}

sub temporary_files
{
	return glob('/tmp/ekran_sessions* /tmp/pg_virtualenv.*');
}

sub write_activities
{
	write_file("$directory/activity.csv", $_[0]);
	run([ 'gzip', '-f', "$directory/activity.csv" ]) or die 'gzip failed';
}
