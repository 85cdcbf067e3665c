# Real sessions (the Balabit mouse dynamics data, not part of this repository)
# against the independent reading of the rules, in windows of all kinds.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;

my $directory = $ENV{EKRAN_SESSIONS_DATA}
  // "$FindBin::RealBin/../../../shared/data/balabit";
plan skip_all => "no real sessions in $directory (EKRAN_SESSIONS_DATA names another folder)"
  unless -r "$directory/session.csv" && -r "$directory/activity.csv.gz";

my $node = start_cluster('main');
my ($status, undef, $err) = $node->psql(
	'postgres', '',
	extra_params => [
		'-v', 'store=ekran',
		'-v', "session_csv=$directory/session.csv",
		'-v', "activity_csv=$directory/activity.csv.gz",
		'-f', "$FindBin::RealBin/../../script/load.sql" ]);
is($status, 0, 'the files load') or diag $err;
is($node->safe_psql('postgres', 'SELECT count(*) FROM ekran.session'), 1096, 'all sessions');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ekran.activity'), 348744, 'all activities');
$node->safe_psql('postgres', 'ANALYZE');
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../$_"))
  for 'independent_reading.sql', 'independent_statistics.sql';

# Whole, days and weeks, cuts of an hour, bounds on a login, a logout and an
# activity, and a window in the middle of a long session.
my @windows = split /\n/, $node->safe_psql('postgres', <<'SQL');
SET TimeZone = 'UTC';
WITH bounds AS (
	SELECT NULL::timestamptz AS a, NULL::timestamptz AS b
	UNION ALL SELECT d, d + interval '1 day'
	FROM generate_series('2016-08-01', '2016-08-11', interval '2 days') d
	UNION ALL SELECT d, d + interval '7 days'
	FROM generate_series('2016-08-01', '2016-08-08', interval '7 days') d
	UNION ALL SELECT h, h + interval '1 hour'
	FROM generate_series('2016-08-02 09:00', '2016-08-02 15:00', interval '2 hours') h
	UNION ALL (SELECT login_date, logout_date FROM ekran.session
		ORDER BY logout_date - login_date DESC LIMIT 3)
	UNION ALL (SELECT login_date + (logout_date - login_date) / 3,
		logout_date - (logout_date - login_date) / 3 FROM ekran.session
		ORDER BY logout_date - login_date DESC LIMIT 3)
	UNION ALL (SELECT activity_date, activity_date + interval '37 minutes 0.001 seconds'
		FROM ekran.activity WHERE activity_id % 60000 = 0)
	UNION ALL (SELECT activity_date, lead(activity_date, 500) OVER (ORDER BY activity_date)
		FROM ekran.activity WHERE activity_id % 100000 < 501 ORDER BY 1 LIMIT 3)
	UNION ALL SELECT '2016-08-10 12:00', NULL
	UNION ALL SELECT NULL, '2016-08-10 12:00'
)
SELECT coalesce(quote_literal(a), 'NULL') || ', ' || coalesce(quote_literal(b), 'NULL') FROM bounds
SQL
cmp_ok(scalar @windows, '>=', 20, 'at least 20 windows');

my $rows = 0;
for my $settings ([ '15min', 'whole' ], [ '59s', 'whole' ], [ '1min', 'excess' ])
{
	my ($threshold, $policy) = @$settings;

	for my $window (@windows)
	{
		my ($selected, @different) = split /\|/, $node->safe_psql('postgres', <<"SQL");
SET TimeZone = 'UTC';
SET search_path = ekran, public;
SET ekran_sessions.idle_threshold = '$threshold';
SET ekran_sessions.idle_policy = '$policy';
SELECT * FROM independent.differences($window, 400);
SQL
		is("@different", '0 0 0 0',
			"$selected sessions in ($window), $threshold $policy: "
			  . 'pages, keyset pages, total and JSON are equal');
		$rows += $selected;
	}
}
cmp_ok($rows, '>', 3000, "$rows rows compared in all");

# Statistics, of the sessions of a day in a store of their own, for the reading takes
# long. They tell no applications and urls: each minute is another one's.
$node->safe_psql('postgres', <<'SQL');
SELECT ekran_create_store('day');
INSERT INTO day.app_user TABLE ekran.app_user;
INSERT INTO day.session SELECT * FROM ekran.session
WHERE login_date < '2016-08-03 00:00+00' AND logout_date > '2016-08-02 00:00+00';
INSERT INTO day.activity (session_id, activity_date, application, url)
SELECT session_id, activity_date, 'application ' || minute % 7, 'http://' || minute / 3 % 5 || '.example.com/'
FROM ekran.activity JOIN day.session USING (session_id),
	LATERAL (SELECT floor(extract(epoch FROM activity_date) / 60)::bigint AS minute) m;
VACUUM ANALYZE day.session, day.activity;
SQL
$rows = 0;
for my $settings ([ '15min', 'whole', 'UTC' ], [ '59s', 'excess', 'America/New_York' ])
{
	my ($threshold, $policy, $zone) = @$settings;

	for my $window (grep { /'2016-08-02 .*, '2016-08-02 / } @windows)
	{
		my ($selected, @different) = split /\|/, $node->safe_psql('postgres', <<"SQL");
SET TimeZone = '$zone';
SET ekran_sessions.store = 'day';
SET search_path = day, public;
SET ekran_sessions.idle_threshold = '$threshold';
SET ekran_sessions.idle_policy = '$policy';
SELECT * FROM independent.statistics_differences($window);
SQL
		is("@different", '0 0 0 0 0 0 0 0',
			"$selected sessions in ($window), $threshold $policy $zone: statistics, timelines and their JSON are equal");
		$rows += $selected;
	}
}
cmp_ok($rows, '>', 100, "statistics of $rows sessions compared in all");

done_testing();
