# The README as a new user pastes it: every SQL block, in order, in one session; and
# what it shows of the results is what comes.

use strict;
use warnings;
use Cwd qw(realpath);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Files;
use IPC::Run qw(run);
use Test::More;

my $root = realpath("$FindBin::Bin/../..");
my $readme = "$root/README.md";
my $directory = tempdir(CLEANUP => 1);
my @blocks = blocks($readme);

# A file's name stands in the line before what is in it.
write_file("$directory/$_->{title}", $_->{text}) for grep { $_->{language} eq 'csv' } @blocks;

my @statements;
my $script = '';
for my $i (0 .. $#blocks)
{
	my $block = $blocks[$i];
	next unless $block->{language} eq 'sql';
	my $next = $blocks[ $i + 1 ];

	$block->{result} = $next->{text}
	  if defined $next && $next->{follows} && $next->{language} =~ /^(json)?$/;
	$block->{json} = defined $next && $next->{language} eq 'json';
	push @statements, $block;
	$script .= "\\o $directory/result$#statements\n"
	  . ($block->{json} ? "\\pset format unaligned\n\\pset tuples_only on\n" : "\\pset footer off\n")
	  . "\\echo block $#statements\n$block->{text}"
	  . ($block->{json} ? "\\pset format aligned\n\\pset tuples_only off\n" : '');
}
cmp_ok(scalar @statements, '>', 20, 'the README has blocks of SQL');

my ($out, $err);
run([ "$root/script/with-server", 'bash', '-c', "createdb mydb && cd '$directory' && psql -X -q -v ON_ERROR_STOP=1 -d mydb" ],
	'<', \$script, '>', \$out, '2>', \$err);
my $status = $? >> 8;
my $reached = () = $out =~ /^block \d+$/mg;
is($reached, scalar @statements, 'all of them are pasted')
  or diag "stopped in:\n$statements[$reached - 1]{text}\n$err";
is($status, 0, 'without an error') or diag $err;

for my $i (0 .. $#statements)
{
	my $block = $statements[$i];
	next unless defined $block->{result};
	my $shown = tidy($block->{result});
	my $came = tidy(-e "$directory/result$i" ? read_file("$directory/result$i") : '');
	is(substr($came, -length $shown), $shown, "line $block->{line}: what it shows is what comes")
	  or diag $came;
}

# Links within the page, and to files, lead somewhere.
my $text = read_file($readme);
my %anchors;
$anchors{$_}++ for map { anchor($_) } $text =~ /^#+ (.*)$/mg;
my @broken = grep { /^#(.*)/ ? !$anchors{$1} : !-e $root . '/' . (split /#/)[0] }
  grep { !/^https?:/ } $text =~ /\]\(([^)]+)\)/g;
is("@broken", '', 'no link leads nowhere');
done_testing();

sub anchor
{
	my ($heading) = @_;
	$heading = lc $heading;
	$heading =~ s/[^\w\- ]//g;
	$heading =~ tr/ /-/;
	return $heading;
}

# Its fenced blocks: language, text, line, whether it follows the one before with
# nothing in between, and the name in the line before.
sub blocks
{
	my ($file) = @_;
	my (@found, $block);
	my ($number, $between, $title) = (0, '', '');

	for my $line (split /^/, read_file($file))
	{
		$number++;
		if ($line =~ /^```(\w*)$/)
		{
			my $language = $1;

			if ($block)
			{
				push @found, $block;
				$block = undef;
				$between = '';
			}
			else
			{
				$block = { language => $language, text => '', line => $number,
					follows => $between !~ /\S/, title => $title };
			}
		}
		elsif ($block)
		{
			$block->{text} .= $line;
		}
		else
		{
			$between .= $line;
			$title = $1 if $line =~ /^`([\w.]+)`$/;
		}
	}
	return @found;
}

sub tidy
{
	my ($result) = @_;
	$result =~ s/[ \t]+$//mg;
	$result =~ s/\s+\z//;
	return $result;
}
