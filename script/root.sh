# What test-on, test-pg-upgrade and package share: a root directory of another release of
# Debian, $suite, that debootstrap makes. Sourced after common.sh, not run.
#
# "experimental" is the unstable one, with what there is of the server's next version.

node_certificates=/etc/ssl/node.crt # in the root

# Where no root can be made, that is what standard output says, as TAP.
skip() {
	echo "1..0 # SKIP no tests on $suite: $1"
	exit 0
}

# Mounts end with the namespace, and all processes in it with unshare, whose number is
# kept. That heeds no signal but this script does, while it waits for what is in the
# background.
in_namespaces() {
	local status=0
	# shellcheck disable=SC2016 # the inner shell expands them
	as_root sh -c 'echo $$ >"$0" && exec unshare --mount --ipc --pid --fork --kill-child "$@"' \
		"$temporary/unshare" "$@" &
	wait $! || status=$?
	# The number is somebody else's sooner or later.
	rm -f "$temporary/unshare"
	return $status
}

clean_up() {
	local process
	process=$(cat "$temporary/unshare" 2>/dev/null) || true
	if [ -n "$process" ] && as_root kill -KILL "$process" 2>/dev/null; then
		sleep 1
	fi
	as_root rm -rf "$temporary"
}

# The mirror that this machine's own packages are from. None where apt has no lists;
# then debootstrap chooses.
mirror() {
	local VERSION_CODENAME=
	# shellcheck source=/dev/null
	. /etc/os-release
	# shellcheck disable=SC2016 # apt-get expands it
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' "Codename: $VERSION_CODENAME" 'Component: main' | head -n 1
}

# Packages of the server alone come from there.
add_experimental() {
	printf '%s\n' "deb $(mirror) experimental main" | as_root tee "$directory/etc/apt/sources.list.d/experimental.list" >/dev/null
	printf '%s\n' "Package: postgresql-* libpq* libecpg* libpgtypes*" "Pin: release a=experimental" "Pin-Priority: 500" |
		as_root tee "$directory/etc/apt/preferences.d/experimental" >/dev/null
}

# What fails is told by the last line of what debootstrap says. A release that is younger
# than debootstrap is made as the unstable one.
make_root() {
	local log=$temporary/log http_proxy=${http_proxy:-} made=$suite scripts=/usr/share/debootstrap/scripts
	[ -n "$http_proxy" ] || eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
	[ "$suite" != experimental ] || made=sid
	local from=()
	from=($(mirror))
	[ ${#from[@]} -eq 0 ] || [ -e "$scripts/$made" ] || from+=("$scripts/sid")
	in_namespaces env ${http_proxy:+"http_proxy=$http_proxy"} \
		debootstrap --variant=minbase "$made" "$directory" "${from[@]}" >"$log" 2>&1 ||
		skip "$(tail -n 1 "$log")"
	[ "$suite" != experimental ] || add_experimental

	# What is thrown away need not be safe on disk.
	echo force-unsafe-io | as_root tee "$directory/etc/dpkg/dpkg.cfg.d/test-on" >/dev/null

	# The machine's way to the mirror is the root's.
	apt-config dump | grep -E '^Acquire::(https?|Check-)' |
		as_root tee "$directory/etc/apt/apt.conf.d/test-on" >/dev/null || true
	[ ! -e /etc/ssl/certs/ca-certificates.crt ] ||
		as_root cp --parents /etc/ssl/certs/ca-certificates.crt "$directory"
	# Packages make that file anew.
	[ ! -e "${NODE_EXTRA_CA_CERTS:-}" ] ||
		as_root cp "$NODE_EXTRA_CA_CERTS" "$directory$node_certificates"
}

# As it is here, with what has not been committed. Nothing that was built: it is of
# this release.
copy_tree() {
	local data=${EKRAN_SESSIONS_DATA:-$root/../shared/data/balabit}
	as_root rm -rf "$directory/srv"
	as_root mkdir -p "$directory/srv/ekran_sessions" "$directory/srv/shared/data"
	tar --create --directory "$root" --exclude-vcs --exclude-vcs-ignores . |
		as_root tar --extract --directory "$directory/srv/ekran_sessions" --no-same-owner
	[ ! -d "$data" ] || as_root cp -r "$data" "$directory/srv/shared/data/balabit"
}

# Makes the root, or takes that of the last run, and copies the tree into it.
prepare_root() {
	if [[ -n ${EKRAN_TEST_ROOT:-} && ! $EKRAN_TEST_ROOT =~ ^/.*[^/] ]]; then
		echo "$(basename "$0"): EKRAN_TEST_ROOT must be the path of a directory of its own" >&2
		exit 2
	fi
	command -v apt-get >/dev/null || skip "this is not Debian"
	as_root true 2>/dev/null || skip "needs root"

	# Who runs the server in the root has to get in.
	umask 022
	temporary=$(mktemp -d /var/tmp/ekran_sessions.XXXXXX)
	directory=${EKRAN_TEST_ROOT:-$temporary/$suite}
	trap clean_up EXIT
	trap 'exit 1' HUP INT TERM
	in_namespaces --mount-proc true 2>/dev/null || skip "this machine lets root make no namespaces"
	# for the server that is here
	env -u PGVERSION "$root/script/setup" debootstrap || skip "debootstrap can't be installed"

	# debootstrap works in a directory of its own name until it is done.
	if [ ! -e "$directory/etc/debian_version" ] || [ -e "$directory/debootstrap" ]; then
		make_root
	fi
	copy_tree
}

# Runs a command in the root, from the top of the tree there.
in_root() {
	# shellcheck disable=SC2016 # the inner shell expands it
	in_namespaces --root "$directory" --mount-proc --wd /srv/ekran_sessions \
		env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		${CI:+"CI=$CI"} ${PGVERSION:+"PGVERSION=$PGVERSION"} ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
		${NODE_EXTRA_CA_CERTS:+"NODE_EXTRA_CA_CERTS=$node_certificates"} \
		bash -c 'mount -t tmpfs tmpfs /dev/shm && exec "$@"' in_root "$@"
}
