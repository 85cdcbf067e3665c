# Files as a whole.
package Files;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(read_file write_file);

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

1;
