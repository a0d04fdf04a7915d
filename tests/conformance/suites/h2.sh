# Every version of HTTP as curl, nghttp and h2load speak it, in the clear and over TLS

install() {
    need curl
    need nghttp nghttp2-client
    need h2load nghttp2-client
    need node nodejs
}

behind() {
    local port
    start app node "$PEERS/app.mjs"
    port=$(port_in app 's/^port //p')
    # Node takes no large heads; the app that is built in does.
    cat >"$STAGE/behind.toml" <<-TOML
		[upstreams]
		app.servers = "http://127.0.0.1:$port"
		demo.servers = "demo:"
		[[routes]]
		path = "/"
		upstream = "app"
		auth = "none"
		[[routes]]
		path = "/large-heads"
		upstream = "demo"
		auth = "none"
		[[routes]]
		path = "/closed"
		upstream = "app"
	TOML
}

judge() {
    head -c 3000000 /dev/urandom >"$STAGE/sent"
    local plain="http://$PLAIN" secure="https://$SECURE"
    version "$plain" 1 --http1.0
    version "$plain" 1.1 --http1.1
    version "$plain" 2 --http2-prior-knowledge
    version "$secure" 1 --http1.0
    version "$secure" 1.1 --http1.1
    version "$secure" 2 --http2
    check "an upgrade to h2c is not taken, the request is" speaks 1.1 "$plain/" --http2
    by_nghttp "$plain"
    by_nghttp "$secure"
    under_load "$plain" HTTP/2
    under_load "$secure" HTTP/2
    under_load "$plain" HTTP/1.1 --h1
    under_load "$secure" HTTP/1.1 --h1
}

# What curl does by this version of HTTP.
version() {
    local url="$1" version="$2" name="HTTP/$2 at ${1%%:*}"
    shift 2
    check "$name: GET" speaks "$version" "$url/?bytes=100000" "$@"
    check "$name: HEAD, and no body" speaks "$version" "$url/?bytes=100000" "$@" --head
    check "$name: three megabytes come back as they were sent" echoes "$url/" "$@"
    check "$name: who waits to be told to send is told" echoes "$url/" "$@" -H 'expect: 100-continue'
    # Over HTTP/2 nghttp judges that: a stream that ends so is reset without an error (RFC 9113, 8.1), for which curl
    # 7.88 forgets the answer that it has got.
    [[ "$version" == 2 ]] || check "$name: refused before the body has come" refuses "$url/closed" "$@"
    check "$name: two requests on one connection, and no more than one connection" reuses "$url/" "$version" "$@"
}

# speaks VERSION URL...: answered with 200 by that version.
speaks() {
    local version="$1" found
    shift
    found=$(curl -sS -m 20 --cacert "$CA" -o "$STAGE/got" -w '%{http_code} by %{http_version}' "$@")
    [[ "$found" == "200 by $version" ]] || { printf '%s' "$found" && return 1; }
}

echoes() {
    curl -sS -m 20 --cacert "$CA" --data-binary "@$STAGE/sent" -o "$STAGE/got" "$@" && cmp "$STAGE/sent" "$STAGE/got"
}

# 401, whatever curl says of a body that it could not send to the end.
refuses() {
    local found
    found=$(curl -sS -m 20 --cacert "$CA" --data-binary "@$STAGE/sent" -o "$STAGE/got" -w '%{http_code}' "$@" 2>"$STAGE/why.curl") || true
    [[ "$found" == 401 ]] || { printf '%s %s' "$found" "$(cat "$STAGE/why.curl")" && return 1; }
}

reuses() {
    local url="$1" version="$2" found
    shift 2
    found=$(curl -sS -m 20 --cacert "$CA" -o "$STAGE/got" -o "$STAGE/got" -w '%{num_connects} ' "$url" "$url" "$@")
    # HTTP/1.0 of curl asks for no second one.
    [[ "$found" == "1 0 " || "$version" == 1 ]] || { printf '%s' "$found" && return 1; }
}

# What nghttp says at the end of each stream: its status, for so many requests at once.
by_nghttp() {
    local url="$1" name="nghttp at ${1%%:*}"
    check "$name: thirty at once" streams 30 "$url/?bytes=100000" -m 30
    check "$name: windows of a few bytes" streams 3 "$url/?bytes=2000" -m 3 -w 4 -W 4
    check "$name: a large upload" streams 1 "$url/" -d "$STAGE/sent"
    check "$name: refused before the body has come" answered 401 1 "$url/closed" -d "$STAGE/sent"
    check "$name: an upload that ends with trailers" streams 1 "$url/" -d "$STAGE/sent" --trailer 'x-end: yes'
    check "$name: an upload that waits to be told" streams 1 "$url/" -d "$STAGE/sent" --expect-continue
    check "$name: frames with padding" streams 3 "$url/" -m 3 -b 100
    check "$name: heads that are continued" streams 1 "$url/large-heads" --continuation
}

# streams COUNT URL...: so many are answered with 200.
streams() { answered 200 "$@"; }

answered() {
    local status="$1" count="$2" found
    shift 2
    timeout 20 nghttp --no-verify-peer -n -v "$@" >"$STAGE/nghttp" 2>&1
    found=$(grep -c ":status: $status" "$STAGE/nghttp" || true)
    [[ "$found" == "$count" ]] || { printf '%s of %s; %s' "$found" "$count" "$(tail -n 3 "$STAGE/nghttp")" && return 1; }
}

under_load() {
    local url="$1" name="$2 at ${1%%:*}"
    shift 2
    check "h2load: 4000 requests by $name on 20 connections" loads "$url/?bytes=1000" "$@"
}

loads() {
    local streams=(-m 10)
    [[ "$*" != *--h1* ]] || streams=()
    timeout 60 h2load -n 4000 -c 20 "${streams[@]}" "$@" >"$STAGE/h2load" 2>&1
    grep '^requests:' "$STAGE/h2load"
    grep -q '4000 succeeded, 0 failed, 0 errored, 0 timeout' "$STAGE/h2load"
    grep -q '^status codes: 4000 2xx' "$STAGE/h2load"
}
