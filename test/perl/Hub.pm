# A hub over four shards, all databases of one cluster, beside a store that holds what all
# of them do: what the hub returns can be compared with it.
package Hub;

use strict;
use warnings;
use PostgreSQL::Test::Utils;
use StoreCluster;

use constant SHARDS => 4;

# Why there can be none.
sub missing
{
	my ($node) = @_;
	return if $node->safe_psql('postgres', q(SELECT count(*) FROM pg_available_extensions WHERE name = 'plproxy'));
	return 'no PL/Proxy: Debian\'s package postgresql-NN-plproxy';
}

# Has the cluster's database postgres, in which the whole store is, be the hub too.
sub new
{
	my ($class, $node) = @_;
	my $self = bless { node => $node, directory => PostgreSQL::Test::Utils::tempdir() }, $class;
	my ($host, $port) = ($node->host, $node->port);
	for my $shard (0 .. SHARDS - 1)
	{
		$node->safe_psql('postgres', "CREATE DATABASE shard$shard TEMPLATE template0 ENCODING 'UTF8'");
		$self->on_shard($shard, 'CREATE EXTENSION ekran_sessions; SELECT ekran_create_store()');
	}
	my $servers = join ', ', map { "p$_ 'dbname=shard$_ host=$host port=$port options=-csearch_path=pg_catalog'" } 0 .. SHARDS - 1;
	$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION plproxy;
CREATE SERVER shards FOREIGN DATA WRAPPER plproxy OPTIONS ($servers);
CREATE USER MAPPING FOR CURRENT_USER SERVER shards;
SELECT ekran_create_hub('shards');
SQL
	return $self;
}

sub on_shard
{
	my ($self, $shard, $sql) = @_;
	return $self->{node}->safe_psql("shard$shard", "SET client_min_messages = warning; SET search_path = ekran, public;\n$sql");
}

# Gives each shard its part of the store, by users, in some state of its derived data.
sub distribute
{
	my ($self) = @_;
	my $directory = $self->{directory};
	for my $shard (0 .. SHARDS - 1)
	{
		my $is_here = 'coalesce(user_id, 0) % ' . SHARDS . " = $shard";
		$self->{node}->safe_psql('postgres', <<"SQL");
COPY ekran.client TO '$directory/client';
COPY ekran.app_user TO '$directory/app_user';
COPY (SELECT * FROM ekran.session WHERE $is_here) TO '$directory/session';
COPY (SELECT * FROM ekran.activity WHERE session_id IN (SELECT session_id FROM ekran.session WHERE $is_here)) TO '$directory/activity';
SQL
		$self->on_shard($shard, <<"SQL");
TRUNCATE session, activity, client, app_user;
CALL ekran_maintain();
COPY client FROM '$directory/client';
COPY app_user FROM '$directory/app_user';
COPY session FROM '$directory/session';
COPY activity FROM '$directory/activity';
ANALYZE session, activity;
SQL
		$self->on_shard($shard, 'CALL ekran_maintain()') if $shard % 2;
	}
}

1;
