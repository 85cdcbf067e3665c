# What doc/operations.md says of partitions, as it is said there: a check that spares the
# conversion a look at all activities, and pg_partman, which makes partitions ahead and
# moves rows, of the release that Debian has for this server.

use strict;
use warnings;
use Cwd qw(realpath);
use FindBin;
use lib "$FindBin::Bin/../perl";
use IPC::Run qw(run);
use Pages;
use Test::More;

my $root = realpath("$FindBin::Bin/../..");
my @blocks = grep { $_->{section} eq 'Partitions' && $_->{language} eq 'sql' } blocks("$root/doc/operations.md");
my ($check) = grep { $_->{text} =~ /NOT VALID/ } @blocks;
my %of_partman = (
	5 => (grep { $_->{text} =~ /p_default_table/ } @blocks)[0],
	4 => (grep { $_->{text} =~ /'native'/ } @blocks)[0]);
ok($check && $of_partman{4} && $of_partman{5}, 'the page has what is run here');

my $prelude = <<'SQL';
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION ekran_sessions;
CREATE ROLE ekran_owner;
CREATE SCHEMA ekran AUTHORIZATION ekran_owner;
SET ROLE ekran_owner;
SET TimeZone = 'UTC';
SQL

# The check is of use where one knows that no activity comes later.
my ($before, $after) = $check->{text} =~ /(.*;\n)(-- after.*)/s or die 'no statements for before and after';
my $out = result(<<"SQL");
$prelude
SELECT ekran_create_store();
INSERT INTO ekran.session (session_id, login_date) VALUES (1, '2026-01-01');
INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2026-01-02');
$before
\\set store ekran
\\set period '1 month'
\\set up_to '2027-01-01 00:00+00'
SET client_min_messages = debug1;
\\i $root/script/partition.sql
RESET client_min_messages;
$after
INSERT INTO ekran.session (session_id, login_date) VALUES (2, '2027-02-01');
INSERT INTO ekran.activity (session_id, activity_date) VALUES (2, '2027-02-02');
SELECT 'parts', count(DISTINCT tableoid) FROM ekran.activity;
SELECT 'differing', count(*) FROM ekran_check();
SQL
like($out, qr/partition constraint for table "activity_before" is implied by existing constraints/, 'by the check the conversion spares itself a look at all activities');
like($out, qr/^parts\|2$/m, 'activities go on in the next partition');
like($out, qr/^differing\|0$/m, 'and all is right');

# An owner whose name needs quotes; and publications that would send partitions by their names.
my $convert = "\\set store ekran\n\\set period '1 month'\n\\set up_to '2027-01-01 00:00+00'\n\\i $root/script/partition.sql\n";
$out = result(<<"SQL");
SET client_min_messages = error;
CREATE EXTENSION ekran_sessions;
CREATE ROLE "Ke ""eper";
GRANT CREATE ON DATABASE postgres TO "Ke ""eper";
SET ROLE "Ke ""eper";
SELECT ekran_create_store();
RESET ROLE;
CREATE PUBLICATION everything FOR ALL TABLES;
SET ROLE "Ke ""eper";
\\set ON_ERROR_STOP off
$convert
ROLLBACK;
RESET ROLE;
ALTER PUBLICATION everything SET (publish_via_partition_root);
SET ROLE "Ke ""eper";
$convert
SELECT 'converted', relkind FROM pg_class WHERE oid = 'ekran.activity'::regclass;
SQL
like($out, qr/would not have: publication everything \(which may/, 'a publication of all tables is in the way');
like($out, qr/^converted\|p$/m, 'unless by the root; to an owner whose name needs quotes');

my ($version) = result('SELECT default_version FROM pg_available_extensions WHERE name = \'pg_partman\'') =~ /^(\d+)\./;
SKIP:
{
	skip 'this server has no pg_partman', 1 unless $version;
	check_partman($of_partman{$version});
}
done_testing();

sub result
{
	my ($script) = @_;
	my $out;

	run([ "$root/script/with-server", 'psql', '-X', '-A', '-t', '-d', 'postgres' ], '<', \$script, '>', \$out, '2>&1');
	is($? >> 8, 0, 'the statements are run') or diag $out;
	return $out;
}

# Partitions are made as time goes on, here by making more of them ahead; rows that have come
# to the default one move; and old ones go.
sub check_partman
{
	my ($block) = @_;
	my $out = result(<<"SQL");
CREATE SCHEMA partman;
CREATE EXTENSION pg_partman SCHEMA partman;
$prelude
RESET ROLE;
GRANT ALL ON SCHEMA partman TO ekran_owner;
GRANT ALL ON ALL TABLES IN SCHEMA partman TO ekran_owner;
GRANT CREATE, TEMPORARY ON DATABASE postgres TO ekran_owner;
SET ROLE ekran_owner;
$block->{text}
SELECT 'default', count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = 'ekran.activity'::regclass AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT';
SELECT count(*) AS parts FROM pg_inherits WHERE inhparent = 'ekran.activity'::regclass \\gset
UPDATE partman.part_config SET premake = 8;
SELECT partman.run_maintenance('ekran.activity');
SELECT 'ahead', count(*) - :parts >= 4 FROM pg_inherits WHERE inhparent = 'ekran.activity'::regclass;
INSERT INTO ekran.session (session_id, login_date) VALUES (1, date_trunc('month', now()) - interval '15 months');
INSERT INTO ekran.activity (session_id, activity_date)
SELECT 1, date_trunc('month', now()) - interval '15 months' + i * interval '1 day' FROM generate_series(0, 400) i;
SELECT ekran_refresh();
SELECT 'by default', count(*) > 50 FROM ekran.activity_default;
CALL partman.partition_data_proc('ekran.activity');
SELECT 'left', count(*) FROM ekran.activity_default;
SELECT 'all', count(*) FROM ekran.activity;
SELECT 'differing', count(*) FROM ekran_check();
SELECT 'idle', idle_time FROM ekran_sessions();
SELECT 'state', state, reason FROM ekran_status();
UPDATE ekran.session SET logout_date = (SELECT max(activity_date) FROM ekran.activity);
SELECT 'dropped', sessions, cardinality(dropped) > 8, kept FROM ekran_drop_activity_before((SELECT logout_date + interval '1 hour' FROM ekran.session));
SELECT 'differing', count(*) FROM ekran_check();
SELECT partman.run_maintenance('ekran.activity');
SELECT 'default still', count(*) FROM ekran.activity_default;
SQL
	like($out, qr/^default\|1$/m, 'there is one default partition');
	like($out, qr/^ahead\|t$/m, 'more are made ahead');
	like($out, qr/^by default\|t$/m, 'what comes of another time goes there');
	like($out, qr/^left\|0$/m, 'and is moved by pg_partman');
	like($out, qr/^all\|401$/m, 'all of it');
	is(() = $out =~ /^differing\|0$/mg, 2, 'the index is right');
	like($out, qr/^idle\|9600:00:00$/m, 'and so are figures');
	like($out, qr/^state\|ok\|$/m, 'the store is well');
	like($out, qr/^dropped\|1\|t\|\{\}$/m, 'old ones are dropped with their sessions');
	return;
}
