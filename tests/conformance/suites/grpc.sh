# gRPC by the library in C, through the gateway by TLS to an app that speaks HTTP/2

install() {
    pypi grpc grpcio==1.85.1
}

behind() {
    local port gone
    start app "$KEPT/grpc/bin/python" "$PEERS/grpc_app.py"
    port=$(port_in app 's/^port //p')
    gone=$(free_port)
    cat >"$STAGE/behind.toml" <<-TOML
		[upstreams.app]
		servers = "http://127.0.0.1:$port"
		protocol = "h2"
		[upstreams.gone]
		servers = "http://127.0.0.1:$gone"
		protocol = "h2"
		[[routes]]
		path = "/judge.Open"
		upstream = "app"
		auth = "none"
		[[routes]]
		path = "/judge.Slow"
		upstream = "app"
		auth = "none"
		response_timeout = "1s"
		[[routes]]
		path = "/judge.Closed"
		upstream = "app"
		[[routes]]
		path = "/judge.Gone"
		upstream = "gone"
		auth = "none"
	TOML
}

judge() {
    "$KEPT/grpc/bin/python" "$PEERS/grpc_caller.py" "$SECURE" "$(log_in)" "$CA" | judged
}
