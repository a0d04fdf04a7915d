# WebSocket by the libraries of Python and JavaScript, each through the gateway to the other one

install() {
    need node nodejs
    pypi websocket websockets==17.4
    npm_packages websocket ws@8.23.0
}

behind() {
    local by_node by_python
    start node_app env NODE_PATH="$KEPT/websocket.npm/node_modules" node "$PEERS/websocket_app.cjs"
    start python_app "$KEPT/websocket/bin/python" "$PEERS/websocket_app.py"
    by_node=$(port_in node_app 's/^port //p')
    by_python=$(port_in python_app 's/^port //p')
    cat >"$STAGE/behind.toml" <<-TOML
		[upstreams]
		node.servers = "http://127.0.0.1:$by_node"
		python.servers = "http://127.0.0.1:$by_python"
		[[routes]]
		path = "/node"
		upstream = "node"
		[[routes]]
		path = "/python"
		upstream = "python"
	TOML
}

judge() {
    local token
    token=$(log_in)
    "$KEPT/websocket/bin/python" "$PEERS/websocket_caller.py" "wss://$SECURE/node" "$token" "$CA" | judged
    NODE_EXTRA_CA_CERTS="$CA" NODE_PATH="$KEPT/websocket.npm/node_modules" node "$PEERS/websocket_caller.cjs" "wss://$SECURE/python" "$token" | judged
}
