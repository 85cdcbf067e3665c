# The pages of doc/ as their readers use them: what is for psql is pasted into psql, what
# is for a tool is put to the server as that tool puts it, by its role; and what a page
# shows of the results is what comes. All are run over one store, that of the README.

use strict;
use warnings;
use Cwd qw(realpath);
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Files;
use IPC::Run qw(run);
use JSON::PP;
use Pages;
use Test::More;

my $root = realpath("$FindBin::Bin/../..");
my $directory = tempdir(CLEANUP => 1);

# What the tools are given where their statements have a place for it: a week of an
# office in Berlin, a user, a session.
my %given = (start => '2024-03-04', end => '2024-03-10', after => '2024-03-11', user => 'Ada', session => '101');
my ($from, $to) = ('2024-03-03T23:00:00Z', '2024-03-10T23:00:00Z');

# Tools that are pages: the role that they connect as, and what they make of a statement,
# which is a list of those that they send; the last one returns what the page shows.
my %tools = (
	grafana => [ 'grafana', \&grafana ],
	metabase => [ 'metabase', \&metabase ],
	superset => [ 'superset', \&superset ],
	'power-bi' => [ 'power_bi', \&power_bi ],
	tableau => [ 'tableau', \&tableau ],
	excel => [ 'excel', sub { return $_[0] } ],
	dbeaver => [ 'ana', \&dbeaver ],
	postgrest => [ 'postgrest_authenticator', \&postgrest ]);

my @pages = map { read_page($_) } sort glob "$root/doc/*.md";

is(join(' ', broken_links($_->{file})), '', "$_->{name}: no link leads nowhere") for @pages;
check_dashboard("$root/doc/grafana-dashboard.json");
run_pages(grep { @{ $_->{statements} } } @pages);
done_testing();

# A page's statements, in order: what is for psql, what is pasted into the tool, what is
# in a request to it or in a file that it reads.
sub read_page
{
	my ($file) = @_;
	my $name = basename($file, '.md');
	# partitions.t runs those of pg_partman, hub.t those over many servers
	my @statements = map { statement($name, $_) } grep { "$name, $_->{section}" !~ /^(operations, Partitions|hub, .*)$/ } blocks($file);

	push @statements, map { { %$_, tool => 1, language => 'sql' } } dashboard_statements("$root/doc/grafana-dashboard.json")
	  if $name eq 'grafana';
	return { name => $name, file => $file, statements => \@statements };
}

# Statements for psql end with a semicolon. What goes into a tool must not, for tools
# put more around it.
sub statement
{
	my ($name, $block) = @_;

	return { %$block, tool => defined $tools{$name} && $block->{text} !~ /;\s*(--.*)?\z/ }
	  if $block->{language} eq 'sql';
	return { %$block, tool => 1 } if $name eq 'postgrest' && $block->{language} eq 'sh' && $block->{text} =~ /^curl/;
	return $block if $block->{language} eq 'sh' && $block->{text} =~ /^pg_dump/m;

	# a query in Power Query's language: the statement is a text of it
	if ($block->{language} eq 'm' && $block->{text} =~ /"(SELECT(?:[^"]|"")*)"/)
	{
		(my $text = $1) =~ s/""/"/g;
		return { %$block, text => "$text\n", tool => 1 };
	}
	return;
}

