#!/usr/bin/env bash
# Provides CPython 3.14 and 3.15, which the host's release does not have, from Debian sid,
# as plain interpreters that run on the host itself: no chroot, no wrapper, no variable.
#
# Called by .ci/run before the tests, and by hand. Takes no arguments. The first run needs root, Debian's
# archive and one to two minutes; every later one only prints the two versions.
# It is all or nothing: without a valid stamp the next run starts over.
#
# Leaves behind, in ${SAFESITE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/safesite}:
#   sid/usr/bin/python3.14, python3.15   the interpreters; the folder must not be moved
#   sid/.stamp                           what made it: this script, for this place
#   sid.lock, sid.log                    the lock, and what the last installation said
# and on the host the packages debootstrap, patchelf and ca-certificates, if they were missing.
set -euo pipefail
# What the caller has set for its own Pythons and temporary files must not reach the packages' installation scripts.
unset TMPDIR "${!PYTHON@}"
PATH=$PATH:/usr/sbin:/sbin

versions=(3.14 3.15)
cache=$(realpath -m -- "${SAFESITE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/safesite}")
sid=$cache/sid
partial=$cache/sid.partial
log=$cache/sid.log
# The place is part of the stamp because the interpreters hold it: a folder moved or restored elsewhere is made anew.
stamp="$(sha256sum < "${BASH_SOURCE[0]}") $sid"

die() {
    echo "tests/sid.sh: $*" >&2
    exit 1
}

finish_if_ready() {
    [[ -f $sid/.stamp && $(< "$sid/.stamp") == "$stamp" ]] || return 0
    local version
    for version in "${versions[@]}"; do
        "$sid/usr/bin/python$version" -V
    done
    exit 0
}

# Run a command with its output in the log; if it fails, show the end of that and stop.
logged() {
    if ! "$@" >> "$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "$1 failed; all it said is in $log"
    fi
}

install_tools() {
    if type -P debootstrap patchelf > /dev/null && [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then return; fi
    export DEBIAN_FRONTEND=noninteractive
    logged apt-get update
    # debootstrap only recommends gpgv and the keyring, without which it cannot check signatures. Debian's pip
    # reads the certificates on every run, also when it installs a file.
    logged apt-get install -y --no-install-recommends debootstrap patchelf gpgv debian-archive-keyring ca-certificates
}

# Print the archive that the host itself installs from, in either format of the list.
mirror() {
    local sources=(/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list) file
    for file in "${sources[@]}"; do
        [[ -f $file ]] || continue
        awk '$1 == "URIs:" || $1 == "deb" {
                 for (i = 2; i <= NF; i++)
                     if ($i ~ /^(https?|file):/ && $i !~ /security/) { print $i; exit }
             }' "$file"
    done | head -n 1
}

# Delete a folder of a chroot. A debootstrap that was killed leaves /proc mounted there, and deleting must not
# go through it into the host's.
remove() {
    local point
    while read -r point; do
        umount "$point"
    done < <(awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac)
    rm -rf --one-file-system -- "$1"
}

bootstrap() {
    local url packages=ca-certificates version
    url=$(mirror)
    [[ -n $url ]] || die "no Debian archive in /etc/apt/sources.list.d/debian.sources or /etc/apt/sources.list"
    for version in "${versions[@]}"; do
        packages+=,python$version,python$version-venv,libpython$version-testsuite
    done
    logged debootstrap --force-check-gpg --variant=minbase --include="$packages" sid "$partial" "$url"
    # A quarter of the folder's size, and never read again.
    rm -rf "$partial"/var/cache/apt/archives "$partial"/var/lib/apt/lists
}

# From outside, a link to /etc/python3.15/sitecustomize.py leads to the host's /etc. Only the text of the link
# is computed with, as following it would do the same.
relative_links() {
    local link
    while IFS= read -r -d '' link; do
        ln -sfn "$(realpath -ms --relative-to="${link%/*}" "$partial$(readlink "$link")")" "$link"
    done < <(find "$partial/usr" "$partial/etc" -type l -lname '/*' -print0)
}

# Make the interpreters use sid's own loader and libraries: sid's C library is newer than the host's, and a
# process can have only one. The old DT_RPATH and not DT_RUNPATH, because only it also counts for what an extension
# module needs (_ssl: libssl), and because it comes before LD_LIBRARY_PATH and the host's ld.so.cache.
patch_interpreters() {
    local version python loader
    for version in "${versions[@]}"; do
        python=$partial/usr/bin/python$version
        loader=$(realpath -- "$partial$(patchelf --print-interpreter "$python")")
        loader=$sid${loader#"$partial"}
        patchelf --set-interpreter "$loader" --force-rpath --set-rpath "${loader%/*}" "$python"
    done
}

# Debian's ensurepip has no pip of its own and takes it from this folder, so `-m venv` needs to find it.
patch_wheel_folder() {
    local version
    for version in "${versions[@]}"; do
        sed -i "/WHEEL_PKG_DIR/s|/usr/share/python-wheels|$sid&|" \
            "$partial/usr/lib/python$version"/_sysconfig{data,_vars}__linux_*
    done
}

# Import every extension module and see that no library of the host's came with one.
check() {
    "$sid/usr/bin/python$1" -I - "$sid" <<'PYTHON'
import ensurepip, glob, importlib, os, sitecustomize, subprocess, sys

sid = sys.argv[1]
for file in glob.glob(os.path.dirname(os.__file__) + "/lib-dynload/*.so"):
    name = os.path.basename(file).partition(".")[0]
    if not name.startswith(("_test", "_xx", "xx")):
        importlib.import_module(name)
with open("/proc/self/maps") as maps:
    libraries = {line.split()[-1] for line in maps if ".so" in line}
foreign = [name for name in libraries if not name.startswith(sid + "/")]
if foreign:
    sys.exit(f"libraries of the host: {foreign}")
if sys.prefix != sid + "/usr":
    sys.exit(f"unexpected prefix: {sys.prefix}")
ensurepip.version()
subprocess.run([sys.executable, "-c", "import ssl"], check=True)
PYTHON
}

finish_if_ready
[[ $EUID == 0 ]] || die "the interpreters are not in $sid yet, and installing them (debootstrap, patchelf) needs root"
# These would need quoting in a run path, in a sed command or in sysconfig's data, or are refused by debootstrap.
[[ $cache != *[[:space:]:\;\$\&\|\\\"\']* ]] ||
    die "the cache folder's name has a character that cannot be used: $cache"

mkdir -p "$cache"
exec 9> "$cache/sid.lock"
flock 9
finish_if_ready # another run may have made it while this one waited

echo "tests/sid.sh: installing Python ${versions[*]} into $sid; this takes a minute or two" >&2
: > "$log"
remove "$partial"
install_tools
bootstrap
relative_links
patch_interpreters
patch_wheel_folder

# Older interpreters stay until the new ones are complete, so that a failed download takes nothing away.
# The new ones can run only in their final place; what counts is the stamp, which goes first and comes last.
rm -f "$sid/.stamp"
remove "$sid"
mv "$partial" "$sid"
for version in "${versions[@]}"; do
    logged check "$version"
done
printf '%s\n' "$stamp" > "$sid/.stamp.new"
mv "$sid/.stamp.new" "$sid/.stamp"
finish_if_ready
