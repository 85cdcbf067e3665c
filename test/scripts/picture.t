# The picture that script/demo writes, as a browser draws it: what is drawn is measured
# and compared with what statements of this test say.

use strict;
use warnings;
use Cwd qw(realpath);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../perl";
use Browser;
use Files;
use IPC::Run qw(run);
use JSON::PP;
use List::Util qw(max min sum0 uniq);
use POSIX qw(strftime);
use Test::More;

my $missing = Browser::missing();
plan skip_all => $missing if $missing;

my $root = realpath("$FindBin::Bin/../..");
my $directory = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8;
my ($out, $err);

# The page of the demo, and those of two stores of ours.
chdir $directory or die;
run([ "$root/script/demo" ], '<', \undef, '>', \$out, '2>', \$err);
is($?, 0, 'the demo runs') or diag $out, $err;
like($out, qr/^The picture of 2026-03-03 is in \Q$directory\E\/demo\.html: .*\n\z/m, 'and says where the picture is');
write_file('truth.sql', truth());
write_file('stores', stores());
run([ "$root/script/with-server", 'bash', "$directory/stores" ], '<', \undef, '>', \$out, '2>', \$err);
is($?, 0, 'the same stores are made and asked') or diag $out, $err;
my %truth = map { $_ => $json->decode(read_file("$_.json")) } qw(demo thousand corners);

