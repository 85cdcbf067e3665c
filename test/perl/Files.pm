# Files as a whole, and programs.
package Files;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(has_program read_file write_file);

sub read_file
{
	my ($name) = @_;
	open(my $in, '<', $name) or die "$name: $!";
	local $/;
	return <$in>;
}

sub write_file
{
	my ($name, $text) = @_;
	open(my $out, '>', $name) or die "$name: $!";
	print $out $text;
	close($out) or die "$name: $!";
	return;
}

# Is a program in the path?
sub has_program
{
	my ($name) = @_;
	return scalar grep { -x "$_/$name" } split /:/, $ENV{PATH};
}

1;
