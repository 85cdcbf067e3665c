# Something done to a statement in the middle of its work: how far it is, the write-ahead
# log tells, to which all that changes anything is written as it goes.
package Midway;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run qw(start);
use StoreCluster;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(open_session begin_query end_query ask end_session wal_of midway);

# A session may be gone when it is told something.
$SIG{PIPE} = 'IGNORE';

# How long anything may take, in seconds, until a test gives it up.
my $PATIENCE = 60;

# A psql that lives on after errors.
sub open_session
{
	my ($node, @options) = @_;
	my $session = { in => '', out => '', err => '', asked => 0 };
	my @command = grep { !/^ON_ERROR_STOP/ && $_ ne '-v' } @{ psql_command($node) };

	$session->{run} = start([ @command, @options ], '<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err});
	$session->{pid} = ask($session, 'SELECT pg_backend_pid()');
	return $session;
}

# Lets a session begin to run SQL.
sub begin_query
{
	my ($session, $sql) = @_;
	my $mark = 'done ' . ++$session->{asked};

	$session->{mark} = $mark;
	$session->{out} = $session->{err} = '';
	$sql .= ";\n" unless $sql =~ /\\\.\n\z/;
	# What is said of errors comes another way than rows, and may come later.
	$session->{in} .= "$sql\\echo :SQLSTATE\n\\echo $mark\n\\warn $mark\n";
	eval { $session->{run}->pump_nb };
}

sub is_done
{
	my ($session) = @_;
	return !(grep { $session->{$_} !~ /^\Q$session->{mark}\E$/m } 'out', 'err') || !$session->{run}->pumpable;
}

# Waits until it has; its rows. How the last statement of it went is in {state},
# an SQLSTATE, which is undef where the session has ended.
sub end_query
{
	my ($session) = @_;
	my $begun = time;

	until (is_done($session))
	{
		die "no answer: $session->{out}\n$session->{err}" if time - $begun > $PATIENCE;
		eval { $session->{run}->pump_nb };
		sleep 0.0005;
	}
	my $rows = $session->{out};
	$session->{err} =~ s/^\Q$session->{mark}\E\n//m;
	$session->{state} = $rows =~ s/^(\w{5})\n\Q$session->{mark}\E\n\z//m ? $1 : undef;
	chomp $rows;
	return $rows;
}

sub ask
{
	my ($session, $sql) = @_;
	begin_query($session, $sql);
	return end_query($session);
}

# The session is none any more, or soon.
sub end_session
{
	my ($session) = @_;
	$session->{in} .= "\\q\n";
	eval { $session->{run}->finish };
}

# Bytes of log that a statement writes.
sub wal_of
{
	my ($node, $sql) = @_;
	my $session = open_session($node);
	my $begun = ask($session, 'SELECT pg_current_wal_insert_lsn()');

	ask($session, $sql);
	die substr($sql, 0, 200) . ": $session->{err}" if ($session->{state} // "") ne "00000";
	my $bytes = ask($session, "SELECT pg_current_wal_insert_lsn() - '$begun'");
	end_session($session);
	return $bytes;
}

# Lets a session run SQL until so many bytes of log have been written, then does
# something to it: calls it with the session, and another session of a superuser's. True
# if the statement was in progress; what became of it, end_query() tells.
sub midway
{
	my ($node, $session, $sql, $bytes, $do) = @_;
	my $watcher = open_session($node);
	my $begun = time;

	begin_query($watcher, <<"SQL");
DO \$\$
DECLARE
	begun pg_lsn := pg_current_wal_insert_lsn();
BEGIN
	RAISE NOTICE 'watching';
	WHILE pg_current_wal_insert_lsn() - begun < $bytes LOOP PERFORM pg_sleep(0.0001); END LOOP;
END
\$\$
SQL
	until ($watcher->{err} =~ /watching/) { $watcher->{run}->pump_nb; sleep 0.0005; }
	begin_query($session, $sql);
	until (is_done($watcher) || is_done($session))
	{
		die "never midway: $sql" if time - $begun > $PATIENCE;
		$_->{run}->pump_nb for grep { !is_done($_) } $session, $watcher;
		sleep 0.0003;
	}
	my $is_midway = !is_done($session);
	if (!is_done($watcher))
	{
		kill 'INT', $watcher->{pid};
		end_query($watcher);
	}
	$do->($session, $watcher) if $is_midway;
	end_session($watcher);
	return $is_midway;
}

1;
