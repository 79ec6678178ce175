# Read by the launchers of this folder when a command line begins with options: moves those that are
# Python's from "$@" to _option1, _option2 ... of which there are _count, and -S and -x, which are not
# for Python but for safesite to heed, to _flags.  Which letters are options says _letters.  Clusters
# are taken apart: -Bs is -B -s, and -Ic CODE is -I -c CODE.
# shellcheck shell=sh disable=SC2154  # _letters
_count=0
_flags=''
keep() {
    _count=$((_count + 1))
    eval "_option$_count=\$1"
}
while [ $# -gt 0 ]; do
    case $1 in
    -[WX] | --check-hash-based-pycs)
        if [ $# -lt 2 ]; then break; fi
        keep "$1"
        keep "$2"
        shift
        ;;
    -[WX]*) keep "$1" ;;
    -[$_letters])
        case $1 in
        -[Sx]) _flags=-${_flags#-}${1#-} ;;
        *) keep "$1" ;;
        esac
        ;;
    -[$_letters]*)
        _rest=${1#-?}
        _first=${1%"$_rest"}
        shift
        set -- "$_first" "-$_rest" "$@"
        continue
        ;;
    *) break ;;
    esac
    shift
done
