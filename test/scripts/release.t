# What is published: of one commit the same bytes, with what PGXN asks for; and it is built,
# installed, tested and taken away as every extension is, in places whose names have spaces,
# by somebody who isn't root.

use strict;
use warnings;
use Cwd qw(realpath);
use File::Find qw(find);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Files;
use IPC::Run qw(run);
use JSON::PP;
use Test::More;

my $root = realpath("$FindBin::Bin/../..");
my $directory = tempdir(DIR => '/var/tmp', CLEANUP => 1);
my ($version) = read_file("$root/ekran_sessions.control") =~ /^default_version = '(.*)'$/m;
my $name = "ekran_sessions-$version.0";

is(told("'$root/script/reference' --check"), '', 'doc/reference.md is what the server says');
check_meta(decode_json(read_file("$root/META.json")));

SKIP:
{
	skip 'not a clone', 1 unless -e "$root/.git";
	check_releases();
	check_make();
}
done_testing();

# What a command prints if it fails, or says on its standard error.
sub told
{
	my ($command) = @_;
	my ($out, $err);

	run([ 'bash', '-c', $command ], '>', \$out, '2>', \$err);
	return $? == 0 ? $err : "$command: $out$err";
}

# PGXN's specification, as far as it says "must", for the keys that there are.
sub check_meta
{
	my ($meta) = @_;
	my $semver = qr/^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}$/;
	my %known = map { $_ => 1 } qw(name version abstract description generated_by license maintainer meta-spec
	  no_index prereqs provides release_status resources tags);
	my %own = %{ $meta->{provides}{ekran_sessions} };

	is(join(' ', grep { !$known{$_} && !/^x_/i } sort keys %$meta), '', 'META.json: no key that PGXN does not know');
	is(join(' ', grep { !length($meta->{$_} // '') } qw(name version abstract license maintainer provides meta-spec)), '', 'each that it must have');
	like($meta->{name}, qr/^[^\s\/\\\x00-\x1f]{2,}$/, 'a name without spaces or slashes');
	like($_, $semver, "$_ is a semantic version") for $meta->{version}, $own{version}, $meta->{'meta-spec'}{version}, values %{ $meta->{prereqs}{runtime}{requires} };
	is($meta->{license}, 'postgresql', 'a license that it has a word for');
	like($meta->{release_status}, qr/^(stable|testing|unstable)$/, 'a status likewise');
	ok(-e "$root/$own{$_}", "$own{$_} is there") for qw(file docfile);
	is("$meta->{version} $own{version} $own{file}", "$version.0 $version.0 ekran_sessions--$version.sql", 'and the version is that of the control file');
	is(join(' ', grep { ref || !length || length > 255 } @{ $meta->{tags} }), '', 'tags are short texts');
}

sub clone
{
	my ($place) = @_;
	is(told("git -c safe.directory='*' clone --quiet '$root' '$place'"), '', 'it is cloned');
}

sub check_releases
{
	clone("$directory/one");
	clone("$directory/another one");
	mkdir "$directory/$_" for 'first', 'second';
	is(told("cd '$directory/one' && script/release '$directory/first'"), '', 'a release is made');
	is(told("cd '$directory/another one' && TZ=Asia/Tokyo script/release '$directory/second'"), '', 'and again');
	for my $file ("$name.tar.gz", "$name.zip")
	{
		ok(-s "$directory/first/$file", "$file is something");
		is(told("cmp '$directory/first/$file' '$directory/second/$file'"), '', 'of the same bytes');
	}

	my %wrong = (
		'the tree has changes' => 'echo >>README.md',
		'CHANGELOG.md begins' => "sed -i 's/^## $version .*/## $version/' CHANGELOG.md",
		'META.json must say' => "sed -i '0,/\"$version.0\"/s//\"0.9.0\"/' META.json",
		'debian/changelog begins' => "sed -i '1s/$version/0.9/' debian/changelog",
		'there is no ekran_sessions--0.9.sql' => "sed -i \"s/^default_version.*/default_version = '0.9'/\" ekran_sessions.control");
	for my $what (sort keys %wrong)
	{
		my $commit = $what =~ /changes/ ? 'true' : "git -c user.name=test -c user.email=test\@localhost commit --quiet --all --message wrong";
		like(told("cd '$directory/one' && $wrong{$what} && $commit && script/release '$directory/first'"),
			qr/release: \Q$what\E/, "it refuses: $what");
		is(told("cd '$directory/one' && git reset --quiet --hard origin/HEAD"), '', 'which is undone');
	}
}

# Where a server's own files would go, everything goes under "an other root"; Debian's server
# is told to look there.
sub check_make
{
	my $place = "$directory/a place";
	my $destination = "$directory/an other root";
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	my $bin = qx{'$pg_config' --bindir};
	my @user = $> == 0 ? ('runuser', '-u', 'postgres', '--') : ();
	my ($out, $err);

	chomp $bin;
	mkdir $_ for $place, $destination;
	is(told("tar --extract --gzip --file '$directory/first/$name.tar.gz' --directory '$place'"), '', 'the archive is unpacked');
	if (@user)
	{
		is(told("chmod 755 '$directory' && chown -R postgres '$place' '$destination'"), '', 'for who is not root');
	}
	write_file("$directory/make.sh", <<"SH");
set -eu
cd '$place/$name'
make() { command make --silent PG_CONFIG='$pg_config' with_llvm=no "\$@"; }
make --jobs=2 COPT=-Werror
make install DESTDIR='$destination' >/dev/null
'$bin/initdb' --no-sync --auth=trust --username=postgres -D '$place/data' >/dev/null
cat >>'$place/data/postgresql.conf' <<CONF
listen_addresses = ''
unix_socket_directories = '\$PGHOST'
fsync = off
extension_destdir = '$destination'
dynamic_library_path = '$destination\$('$pg_config' --pkglibdir):\\\$libdir'
CONF
'$bin/pg_ctl' -D '$place/data' --silent --wait -l '$place/log' start
trap "'$bin/pg_ctl' -D '$place/data' --silent --mode=immediate stop" EXIT
make installcheck REGRESS='worked_example paging' ISOLATION=insert_delete TAP_TESTS=
make uninstall DESTDIR='$destination'
make clean
SH
	# A socket's path must be short.
	my $socket = tempdir(CLEANUP => 1);
	is(told("chown postgres '$socket'"), '', 'with a place for a socket') if @user;
	delete local @ENV{ grep { /^PG(?!_CONFIG)/ || /^MAKE/ } keys %ENV };
	run([ @user, 'env', "PGHOST=$socket", 'PGUSER=postgres', 'bash', "$directory/make.sh" ], '>', \$out, '2>', \$err);
	is($? >> 8, 0, 'it is built, installed, tested on a cluster of its own, and taken away') or diag $out, $err;
	like($out, qr/worked_example +\.\.\. ok|ok \d+ +- worked_example/, 'its tests are run');
	unlike($err, qr/warning/i, 'without a warning');

	my @left;
	find(sub { push @left, $File::Find::name if -f }, $destination);
	is("@left", '', 'and nothing of it is left');
	find(sub { push @left, $File::Find::name if /\.(o|so|bc)$/ }, "$place/$name");
	is("@left", '', 'nor of the build');
}
