#!/bin/sh
# Installs a Debian package, runs what its unit runs, and removes it, in a root, mounts and a network of its own:
#   unshare --mount --net --pid --fork sh install.sh PACKAGE FOLDER
# The root is this machine's, and what is written lies in FOLDER, on a file system in memory.
set -eu
package=$1 work=$2

fail() {
    echo "$*" >&2
    for text in said status; do [ ! -s "$work/$text" ] || tail -n 20 "$work/$text" >&2; done
    exit 1
}
await() { # what, command
    what=$1
    shift
    for _ in $(seq 200); do
        if "$@"; then return; fi
        sleep 0.1
    done
    fail "waited in vain for $what"
}

mount --make-rprivate /
mount -t tmpfs none "$work"
root=$work/root
mkdir "$work/upper" "$work/inner" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/inner" none "$root"
mount -t proc none "$root/proc"
mount -t sysfs none "$root/sys"
mount -t bpf none "$root/sys/fs/bpf"
mount -t tmpfs none "$root/run"
mount -t tmpfs -o mode=1777 none "$root/tmp"
mount --bind /dev "$root/dev"
# A database of packages that changes below an overlay cannot be replaced in it.
mount -t tmpfs none "$root/var/lib/dpkg"
cp -a /var/lib/dpkg/. "$root/var/lib/dpkg"
cp "$package" "$root/tmp/ftpmon.deb"
within() { chroot "$root" "$@"; }

# The scripts of the package believe that systemd runs; what they ask of it is written down.
mkdir -p "$root/run/systemd/system"
rm -f "$root/usr/bin/systemctl" "$root/usr/sbin/policy-rc.d"
printf '#!/bin/sh\necho "$*" >>/run/asked\ncase " $* " in *" is-enabled "*) echo enabled ;; esac\n' >"$root/usr/bin/systemctl"
chmod 755 "$root/usr/bin/systemctl"
asked() { grep -qx -- "$*" "$root/run/asked" || fail "systemctl was not asked to $*: $(cat "$root/run/asked")"; }

# A network with a default route: its interface is the one that is watched.
ip link set lo up
ip link add near type veth peer name far
ip address add 192.0.2.1/24 dev near
ip link set near up
ip link set far up
ip route add default via 192.0.2.2

! within getent passwd ftpmon >/dev/null || fail "this machine has a user ftpmon already"
within dpkg --install --force-depends /tmp/ftpmon.deb >"$work/said" 2>&1 || fail "the package is not installed"
within getent passwd ftpmon >/dev/null || fail "the package makes no user"
asked --system daemon-reload
asked --quiet --system restart ftpmon.service
wanted=$root/etc/systemd/system/multi-user.target.wants/ftpmon.service
[ -L "$wanted" ] || grep -q 'preset ftpmon.service$' "$root/run/asked" || fail "the unit is not enabled"
[ "$(within stat -c %U:%a /sys/fs/bpf/ftpmon)" = ftpmon:700 ] || fail "the folder of pins is not ftpmon's"

# What the unit runs, as its user and with its capabilities alone.
unit=$root/usr/lib/systemd/system/ftpmon.service
command=$(sed -n 's/^ExecStart=//p' "$unit")
capabilities=$(sed -n 's/^AmbientCapabilities=//p' "$unit" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
for folder in log lib; do within install -d -o ftpmon -g ftpmon -m 750 "/var/$folder/ftpmon"; done
within install -d -o ftpmon -g ftpmon /run/ftpmon
events=$root/var/log/ftpmon/events.json
started() { [ -s "$events" ] && [ "$(grep -c '"event":"sensor_start"' "$events")" -ge "$1" ]; }
status() { within /usr/bin/ftpmon status >"$work/status" 2>&1; }
for round in 1 2; do
    # shellcheck disable=SC2086 # a command with its words
    chroot "$root" env RUNTIME_DIRECTORY=/run/ftpmon setpriv --reuid ftpmon --regid ftpmon --clear-groups --no-new-privs \
        --bounding-set "-all,$capabilities" --inh-caps "-all,$capabilities" --ambient-caps "-all,$capabilities" \
        $command >"$work/said" 2>&1 &
    agent=$!
    await "start $round" started "$round"
    await 'ftpmon status' status
    kill -TERM "$agent"
    wait "$agent" || fail "the agent ends with an error"
done
[ "$(within stat -c %U:%a /var/log/ftpmon/events.json)" = ftpmon:640 ] || fail "the events are not ftpmon's"

: >"$root/run/asked"
within dpkg --remove ftpmon >"$work/said" 2>&1 || fail "the package is not removed"
asked stop ftpmon.service
[ -f "$root/etc/ftpmon/ftpmon.toml" ] || fail "its configuration went with it"
[ -f "$events" ] || fail "the events went with it"
[ ! -e "$root/sys/fs/bpf/ftpmon" ] || fail "pins are left"
within dpkg --purge ftpmon >"$work/said" 2>&1 || fail "the package is not purged"
[ ! -L "$wanted" ] || fail "the unit is still enabled"
! within getent passwd ftpmon >/dev/null || fail "its user is left"
! within getent group ftpmon >/dev/null || fail "its group is left"
left=$(find "$work/upper" -name '*ftpmon*' ! -type c)
[ -z "$left" ] || fail "left behind: $left"
