# An interpreter launcher: Python, with exactly Python's command line, under safesite.
#
# Above stands what was so when the environment was protected, and here that is looked at.  Shell
# builtins alone, and variables that begin with _, as an assignment to one that is exported would
# reach the program.
# shellcheck shell=sh disable=SC2154,SC3013  # set above; each shell that is a /bin/sh has -ef

fail() {
    printf 'safesite: %s (protect)\n' "$1" >&2
    exit 2
}

# same_size: whether pyvenv.cfg, open as 0 and 3 and read to its end, has as many bytes as it had.
# Shells read over NUL, at which Python ends a line.
same_size() {
    if [ -r /proc/self/fdinfo/3 ]; then IFS= read -r _line < /proc/self/fdinfo/3; fi
    case $_line in
    "pos:	$_size") ;;
    pos:*) return 1 ;;
    *) "$_base" -I -S -c 'import os, sys; sys.exit(os.fstat(0).st_size != int(sys.argv[1]))' "$_size" ;;
    esac
}

if ! [ "$0" -ef "$_self" ]; then fail "$_moved"; fi
if ! [ "$_python" -ef "$_base" ]; then fail "$_replaced"; fi
if ! [ -f "$_config" ] || ! [ -r "$_config" ] || ! same_lines < "$_config" 3<&0; then
    fail "$_changed"
fi
if ! [ -f "$_start" ]; then fail "$_gone"; fi

case ${1--} in
-c | -m) if [ $# -gt 1 ]; then exec "$_python" -S "$_start" "$_self" '' "$@"; fi ;;
-?*) ;;
*) exec "$_python" -S "$_start" "$_self" '' "$@" ;;
esac
# shellcheck source-path=SCRIPTDIR source=interpreter.sh
. "${_start%/*}/interpreter.sh"
