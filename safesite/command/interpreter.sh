# Read by an interpreter launcher that has options to look at: starts _python on _start, with exactly
# Python's command line.  _self is what sys.executable is to be.
# shellcheck shell=sh disable=SC2154  # set by who reads this
_letters=bBdEiIOPqRsStuvx
# shellcheck source-path=SCRIPTDIR source=options.sh
. "${_start%/*}/options.sh"

# Whatever names no program, and what is no option known here, Python itself answers, under -S: help,
# the version, and what is wrong with a command line.
case ${1--} in
-c | -m) if [ $# -gt 1 ]; then set -- "$_start" "$_self" "$_flags" "$@"; fi ;;
-[cm]* | -- | - | [!-]* | '') set -- "$_start" "$_self" "$_flags" "$@" ;;
esac
set -- -S "$@"
while [ "$_count" -gt 0 ]; do
    if [ "${_borrowed-}" ]; then
        eval "_word=\$_option$_count"
        case $_word in
        -[EI]) fail "$_lost" ;; # variables do not count
        esac
    fi
    eval "set -- \"\$_option$_count\" \"\$@\""
    _count=$((_count - 1))
done
exec "$_python" "$@"
