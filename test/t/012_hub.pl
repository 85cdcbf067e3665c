# A hub over shards: the functions of the same names, arguments and rows, against the
# independent reading of a store that holds what all shards do.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use FilledStore;
use Hub;
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;

my $node = start_cluster('main');
if (my $reason = Hub::missing($node))
{
	plan skip_all => $reason;
}
my $hub = Hub->new($node);
my $path = 'SET search_path = ekran, ekran_hub, public;';

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', "LOAD 'ekran_sessions'; SET client_min_messages = warning; SET TimeZone = 'UTC'; $path\n$sql");
}

# What is refused, and how.
sub refusal
{
	my ($sql, $more) = @_;
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET TimeZone = 'UTC'; $path $sql", %{ $more // {} });
	return $err =~ s/^psql:[^ ]*: //r;
}

$node->safe_psql('postgres', "SET check_function_bodies = off;\n" . slurp_file("$FindBin::RealBin/../$_"))
  for qw(helpers.sql independent_reading.sql independent_statistics.sql random_store.sql random_usage.sql);

# The same functions
is(ask(<<'SQL'), '', 'the hub has each function that reads, with the same arguments and rows');
WITH f AS (SELECT pronamespace::regnamespace::text AS schema, proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
	FROM pg_proc WHERE proname ~ '^ekran_' AND prosrc <> 'ekran_sessions_support' AND (provolatile = 's' OR proname ~ 'part')
		AND proname NOT IN ('ekran_status', 'ekran_check', 'ekran_session_figures', 'ekran_session_days'))
(SELECT proname, arguments, result FROM f WHERE schema = 'public' EXCEPT ALL SELECT proname, arguments, result FROM f WHERE schema = 'ekran_hub')
UNION ALL
(SELECT proname, arguments, result FROM f WHERE schema = 'ekran_hub' EXCEPT ALL SELECT proname, arguments, result FROM f WHERE schema = 'public')
SQL
is(ask("SELECT 'ekran_sessions'::regproc, count(*) FROM pg_proc WHERE pronamespace = 'ekran_hub'::regnamespace"),
	'ekran_sessions|21', 'which a client with that search_path calls');

# Random windows of random stores
for my $seed (0.11, 0.12)
{
	ask("SELECT testing.fill_random_store($seed)");
	$hub->distribute;
	is(ask("SELECT setseed($seed); SELECT compared, rows_compared > 100, different FROM testing.compare_random_windows(25)"),
		"\n25|t|0", "25 windows of a store of seed $seed: pages, keyset pages, total and JSON are equal");
	is(ask("SET ekran_sessions.idle_policy = excess; SET ekran_sessions.idle_threshold = '61s'; SELECT setseed($seed); SELECT compared, rows_compared > 100, different FROM testing.compare_random_windows(10)"),
		"\n10|t|0", 'likewise by other settings of the caller');
}
for my $zone ([ 'UTC', '2024-02-29' ], [ 'America/New_York', '2024-11-03' ], [ 'Asia/Kathmandu', '2024-01-01' ])
{
	my ($name, $day) = @$zone;
	ask("SET TimeZone = '$name'; SELECT testing.fill_random_usage(0.3, '$day 02:00')");
	$hub->distribute;
	is(ask("SET TimeZone = '$name'; SELECT setseed(0.3); SELECT compared, different FROM testing.compare_random_statistics(8)"),
		"\n8|0", "statistics and timelines in $name are equal");
	is(ask("SET TimeZone = '$name'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard';"
		  . " SELECT (SELECT array_agg(s::text) FROM ekran_sessions_all() s) = (SELECT array_agg(s::text) FROM public.ekran_sessions_all() s)"),
		't', 'whatever dates look like');
}

done_testing();
