# What demonstrations show; sourced by them, which say how run_psql asks.

print_comment() {
	printf -- '-- %s\n' "$@"
}

# Show a statement, as the reader would type it, and what it returns.
show() {
	local statement=$1
	shift
	printf '%s;\n' "$statement"
	run_psql "$@" --command "$statement"
}

# A page of the sessions of a day, which ends where the next one begins.
show_day() {
	local day=$1 next_day=$2
	print_comment "The first 15 sessions of $day (UTC), rounded to seconds. They come in the order of" \
		"their logins; one that began before that day is shown from its first activity of that day on."
	show "SELECT user_name, login_date::timestamp(0), logout_date::timestamp(0),
       duration::interval(0), productivity_time::interval(0), idle_time::interval(0)
FROM ekran_sessions('$day', '$next_day', 15)"
	print_comment "How many sessions that day has, on all pages together."
	show "SELECT ekran_sessions_total_count('$day', '$next_day')"
	print_comment "As JSON, to the microsecond: the first page, with 2 sessions per page."
	show "SELECT ekran_sessions_json('$day', '$next_day', 2, 0)" --tuples-only --no-align
	echo
}
