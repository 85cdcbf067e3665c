# A cluster of a test's own, with the extension and a store in its database
# postgres: what every test in test/t begins with.
package StoreCluster;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;

our @EXPORT = qw(start_cluster psql_command forge);

# Returns the running cluster. On top of what PostgreSQL::Test::Cluster takes care
# of (a private socket, no fsync) it depends on nobody's locale, and is as a server
# in use: Cluster's log of all statements would be the largest part of the work of
# some tests, and its minimal WAL skips what is written to a new or truncated table.
sub start_cluster
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--no-locale', '--encoding', 'UTF8' ]);
	$node->append_conf('postgresql.conf', "log_statement = none\nwal_level = replica\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION ekran_sessions; SELECT ekran_create_store()');
	return $node;
}

# Writes to a derived table of a store, past the triggers that would tell.
sub forge
{
	my ($node, $table, $sql) = @_;
	return $node->safe_psql('postgres', <<"SQL");
ALTER TABLE $table DISABLE TRIGGER ekran_written, DISABLE TRIGGER ekran_replicated;
$sql;
ALTER TABLE $table ENABLE TRIGGER ekran_written, ENABLE ALWAYS TRIGGER ekran_replicated;
SQL
}

# The psql of a session that a test watches while it runs, for IPC::Run to start:
# Cluster's background_psql takes other arguments in the first releases of 15.
sub psql_command
{
	my ($node) = @_;
	return [ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ];
}

1;