my $page = read_file('demo.html');
unlike($page, qr/\b(?:src|href|srcset|action)\s*=|url\(|\@import|\bimport\b|\bfetch\b/i, 'the page refers to nothing');
unlike($page, qr/innerHTML|outerHTML|insertAdjacentHTML|document\.write/, 'and makes no markup of data');
is(scalar(() = $page =~ /^\@DATA\@$/mg), 0, 'the data have replaced their place');

palette();

my $browser = Browser->new($directory);
$browser->resize(1440, 1000);
$browser->prefer('light');

#
# The sample data
#

$browser->open_file("$directory/demo.html");
is($browser->run('return document.compatMode'), 'CSS1Compat', 'it is HTML of today');
is($browser->run('return document.title'), 'Sessions of 2026-03-03', 'its title has the day');
compare_marks('demo', 'sample data');
compare_figures('demo');
compare_idle('demo');
compare_hours('demo');
compare_legend('demo');

enter('zoom', 8);
cmp_ok($browser->run('return document.getElementById("axis").getBoundingClientRect().width'), '>', 8000, 'it can be zoomed');
compare_marks('demo', 'zoomed');
stays('demo');
enter('zoom', 1);
$browser->resize(700, 900);
compare_marks('demo', 'in a narrow window');
labels_apart('in a narrow window');
$browser->resize(1440, 1000);

# One application alone.
my $alone = <<'JS';
const fills = {};
for (const mark of document.querySelectorAll('#timeline rect'))
	(fills[getComputedStyle(mark).fill] ??= []).push(mark.dataset.application ?? mark.dataset.state);
return Object.values(fills).map(applications => [...new Set(applications)].sort().join());
JS
my $fills = scalar @{ $browser->run($alone) };
$browser->click('#legend li:nth-child(2) button');
is_deeply([ grep { $_ eq 'chrome.exe' } @{ $browser->run($alone) } ], ['chrome.exe'], 'an application can be seen alone');
is(scalar @{ $browser->run($alone) }, 2, 'all others are faint');
$browser->click('#legend li:nth-child(2) button');
is(scalar @{ $browser->run($alone) }, $fills, 'and come back');

# The filter.
my $names = 'return [...document.querySelectorAll(arguments[0])].filter(row => row.getClientRects().length)
	.map(row => row.dataset.name).sort()';
enter('filter', ' wEi');
is_deeply($browser->run($names, "#$_ [data-name]"), ['Wei Zhang'], "$_: a user is found by a part of the name")
	for qw(timeline hours idle);
is($browser->run('return document.getElementById("found").textContent'), '1 of 49 shown', 'and counted');
enter('filter', '');
is(scalar @{ $browser->run($names, '#timeline li') }, 49, 'without a filter all are there');

# Light and dark.
for my $scheme ('light', 'dark')
{
	$browser->prefer($scheme);
	is(scheme(), $scheme, "a system that is $scheme has a $scheme page");
	contrasts($scheme);
}
$browser->click('#theme');
is(scheme(), 'light', 'the button makes it light');
$browser->click('#theme');
is(scheme(), 'dark', 'and dark again');
$browser->prefer('light');
is(scheme(), 'dark', 'whatever the system says');

quiet('demo');

#
# A thousand sessions
#

$browser->open_file("$directory/thousand.html");
my $drawn = $browser->run('return performance.getEntriesByType("navigation")[0].domComplete');
cmp_ok($drawn, '<', 20_000, 'a thousand sessions are drawn in a reasonable time');
note sprintf 'It took %.1f s.', $drawn / 1000;
compare_marks('thousand', 'a thousand sessions');
compare_figures('thousand');
compare_idle('thousand');
compare_hours('thousand');
labels_apart('with a thousand sessions');
stays('thousand');
my ($lowest) = sort { $a <=> $b } @{ $browser->run(
	'return [...document.querySelectorAll("#timeline li")].map(row => row.getBoundingClientRect().height)') };
cmp_ok($lowest, '>=', 24, 'no row is too low to read');
contrasts('a thousand sessions');
quiet('thousand');

#
# Corners
#

$browser->open_file("$directory/corners.html");
ok(!$browser->run('return window.pwned !== undefined || document.querySelector("b, img") !== null'),
	'names and applications are no markup');
is_deeply(
	$browser->run('return [...document.querySelectorAll("#timeline li")].map(row => row.querySelector("span").textContent)'),
	[ '@DATA@', '<!--<script>', '</script><b id=pwned>', 'user 2', 'user 6', 'unknown user' ],
	'they are read as they are, in order');
compare_marks('corners', 'corners');
compare_figures('corners');
compare_idle('corners');
compare_hours('corners');
compare_legend('corners');
like($browser->run('return document.getElementById("footnote").textContent'), qr/^1 of the 8 sessions is not drawn/,
	'a session without a moment in the day is counted');
my $moments = $browser->run(<<'JS');
return [...document.querySelectorAll('[data-state=moment]')].map(mark =>
	[mark.dataset.session, mark.dataset.from, mark.dataset.to, mark.getBoundingClientRect().width]);
JS
is_deeply($moments, [ [ '3', (1772532000 . '000000') x 2, 2 ] ], 'one of a single moment is drawn as that');
quiet('corners');

# A day without sessions.
$browser->open_file("$directory/empty.html");
is($browser->run('return document.querySelectorAll("#timeline rect, #hours td").length'), 0, 'an empty store has an empty page');
quiet('empty');

# A day that is none.
isnt(system("PGHOST=/nowhere $root/script/picture 2026-03-03 >nothing.html 2>/dev/null"), 0, 'without a server there is no page');
$browser->close;
chdir '/';
done_testing();

# Makes the stores, their pages and what statements say of them.
sub stores
{
	return <<"BASH";
set -euo pipefail
export PGTZ=UTC
for store in demo thousand corners empty; do
	createdb \$store
	export PGDATABASE=\$store
	psql -Xq -c "CREATE EXTENSION ekran_sessions" -c "SELECT ekran_create_store()" >/dev/null
	case \$store in
		demo) psql -Xq -v store=ekran -f $root/script/sample_data.sql -c "CALL ekran_maintain()" ;;
		empty) ;;
		*) psql -Xq -v ON_ERROR_STOP=1 -f $root/test/picture_\$store.sql ;;
	esac >/dev/null
	[ \$store = demo ] || $root/script/picture 2026-03-03 >$directory/\$store.html
	psql -XqAt -v ON_ERROR_STOP=1 -f $directory/truth.sql >$directory/\$store.json
done
BASH
}

