-- Awkward urls and their hosts, worked out by hand from the wording of the
-- rules. Where that leaves something open, the line says so, and what a reader
-- would expect is what stands here.
CREATE SCHEMA IF NOT EXISTS testing;
DROP TABLE IF EXISTS testing.awkward_url;
CREATE TABLE testing.awkward_url (url text, host text);

INSERT INTO testing.awkward_url VALUES
	-- ordinary ones
	('http://example.com', 'example.com'),
	('http://example.com/', 'example.com'),
	('https://www.example.com/a/b.html?c=d#e', 'www.example.com'),
	('HTTP://EXAMPLE.com:80/', 'example.com'),
	('https://example.com:8443', 'example.com'),
	('http://192.168.0.1:8080/x', '192.168.0.1'),
	('http://intranet', 'intranet'),
	('http://localhost:3000/x', 'localhost'),
	('ftp://Files.Example.com/pub', 'files.example.com'),
	('https://xn--mnchen-3ya.de/', 'xn--mnchen-3ya.de'),
	('https://under_score.example/', 'under_score.example'),
	-- what begins behind the host
	('http://example.com?next=/a', 'example.com'),
	('http://example.com#top/x', 'example.com'),
	('http://example.com?a@b.c:80', 'example.com'),
	('http://example.com#a@b', 'example.com'),
	('http://example.com/@user', 'example.com'),
	('http://example.com/http://other.com/', 'example.com'),
	('http://example.com/a:80', 'example.com'),
	('http://Example.com./', 'example.com.'),
	('http://./', '.'),
	('http://example.com:', 'example.com'), -- open: a port without digits
	('http://example.com:/', 'example.com'), -- open
	('http://example.com:notdigits/', 'example.com'), -- open: what follows a colon is no host
	-- users
	('http://user@example.com/', 'example.com'),
	('http://user:pw@host/..', 'host'),
	('http://user:pw@Example.COM:8080/', 'example.com'),
	('http://user:p:w@example.com/', 'example.com'),
	('http://@example.com/', 'example.com'),
	('http://:@example.com/', 'example.com'),
	('http://a@b@c/', 'c'), -- open: the last @, as browsers have it
	('http://user:p/w@example.com/', 'user'),
	('http://mail@example.com@evil.example/', 'evil.example'), -- open: the last @
	-- IPv6
	('http://[::1]', '[::1]'),
	('http://[::1]/', '[::1]'),
	('http://[2001:DB8::A]:8080/x', '[2001:db8::a]'),
	('http://user:pw@[::1]:80/', '[::1]'),
	('http://[::ffff:192.0.2.1]?x', '[::ffff:192.0.2.1]'),
	('http://[fe80::1%25eth0]/', '[fe80::1%25eth0]'),
	('http://[::1', NULL), -- open: no address
	('http://[::1/', NULL), -- open
	('[::1]', NULL),
	('[::1]:8080', NULL),
	('[2001:db8::1.2.3.4]/x', NULL),
	-- a scheme, and no host
	('http://', NULL),
	('http:///path', NULL),
	('http://?x.y', NULL),
	('http://#x.y', NULL),
	('http://:80/', NULL),
	('http://user@', NULL),
	('http://user@/path', NULL),
	('http://user:pw@:80/', NULL),
	('file:///x', NULL),
	('file:///C:/a.txt', NULL),
	('file://Server/share/a.txt', 'server'),
	-- other schemes
	('git+ssh://git@GitHub.com:22/x', 'github.com'),
	('a1.b-c+d://host', 'host'),
	('X://y', 'y'),
	('chrome://settings/', 'settings'),
	('chrome-extension://ABCdef/page.html', 'abcdef'),
	-- no scheme
	('://x', NULL),
	('://x.com', NULL),
	('1http://x', NULL),
	('1http://x.com/', NULL),
	('h_t://x.com/', NULL),
	('+a://x.com', NULL),
	('é://x.com', NULL),
	(' http://example.com/', NULL), -- open: no letter at the beginning
	(E'\thttp://example.com/', NULL), -- open
	('view-source:http://example.com/', NULL),
	('blob:https://example.com/1234', NULL),
	('about:blank', NULL),
	('about:1.5', NULL),
	('javascript:void(0)', NULL),
	('javascript:alert(1.5)', NULL),
	('javascript:1.5', NULL),
	('data:text/html,a.b', NULL),
	('mailto:mail@example.com', NULL),
	('mail@example.com', NULL),
	('mail@example.com:25/x', NULL),
	('http:example.com', NULL),
	('http:/example.com', NULL),
	('http//example.com', NULL),
	('//example.com/x', NULL), -- open: nothing stands before the first /
	('', NULL),
	(NULL, NULL),
	(' ', NULL),
	('/', NULL),
	('?a.b', NULL),
	('#a.b', NULL),
	(':80', NULL),
	('/etc/hosts.txt', NULL),
	-- hosts without a scheme
	('example.com', 'example.com'),
	('EXAMPLE.Com', 'example.com'),
	('example.com/', 'example.com'),
	('example.com:80', 'example.com'),
	('example.com:80/a:b', 'example.com'),
	('example.com:80abc', 'example.com'), -- open: digits, whatever follows
	('example.com:notdigits', NULL),
	('example.com:', NULL),
	('example.com:/x', NULL),
	('example.com::80', NULL),
	('example.com:٣', NULL), -- open: digits are ASCII's
	('example.com?x=1/2', 'example.com'),
	('example.com#x', 'example.com'),
	('example.com/a b', 'example.com'),
	('example.com/mail@x', 'example.com'),
	('example.com/login?next=http://other.com/', 'example.com'), -- open: its :// is not behind a scheme
	('example.com?next=http://other.com/', 'example.com'), -- open
	('192.168.0.1:8080', '192.168.0.1'),
	('example.com.', 'example.com.'),
	('readme.txt', 'readme.txt'),
	('C:\dir\a.txt', NULL),
	('C:1.txt', NULL),
	('a b.com', NULL),
	(' example.com', NULL),
	('example.com ', NULL),
	('example.com /x', NULL),
	('Read the news. Example', NULL),
	(E'example.com\t', E'example.com\t'), -- open: a tab is no space
	('.', '.'), -- open: it contains a dot
	('../index.html', '..'), -- open
	('intranet', NULL),
	('intranet/a.b', NULL),
	('intranet:80', NULL),
	('intranet?a.b', NULL),
	('localhost', 'localhost'),
	('localhost:8080', 'localhost'),
	('localhost/x.y', 'localhost'),
	('localhost?x', 'localhost'),
	('LocalHost:3000/x', 'localhost'), -- open: in upper case too
	('localhost:', NULL),
	('localhost:x', NULL),
	(' localhost', NULL),
	('localhosts', NULL),
	('localhost.', 'localhost.'),
	('user@localhost', NULL),
	-- backslashes are characters
	('http:\\example.com\x', NULL),
	('http://example.com\x', 'example.com\x'), -- open: browsers have it end the host
	('\\server.example\share', '\\server.example\share'), -- open
	-- other characters stay as they are
	('http://exa mple.com/', 'exa mple.com'), -- open: behind a scheme a space may stand
	('http://MÜNCHEN.de/', 'mÜnchen.de'),
	('HTTP://Ä.Example/', 'Ä.example'),
	('Ä.Example', 'Ä.example'),
	('http://KELVIN.example/', 'Kelvin.example'),
	('http://İI.example/', 'İi.example'),
	('例え.テスト/x', '例え.テスト'),
	('例え。テスト', NULL),
	('http://EX%41MPLE.com/', 'ex%41mple.com'),
	('http://a%2Fb.com/', 'a%2fb.com'),
	('http://a%40b.com/', 'a%40b.com'),
	('http://"a''b"/', '"a''b"'),
	-- long ones
	('http://' || repeat('A', 5000) || '.com/', repeat('a', 5000) || '.com'),
	(repeat('A.', 5000) || ':80', repeat('a.', 5000)),
	('http://example.com/' || repeat('@:/?#', 5000), 'example.com'),
	('http://' || repeat('u:@', 2000) || 'example.com', 'example.com'),
	(repeat('a', 5000) || '://Host/', 'host'),
	(repeat('a', 5000), NULL);
