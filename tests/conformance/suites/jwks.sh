# Tokens and public keys as the JWT libraries of other worlds understand them

install() {
    pypi jwks pyjwt[crypto]==2.10.1 joserfc==1.0.4 jwcrypto==1.5.6 python-jose[cryptography]==3.4.0
    npm_packages jwks jose@6.0.10 jwks-rsa@3.2.0 jsonwebtoken@9.0.2
    need jose
    need haproxy
}

behind() {
    open_route_to demo:
    printf '[tokens]\nissuer = "https://login.test"\n' >>"$STAGE/behind.toml"
}

judge() {
    local metadata token bad
    metadata="http://$PLAIN/api/auth/.well-known/oauth-authorization-server"
    token=$(log_in)
    # The same claims with a signature of something else.
    bad="${token%.*}.$(printf '%086d' 0)"
    "$KEPT/jwks/bin/python" "$PEERS/jwks_python.py" "$metadata" "$token" "$bad" "$STAGE" | judged
    NODE_PATH="$KEPT/jwks.npm/node_modules" node "$PEERS/jwks_node.cjs" "$metadata" "$token" "$bad" | judged
    by_jose "$token" "$bad"
    by_haproxy "$token" "$bad"
}

# In C. The keys are where jwks_python.py left them.
by_jose() {
    printf %s "$1" >"$STAGE/good.jwt"
    printf %s "$2" >"$STAGE/bad.jwt"
    check "jose of Debian accepts the token" jose jws ver -i "$STAGE/good.jwt" -k "$STAGE/jwks.json" -O-
    check "jose of Debian refuses another signature" not jose jws ver -i "$STAGE/bad.jwt" -k "$STAGE/jwks.json" -O-
}

# A proxy that checks tokens by itself, with the public key of the JWKS as PEM.
by_haproxy() {
    local port
    port=$(free_port)
    cat >"$STAGE/haproxy.cfg" <<-CFG
		defaults
		    mode http
		    timeout client 5s
		    timeout server 5s
		    timeout connect 5s
		frontend tokens
		    bind 127.0.0.1:$port
		    http-request set-var(txn.token) http_auth_bearer
		    http-request return status 200 if { var(txn.token),jwt_verify("ES256","$STAGE/key.pub") 1 }
		    http-request return status 401
	CFG
    start haproxy haproxy -db -f "$STAGE/haproxy.cfg"
    await "$port"
    check "HAProxy accepts the token" answers 200 "http://127.0.0.1:$port/" -H "authorization: Bearer $1"
    check "HAProxy refuses another signature" answers 401 "http://127.0.0.1:$port/" -H "authorization: Bearer $2"
}
