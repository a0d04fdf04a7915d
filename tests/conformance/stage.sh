#!/usr/bin/env bash
# Runs one suite at a gateway of its own, and notes its score. Called by tests/conformance/run alone.
#
# suites/NAME.sh defines `judge`, and may define
#   install   fetches what it needs (packages.sh)
#   behind    starts what stands behind the gateway, and leaves its configuration in $STAGE/behind.toml
# `judge` finds the gateway at $PLAIN (http) and $SECURE (https), as localhost, with the certificate of its authority
# in $CA, its process in $GATEWAY, what it says in $STAGE/said. It answers by `check`, or by lines for `judged`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/conformance/voice.sh
source tests/conformance/packages.sh

readonly SUITE="$1"
readonly PEERS="$PWD/tests/conformance/peers"
export PYTHONDONTWRITEBYTECODE=yes

main() {
    STAGE=$(mktemp -d)
    trap leave EXIT
    : >"$STAGE/verdicts"
    install
    make_papers
    behind
    start_gateway
    judge
    kill -0 "$GATEWAY" 2>/dev/null || die "the gateway is gone: $(tail "$STAGE/said")"
    score
}

# ---- What a suite may leave out ----------------------------------------------------------------

install() { :; }

# The app that is built in.
behind() { open_route_to demo:; }

# ---- What a suite says -------------------------------------------------------------------------

# check WHAT COMMAND...: passed when the command succeeds. What it says is shown when it does not.
check() {
    local what="$1"
    shift
    if "$@" >"$STAGE/why" 2>&1; then
        printf 'ok %s\n' "$what"
    else
        printf 'not ok %s: %s\n' "$what" "$(tail -n 5 "$STAGE/why")"
    fi | judged
}

# For a check: whether a command fails.
not() { ! "$@"; }

# For a check: whether curl is answered with this status.
answers() {
    local status="$1" found
    shift
    found=$(curl -sS -m 10 --cacert "$CA" -o /dev/null -w '%{http_code}' "$@") || true
    [[ "$found" == "$status" ]] || { printf '%s instead of %s' "$found" "$status" && return 1; }
}

# Reads "ok WHAT" and "not ok WHAT: WHY" from a judge that checks by itself. What is good is shown when all is
# asked for (-v); other lines belong to the one before.
judged() {
    local line
    while IFS= read -r line; do
        case "$line" in
        'ok '*) printf '%s\n' "$line" >>"$STAGE/verdicts" && [[ -z "${VERBOSE-}" ]] || printf '%s %s\n' "$(green ok)" "${line#ok }" ;;
        'not ok '*) printf '%s\n' "$line" >>"$STAGE/verdicts" && printf '%s %s\n' "$(red 'not ok')" "${line#not ok }" ;;
        *) printf '    %s\n' "$line" ;;
        esac
    done
}

score() {
    local checks findings
    checks=$(wc -l <"$STAGE/verdicts")
    findings=$(grep -c '^not ok ' "$STAGE/verdicts" || true)
    ((checks > 0)) || die "$SUITE has checked nothing"
    printf '%s %s %s\n' "$SUITE" "$checks" "$findings" >>"$SCORES"
}

# ---- What a suite finds ------------------------------------------------------------------------

start_gateway() {
    cat - "$STAGE/behind.toml" >"$STAGE/gateway.toml" <<-TOML
		log.level = "debug"
		store.url = "memory:"
		[server]
		listen = "127.0.0.1:0"
		data_dir = "$STAGE/data"
		[server.tls]
		listen = "127.0.0.1:0"
		hsts = "730d; includeSubDomains"
		certificates = [{ cert = "$STAGE/chain.pem", key = "$STAGE/key.pem" }]
		[admin]
		listen = "127.0.0.1:0"
	TOML
    start said "$OTP_GATEWAY" --config "$STAGE/gateway.toml"
    GATEWAY=$!
    PLAIN=localhost:$(port_in said 's|^  listening  http://[^/]*:\([0-9]*\)/.*|\1|p')
    SECURE=localhost:$(port_in said 's|^  listening  https://[^/]*:\([0-9]*\)/.*|\1|p')
}

# start NAME COMMAND...: in the background, until the suite has ended. What it says is in $STAGE/NAME.
start() {
    local said="$STAGE/$1"
    shift
    : >"$said"
    "$@" >"$said" 2>&1 &
    STARTED+=($!)
}

# Everything goes to this server, without a token.
open_route_to() {
    cat >"$STAGE/behind.toml" <<-TOML
		[upstreams.app]
		servers = "$1"
		[[routes]]
		path = "/"
		auth = "none"
	TOML
}

# An nginx with what comes in as its `http` block.
nginx_at() {
    mkdir "$STAGE/nginx.d"
    {
        printf 'daemon off; pid nginx.pid; error_log stderr; events { worker_connections 4096; }\nhttp { access_log off;\n'
        printf '%s_temp_path tmp;\n' client_body proxy fastcgi uwsgi scgi
        cat
        printf '}\n'
    } >"$STAGE/nginx.d/nginx.conf"
    start nginx nginx -e stderr -p "$STAGE/nginx.d" -c nginx.conf
}

# The port that sed finds in what a program says, as soon as it says so.
port_in() {
    local found
    for _ in {1..200}; do
        found=$(sed -n "$2" "$STAGE/$1")
        [[ -z "$found" ]] || { printf '%s' "${found%%$'\n'*}" && return; }
        sleep 0.1
    done
    die "$1 did not start: $(cat "$STAGE/$1")"
}

# A port for programs that cannot say which one they were given.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits until somebody listens there.
await() {
    local tries
    for tries in {1..100}; do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    die "nobody listens at port $1 after $tries tries"
}

# Logs somebody in: an access token.
log_in() {
    local phone=+14155550100 code
    ask send-otp "{\"mobile_number\": \"$phone\"}" >/dev/null
    code=$(port_in said "s/^SMS to $phone: \([0-9]*\) is .*/\1/p")
    ask verify-otp "{\"mobile_number\": \"$phone\", \"otp\": \"$code\", \"device_info\": \"conformance\"}" |
        sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'
}

ask() {
    curl -sS --fail-with-body "http://$PLAIN/api/auth/$1" -H 'content-type: application/json' -d "$2"
}

# An authority and a certificate by it, as a public one would issue it.
make_papers() {
    need openssl
    CA="$STAGE/ca.pem"
    local key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256'
    (
        cd "$STAGE"
        # shellcheck disable=SC2086
        openssl req -x509 $key -days 90 -subj /CN=authority -keyout ca.key -out ca.pem \
            -addext keyUsage=critical,keyCertSign,cRLSign
        # shellcheck disable=SC2086
        openssl req -x509 $key -days 90 -subj /CN=localhost -CA ca.pem -CAkey ca.key \
            -keyout key.pem -out chain.pem -addext subjectAltName=DNS:localhost \
            -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
            -addext keyUsage=critical,digitalSignature -addext authorityKeyIdentifier=keyid
    ) 2>"$STAGE/openssl" || die "$(cat "$STAGE/openssl")"
}

# Ends what was started, last first, and leaves nothing behind.
leave() {
    local end=$? n
    for ((n = ${#STARTED[@]} - 1; n >= 0; n--)); do
        kill "${STARTED[n]}" 2>/dev/null || true
        wait "${STARTED[n]}" 2>/dev/null || true
    done
    ((end == 0)) || printf '%s\n' "$(red "$SUITE broke down")" >&2
    rm -rf "$STAGE"
}

STARTED=()
# shellcheck source=/dev/null
source "tests/conformance/suites/$SUITE.sh"
main