# What statements say, by other ways than the page's where there are some: stretches
# by all sessions that there are, the user's active and idle time and the applications'
# by sums of the database. Of the users' hours there is one way, with windows given.
sub truth
{
	return <<'SQL';
SET TimeZone = 'UTC';
CREATE FUNCTION pg_temp.us(t timestamptz) RETURNS text LANGUAGE sql AS
	$$ SELECT (1000000 * extract(epoch FROM t))::bigint::text $$;
CREATE FUNCTION pg_temp.us(i interval) RETURNS text LANGUAGE sql AS
	$$ SELECT (1000000 * extract(epoch FROM i))::bigint::text $$;
CREATE FUNCTION pg_temp.named(name text, id integer) RETURNS text LANGUAGE sql AS
	$$ SELECT coalesce(name, 'user ' || id, 'unknown user') $$;
SELECT json_build_object(
	'stretches', (
		SELECT json_agg(json_build_object('session', session_id::text, 'name', pg_temp.named(user_name, user_id),
			'from', pg_temp.us(from_time), 'to', pg_temp.us(to_time), 'state', state, 'application', application))
		FROM ekran.session LEFT JOIN ekran.app_user USING (user_id)
		CROSS JOIN ekran_session_timeline(session_id, '2026-03-03', '2026-03-04')),
	'sessions', (
		SELECT json_agg(json_build_object('session', session_id::text, 'name', pg_temp.named(user_name, user_id),
			'from', pg_temp.us(login_date), 'to', pg_temp.us(logout_date)))
		FROM ekran_sessions_all('2026-03-03', '2026-03-04')),
	'users', (
		SELECT json_object_agg(name, json_build_object('active', active, 'idle', idle))
		FROM (
			SELECT pg_temp.named(user_name, user_id) AS name, pg_temp.us(sum(productivity_time)) AS active, pg_temp.us(sum(idle_time)) AS idle
			FROM ekran_sessions_all('2026-03-03', '2026-03-04') GROUP BY 1) AS by_user),
	'hours', (
		SELECT json_agg(json_build_object('name', name, 'date', date, 'hours', hours))
		FROM (
			SELECT pg_temp.named(user_name, user_id) AS name, date, sum(total_minutes) / 60 AS hours
			FROM ekran_user_productivity('2026-03-01', '2026-03-20') GROUP BY 1, 2) AS by_day),
	'applications', (
		SELECT json_agg(json_build_array(application, us) ORDER BY us::bigint DESC, application)
		FROM (
			SELECT application, pg_temp.us(sum(duration)) AS us
			FROM ekran_application_statistics('2026-03-03', '2026-03-04') GROUP BY 1) AS by_application));
SQL
}

