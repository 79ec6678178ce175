#!/usr/bin/env bash
# Build Debian's CPython with the patches, from apt-get source to the verdict of the tests.
#
#   patches/build.sh trixie [--no-tests]     python3.13: Debian's series, then ours
#   patches/build.sh bookworm [--no-tests]   python3.11
#   patches/build.sh RELEASE --source        only fetch and unpack the source; forky's 3.13 too
#   patches/build.sh trixie --deb            the packages themselves, in a fresh trixie (a quarter of an
#                                            hour): install them there and refuse a real package's line
#
# Needs Debian or a relative of it, with root rights where a package is missing; reads the archive that
# the machine installs from.  The first run takes seven minutes on two cores; a later one builds only
# what the patches have changed.  Kept in ${SAFESITE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/safesite}/cpython/RELEASE:
#   source/         Debian's source, its own series applied
#   stock/          what that installs
#   patch/          the same with patches/X.Y; as long a name, as a path costs by its length
#   build-stock/, build-patched/, deb/
set -euo pipefail
unset "${!PYTHON@}" "${!SAFESITE_MODE@}"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin:/sbin

die() {
    echo "patches/build.sh: $*" >&2
    exit 2
}

release=${1:-}
option=${2:-}
case $release in
    trixie) version=3.13 ;;
    bookworm) version=3.11 ;;
    forky) version=3.13 ;;
    *) die "usage: patches/build.sh trixie|bookworm|forky [--no-tests | --source | --deb]" ;;
esac
case $option in
    '' | --no-tests | --source | --deb) ;;
    *) die "unknown option $option" ;;
esac

cache=$(realpath -m -- "${SAFESITE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/safesite}")/cpython/$release
mkdir -p "$cache"
log=$cache/log
exec 9> "$cache/lock"
flock 9

say() {
    echo "patches/build.sh: $*" >&2
}

# Run a command with its output in the log; if it fails, show the end of that and stop.
logged() {
    if ! "$@" >> "$log" 2>&1; then
        tail -n 30 "$log" >&2
        die "$1 failed; all it said is in $log"
    fi
}

# What the standard library is built against, as far as its tests and pip need it.
headers=(libbz2-dev libexpat1-dev libffi-dev liblzma-dev libreadline-dev libsqlite3-dev libssl-dev uuid-dev zlib1g-dev)

