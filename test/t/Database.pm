# A database of a test's own on the server that script/with-server has started.
package Database;

use strict;
use warnings;
use IPC::Run qw(run);

sub new
{
	my ($class, $name) = @_;
	my $self = bless { name => $name }, $class;

	$self->in('postgres', "DROP DATABASE IF EXISTS $name");
	$self->in('postgres', "CREATE DATABASE $name");
	$self->query('CREATE EXTENSION ekran_sessions');
	$self->query('SELECT ekran_create_store()');
	return $self;
}

sub command
{
	my ($database, @options) = @_;
	return ('psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1',
		'-d', $database, @options);
}

sub in
{
	my ($self, $database, $sql) = @_;
	my ($out, $err);

	run([ command($database) ], '<', \$sql, '>', \$out, '2>', \$err)
	  or die "psql failed: $err\n$sql\n";
	chomp $out;
	return $out;
}

# Runs SQL; returns what it prints, columns separated by |. Dies on an error.
sub query
{
	my ($self, $sql) = @_;
	return $self->in($self->{name}, $sql);
}

# The command that runs a file of SQL.
sub file_command
{
	my ($self, @options) = @_;
	return command($self->{name}, @options);
}

1;
