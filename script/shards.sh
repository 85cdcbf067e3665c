# Servers of one's own, shards and their hub, for scripts that show or measure them; sourced
# after common.sh. They listen on private sockets below $servers, and are gone afterwards.

servers=

# As who may run servers, which root may not.
as_server() {
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

begin_servers() {
	# In /tmp, for the path of a socket must not be long.
	servers=$(mktemp -d /tmp/ekran_sessions.XXXXXX)
	trap end_servers EXIT
	trap 'exit 1' HUP INT TERM
	[ "$(id -u)" -ne 0 ] || chown postgres "$servers"
	# Whatever of these is set is about servers that are somebody else's.
	unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGSERVICE PGPASSFILE PGOPTIONS PGTZ PGDATESTYLE PGCLIENTENCODING
}

end_servers() {
	local directory
	for directory in "$servers"/*/data; do
		[ ! -e "$directory/postmaster.pid" ] || as_server pg_ctl --pgdata "$directory" --mode immediate stop >/dev/null
	done
	rm -rf "$servers"
}

# A server by the name of its socket's directory, which only its user may enter: so it may
# trust who comes.
make_server() {
	local directory=$servers/$1
	as_server mkdir -m 700 "$directory"
	as_server initdb --pgdata "$directory/data" --username postgres --auth trust --encoding UTF8 \
		--locale C.UTF-8 --no-sync >/dev/null
	as_server tee -a "$directory/data/postgresql.conf" >/dev/null <<-SETTINGS
		listen_addresses = ''
		unix_socket_directories = '$directory'
		cluster_name = '$1'
		fsync = off
	SETTINGS
	start_server "$1"
}

start_server() {
	# A server keeps what it is given: not the script's own output.
	as_server pg_ctl --pgdata "$servers/$1/data" --log "$servers/$1/log" --wait start >/dev/null 2>&1 </dev/null || {
		cat "$servers/$1/log" >&2
		return 1
	}
}

# As if the machine lost its power.
kill_server() {
	local process
	process=$(head -n 1 "$servers/$1/data/postmaster.pid")
	kill -KILL "$process"
	# The server's own processes end when they see that the first one is gone. That may stay
	# in the list of processes, where nobody asks what became of it, and be taken for running.
	while pgrep --full "postgres: $1: " >/dev/null || grep -q '^State:[[:space:]]*[^Z]' "/proc/$process/status" 2>/dev/null; do
		sleep 0.1
	done
	rm "$servers/$1/data/postmaster.pid"
}

# psql on a server, as its superuser.
on_server() {
	local server=$1
	shift
	psql -X --quiet --set ON_ERROR_STOP=1 --pset pager=off --pset footer=off --host "$servers/$server" --username postgres "$@"
}
