# Messages for a program of the operator's, as the library of Standard Webhooks verifies them

install() {
    pypi webhook standardwebhooks==1.1.0
}

behind() {
    RECEIVER=$(free_port)
    start receiver "$KEPT/webhook/bin/python" "$PEERS/webhook_receiver.py" "$RECEIVER" "$KEY"
    await "$RECEIVER"
    open_route_to demo:
    cat >>"$STAGE/behind.toml" <<-TOML
		[sms]
		providers = "webhook"
		[sms.webhook]
		url = "http://127.0.0.1:$RECEIVER/send"
		secret = "$KEY"
	TOML
}

readonly KEY=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw

judge() {
    check "a request is one that the library verifies" sends "its name for it is verified"
    sed -i 's|^secret = .*|secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"|' "$STAGE/gateway.toml"
    check "with another key it is refused" sends "misconfigured .* status 401"
    ask send-otp '{"mobile_number": "+14155550100"}' >/dev/null
    check "what a running gateway sends is verified, too" test "$(port_in said 's/.*provider="webhook" reference="\(.*\)".*/\1/p')" = verified
}

# Whether a message leads to a line like this.
sends() {
    local out
    out=$(target/debug/otp-gateway sms test +14155550100 --config "$STAGE/gateway.toml") || true
    grep -q "$1" <<<"$out" || { printf '%s' "$out" && return 1; }
}
