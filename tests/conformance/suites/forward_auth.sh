# Other proxies that ask the gateway who may pass: nginx, Caddy and HAProxy in front of an app of their own

install() {
    need nginx
    need caddy
    need haproxy
    need node nodejs
}

judge() {
    local app token
    start app node "$PEERS/app.mjs"
    app=127.0.0.1:$(port_in app 's/^port //p')
    token=$(log_in)
    by_nginx "$app"
    by_caddy "$app"
    by_haproxy "$app"
    local proxy
    for proxy in nginx caddy haproxy; do
        passes "$proxy" "${PROXIES[$proxy]}" "$token"
    done
    check "the gateway logs out" answers 204 -X POST "http://$PLAIN/api/auth/logout" -H "authorization: Bearer $token"
    for proxy in nginx caddy haproxy; do
        check "$proxy: nobody who has logged out" answers 401 "http://${PROXIES[$proxy]}/?who" -H "authorization: Bearer $token"
    done
}

# Where each of them listens.
declare -A PROXIES

by_nginx() {
    PROXIES[nginx]=127.0.0.1:$(free_port)
    nginx_at <<-CONF
		server {
		    listen ${PROXIES[nginx]};
		    location / {
		        auth_request /check;
		        auth_request_set \$subject \$upstream_http_x_auth_subject;
		        proxy_set_header X-Auth-Subject \$subject;
		        proxy_pass http://$1;
		    }
		    location = /check {
		        internal;
		        proxy_pass http://$PLAIN/api/auth/check;
		        proxy_pass_request_body off;
		        proxy_set_header Content-Length "";
		        proxy_set_header X-Forwarded-Method \$request_method;
		        proxy_set_header X-Forwarded-Host \$http_host;
		        proxy_set_header X-Forwarded-Uri \$request_uri;
		    }
		}
	CONF
    await "${PROXIES[nginx]##*:}"
}

by_caddy() {
    PROXIES[caddy]=127.0.0.1:$(free_port)
    cat >"$STAGE/Caddyfile" <<-CADDY
		{
		    admin off
		    auto_https off
		}
		http://${PROXIES[caddy]} {
		    forward_auth $PLAIN {
		        uri /api/auth/check
		        copy_headers X-Auth-Subject
		    }
		    reverse_proxy $1
		}
	CADDY
    start caddy env XDG_DATA_HOME="$STAGE" XDG_CONFIG_HOME="$STAGE" caddy run --adapter caddyfile --config "$STAGE/Caddyfile"
    await "${PROXIES[caddy]##*:}"
}

# It has no such thing built in, but a client for its own scripts.
by_haproxy() {
    PROXIES[haproxy]=127.0.0.1:$(free_port)
    cat >"$STAGE/check.lua" <<-LUA
		core.register_action("check", { "http-req" }, function(txn)
		    local asked = { ["x-forwarded-method"] = { txn.sf:method() } }
		    for _, name in ipairs({ "authorization", "cookie", "origin" }) do
		        local value = txn.sf:req_hdr(name)
		        if value ~= "" then asked[name] = { value } end
		    end
		    local answer = core.httpclient():get({ url = "http://127.0.0.1:${PLAIN##*:}/api/auth/check", headers = asked })
		    txn:set_var("txn.status", answer.status)
		    local subject = answer.headers and answer.headers["x-auth-subject"]
		    txn:set_var("txn.subject", subject and subject[0] or "")
		end)
	LUA
    cat >"$STAGE/haproxy.cfg" <<-CFG
		global
		    lua-load $STAGE/check.lua
		defaults
		    mode http
		    timeout client 5s
		    timeout server 5s
		    timeout connect 5s
		frontend front
		    bind ${PROXIES[haproxy]}
		    http-request lua.check
		    http-request return status 401 unless { var(txn.status) -m int 200 }
		    http-request set-header X-Auth-Subject %[var(txn.subject)]
		    default_backend app
		backend app
		    server app $1
	CFG
    start haproxy haproxy -db -f "$STAGE/haproxy.cfg"
    await "${PROXIES[haproxy]##*:}"
}

# Who is let through by the proxy $1 at $2: the bearer of the token $3 alone, under the right name.
passes() {
    local url="http://$2/?who" bearer="authorization: Bearer $3"
    check "$1: nobody without a token" answers 401 "$url"
    check "$1: nobody with a bad one" answers 401 "$url" -H "authorization: Bearer x.y.z"
    check "$1: nobody who says who they are" answers 401 "$url" -H "x-auth-subject: somebody"
    check "$1: somebody with a token, whom the app knows by name" is_called "$(subject_of "$3")" "$url" -H "$bearer"
    check "$1: under no other name" is_called "$(subject_of "$3")" "$url" -H "$bearer" -H "x-auth-subject: somebody"
}

is_called() {
    local subject="$1"
    shift
    curl -sS -m 10 "$@" | tee /dev/stderr | grep -qxF "subject $subject"
}

subject_of() {
    curl -sS "http://$PLAIN/api/auth/me" -H "authorization: Bearer $1" | sed -n 's/.*"sub":"\([^"]*\)".*/\1/p'
}
