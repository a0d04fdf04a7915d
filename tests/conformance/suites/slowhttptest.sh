# Clients that send and read as slowly as they can, by the thousand: everybody else is served all the while

install() {
    need slowhttptest
    need node nodejs
}

# They are cut off sooner than by the defaults, so that it is seen.
behind() {
    local port
    start app node "$PEERS/app.mjs"
    port=$(port_in app 's/^port //p')
    open_route_to "http://127.0.0.1:$port"
    cat >>"$STAGE/behind.toml" <<-TOML
		[server.limits]
		headers = "5s"
		body_idle = "5s"
		[auth]
		body_timeout = "5s"
	TOML
}

judge() {
    attack "slow heads" -H -i 2 -u "http://$PLAIN/"
    attack "slow heads over TLS" -H -i 2 -u "https://$SECURE/"
    attack "slow bodies to an app" -B -i 2 -s 8192 -u "http://$PLAIN/"
    attack "slow bodies to the gateway" -B -i 2 -s 8192 -f application/json -u "http://$PLAIN/api/auth/send-otp"
    attack "slow readers" -X -w 10 -y 20 -n 2 -z 10 -k 5 -c 300 -u "http://$PLAIN/?bytes=200000"
}

# A thousand connections, 500 a second, until all are gone or 15 seconds are over. Each second a client asks as
# others do, and must be answered within five.
attack() {
    local what="$1"
    shift
    # It needs a file for each connection.
    (ulimit -n 8192 && slowhttptest -c 1000 -r 500 -l 15 -p 5 -g -o "$STAGE/slow" "$@" >"$STAGE/slow" 2>&1 </dev/null) || true
    # Seconds, connections that are closed, pending, connected; and whether there is service: not 0.
    awk -F, -v what="$what" 'NR > 1 { open = $4 > open ? $4 : open; if ($5 == 0) missing++ }
        END { print (missing || open < 100 ? "not ok " : "ok ") what ": " open " at once, " missing + 0 " seconds without service" }' \
        "$STAGE/slow.csv" | judged
}
