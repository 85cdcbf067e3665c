# Real clients read what psql reads: each program of test/clients/ makes the calls of
# test/clients/calls.tsv, and writes what it learns of columns, the rows and the errors in
# one form, in which psql's are brought by SQL. Row for row, to the microsecond.
#
# In that form a line is a row, with tabs between; null is \N; a backslash, tab or newline
# in text is escaped; times are in UTC with six digits, intervals a number of microseconds,
# doubles their eight bytes.

use strict;
use warnings;
use Cwd qw(realpath);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Files;
use IPC::Run qw(run);
use Test::More;

plan skip_all => 'clients are no part of --quick' if $ENV{EKRAN_TEST_QUICK};

# Once more, within a server. JDBC has no sockets of Unix.
my $root = realpath("$FindBin::Bin/../..");
if (!$ENV{EKRAN_CLIENTS_SERVER})
{
	$ENV{EKRAN_CLIENTS_SERVER} = 1;
	$ENV{EKRAN_SERVER_SETTINGS} = 'listen_addresses=127.0.0.1';
	exec "$root/script/with-server", $^X, realpath($0) or die "with-server: $!";
}

my $clients = "$root/test/clients";
my $scratch = tempdir(CLEANUP => 1);
my $separator = "\x1f";
my $no_value = "\x1d";

# What the server calls a type, and what it says it is.
my %type_names = (
	'bigint' => 'int8', 'boolean' => 'bool', 'date' => 'date', 'double precision' => 'float8',
	'integer' => 'int4', 'interval' => 'interval', 'json' => 'json', 'text' => 'text',
	'timestamp with time zone' => 'timestamptz', 'uuid' => 'uuid');

