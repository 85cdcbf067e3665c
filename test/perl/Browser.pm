# A headless Chromium, through its driver: the few words of WebDriver that tests need.
package Browser;

use strict;
use warnings;
use Files;
use HTTP::Tiny;
use JSON::PP;

my $json = JSON::PP->new->utf8->allow_nonref;
my @started;

# Where the programs are missing, what is; otherwise nothing.
sub missing
{
	my @missing = grep { !has_program($_) } qw(chromium chromedriver);
	return "no @missing: Debian's packages chromium and chromium-driver" if @missing;
	return;
}

# What the browser keeps goes into the directory.
sub new
{
	my ($class, $directory) = @_;
	local $ENV{TMPDIR} = $directory;
	local $ENV{HOME} = $directory;
	my $pid = open(my $out, '-|', 'exec chromedriver --port=0 2>&1') or die "chromedriver: $!";
	my $self = bless {
		pid => $pid,
		out => $out,
		# Whatever proxies the environment names: the driver is on this machine.
		http => HTTP::Tiny->new(proxy => undef, http_proxy => undef, timeout => 120)
	}, $class;
	push @started, $self;
	my $port;
	while (!$port)
	{
		defined(my $line = <$out>) or die 'chromedriver ended';
		($port) = $line =~ /started successfully on port (\d+)/;
	}
	$self->{url} = "http://127.0.0.1:$port/session";
	my $session = $self->call(POST => '', {
		capabilities => {
			alwaysMatch => {
				'goog:chromeOptions' => {
					# Root, and containers, have no sandbox. The pages are our own.
					args => [qw(--headless=new --no-sandbox --disable-dev-shm-usage
						--disable-background-networking --force-device-scale-factor=1)]
				},
				'goog:loggingPrefs' => { browser => 'ALL' }
			}
		}
	});
	$self->{url} .= "/$session->{sessionId}";
	return $self;
}

sub call
{
	my ($self, $method, $path, $body) = @_;
	my $response = $self->{http}->request($method, $self->{url} . $path, {
		headers => { 'Content-Type' => 'application/json' },
		$body ? (content => $json->encode($body)) : ()
	});
	die "$method $path: $response->{content}" unless $response->{success};
	return $json->decode($response->{content})->{value};
}

sub open_file
{
	my ($self, $file) = @_;
	return $self->call(POST => '/url', { url => "file://$file" });
}

sub resize
{
	my ($self, $width, $height) = @_;
	return $self->call(POST => '/window/rect', { width => $width, height => $height });
}

# What the body of a function returns that is called with the arguments.
sub run
{
	my ($self, $body, @arguments) = @_;
	return $self->call(POST => '/execute/sync', { script => $body, args => \@arguments });
}

# Clicks as a reader does: fails where something lies over the element.
sub click
{
	my ($self, $selector) = @_;
	my ($element) = values %{ $self->call(POST => '/element', { using => 'css selector', value => $selector }) };
	return $self->call(POST => "/element/$element/click", {});
}

# 'dark' or 'light', as the reader's system would say it.
sub prefer
{
	my ($self, $scheme) = @_;
	return $self->call(POST => '/goog/cdp/execute', {
		cmd => 'Emulation.setEmulatedMedia',
		params => { features => [ { name => 'prefers-color-scheme', value => $scheme } ] }
	});
}

# What the page and the browser have written to the console since the last call.
sub console
{
	my ($self) = @_;
	return map { $_->{message} } @{ $self->call(POST => '/se/log', { type => 'browser' }) };
}

sub close
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	# The status of the test is not the driver's.
	local ($?, $@);
	eval { $self->call(DELETE => '') };
	kill TERM => $pid;
	close $self->{out};
	return;
}

# A test that dies leaves no browser running. By the time of DESTROY, what close needs
# may be gone.
END
{
	$_->close for @started;
}

1;
