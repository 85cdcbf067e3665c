# What the scripts share; sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# For what only root may do: installing packages and the extension.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "$(basename "$0"): needs root for '$*', and there is no sudo" >&2
		return 1
	fi
}

# The server's major version: PGVERSION if set, else the newest one installed.
# Prints nothing where there is none.
server_version() {
	if [ -n "${PGVERSION:-}" ]; then
		echo "$PGVERSION"
		return
	fi
	local postgres
	for postgres in /usr/lib/postgresql/*/bin/postgres; do
		if [ -x "$postgres" ]; then
			basename "$(dirname "$(dirname "$postgres")")"
		fi
	done | sort -n | tail -n 1
}

# Has what follows build for, and run the programs of, server_version's server.
choose_server() {
	local bin
	bin=/usr/lib/postgresql/$(server_version)/bin
	export PG_CONFIG="$bin/pg_config"
	PATH="$bin:$PATH"
}

# Builds the extension and installs it for the server chosen.
install_extension() {
	make --silent -C "$root" PG_CONFIG="$PG_CONFIG" &&
		as_root make --silent -C "$root" PG_CONFIG="$PG_CONFIG" install >/dev/null
}

# The commit that the current directory is of, and whether it has been changed since.
tree_state() {
	echo "$(git rev-parse --short HEAD 2>/dev/null || echo 'no commit')$(git diff --quiet HEAD 2>/dev/null || echo ' with changes')"
}

# Where npm's clients of test/clients/ are, or go: outside the tree, by the lockfile.
node_clients() {
	local sum
	sum=$(sha256sum <"$root/test/clients/package-lock.json")
	echo "${XDG_CACHE_HOME:-${HOME:?}/.cache}/ekran_sessions/clients-${sum:0:16}"
}