my %in_form = (
	timestamptz => q{to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')},
	interval => q{(extract(epoch FROM %s) * 1000000)::bigint::text},
	float8 => q{encode(float8send(%s), 'hex')},
	date => q{to_char(%s, 'YYYY-MM-DD')},
	text => q{replace(replace(replace(%s, '\\', '\\\\'), E'\t', '\t'), E'\n', '\n')},
	json => q{replace(%s::text, '\\', '\\\\')});

# An ordinary role, with an analyst's grants.
$ENV{PGPASSWORD} = sprintf '%08x', rand 2**32;
run([ qw(psql -X -q --set), "password=$ENV{PGPASSWORD}", '-f', "$clients/store.sql" ]) or die 'store.sql failed';
$ENV{PGUSER} = 'ana';
$ENV{PGTZ} = 'UTC';
$ENV{LC_ALL} = 'C.UTF-8';

my @calls = read_calls("$clients/calls.tsv");
my %relations = map { $_->{name} => 1 } grep { $_->{kind} eq 'relation' } @calls;
expect($_) for @calls;
my %catalog = expected_catalog();

subtest 'psql' => sub {
	command_line_client(\&psql_client, \&psql_error);
	is_listed({ functions => [ [ map { (split /\|/)[1] } split /\n/, psql('\df ekran*') ] ] },
		'functions', $catalog{functions}, $catalog{procedures});
};

subtest 'isql' => sub {
	needs(isql => has_program('isql') && has_odbc_driver()) or return;
	command_line_client(\&isql_client, \&isql_error, null => '');
	my ($out) = isql('help', '-x0x7c');
	is_listed({ tables => [ [ map { join "\t", (split /\|/)[ 2, 3 ] } split /\n/, $out ] ] }, 'tables', $catalog{tables});
};

subtest 'psqlODBC' => sub {
	needs(psqlODBC => -e '/usr/include/sql.h' && has_odbc_driver()) or return;
	my $program = "$scratch/odbc_client";
	ok(run([ qw(cc -Wall -Wextra -Werror -o), $program, "$clients/odbc_client.c", '-lodbc' ]), 'compiles');

	for my $options ('', ';UseDeclareFetch=1;Fetch=100')
	{
		my $output = output($program, odbc_connection() . $options, "$clients/calls.tsv");
		check_output($output, type => sub { $_[0] =~ s/^json$/unknown/r });
		is_listed($output, 'functions', $catalog{functions}, $catalog{procedures});
		is_listed($output, 'tables', $catalog{tables});

		# It lists the columns of indexes, too; an interval is one "year to month".
		is_listed($output, 'relations', [ grep { is_of_relation($_) } @{ $catalog{relations} } ]);
		is_listed($output, 'function columns',
			[ map { s/\t(json|_\w+)$/\tunknown/r } map { s/\tinterval$/\tinterval year to month/r } @{ $catalog{'function columns'} } ],
			[], { 1 => 'in', 3 => 'out' });
	}
};

subtest 'JDBC' => sub {
	my $jar = '/usr/share/java/postgresql.jar';
	needs(JDBC => has_program('javac') && -e $jar) or return;
	for my $fetch_size (0, 100)
	{
		my $output = output('java', '-cp', $jar, "$clients/JdbcClient.java",
			"jdbc:postgresql://127.0.0.1:$ENV{PGPORT}/$ENV{PGDATABASE}", "$clients/calls.tsv", $fetch_size);
		check_output($output);
		is_listed($output, $_, $catalog{$_}) for qw(functions procedures tables);
		is_listed($output, 'relations', [ grep { is_of_relation($_) } @{ $catalog{relations} } ]);
		is_listed($output, 'function columns', $catalog{'function columns'}, [], { 1 => 'in', 3 => 'out', 5 => 'out' });
	}
};

subtest 'psycopg' => sub {
	# Debian's, for whose python it is.
	my $python = '/usr/bin/python3';
	needs(psycopg => -x $python && run([ $python, '-c', 'import psycopg' ], '2>', '/dev/null')) or return;
	my $output = output($python, "$clients/psycopg_client.py", "$clients/calls.tsv");
	check_output($output);
	is_listed($output, 'functions', $catalog{functions});
	is_listed($output, 'relations', [ grep { is_of_relation($_) } @{ $catalog{relations} } ]);
};

chomp(my $node_modules = `bash -c '. "$root/script/common.sh" && node_clients'`);

subtest 'node-postgres' => sub {
	needs('node-postgres' => has_program('node') && -d $node_modules) or return;
	my $output = output('node', "$clients/node_client.mjs", $node_modules, "$clients/calls.tsv");
	check_output($output);
	is_listed($output, 'functions', $catalog{functions});
	is_listed($output, 'relations', [ grep { is_of_relation($_) } @{ $catalog{relations} } ]);

	# By default, a time loses its microseconds and an id in json its last digits.
	is_deeply($output->{defaults}, [ [
			"session_id\tstring\t9223372036854775807",
			"login_date\tDate\t2024-03-01T08:00:00.000Z",
			"duration\tPostgresInterval\t{\"hours\":1,\"minutes\":30,\"milliseconds\":999.998}",
			"json\tobject\t9223372036854776000" ] ], 'what its types are by default');
};

subtest 'PostGraphile' => sub {
	needs(PostGraphile => has_program('node') && -d $node_modules) or return;
	my $output = output('node', "$clients/postgraphile_client.mjs", $node_modules, "$clients/calls.tsv");

	# Functions, and relations as a whole; in no order where the statement says one. Within
	# JSON, ids are doubles.
	check_output($output,
		only => sub { $_[0]{name} =~ /^ekran_/ || ($_[0]{sql} =~ /^SELECT \* / && $_[0]{kind} eq 'relation') && !@{ $_[0]{params} } },
		line => sub { $_[0] =~ s/("sessionId":)(-?\d+)/sprintf '%s%.0f', $1, $2/ger });
	my ($json) = grep { $_->{name} eq 'ekran_session_list_json' } @calls;
	like($json->{rows}[0], qr/:9223372036854775807\b/, 'an id in JSON');
	unlike($output->{"rows $json->{number}"}[0][0], qr/:9223372036854775807\b/, 'which it changes');
	is_listed($output, 'functions', $catalog{queries});
	is_listed($output, 'function columns',
		[ map { join "\t", $_->[0], $_->[1] =~ s/_(\w)/\u$1/gr } grep { $_->[2] eq 'in' } map { [ split /\t/ ] } @{ $catalog{'function columns'} } ]);
};

done_testing();

#
# What is expected
#

sub read_calls
{
	my ($file) = @_;
	my ($number, @read) = (0);
	for my $line (split /\n/, read_file($file))
	{
		$number++;
		next if $line =~ /^#/;
		my ($kind, $name, $sql, @params) = split /\t/, $line;
		push @read, { number => $number, kind => $kind, name => $name, sql => $sql,
			params => [ map { my %param; @param{qw(name type text)} = split /:/, $_, 3; \%param } @params ] };
	}
	return @read;
}

# The call's statement, with the parameters in place.
sub statement
{
	my ($call, @params) = @_;
	@params = @{ $call->{params} } unless @params;
	return $call->{sql} =~ s/\$(\d)/literal($params[ $1 - 1 ])/ger;
}

sub literal
{
	my ($param) = @_;
	return ($param->{text} eq '\N' ? 'NULL' : "'$param->{text}'") . "::$param->{type}";
}

sub psql
{
	my ($script, @options) = @_;
	my ($out, $err);
	run([ qw(psql -X -q -A -t -v ON_ERROR_STOP=1), @options ], '<', \$script, '>', \$out, '2>', \$err)
	  or die "$script: $err";
	return $out;
}

# Columns, rows or the error, as psql has them; pages are the rows of all.
sub expect
{
	my ($call) = @_;
	my $sql = statement($call);
	if ($call->{kind} eq 'error')
	{
		my $script = "\\set ON_ERROR_STOP 0\n$sql;\n\\echo :SQLSTATE :LAST_ERROR_MESSAGE";
		($call->{error}) = psql($script) =~ /^(.*)$/m;
		$call->{error} =~ s/ /\t/;
		return;
	}
	$call->{columns} = [ map { [ /^(.*)\t(.*)$/ ] } split /\n/, psql("$sql \\gdesc", '-F', "\t") ];
	$_->[1] = $type_names{ $_->[1] } for @{ $call->{columns} };
	$sql = 'SELECT * FROM ekran_sessions_all(' . join(', ', map { literal($_) } @{ $call->{params} }[ 0, 1 ]) . ')'
	  if $call->{kind} eq 'pages';
	$call->{rows} = [ split /\n/, psql(
		'SELECT concat_ws(chr(9), '
		  . join(', ', map { q{coalesce(} . sprintf($in_form{ $_->[1] } // '%s::text', qq{"$_->[0]"}) . q{, '\N')} } @{ $call->{columns} })
		  . ") FROM ($sql) q") ];
	return;
}

sub expected_catalog
{
	my $functions = "pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'ekran%'";
	my %queries = (
		functions => "SELECT proname FROM $functions AND prokind = 'f'",
		procedures => "SELECT proname FROM $functions AND prokind = 'p'",
		queries => "SELECT proname FROM $functions AND provolatile <> 'v'",
		tables => q{SELECT relname || chr(9) || CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END
			FROM pg_class WHERE relnamespace = 'ekran'::regnamespace AND relkind IN ('r', 'v')},
		relations => q{SELECT concat_ws(chr(9), relname, attname, typname)
			FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_type t ON t.oid = atttypid
			WHERE relnamespace = 'ekran'::regnamespace AND attnum > 0},
		'function columns' => "
			SELECT concat_ws(chr(9), proname, name, CASE mode WHEN 'i' THEN 'in' ELSE 'out' END, typname)
			FROM (SELECT * FROM $functions) p, unnest(proargnames, coalesce(proallargtypes, proargtypes), coalesce(proargmodes, array_fill('i'::\"char\", ARRAY[pronargs]))) a (name, type, mode)
			JOIN pg_type t ON t.oid = type
			UNION ALL SELECT concat_ws(chr(9), proname, attname, 'out', t.typname)
			FROM (SELECT * FROM $functions) p JOIN pg_type r ON r.oid = prorettype JOIN pg_attribute a ON attrelid = typrelid JOIN pg_type t ON t.oid = atttypid
			WHERE attnum > 0");
	return map { $_ => [ split /\n/, psql($queries{$_}) ] } keys %queries;
}

sub is_of_relation
{
	my ($line) = @_;
	return $line =~ /^(\w+)\t/ && $relations{$1};
}

#
# Clients
#

# Whether it is there; in CI it has to be.
sub needs
{
	my ($name, $is_there) = @_;
	return 1 if $is_there;
	return fail("$name is installed: script/setup --clients does it") && 0 if $ENV{CI};
	plan skip_all => "no $name here: script/setup --clients installs it";
	return 0;
}

sub has_odbc_driver
{
	return has_program('odbcinst') && `odbcinst -q -d` =~ /^\[PostgreSQL Unicode\]$/m;
}

sub odbc_connection
{
	return "Driver={PostgreSQL Unicode};Servername=$ENV{PGHOST};Port=$ENV{PGPORT};Database=$ENV{PGDATABASE};Username=$ENV{PGUSER}";
}

# What a program of test/clients/ prints: by title, the lines of each section.
sub output
{
	my @command = @_;
	my ($out, $err, %sections);
	ok(run(\@command, '<', \undef, '>', \$out, '2>', \$err), 'runs to its end') or diag $err;
	for my $section (split /^== /m, $out)
	{
		my ($title, @lines) = split /\n/, $section, -1;
		pop @lines;
		push @{ $sections{$title} }, \@lines if defined $title;
	}
	return \%sections;
}

# Compares all that it has of each call. "type" and "line" say what it makes of types and
# lines of rows, "only" which calls it makes.
sub check_output
{
	my ($output, %its) = @_;
	my $line = $its{line} // sub { $_[0] };
	for my $call (@calls)
	{
		my $number = $call->{number};
		next if $its{only} && !$its{only}->($call);
		if ($call->{kind} eq 'error')
		{
			are_same($output->{"error $number"}, [ $call->{error} ], "line $number: error of $call->{name}");
			next;
		}
		are_same($output->{"columns $number"},
			[ map { join "\t", $_->[0], $its{type} ? $its{type}->($_->[1]) : $_->[1] } @{ $call->{columns} } ],
			"line $number: columns of $call->{name}");
		my @rows = map { $line->($_) } @{ $call->{rows} };
		my @got = map { [ map { $line->($_) } @$_ ] } @{ $output->{"rows $number"} // [] };
		if ($its{only} && $call->{sql} =~ / ORDER BY /)
		{
			@rows = sort @rows;
			@got = map { [ sort @$_ ] } @got;
		}
		are_same(\@got, \@rows, "line $number: $call->{kind} of $call->{name}");
	}
	return;
}

# All of several lists are as expected, and there is one; else shows where they part.
sub are_same
{
	my ($got, $expected, $name) = @_;
	my $different;
	for my $list (@{ $got // [] })
	{
		my ($i) = grep { ($list->[$_] // '') ne ($expected->[$_] // '') } 0 .. ($#$list > $#$expected ? $#$list : $#$expected);
		$different //= sprintf "row %d:\n%s\nexpected:\n%s", $i + 1, map { $_->[$i] // 'none' } $list, $expected if defined $i;
	}
	$different //= 'nothing came' unless @{ $got // [] };
	ok(!defined $different, $name) or diag $different;
	return;
}

# A section has the lines expected, in whatever order. Columns are those of what
# calls.tsv calls; "kinds" are the numbers that stand for "in" and "out".
sub is_listed
{
	my ($output, $title, $expected, $more, $kinds) = @_;
	my %called = map { $_->{name} => 1 } @calls;
	my @lines = @{ $output->{$title}[0] // [] };
	my @expected = (@$expected, @{ $more // [] });
	@lines = grep { /\t(in|out)\t/ } map { s/\t(\d)\t/"\t" . ($kinds->{$1} \/\/ '') . "\t"/er } @lines if $kinds;
	@lines = grep { is_of_relation($_) } @lines if $title eq 'relations';
	if ($title eq 'function columns')
	{
		@lines = grep { /^(\w+)\t/ && $called{$1} } @lines;
		@expected = grep { /^(\w+)\t/ && $called{$1} } @expected;
	}
	cmp_ok(scalar @expected, '>', 0, "there are $title");
	are_same([ [ sort @lines ] ], [ sort @expected ], "lists $title");
	return;
}

#
# Clients at the command line: a process for each statement, values as text
#

sub command_line_client
{
	my ($execute, $error, %its) = @_;
	my $null = $its{null} // $no_value;
	for my $call (@calls)
	{
		my $number = $call->{number};
		if ($call->{kind} eq 'error')
		{
			is($error->(statement($call)), $call->{error}, "line $number: error of $call->{name}");
			next;
		}
		my @names = map { $_->[0] } @{ $call->{columns} };
		my ($header) = $execute->('SELECT * FROM (' . statement($call) . ') q LIMIT 0', 1);
		is("@{ $header // [] }", "@names", "line $number: columns of $call->{name}");

		my @params = map { {%$_} } @{ $call->{params} };
		my (@lines, @rows);
		do
		{
			@rows = $execute->(statement($call, @params));
			push @lines, map { to_line($call, $_, $null) } @rows;
			$params[-1]{text} = $params[-1]{name} eq 'page' ? $params[-1]{text} + 1 : $rows[-1][0]
			  if $call->{kind} eq 'pages' && @rows;
		} while ($call->{kind} eq 'pages' && @rows);
		are_same([ \@lines ], [ map { $null eq '' ? s/(?<![^\t])\\N(?![^\t])//gr : $_ } @{ $call->{rows} } ],
			"line $number: $call->{kind} of $call->{name}");
	}
	return;
}

# A row of text in the one form.
sub to_line
{
	my ($call, $row, $null) = @_;
	my @types = map { $_->[1] } @{ $call->{columns} };
	return join "\t", map { $row->[$_] eq $null ? $null && '\N' : to_text($row->[$_], $types[$_]) } 0 .. $#types;
}

sub to_text
{
	my ($text, $type) = @_;
	return $text =~ s/\\/\\\\/gr =~ s/\t/\\t/gr =~ s/\n/\\n/gr if $type eq 'text' || $type eq 'json';
	return "$1." . microseconds($2) if $type eq 'timestamptz' && $text =~ /^(.{19})(?:\.(\d+))?(?:\+00)?$/;
	return (($1 * 60 + $2) * 60 + $3) * 1000000 + microseconds($4)
	  if $type eq 'interval' && $text =~ /^(\d+):(\d+):(\d+)(?:\.(\d+))?$/;
	return unpack 'H*', pack 'd>', $text if $type eq 'float8';
	return $text =~ /^[t1]$/ ? 'true' : 'false' if $type eq 'bool';
	return lc $text;
}

sub microseconds
{
	my ($fraction) = @_;
	return substr(($fraction // '') . '000000', 0, 6);
}

# A hundred rows at a time: by a cursor.
sub psql_client
{
	my ($sql, $header) = @_;
	my $out = psql($sql, '-v', 'FETCH_COUNT=100', '-F', $separator, '-R', "\x1e", '-P', "null=$no_value",
		$header ? ('-P', 'tuples_only=off', '-P', 'footer=off') : ());
	$out =~ s/\n\z//;
	return map { [ split /$separator/, $_, -1 ] } split /\x1e/, $out;
}

sub psql_error
{
	my ($sql) = @_;
	my ($out, $err);
	run([ qw(psql -X -q -v VERBOSITY=verbose -c), $sql ], '>', \$out, '2>', \$err);
	return $err =~ /^ERROR:  (\w{5}): (.*)$/m ? "$1\t$2" : $err;
}

sub isql
{
	my ($line, @options) = @_;
	my ($out, $err);
	run([ qw(isql -k), odbc_connection(), '-b', @options ], '<', \"$line\n", '>', \$out, '2>', \$err);
	return ($out, $err);
}

# Its null is nothing at all, and a newline in a text looks like the end of a row: so a
# last column ends it.
sub isql_client
{
	my ($sql, $header) = @_;
	my ($out) = isql("SELECT q.*, 'end' AS \"end\" FROM ($sql) q", '-x0x1f', '-L1000000', $header ? '-c' : ());
	return map { [ split /$separator/, $_, -1 ] } split /${separator}end\n/, $out;
}

sub isql_error
{
	my ($sql) = @_;
	my $said = join '', isql($sql, '-v');
	return $said =~ /\[(\w{5})\](?:\[\w+\])*ERROR: ([^;\n]*)/ ? "$1\t$2" : $said;
}
