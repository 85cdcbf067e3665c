# A hub as its page says, doc/hub.md, and as script/demo-cluster shows it: the page of
# script/demo, a shard that is killed, and brought back; and it leaves nothing behind.

use strict;
use warnings;
use Cwd qw(realpath);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Files;
use IPC::Run qw(run);
use Pages;
use Test::More;

my $root = realpath("$FindBin::Bin/../..");
my ($out, $err);

run([ "$root/script/with-server", qw(psql -XAtc), q(SELECT count(*) FROM pg_available_extensions WHERE name = 'plproxy'), 'postgres' ], '>', \$out);
plan skip_all => 'this server has no PL/Proxy' if $out eq "0\n";

# What is typed there, over four databases of a server, with the two names of the page.
my ($statements) = map { $_->{text} } grep { $_->{language} eq 'sql' && $_->{section} eq 'The hub' } blocks("$root/doc/hub.md");
ok($statements, 'the page has what is run here');
my $shards = ($statements =~ s/host=shard\d\.example\.com /host=:host /g);
is($shards, 4, 'over four shards');
# psql puts no variable into a string.
$statements =~ s/(CREATE SERVER .*?;\n)/"SELECT format(\$\$" . $1 =~ s{;\n\z}{}r =~ s{:host}{%1\$s}gr . "\$\$, current_setting('unix_socket_directories')) \\gexec\n"/se;
my %sessions = (
	0 => "INSERT INTO ekran.session VALUES (4, NULL, NULL, '2024-03-05 08:00+00', '2024-03-05 09:00+00')",
	1 => "INSERT INTO ekran.app_user VALUES (1, 'Ada'); INSERT INTO ekran.session VALUES (5, NULL, 1, '2024-03-05 07:00+00', '2024-03-05 10:00+00')");
my $stores = join '', map { <<"SQL" } 0 .. 3;
\\c ekran$_
SET client_min_messages = warning; CREATE EXTENSION ekran_sessions; SELECT ekran_create_store() \\g /dev/null
GRANT USAGE ON SCHEMA ekran TO ana; GRANT SELECT ON ALL TABLES IN SCHEMA ekran TO ana;
@{[ $sessions{$_} // '' ]};
SQL
my $script = <<'SQL' . $stores . "\\c postgres\n" . $statements . <<'SQL';
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE ROLE ana LOGIN;
SELECT format('CREATE DATABASE ekran%s', i) FROM generate_series(0, 3) i \gexec
SQL
\c - ana
SET TimeZone = 'UTC';
SELECT session_id, user_name, idle_time FROM ekran_sessions('2024-03-04', '2024-03-11');
SQL
run([ "$root/script/with-server", qw(psql -XAtq -d postgres) ], '<', \$script, '>', \$out, '2>', \$err);
is($? >> 8, 0, 'the statements are run') or diag $out, $err;
like($out, qr/^5\|Ada\|03:00:00\n4\|\|01:00:00\n\z/m, 'and an analyst sees the sessions of all shards, in order');

# The demonstration
run([ "$root/script/demo-cluster" ], '<', \'', '>', \$out, '2>', \$err);
is($? >> 8, 0, 'the demonstration runs') or diag $out, $err;
is($err, '', 'and complains of nothing');
like($out, qr/^ Keiko Tanaka +\| 2026-03-03 07:44:44 \| 2026-03-03 16:53:27 \| 09:08:43 \| 06:45:42 +\| 02:23:01$/m, 'it shows the page that script/demo shows');
like($out, qr/^ +70$/m, 'the count');
like($out, qr/"userName":"Wanda Krol".*"totalCount":70\}$/m, 'and the JSON');
like($out, qr/^All of it is the same as of one store that holds the whole\.$/m, 'the same as one store returns');
like($out, qr{^ERROR:  a shard can't be asked: .*/shard2/}m, 'a shard that has been killed is named');
like($out, qr/It is brought back\.\nSELECT ekran_sessions_total_count\(\);\n.*\n-+\n +638\n\n?\z/, 'and answers when it is back');
my ($servers) = $out =~ m{host=(/tmp/[^/]+)/shard0};
ok($servers && !-e $servers, 'nothing is left of it');
done_testing();
