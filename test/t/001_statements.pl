# Statements on activities that don't run to their end, or fail in the middle, as a
# procedural language that asks for so many rows has it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use StoreCluster;
use Test::More;

my $node = start_cluster('main');
if ($node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'plperl'") == 0)
{
	plan skip_all => 'plperl is not installed';
}
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION plperl;
INSERT INTO ekran.session (session_id, login_date, logout_date) VALUES (1, '2024-01-01 08:00+00', '2024-01-01 18:00+00');
INSERT INTO ekran.activity (session_id, activity_date) VALUES (1, '2024-01-01 09:00+00');
-- asks for one row of two, so that the server stops the statement after the first
CREATE FUNCTION stop_after_one(id bigint) RETURNS void LANGUAGE plperl AS $$
	spi_exec_query("INSERT INTO ekran.activity (session_id, activity_date) VALUES ($_[0], '2024-01-01 17:00+00'), ($_[0], '2024-01-01 17:01+00') RETURNING 1", 1);
$$;
CREATE FUNCTION all_rows(id bigint) RETURNS void LANGUAGE plperl AS $$
	spi_exec_query("INSERT INTO ekran.activity (session_id, activity_date) VALUES ($_[0], '2024-01-01 17:00+00') RETURNING 1");
$$;
SQL

sub failure
{
	my ($sql) = @_;
	my (undef, undef, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

like(failure('SELECT stop_after_one(1)'), qr/55000: a statement on sessions or activities was stopped before its end/,
	'what a stopped statement has written is not committed');
like(failure('BEGIN; SELECT stop_after_one(999999); COMMIT'), qr/55000: a statement on sessions or activities was stopped/,
	'nor is it in a block');
like(failure("BEGIN; SELECT stop_after_one(1); PREPARE TRANSACTION 'x'"),
	qr/55000: a statement on sessions or activities was stopped/, 'nor prepared');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ekran.activity'), 1, 'nothing has been written');
is(failure('BEGIN; SAVEPOINT s; SELECT stop_after_one(1); ROLLBACK TO s; SELECT all_rows(1); COMMIT'), '',
	'undone, it is forgotten');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ekran.activity'), 2, 'and others go on');
like(failure('SELECT all_rows(999999)'), qr/activity refers to session 999999/, 'which are checked as ever');
is($node->safe_psql('postgres', 'SELECT answered_by FROM ekran_status()'), 'index', 'answered by the index');
is($node->safe_psql('postgres', 'SELECT * FROM ekran_check()'), '', 'ekran_check() finds nothing');

done_testing();