sub run_pages
{
	my (@run) = @_;
	my @setup = blocks("$root/README.md");
	my ($out, $err);

	# A file's name stands in the line before what is in it.
	write_file("$directory/$_->{title}", $_->{text}) for grep { $_->{language} eq 'csv' } @setup;
	mkdir "$directory/setup";
	@setup = grep { $_->{language} eq 'sql' && $_->{section} =~ /^(Quick start|Handing over|Your own data)$/ } @setup;
	write_file("$directory/setup.sql", join '', map { paste($setup[$_], $_, 'setup') } 0 .. $#setup);

	my $commands = "set -e; cd '$directory'; psql='psql -X -q -v ON_ERROR_STOP=1'\n"
	  . "createdb sample; \$psql -d sample -f setup.sql >setup.out\n";
	for my $page (@run)
	{
		my $name = $page->{name};

		mkdir "$directory/$name";
		write_file("$directory/$name.sql", script($page));
		$commands .= "createdb -T sample mydb; \$psql -d mydb -f $name.sql >$name.out 2>$name.err || echo failed >>$name.err; dropdb mydb\n";
	}
	run([ "$root/script/with-server", 'bash', '-c', $commands ], '>', \$out, '2>', \$err);
	is($? >> 8, 0, 'the sample store is made, and each page is run over it') or diag $err;
	check_page($_) for @run;
	return;
}

# A page as a script of psql. Each statement of a tool has a connection of its own, so that
# settings of its role hold, and nothing that was set before.
sub script
{
	my ($page) = @_;
	my ($role, $dialect) = @{ $tools{ $page->{name} } || [] };
	my @statements = @{ $page->{statements} };
	my $script = "\\set superuser :USER\n";

	for my $i (0 .. $#statements)
	{
		my $statement = $statements[$i];
		my $tool = $statement->{tool};

		$script .= '\c - ' . ($tool ? $role : ':superuser') . "\n" if $tool || $i > 0 && $statements[ $i - 1 ]{tool};
		if ($statement->{language} eq 'sh' && !$tool)
		{
			write_file("$directory/$page->{name}/$i.sh", $statement->{text});
			$script .= "\\echo block $i\n\\! bash $page->{name}/$i.sh >$page->{name}/result$i 2>&1\n";
			next;
		}
		if ($tool)
		{
			my @sent = $dialect->($statement->{text}, $statement);
			chomp @sent;
			my $last = pop @sent;

			$script .= "\\o /dev/null\n" . join('', map { /\\gset/ ? "$_\n" : "$_;\n" } @sent);
			$last .= ';' unless $last =~ /\\gset/;
			$script .= paste($statement, $i, $page->{name}, "$last\n");
		}
		else
		{
			$script .= paste($statement, $i, $page->{name});
		}
	}
	return $script;
}

sub check_page
{
	my ($page) = @_;
	my $name = $page->{name};
	my @statements = @{ $page->{statements} };
	my $reached = () = read_file("$directory/$name.out") =~ /^block \d+$/mg;
	my $err = read_file("$directory/$name.err");

	is($reached, scalar @statements, "$name: all statements are run")
	  or diag "stopped in:\n$statements[$reached - 1]{text}";
	unlike($err, qr/^failed$/m, "$name: without an error that is not shown") or diag $err;
	for my $i (0 .. $#statements)
	{
		my $statement = $statements[$i];
		next unless defined $statement->{result};
		my $shown = tidy($statement->{result}{text});
		is(came($i, "$directory/$name", $shown), $shown, "$name, line $statement->{line}: what it shows is what comes");
	}
	return;
}

# Grafana replaces macros by its own regular expression, which ends an argument at the
# first parenthesis, and variables by the format that they name.
sub grafana
{
	my ($text) = @_;
	my %macros = (
		timeFrom => sub { "'$from'" },
		timeTo => sub { "'$to'" },
		timeFilter => sub { "$_[0] BETWEEN '$from' AND '$to'" },
		timeGroup => sub { "floor(extract(epoch from $_[0])/3600)*3600" },
		timeGroupAlias => sub { "floor(extract(epoch from $_[0])/3600)*3600 AS \"time\"" });

	$text =~ s/\$\{(\w+):sqlstring\}/'$given{$1}'/g;
	$text =~ s/\$__interval\b/1h/g;
	$text =~ s/\$__(\w+)\(([^)]*)\)/($macros{$1} or die "no macro $1")->(split \/,\s*\/, $2)/eg;
	die "left: $text" if $text =~ /\$(__|\{)/;
	return $text;
}

# Metabase sets its report time zone, leaves out what stands in brackets where its variable
# has no value, and puts a question that another one asks into parentheses.
sub metabase
{
	my ($text) = @_;
	my %literals = (start => "date '$given{start}'", end => "date '$given{end}'", user => "'$given{user}'");
	(my $without = $text) =~ s/\[\[.*?\]\]//gs;
	my ($with, $question) = ($text, $without);

	$with =~ s/\[\[(.*?)\]\]/$1/gs;
	s/\{\{(\w+)\}\}/$literals{$1} or die "no variable $1"/eg for $with, $question;
	return ("SET SESSION TIMEZONE TO 'Europe/Berlin'",
		"SELECT count(*) FROM (\n$question\n) AS \"source\" LIMIT 1048575", $question, $with);
}

# Superset renders Jinja, sets the path to the schema of the data set, and asks what it
# takes for a table for the time range once more, of the time column.
sub superset
{
	my ($text) = @_;
	my %dttm = (from_dttm => "$given{start}T00:00:00", to_dttm => "$given{after}T00:00:00");
	my $rendered = $text;
	my ($at, $end) = map { "TO_TIMESTAMP('$_ 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')" } @given{qw(start after)};
	my $range = $text =~ /from_dttm/ ? "WHERE login_date >= $at AND login_date < $end\n" : '';

	$rendered =~ s/\{% if (\w+) %\}(.*?)(?:\{% else %\}(.*?))?\{% endif %\}/$dttm{$1} ? $2 : $3 \/\/ ''/egs;
	$rendered =~ s/\{\{ (\w+) \}\}/$dttm{$1} or die "no variable $1"/eg;
	(my $cleared = $text) =~ s/\{% if (\w+) %\}(.*?)(?:\{% else %\}(.*?))?\{% endif %\}/$3 \/\/ ''/egs;
	return ('set search_path = "ekran"', "SELECT count(*) FROM (\n$cleared\n) AS virtual_table LIMIT 1000",
		"SELECT *\nFROM (\n$rendered\n) AS virtual_table\n${range}LIMIT 1000");
}

sub power_bi
{
	my ($text) = @_;
	return ($text, "select * from (\n$text\n) \"_\" limit 4096", "select *\nfrom\n(\n$text\n) \"_\"");
}

# Tableau asks for the columns first, and fetches by a cursor. How a parameter is written
# depends on its type, which the page doesn't.
sub tableau
{
	my ($text) = @_;
	my %parameters = (From => $given{start}, To => $given{after}, User => $given{user});
	my @written;

	for my $type ('DATE ', 'TIMESTAMP ', '')
	{
		my $statement = $text;
		$statement =~ s/<Parameters\.(\w+)>/($1 eq 'User' ? '' : $type) . "'$parameters{$1}'"/eg;
		push @written, $statement;
	}
	my $read = "SELECT * FROM (\n$written[-1]\n) \"Custom SQL Query\"";
	return ((map { "SELECT * FROM (\n$_\n) \"Custom SQL Query\" LIMIT 0" } @written),
		"BEGIN; DECLARE \"SQL_CUR\" CURSOR WITH HOLD FOR $read; FETCH 2048 IN \"SQL_CUR\"; CLOSE \"SQL_CUR\"; COMMIT", $read);
}

# DBeaver's driver sets the zone of its machine when it connects, and parameters are put
# in as they are typed.
sub dbeaver
{
	my ($text) = @_;
	my %parameters = (start => $given{start}, end => $given{after});
	$text =~ s/(?<!:):(\w+)/defined $parameters{$1} ? "'$parameters{$1}'" : die "no parameter $1"/eg;
	return ("SET TimeZone = 'Europe/Berlin'", $text);
}

# A request to PostgREST, which curl makes, as the transaction that PostgREST makes of
# it: read-only where the function is STABLE; the role, and its settings, for the
# transaction; arguments from the body's keys, or those of the address.
sub postgrest
{
	my ($text, $request) = @_;
	my ($function, $query) = $text =~ m{/rpc/(\w+)(?:\?([^"' ]*))?} or die "no function: $text";
	my $role = $text =~ /Authorization/ ? 'postgrest_reader' : 'postgrest_anonymous';
	my $rows = $function eq 'session_rows';
	my $select = $rows ? '"pgrst_call".*' : '"pgrst_call"."pgrst_scalar"';
	my $call = sub { $rows ? "\"api\".\"$function\"($_[0]) pgrst_call" : "(SELECT \"api\".\"$function\"($_[0]) pgrst_scalar) pgrst_call" };
	my ($types, $values, $source);

	if ($text =~ /-d '([^']*)'/)
	{
		my $body = $1;
		my %keys = map { $_ => 1 } $body =~ /"(\w+)":/g;
		my %type = (start => 'timestamp with time zone', end => 'timestamp with time zone',
			sessionCount => 'bigint', pageIndex => 'bigint', userIds => 'integer[]', clientGuids => 'uuid[]');
		my @names = grep { $keys{$_} } qw(start end sessionCount pageIndex userIds clientGuids);

		($types, $values) = ('json', "'$body'");
		$source = @names
		  ? 'FROM (SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT ' . join(', ', map { "\"$_\"" } @names)
		  . ' FROM json_to_record(pgrst_payload.json_data) AS _(' . join(', ', map { "\"$_\" $type{$_}" } @names) . ') ) pgrst_body , LATERAL '
		  . $call->(join ', ', map { "\"$_\" := pgrst_body.\"$_\"" } @names)
		  : 'FROM ' . $call->('') . ' WHERE $1 IS NOT NULL';
	}
	else
	{
		# in an address, a plus is a space
		my @pairs = map { [ split /=/ ] } split /&/, $query // '';
		for my $pair (@pairs)
		{
			$pair->[1] =~ tr/+/ /;
			$pair->[1] =~ s/%(..)/chr hex $1/eg;
		}
		my $number = 0;
		my %type = (start => 'timestamp with time zone', end => 'timestamp with time zone');
		($types, $values) = (join(', ', map { 'unknown' } @pairs), join(', ', map { "'$_->[1]'" } @pairs));
		$source = 'FROM ' . $call->(join ', ', map { $number++; "\"$_->[0]\" := \$${number}::" . ($type{ $_->[0] } // 'bigint') } @pairs);
	}

	my $body = $rows ? q{coalesce(json_agg(_postgrest_t), '[]')} : q{coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null')};
	my $total = $text =~ /count=exact/ ? 'pg_catalog.count(_postgrest_t)' : 'null::bigint';
	# what is shown is the body, or the header that a count is for
	my $shown = $text =~ /count=exact/
	  ? "SELECT format('Content-Range: 0-%s/%s', :page_total - 1, :total_result_set) AS body \\gset\n\\qecho :body"
	  : '\qecho :body';
	return ("SELECT CASE provolatile WHEN 'v' THEN 'WRITE' ELSE 'ONLY' END AS mode FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace "
		  . "WHERE nspname = 'api' AND proname = '$function' \\gset",
		'BEGIN ISOLATION LEVEL READ COMMITTED READ :mode',
		q{SELECT set_config('search_path', '"api", "public"', true), }
		  . "(SELECT json_agg(set_config(split_part(c, '=', 1), substr(c, strpos(c, '=') + 1), true)) FROM pg_db_role_setting, unnest(setconfig) c "
		  . "WHERE setrole = '$role'::regrole), set_config('role', '$role', true)",
		"PREPARE request ($types) AS WITH pgrst_source AS (SELECT $select $source) "
		  . "SELECT $total AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, $body AS body, "
		  . q{nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status }
		  . "FROM (SELECT \"$function\".* FROM \"pgrst_source\" AS \"$function\" ) _postgrest_t",
		"EXECUTE request ($values) \\gset\n$shown");
}

sub dashboard_statements
{
	my ($file) = @_;
	my $dashboard = decode_json(read_file($file));

	return ((map { my $panel = $_; map { { text => "$_->{rawSql}\n", line => "of panel \"$panel->{title}\"" } } @{ $panel->{targets} } }
			@{ $dashboard->{panels} }),
		map { { text => "$_->{query}\n", line => "of variable $_->{name}" } }
		  grep { $_->{type} eq 'query' } @{ $dashboard->{templating}{list} });
}

# Whoever imports the dashboard says which data source it is to ask.
sub check_dashboard
{
	my ($file) = @_;
	my $dashboard = decode_json(read_file($file));
	my @panels = @{ $dashboard->{panels} };
	my @variables = @{ $dashboard->{templating}{list} };
	my @asking = (@panels, (map { @{ $_->{targets} } } @panels), grep { $_->{type} eq 'query' } @variables);

	cmp_ok(scalar @panels, '>=', 6, 'the dashboard has panels');
	is(join(' ', grep { $_ ne '${datasource}' } map { $_->{datasource}{uid} } @asking), '', 'the data source of each is a variable');
	is(scalar(grep { $_->{name} eq 'datasource' && $_->{type} eq 'datasource' } @variables), 1, 'which the dashboard has');
	return;
}
