# Request smuggling and HTTP/2 downgrade: whether gateway and app can be made to disagree on where a request ends

install() {
    crate smugglex 0.4.0
    need nginx
    need jq
}

# An app with a reading of its own, on connections that are kept: a request that is smuggled has somewhere to go.
behind() {
    local port
    port=$(free_port)
    nginx_at <<-CONF
		server {
		    listen 127.0.0.1:$port;
		    default_type text/plain;
		    location / { return 200 "\$request_method \$request_uri\n"; }
		}
	CONF
    open_route_to "http://127.0.0.1:$port"
}

judge() {
    local kinds=cl-te,te-cl,te-te,h2c,h2,cl-edge,cl-0,0-cl,parser-discrepancy
    smuggle "http://$PLAIN/" "$kinds"
    smuggle "https://$SECURE/" "$kinds,h2-downgrade"
}

# What it tries is tried again with random mutations, the same ones every time.
smuggle() {
    local url="$1" report="$STAGE/smugglex.json"
    "$KEPT/smugglex/bin/smugglex" "$url" --cacert "$CA" -t 2 -c "$2" --fuzz --json >"$report" 2>"$STAGE/smugglex" ||
        [[ -s "$report" ]] || die "$(cat "$STAGE/smugglex")"
    jq --raw-output --arg url "${url%%:*}" '.results[].checks[]
        | if (.normal_status // "no answer") | (endswith("200") or endswith("200 OK")) | not then "not ok \($url) \(.check_type): \(.normal_status) to a good request"
          elif .vulnerable then "not ok \($url) \(.check_type): \(.payload | tojson) \(.diagnostics)"
          else "ok \($url) \(.check_type)" end' "$report" | judged
}
