# Where the judges come from: the registries of Python, JavaScript and Rust, below target/conformance, of one version each, and Debian. To be sourced.

readonly KEPT="$PWD/target/conformance"

# The commands of these packages of PyPI ("NAME==VERSION...") in the place called $1: $KEPT/PLACE/bin.
pypi() {
    local place="$KEPT/$1"
    shift
    kept "$place" "$*" && return
    python3 -m venv --help >/dev/null 2>&1 || debian python3-venv
    python3 -m venv "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check "$@"
    keep "$place" "$*"
}

# These packages of npm ("NAME@VERSION...") in the place called $1: $KEPT/PLACE.npm/node_modules.
npm_packages() {
    local place="$KEPT/$1.npm"
    shift
    kept "$place" "$*" && return
    command -v npm >/dev/null || debian nodejs npm
    mkdir -p "$place"
    npm install --silent --no-audit --no-fund --prefix "$place" "$@"
    keep "$place" "$*"
}

# A program of the registry of Rust, of one version: $KEPT/NAME/bin/NAME.
crate() {
    local place="$KEPT/$1"
    kept "$place" "$1 $2" && return
    nice cargo install --quiet --locked --root "$place" "$1@$2"
    keep "$place" "$1 $2"
}

# Sees to it that a command is there, which is in a Debian package ($2, or one of the same name).
need() {
    command -v "$1" >/dev/null || debian "${2-$1}"
}

# Debian packages, as root or through sudo.
debian() {
    local as_root=()
    command -v apt-get >/dev/null || die "missing: $* (no apt-get here, install it by hand)"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "missing: $* (not root, no sudo: apt-get install $*)"
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update --quiet >/dev/null
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install --quiet --yes --no-install-recommends "$@" >/dev/null
}

# Whether a place holds exactly this: what was broken off in the middle is made anew.
kept() {
    [[ "$(cat "$1/.holds" 2>/dev/null)" == "$2" ]] || { rm -rf "$1" && return 1; }
}

keep() {
    printf '%s' "$2" >"$1/.holds"
}