install_tools() {
    local missing=() package
    for package in dpkg-dev gcc make patch xz-utils pkgconf "${headers[@]}" "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2> /dev/null | grep -q '^ii' || missing+=("$package")
    done
    if ((${#missing[@]})); then
        say "installing ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        logged apt-get update
        logged apt-get install -y --no-install-recommends "${missing[@]}"
    fi
}

# Print the archive that the machine installs from, in either format of the list.
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

# A second configuration of apt: the machine's own is not touched.
apt=$cache/apt
apt_options=(
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Etc::SourceList=$apt/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root
)

# Unpack Debian's newest source of the release, unless it is there.
fetch_source() {
    local url newest
    url=$(mirror)
    [[ -n $url ]] || die "no Debian archive in /etc/apt/sources.list.d/debian.sources or /etc/apt/sources.list"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb-src $url $release main" > "$apt/sources.list"
    logged apt-get "${apt_options[@]}" update
    newest=$(apt-cache "${apt_options[@]}" showsrc "python$version" | awk '$1 == "Version:" { print $2 }' |
        sort -V | tail -n 1)
    [[ -n $newest ]] || die "the archive has no source of python$version in $release"
    if [[ -f $cache/source.version && $(< "$cache/source.version") == "$newest" ]]; then return; fi
    say "fetching the source of python$version $newest"
    rm -rf "$cache/source" "$cache/download" "$cache/source.version" "$cache/stock.stamp"
    mkdir "$cache/download"
    (cd "$cache/download" && logged apt-get "${apt_options[@]}" source --download-only "python$version=$newest")
    logged dpkg-source --no-check -x "$cache"/download/*.dsc "$cache/source"
    echo "$newest" > "$cache/source.version"
}

# Configure, build and install a tree below the cache; $1 is stock or patched.
# Debian's source has no expat of its own.  Its ensurepip does not run outside an environment.
build() {
    local tree=$cache/build-$1
    if [[ ! -f $tree/Makefile ]]; then
        (cd "$tree" && logged ./configure "--prefix=$cache/$1" --with-system-expat)
    fi
    logged make -C "$tree" "-j$(nproc)"
    rm -rf "${cache:?}/$1"
    logged make -C "$tree" install ENSUREPIP=no
}

build_stock() {
    local stamp
    stamp="$(< "$cache/source.version") $(gcc -dumpfullversion) $cache $(declare -f build | sha256sum)"
    if [[ -f $cache/stock.stamp && $(< "$cache/stock.stamp") == "$stamp" ]]; then return; fi
    say "building python$version as it is"
    rm -rf "$cache"/build-stock "$cache"/build-patched "$cache"/patched.stamp "$cache/stock.stamp"
    cp -a "$cache/source" "$cache/build-stock"
    if [[ $version == 3.11 ]]; then
        # Debian's fixes to it need what only a module inside the interpreter sees, where Debian has it.
        echo "pyexpat pyexpat.c -lexpat" > "$cache/build-stock/Modules/Setup.local"
    fi
    build stock
    echo "$stamp" > "$cache/stock.stamp"
}

# The patched tree starts as a copy of the built one, so that make has only to build what differs.  It
# keeps the prefix that it was configured with: an interpreter finds its own by its place.
build_patched() {
    local stamp file tree=$cache/build-patched
    stamp="$(< "$cache/stock.stamp") $(cat "patches/$version"/* | sha256sum)"
    if [[ -d $cache/patch && -f $cache/patched.stamp && $(< "$cache/patched.stamp") == "$stamp" ]]; then
        return
    fi
    say "building python$version with patches/$version"
    rm -f "$cache/patched.stamp"
    if [[ ! -d $tree ]]; then
        cp -a "$cache/build-stock" "$tree"
        touch "$tree/patched-files"
    fi
    rm -rf "$cache/patched-source"
    cp -a "$cache/source" "$cache/patched-source"
    python3 patches/refresh.py --apply "$cache/patched-source" >> "$log"
    # Of the files that a patch names, now or when the tree was last built, those that differ.
    cat "patches/$version"/*.diff "$tree/patched-files" | sed -n 's|^+++ b/||p' | sort -u > "$cache/files"
    while read -r file; do
        if [[ ! -f $cache/patched-source/$file ]]; then
            rm -f "${tree:?}/$file"
        elif ! cmp -s "$cache/patched-source/$file" "$tree/$file"; then
            mkdir -p "$(dirname "$tree/$file")"
            cp "$cache/patched-source/$file" "$tree/$file"
        fi
    done < "$cache/files"
    sed 's|^|+++ b/|' "$cache/files" > "$tree/patched-files"
    logged make -C "$tree" "-j$(nproc)"
    rm -rf "$cache/patched" "$cache/patch"
    logged make -C "$tree" install ENSUREPIP=no "prefix=$cache/patch" "exec_prefix=$cache/patch"
    echo "$stamp" > "$cache/patched.stamp"
}

# Make the packages in a fresh release, install them there, and look.  No step reaches outside $chroot.
build_deb() {
    local chroot=$cache/deb name changed
    install_tools debootstrap
    fetch_source
    say "making a fresh $release"
    unmount "$chroot"
    rm -rf --one-file-system "$chroot"
    logged debootstrap --variant=buildd "$release" "$chroot" "$(mirror)"
    mkdir -p "$chroot/build"
    cp -a "$cache/source" "$chroot/build/src"
    # As a packager does it: at the end of Debian's series, by quilt's own names.
    for name in $(< "patches/$version/series"); do
        cp "patches/$version/$name" "$chroot/build/src/debian/patches/"
        echo "$name" >> "$chroot/build/src/debian/patches/series"
    done
    mount --bind /dev "$chroot/dev"
    mount -t proc proc "$chroot/proc"
    mount -t devpts devpts "$chroot/dev/pts"
    trap 'unmount "$cache/deb"' EXIT
    cat > "$chroot/build/packages" << 'PACKAGES'
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
cd /build/src
apt-get update
apt-get install -y quilt
QUILT_PATCHES=debian/patches quilt push -a --fuzz=0
sed -i '1s/)/+safesite1)/' debian/changelog
apt-get -y --no-install-recommends -P nocheck --arch-only build-dep ./
DEB_BUILD_OPTIONS="nocheck nobench noopt parallel=$(nproc)" DEB_BUILD_PROFILES=nocheck dpkg-buildpackage -B -us -uc
cd /build
apt-get install -y "$PWD"/libpython3.*-minimal_*.deb "$PWD"/python3.*-minimal_*.deb "$PWD"/libpython3.*-stdlib_*.deb "$PWD"/python3.1?_*.deb
apt-get install -y --no-install-recommends python3-setuptools python3-zope.interface
PACKAGES
    say "building the packages; $log tells how far it is"
    logged chroot "$chroot" sh /build/packages
    # shellcheck disable=SC2016 # a variable of dpkg-query
    changed=$(chroot "$chroot" dpkg-query -W -f '${Version}' "python$version")
    [[ $changed == *+safesite1 ]] || die "the installed python$version is $changed"
    echo "python$version $changed, with Debian's own python3-setuptools and python3-zope.interface:"
    chroot "$chroot" "python$version" -c 'import site; print("site is", site.__spec__.origin)' 2>&1
    chroot "$chroot" "python$version" -c pass 2>&1 | grep '^safesite: .*-nspkg.pth:1: refused import line'
    code='import sys; print("at startup:", "_distutils_hack" in sys.modules)'
    chroot "$chroot" "python$version" -c "$code; import distutils; print(distutils.__file__)" 2>/dev/null
    chroot "$chroot" env SAFESITE_MODE=allow "python$version" -c "$code"
}

unmount() {
    local point
    while read -r point; do
        umount "$point"
    done < <(awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac)
}

: > "$log"
if [[ $option == --deb ]]; then
    build_deb
    exit
fi
install_tools
fetch_source
if [[ $option == --source ]]; then
    exit
fi
build_stock
build_patched
for name in stock patch; do
    "$cache/$name/bin/python$version" -I -c "import site, sys; print('$name:', sys.version.split()[0], 'in', sys.prefix)"
done
flock -u 9
if [[ $option != --no-tests ]]; then
    python3 tests tests/test_built.py --builds "$release"
fi
