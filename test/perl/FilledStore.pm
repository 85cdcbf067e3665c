# A store full of sessions, what it holds, and whether what is returned of it is exact.
package FilledStore;

use strict;
use warnings;
use StoreCluster;
use Test::More;

# A store of a cluster's, made by whoever makes it.
sub new
{
	my ($class, $node, $name, $sessions) = @_;
	return bless { node => $node, name => $name, sessions => $sessions }, $class;
}

sub sql
{
	my ($self, $sql) = @_;
	return $self->{node}->safe_psql('postgres', "SET client_min_messages = warning;\nSET ekran_sessions.store = '$self->{name}';\n$sql");
}

# Sessions that are not there, of eight hours, one each 100 minutes, every tenth of them
# running; with so many activities each.
sub fill
{
	my ($self, $activities) = @_;
	my $store = $self->{name};
	$self->sql(<<"SQL");
INSERT INTO $store.client SELECT md5(i::text)::uuid, 'PC-' || i FROM generate_series(1, 20) i ON CONFLICT DO NOTHING;
INSERT INTO $store.app_user SELECT i, 'user ' || i FROM generate_series(1, 30) i ON CONFLICT DO NOTHING;
CREATE TEMP TABLE coming AS
SELECT i, t FROM generate_series(1, $self->{sessions}) i, LATERAL (SELECT '2024-01-01 00:00+00'::timestamptz + i * interval '100 minutes' AS t) l
WHERE NOT EXISTS (SELECT FROM $store.session WHERE session_id = i);
INSERT INTO $store.session SELECT i, md5((1 + i % 20)::text)::uuid, 1 + i % 30, t, CASE WHEN i % 10 > 0 THEN t + interval '8 hours' END FROM coming;
INSERT INTO $store.activity (session_id, activity_date, application, url)
SELECT i, t + j * interval '500 minutes' / $activities + i * j % 97 * interval '5.3 s', 'application ' || j % 7, 'http://' || i % 5 || '.example.com/' || j % 3
FROM coming, generate_series(1, $activities) j;
ANALYZE $store.session, $store.activity;
SQL
}

# One activity more in each session, somewhere.
sub touch
{
	my ($self) = @_;
	my $store = $self->{name};
	$self->sql("INSERT INTO $store.activity (session_id, activity_date) SELECT session_id, login_date + random() * interval '8 hours' FROM $store.session");
}

# Much that is pending for each of them, past the trigger that would tell.
sub swell
{
	my ($self) = @_;
	my $store = $self->{name};
	forge($self->{node}, "$store.pending", "INSERT INTO $store.pending SELECT session_id, '-infinity', 'infinity' FROM $store.session, generate_series(1, 25)");
}

# What the base tables hold, as far as they are there.
sub base
{
	my ($self) = @_;
	return $self->contents('client', 'app_user', 'session', 'activity');
}

# Likewise the derived ones, and what they are trusted by.
sub derived
{
	my ($self) = @_;
	my $schema = "(SELECT oid FROM pg_namespace WHERE nspname = '$self->{name}')";
	return $self->contents('session_idle', 'pending', 'session_count') . $self->sql(<<"SQL");
SELECT state, reason FROM ekran_status();
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = $schema), (SELECT count(*) FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = $schema));
SQL
}

sub contents
{
	my ($self, @tables) = @_;
	my @there = grep { $self->sql("SELECT to_regclass('$self->{name}.$_') IS NOT NULL") eq 't' } @tables;
	return $self->sql(join '', map { "SELECT '$_', count(*), sum(hashtextextended(r::text, 0)::numeric) FROM $self->{name}.$_ r;\n" } @there) . "\n";
}

# By pages, from session to session, in total and in JSON; and nobody holds what folds
# lock, and the derived data are right, where somebody would trust them.
sub is_exact
{
	my ($self, $what, $state, @windows) = @_;
	my $sql = "LOAD 'ekran_sessions'; SET search_path = $self->{name}, public;\n";

	@windows = ("'2024-01-05 03:00+00', '2024-01-08 05:00+00'", 'NULL, NULL') unless @windows;
	$sql .= "SELECT * FROM independent.differences($_, 700);\n" for @windows;
	$sql .= "SELECT state FROM ekran_status();\n";
	$sql .= "SELECT 'wrong', * FROM ekran_check()" . ($self->{has_orphans} ? " WHERE difference NOT LIKE '% no session'" : '') . " LIMIT 5;\n"
	  unless $state eq 'broken';
	$sql .= "SELECT 'locked', count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_class'::regclass HAVING count(*) > 0;\n";
	like($self->sql($sql), qr/^(?:\d+\|0\|0\|0\|0\n){@{[scalar @windows]}}$state$/, "$what: exact, $state");
}

# All that writes, and all that folds.
sub goes_on
{
	my ($self, $what) = @_;
	my ($store, $id) = ($self->{name}, $self->{sessions} + 1);
	$self->sql(<<"SQL");
INSERT INTO $store.session SELECT $id, NULL, NULL, '2024-01-06 10:00+00', NULL ON CONFLICT DO NOTHING;
INSERT INTO $store.activity (session_id, activity_date) SELECT $id, '2024-01-06 10:00+00'::timestamptz + i * interval '7 minutes' FROM generate_series(1, 5) i;
UPDATE $store.session SET logout_date = '2024-01-06 11:00+00' WHERE session_id = $id;
SELECT ekran_refresh();
CALL ekran_maintain();
SQL
	$self->is_exact("$what, gone on with", 'ok');
	is($self->sql('SELECT pending_rows FROM ekran_status()'), 0, "$what: all is folded");
}

1;
