# How the scripts of this folder speak: to be sourced. It knows nothing of suites.

die() {
    printf '\n%s %s\n' "$(red "tests/conformance/run:")" "$*" >&2
    exit 1
}

paint() {
    # What stands inside of $(...) never sees the terminal itself; the caller's may be one.
    if [[ -t 2 && -z "${NO_COLOR-}" ]]; then printf '\e[%sm%s\e[0m' "$1" "$2"; else printf '%s' "$2"; fi
}
bold() { paint 1 "$1"; }
green() { paint '1;32' "$1"; }
red() { paint '1;31' "$1"; }
