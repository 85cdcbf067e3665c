/*-------------------------------------------------------------------------
 *
 * hosts.c
 *	  The host of a url.  Pure arithmetic; nothing here reads a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ekran_sessions.h"

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * The end of the first part, up to a "/", "?" or "#".
 */
static const char *
end_of_authority(const char *url, const char *end)
{
	while (url < end && *url != '/' && *url != '?' && *url != '#')
		url++;
	return url;
}

/*
 * What follows "scheme://", or NULL if a url doesn't begin so.
 */
static const char *
skip_scheme(const char *url, const char *end)
{
	const char *rest = url;

	if (rest == end || !is_letter(*rest))
		return NULL;
	while (rest < end &&
		   (is_letter(*rest) || is_digit(*rest) ||
			*rest == '+' || *rest == '.' || *rest == '-'))
		rest++;
	return end - rest >= 3 && memcmp(rest, "://", 3) == 0 ? rest + 3 : NULL;
}

/*
 * The end of the host in "[user@]host[:port]", whose beginning is found too.  An IPv6
 * address has its colons in brackets.
 */
static const char *
end_of_host(const char **host, const char *end)
{
	const char *rest;

	for (rest = end; rest > *host; rest--)
		if (rest[-1] == '@')
			break;
	*host = rest;
	if (rest < end && *rest == '[')
	{
		while (rest < end && *rest != ']')
			rest++;
		return rest < end ? rest + 1 : *host;	/* or it is none */
	}
	while (rest < end && *rest != ':')
		rest++;
	return rest;
}

/*
 * The end of what may be a host where there is no scheme: that of the url's first part,
 * or its colon and a digit.
 */
static const char *
end_of_bare_host(const char *host, const char *end)
{
	const char *rest = host;

	while (rest < end && !(*rest == ':' && rest + 1 < end && is_digit(rest[1])))
		rest++;
	return rest;
}

static bool
is_bare_host(const char *host, Size length)
{
	return (memchr(host, '.', length) != NULL && memchr(host, ' ', length) == NULL &&
			memchr(host, ':', length) == NULL && memchr(host, '@', length) == NULL) ||
		(length == strlen("localhost") && pg_strncasecmp(host, "localhost", length) == 0);
}

/*
 * Find the host of a url, in lower case; false if it has none.
 *
 * Rule: rules.md, Host.
 */
bool
find_host(const text *url, StringInfo host)
{
	const char *begin = VARDATA_ANY(url);
	const char *end = begin + VARSIZE_ANY_EXHDR(url);
	const char *name = skip_scheme(begin, end);

	if (name != NULL)
		end = end_of_host(&name, end_of_authority(name, end));
	else
	{
		name = begin;
		end = end_of_bare_host(name, end_of_authority(name, end));
		if (!is_bare_host(name, end - name))
			return false;
	}

	resetStringInfo(host);
	for (; name < end; name++)
		appendStringInfoChar(host, (char) pg_ascii_tolower((unsigned char) *name));
	return host->len > 0;
}
