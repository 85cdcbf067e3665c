# The C code has the shape that PostgreSQL's own has.

use strict;
use warnings;
use File::Glob qw(:bsd_glob);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Files;
use IPC::Run qw(run);
use Test::More;

my $root = "$FindBin::Bin/../..";
my $src = "$root/src";
my ($out, $err);

run([ "$root/script/indent", '--check' ], '>', \$out, '2>', \$err);
plan skip_all => $err if $? >> 8 == 77;
is($? >> 8, 0, 'script/indent would change nothing') or diag $out, $err;

# What it would change, it tells.
my $file = tempdir(CLEANUP => 1) . '/ugly.c';
my $ugly = "int two(void){\n  return 2 ;\n}\n";
write_file($file, $ugly);
run([ "$root/script/indent", '--check', $file ], '>', \$out, '2>', \$err);
is($? >> 8, 1, 'another shape is found');
like($out, qr/^\+\treturn 2;$/m, 'and shown');
is(read_file($file), $ugly, 'and left');
run([ "$root/script/indent", $file ], '>', \$out, '2>', \$err);
is(read_file($file), "int\ntwo(void)\n{\n\treturn 2;\n}\n", 'or mended');

# It has to know the types.
my @listed = split /\n/, read_file("$src/typedefs.list");
my %listed = map { $_ => 1 } @listed;
my @ours = map { read_file($_) =~ /^(?:\} *|typedef \w+ \w+ )(\w+);$/mg } glob "$src/*.[ch]";
cmp_ok(scalar @ours, '>', 50, 'the code has types of its own');
is(join(' ', grep { !$listed{$_} } @ours), '', 'src/typedefs.list has them all');
is("@listed", join(' ', sort @listed), 'in order');
my $code = join '', map { read_file($_) } glob "$src/*.[ch]";
is(join(' ', grep { $code !~ /\b$_\b/ } @listed), '', 'and none that is not used');
done_testing();
