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
use Pages;
use Test::More;

my $root = realpath("$FindBin::Bin/../..");
my $readme = "$root/README.md";
my $directory = tempdir(CLEANUP => 1);
my @blocks = blocks($readme);

# A file's name stands in the line before what is in it.
write_file("$directory/$_->{title}", $_->{text}) for grep { $_->{language} eq 'csv' } @blocks;

my @statements = grep { $_->{language} eq 'sql' } @blocks;
my $script = join '', map { paste($statements[$_], $_, $directory) } 0 .. $#statements;
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
	my $shown = tidy($block->{result}{text});
	is(came($i, $directory, $shown), $shown, "line $block->{line}: what it shows is what comes");
}

is(join(' ', broken_links($readme)), '', 'no link leads nowhere');
done_testing();