# The marks are those of SQL, where the axis says that they belong, as long as it says.
sub compare_marks
{
	my ($store, $where) = @_;
	my $got = $browser->run(<<'JS');
const box = element => { const { left, top, width, height } = element.getBoundingClientRect(); return { left, top, width, height }; };
return {
	axis: { ...box(document.getElementById('axis')), ...document.getElementById('axis').dataset },
	marks: [...document.querySelectorAll('#timeline rect:not([data-state=moment])')].map(mark => ({ ...mark.dataset, ...box(mark),
		name: mark.closest('[data-name]').dataset.name, title: mark.querySelector('title').textContent,
		label: mark.parentElement.ariaLabel })),
	rows: [...document.querySelectorAll('#timeline li')].map(box),
};
JS
	my ($axis, @marks) = ($got->{axis}, @{ $got->{marks} });
	my $stretches = $truth{$store}{stretches};
	my $key = sub { join '|', map { $_ // 'null' } @{ $_[0] }{qw(name session from to state application)} };
	is_deeply([ sort map { $key->($_) } @marks ], [ sort map { $key->($_) } @$stretches ],
		"$where: the stretches drawn are those of SQL, " . @$stretches);
	is_deeply([ @$axis{qw(from to)} ], [ '1772496000000000', '1772582400000000' ], "$where: the axis is the day");

	my $pixels = sub { ($_[0] - $axis->{from}) / ($axis->{to} - $axis->{from}) * $axis->{width} };
	my $from = max map { abs($_->{left} - $axis->{left} - $pixels->($_->{from})) } @marks;
	my $length = max map { abs($_->{width} - $pixels->($_->{to}) + $pixels->($_->{from})) } @marks;
	cmp_ok($from, '<', 0.5, "$where: each begins where the axis says");
	cmp_ok($length, '<', 0.5, "$where: and is as long");

	my %active;
	$active{ $_->{name} } += $_->{width} / $axis->{width} * 24 * 3600 for grep { $_->{state} eq 'active' } @marks;
	my $users = $truth{$store}{users};
	my @wrong = grep { abs(($active{$_} // 0) - $users->{$_}{active} / 1e6) > 1 } keys %$users;
	is("@wrong", '', "$where: a user's active marks are together as long as SQL's sum");

	# Where there are several lanes, the sessions in one don't meet.
	my %lanes;
	push @{ $lanes{ $_->{name} }{ int($_->{top} + $_->{height} / 2 + 0.5) } }, $_ for @marks;
	my ($meet, $lanes) = (0, 0);
	for my $user (values %lanes)
	{
		$lanes = max($lanes, scalar keys %$user);
		for my $lane (values %$user)
		{
			my @in_order = sort { $a->{left} <=> $b->{left} } @$lane;
			$meet += grep { $in_order[$_]{left} < $in_order[ $_ - 1 ]{left} + $in_order[ $_ - 1 ]{width} - 0.01 } 1 .. $#in_order;
		}
	}
	is($meet, 0, "$where: no two stretches lie over each other");
	cmp_ok($lanes, $store eq 'demo' ? '==' : '>=', $store eq 'demo' ? 1 : 2, "$where: with lanes where sessions overlap");
	cmp_ok(min(map { $_->{height} } grep { $_->{state} eq 'active' } @marks), '>',
		2 * max(map { $_->{height} } grep { $_->{state} eq 'idle' } @marks), "$where: what is idle is thin");

	my ($title) = grep { $_->{title} ne title($_) } @marks;
	is($title && $title->{title}, $title && title($title), "$where: each has a title that tells all of it");
	is(scalar(grep { index($_->{label}, "$_->{name}, session $_->{session}, ") != 0 } @marks), 0, "$where: and its session a label");
	return;
}

sub title
{
	my ($mark) = @_;
	my $what = $mark->{state} eq 'idle' ? 'idle' : $mark->{application} // 'no application';
	my ($from, $to) = map { strftime('%H:%M:%S', gmtime(substr($_, 0, -6))) } @$mark{qw(from to)};
	return "$mark->{name}, session $mark->{session}\n$what\n$from to $to: " . duration($mark->{to} - $mark->{from});
}

sub duration
{
	my $seconds = int($_[0] / 1e6);
	return sprintf('%d:%02d:%02d', $seconds / 3600, $seconds / 60 % 60, $seconds % 60);
}

sub compare_figures
{
	my ($store) = @_;
	my %figures = %{ $browser->run(<<'JS') };
return Object.fromEntries([...document.querySelectorAll('#figures div')].map(figure =>
	[figure.querySelector('dt').textContent, figure.querySelector('dd').textContent.replaceAll(',', '')]));
JS
	my ($sessions, $users) = @{ $truth{$store} }{qw(sessions users)};
	my ($active, $idle) = map { my $key = $_; sum0 map { $_->{$key} } values %$users } qw(active idle);
	is_deeply(
		\%figures,
		{
			Sessions => scalar @$sessions,
			Users => scalar(grep { $_ ne 'unknown user' } keys %$users),
			Active => sprintf('%.1f h', $active / 3600e6),
			'Idle share' => sprintf('%.0f %%', 100 * $idle / ($active + $idle))
		},
		"$store: the day's figures");
	return;
}

sub compare_idle
{
	my ($store) = @_;
	my @rows = @{ $browser->run(<<'JS') };
return [...document.querySelectorAll('#idle tr[data-name]')].map(row => {
	const whole = row.querySelector('svg').getBoundingClientRect();
	const bars = [...row.querySelectorAll('rect')].map(bar => {
		const { left, width } = bar.getBoundingClientRect();
		return { state: bar.dataset.state, left: left - whole.left, width };
	});
	return { name: row.dataset.name, whole: whole.width, bars, texts: [...row.cells].map(cell => cell.textContent) };
});
JS
	my $users = $truth{$store}{users};
	is_deeply([ sort map { $_->{name} } @rows ], [ sort keys %$users ], "$store: each user has an idle share");
	my (@wrong, @texts, @shares);
	for my $row (@rows)
	{
		my ($active, $idle) = @{ $users->{ $row->{name} } }{qw(active idle)};
		my $all = $active + $idle;
		push @shares, $all && $idle / $all;
		my %bars = map { $_->{state} => $_ } @{ $row->{bars} };
		my $share = $all ? sprintf('%d %%', 100 * $idle / $all + 0.5) : "\x{2013}";
		push @texts, $row->{name}
			if "@{ $row->{texts} }" ne "$row->{name}  " . duration($idle) . ' ' . duration($active) . " $share";
		if (!$all)
		{
			push @wrong, $row->{name} if %bars;
			next;
		}
		my $boundary = $row->{whole} * $active / $all;
		push @wrong, $row->{name}
			if abs($bars{active}{left}) > 0.5 || abs($bars{active}{width} - $boundary) > 0.5
			|| abs($bars{idle}{left} - $boundary) > 0.5
			|| abs($bars{idle}{width} + $boundary - $row->{whole}) > 0.5;
	}
	is("@wrong", '', "$store: its bars are as long as SQL says");
	is("@texts", '', "$store: with the same in words");
	is_deeply(\@shares, [ sort { $b <=> $a } @shares ], "$store: the most idle first");
	return;
}

sub compare_hours
{
	my ($store) = @_;
	my @cells = @{ $browser->run(<<'JS') };
return [...document.querySelectorAll('#hours td')].map(cell => ({ ...cell.dataset, name: cell.parentElement.dataset.name,
	text: cell.textContent, day: document.querySelector('#hours thead tr').cells[cell.cellIndex].textContent,
	colour: getComputedStyle(cell).backgroundColor }));
JS
	my %hours = map { ("$_->{name} $_->{date}" => $_->{hours}) } @{ $truth{$store}{hours} };
	my $most = max values %hours;
	my ($users, $days) = map { my $key = $_; scalar uniq map { $_->{$key} } @{ $truth{$store}{hours} } } qw(name date);
	is(scalar @cells, $users * $days, "$store: there is a cell for each user and day");
	my (@wrong, @texts, @colours);
	for my $cell (@cells)
	{
		my $hours = delete $hours{"$cell->{name} $cell->{date}"} // 0;
		push @wrong, "$cell->{name} $cell->{date}" if abs($cell->{hours} - $hours) > 1e-9;
		# Half a tenth may be rounded up or down.
		my $says = $hours ? $cell->{text} =~ /^\d+\.\d\z/ && abs($cell->{text} - $hours) < 0.05 + 1e-9 : $cell->{text} eq "\x{2013}";
		my $day = strftime("%a\n%m-%d", 0, 0, 0, substr($cell->{date}, 8), substr($cell->{date}, 5, 2) - 1, substr($cell->{date}, 0, 4) - 1900);
		push @texts, "$cell->{name} $cell->{date}" if !$says || $cell->{day} ne $day;
		my ($alpha) = $cell->{colour} =~ m{^color\(srgb .* / ([\d.e-]+)\)$};
		push @colours, "$cell->{name} $cell->{date}" if abs(($alpha // 1) - 0.7 * $hours / $most) > 0.01;
	}
	is("@wrong", '', "$store: with SQL's hours");
	is(join(' ', keys %hours), '', "$store: with all of them");
	is("@texts", '', "$store: in figures, under their day");
	is("@colours", '', "$store: and in shades");
	return;
}

# The legend has SQL's most used applications, and marks have the colours of the legend.
sub compare_legend
{
	my ($store) = @_;
	my $got = $browser->run(<<'JS');
const fill = element => getComputedStyle(element).fill;
return {
	entries: [...document.querySelectorAll('#legend li')].map(entry => [entry.querySelector('span').textContent,
		entry.querySelector('small').textContent, fill(entry.querySelector('rect'))]),
	marks: [...document.querySelectorAll('#timeline rect')].map(mark => ({ ...mark.dataset, fill: fill(mark) })),
};
JS
	my @used = @{ $truth{$store}{applications} };
	my @ranked = grep { defined $_->[0] } @used;
	my @others = splice @ranked, min(8, scalar @ranked);
	my $hours = sub { sprintf('%.1f h', sum0(map { $_->[1] } @_) / 3600e6) };
	my $idle = sum0 map { $_->{idle} } values %{ $truth{$store}{users} };
	my @expected = (
		(map { [ $_->[0], $hours->($_) ] } @ranked),
		@others ? [ 'other applications (' . @others . ')', $hours->(@others) ] : (),
		[ 'no application', $hours->(grep { !defined $_->[0] } @used) ],
		[ 'idle', $hours->([ idle => $idle ]) ]);
	is_deeply([ map { [ @$_[ 0, 1 ] ] } @{ $got->{entries} } ], \@expected, "$store: the legend has what SQL says");
	my %colour = map { $_->[0] => $_->[2] } @{ $got->{entries} };
	is(scalar(uniq values %colour), scalar @expected, "$store: each entry has a colour of its own");
	my @wrong;
	for my $mark (grep { $_->{state} ne 'moment' } @{ $got->{marks} })
	{
		my $entry = $mark->{state} eq 'idle' ? 'idle' : $mark->{application} // 'no application';
		$entry = 'other applications (' . @others . ')' if grep { $_->[0] eq $entry } @others;
		push @wrong, $entry if $mark->{fill} ne $colour{$entry};
	}
	is("@wrong", '', "$store: and the marks have those");
	return;
}

# As a reader who types, or drags, would.
sub enter
{
	my ($id, $value) = @_;
	$browser->run('const input = document.getElementById(arguments[0]); input.value = arguments[1];
		input.dispatchEvent(new Event("input"))', $id, $value);
	return;
}

# The axis stays at the top and the names at the left, wherever the reader scrolls.
sub stays
{
	my ($store) = @_;
	my $places = <<'JS';
const scroll = document.querySelector('[aria-label=Timeline]');
scroll.scrollTo(scroll.scrollWidth * arguments[0], arguments[0] * scroll.scrollHeight);
const at = scroll.getBoundingClientRect();
const names = [...document.querySelectorAll('#timeline li > span')].map(name => name.getBoundingClientRect().left - at.left);
return { scrolled: scroll.scrollTop, axis: document.getElementById('axis').getBoundingClientRect().top - at.top,
	names: [Math.min(...names), Math.max(...names)] };
JS
	my ($before, $after) = map { $browser->run($places, $_) } 0, 0.5;
	cmp_ok(delete $after->{scrolled}, '>', delete($before->{scrolled}) + 50, "$store: it can be scrolled");
	is_deeply($after, $before, "$store: the axis and the names stay");
	$browser->run($places, 0);
	return;
}

# No label lies over another, or reaches into the marks.
sub labels_apart
{
	my ($where) = @_;
	my $got = $browser->run(<<'JS');
const box = element => { const { left, top, right, bottom } = element.getBoundingClientRect(); return { left, top, right, bottom }; };
const written = element => { const range = document.createRange(); range.selectNodeContents(element); return range; };
return {
	axis: [...document.querySelectorAll('#axis text')].map(box),
	names: [...document.querySelectorAll('#timeline li > span')].map(name => ({ ...box(name), height: written(name).getBoundingClientRect().height })),
	end: document.getElementById('axis').getBoundingClientRect().right,
	begin: document.getElementById('axis').getBoundingClientRect().left,
};
JS
	my @axis = @{ $got->{axis} };
	cmp_ok(scalar @axis, '>=', 8, "$where: the axis has labels");
	is(scalar(grep { $axis[$_]{left} < $axis[ $_ - 1 ]{right} + 4 } 1 .. $#axis), 0, "$where: which lie apart");
	cmp_ok($axis[-1]{right}, '<=', $got->{end}, "$where: within it");
	my @names = @{ $got->{names} };
	is(scalar(grep { $names[$_]{top} < $names[ $_ - 1 ]{bottom} } 1 .. $#names), 0, "$where: no name lies over another");
	is(scalar(grep { $_->{bottom} - $_->{top} < $_->{height} } @names), 0, "$where: none is cut");
	cmp_ok(max(map { $_->{right} } @names), '<=', $got->{begin} + 0.5, "$where: none reaches into the marks");
	return;
}

sub scheme
{
	my ($page, $text) = map { /(\d+), (\d+), (\d+)/ ? ($1 + $2 + $3) / 765 : die $_ } @{ $browser->run(
		'const { backgroundColor, color } = getComputedStyle(document.body); return [backgroundColor, color]') };
	return $page > 0.9 && $text < 0.2 ? 'light' : $page < 0.15 && $text > 0.8 ? 'dark' : "page $page, text $text";
}

# WCAG's AA: 4.5 to 1 for texts, 3 to 1 for what is drawn. Bold or large texts could do
# with less, and need not.
sub contrasts
{
	my ($where) = @_;
	my $got = $browser->run(<<'JS');
// A colour as red, green, blue and alpha from 0 to 1: "rgb(27, 35, 46)", "color(srgb 0.3 0.5 0.9 / 0.5)".
function parse(colour) {
	const [r, g, b, alpha = 1] = colour.match(/[\d.e-]+(?![a-z])/g).map(Number);
	const scale = colour.startsWith('rgb') ? 255 : 1;
	return { rgb: [r, g, b].map(part => part / scale), alpha };
}
function behind(element) {
	if (!element)
		return [1, 1, 1];
	const { rgb, alpha } = parse(getComputedStyle(element).backgroundColor);
	const under = alpha === 1 ? rgb : behind(element.parentElement);
	return rgb.map((part, i) => part * alpha + under[i] * (1 - alpha));
}
function luminance(rgb) {
	const [r, g, b] = rgb.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ratio(colour, element) {
	const [darker, lighter] = [luminance(parse(colour).rgb), luminance(behind(element))].sort((a, b) => a - b);
	return (lighter + 0.05) / (darker + 0.05);
}
const isText = node => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '';
const texts = [...document.body.querySelectorAll('*')].filter(element =>
	element.getClientRects().length > 0 && [...element.childNodes].some(isText) && !element.closest('title'));
const worst = (elements, property, least) => elements
	.map(element => [ratio(getComputedStyle(element)[property], element), element])
	.filter(([ratio]) => ratio < least).map(([ratio, element]) => `${element.textContent.slice(0, 30)} ${element.getAttribute('class')} ${ratio.toFixed(2)}`);
return {
	texts: texts.length,
	faint: [...worst(texts.filter(text => !(text instanceof SVGElement)), 'color', 4.5),
		...worst(texts.filter(text => text instanceof SVGElement), 'fill', 4.5),
		...worst([...document.querySelectorAll('#legend rect, #idle rect')], 'fill', 3)],
};
JS
	cmp_ok($got->{texts}, '>', 100, "$where: there are texts to look at");
	is(join(', ', @{ $got->{faint} }), '', "$where: none is faint");
	return;
}

# How far apart any two colours of applications are, as Oklab says it (2 % is just seen),
# for eyes that lack red, green or blue, too (Machado, Oliveira and Fernandes, 2009).
sub palette
{
	my %eyes = (
		'that lack nothing' => [ [ 1, 0, 0 ], [ 0, 1, 0 ], [ 0, 0, 1 ] ],
		'that lack red' => [ [ .152286, 1.052583, -.204868 ], [ .114503, .786281, .099216 ], [ -.003882, -.048116, 1.051998 ] ],
		'that lack green' => [ [ .367322, .860646, -.227968 ], [ .280085, .672501, .047413 ], [ -.011820, .042940, .968881 ] ],
		'that lack blue' => [ [ 1.255528, -.076749, -.178779 ], [ -.078411, .930809, .147602 ], [ .004733, .691367, .303900 ] ]);
	my @to_cones = ([ .4122214708, .5363325363, .0514459929 ], [ .2119034982, .6806995451, .1073969566 ], [ .0883024619, .2817188376, .6299787005 ]);
	my @to_lab = ([ .2104542553, .7936177850, -.0040720468 ], [ 1.9779984951, -2.4285922050, .4505937099 ], [ .0259040371, .7827717662, -.8086757660 ]);
	my $times = sub {
		my ($matrix, @vector) = @_;
		return map { my $row = $_; sum0 map { $row->[$_] * $vector[$_] } 0 .. 2 } @$matrix;
	};
	for my $scheme (0, 1)
	{
		my @colours = map { (/#\w{6}/g)[$scheme] } $page =~ /--application-\d: light-dark\((.*)\)/g;
		is(scalar @colours, 8, 'there are eight colours');
		for my $eyes (sort keys %eyes)
		{
			my @seen = map {
				my @linear = map { my $part = hex($_) / 255; $part <= .04045 ? $part / 12.92 : (($part + .055) / 1.055)**2.4 } /\w\w/g;
				my @shown = map { max(0, min(1, $_)) } $times->($eyes{$eyes}, @linear);
				[ $times->(\@to_lab, map { $_**(1 / 3) } $times->(\@to_cones, @shown)) ]
			} @colours;
			my $nearest = 1;
			for my $i (1 .. $#seen)
			{
				for my $j (0 .. $i - 1)
				{
					$nearest = min($nearest, sqrt sum0 map { ($seen[$i][$_] - $seen[$j][$_])**2 } 0 .. 2);
				}
			}
			cmp_ok($nearest, '>', 0.05, ('light', 'dark')[$scheme] . ": eyes $eyes tell them apart");
		}
	}
	return;
}

# Nothing was loaded but the page, and nobody complained.
sub quiet
{
	my ($store) = @_;
	is($browser->run('return performance.getEntriesByType("resource").length'), 0, "$store: the page loads nothing");
	is(join("\n", $browser->console), '', "$store: the console is empty");
	return;
}
