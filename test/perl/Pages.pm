# Pages of documentation: their fenced blocks, what psql makes of them, their links.
package Pages;

use strict;
use warnings;
use Cwd qw(realpath);
use Exporter 'import';
use File::Basename qw(dirname);
use Files;

our @EXPORT = qw(blocks broken_links came json_result paste tidy);

# A page's fenced blocks: language, text, line, whether it follows the one before with
# nothing in between, the name in the line before, and the heading that it stands under.
sub blocks
{
	my ($file) = @_;
	my (@found, $block);
	my ($number, $between, $title, $section) = (0, '', '', '');

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
					follows => $between !~ /\S/, title => $title, section => $section };
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
			$section = $1 if $line =~ /^#+ (.*)$/;
		}
	}

	# What stands under a block, with nothing in between, is what it shows as its result.
	for my $i (1 .. $#found)
	{
		my ($above, $below) = @found[ $i - 1, $i ];
		$above->{result} = $below if $below->{follows} && $below->{language} =~ /^(json)?$/;
	}
	return @found;
}

sub json_result
{
	my ($block) = @_;
	return defined $block->{result} && $block->{result}{language} eq 'json';
}

# What psql is given for a block: its statements, with what they return, or the error
# that its result shows, in a file, and a line of its number on the standard output.
sub paste
{
	my ($block, $number, $directory, $text) = @_;
	my $result = $block->{result};
	my $json = json_result($block);
	my $fails = defined $result && $result->{text} =~ /^ERROR:/;

	$text = $block->{text} unless defined $text;
	return "\\o $directory/result$number\n"
	  . ($json ? "\\pset format unaligned\n\\pset tuples_only on\n" : "\\pset footer off\n")
	  . ($fails ? "\\set ON_ERROR_STOP 0\n" : '')
	  . "\\echo block $number\n$text"
	  . ($fails ? "\\qecho 'ERROR: ' :LAST_ERROR_SQLSTATE: :LAST_ERROR_MESSAGE\n\\set ON_ERROR_STOP 1\n" : '')
	  . ($json ? "\\pset format aligned\n\\pset tuples_only off\n" : '');
}

# What block NUMBER has returned: as much of its end as is shown, for a page may leave
# out what the statements before the last one return.
sub came
{
	my ($number, $directory, $shown) = @_;
	my $file = "$directory/result$number";
	my $came = tidy(-e $file ? scalar read_file($file) : '');

	return length $came > length $shown ? substr($came, -length $shown) : $came;
}

sub tidy
{
	my ($result) = @_;
	$result =~ s/[ \t]+$//mg;
	$result =~ s/\s+\z//;
	return $result;
}

# Those of a page's links that lead nowhere: to no file, or no heading of a page.
sub broken_links
{
	my ($page) = @_;
	my @broken;

	for my $link (grep { !/^https?:/ } read_file($page) =~ /\]\(([^)]+)\)/g)
	{
		my ($file, $heading) = split /#/, $link;
		my $target = $file eq '' ? $page : dirname(realpath($page)) . "/$file";

		push @broken, $link
		  unless -e $target && (!defined $heading || grep { $_ eq $heading } anchors($target));
	}
	return @broken;
}

sub anchors
{
	my ($page) = @_;
	return map { anchor($_) } read_file($page) =~ /^#+ (.*)$/mg;
}

sub anchor
{
	my ($heading) = @_;
	$heading = lc $heading;
	$heading =~ s/[^\w\- ]//g;
	$heading =~ tr/ /-/;
	return $heading;
}

1;
