# Thirteen ways to wear out an HTTP/2 server by one connection over TLS: closed within a second, and nobody else notices

install() {
    pypi h2floods hyperframe==6.1.0 hpack==4.2.0
}

judge() {
    "$KEPT/h2floods/bin/python" "$PEERS/h2_flooder.py" "$SECURE" "$CA" "$GATEWAY" | judged
}
