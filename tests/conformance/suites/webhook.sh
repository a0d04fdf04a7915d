# Messages for a program of the operator's, and receipts of its own, as the library of Standard Webhooks verifies and signs them

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
    local challenge message
    challenge=$(ask send-otp '{"mobile_number": "+14155550100"}' | sed -n 's/.*"challenge_id":"\([^"]*\)".*/\1/p')
    check "what a running gateway sends is verified, too" test "$(port_in said 's/.*provider="webhook" reference="\(.*\)".*/\1/p')" = verified
    message=$(port_in said 's/.*\(msg_[0-9a-f]*\) .*provider="webhook" reference=.*/\1/p')
    check "what the library has signed is heard" heard 204 "$KEY"
    check "what it has signed with another key is not" heard 403 whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    check "the message has arrived" test -n "$(port_in said 's/.*\(a message has arrived\).*/\1/p')"
}

# heard STATUS KEY: how the gateway answers a receipt for the message.
heard() {
    [[ "$("$KEPT/webhook/bin/python" "$PEERS/webhook_receipt.py" "http://$PLAIN/api/auth/receipts/webhook" "$2" "$challenge" "$message")" == "$1" ]]
}

# Whether a message leads to a line like this.
sends() {
    local out
    out=$(target/debug/otp-gateway sms test +14155550100 --config "$STAGE/gateway.toml") || true
    grep -q "$1" <<<"$out" || { printf '%s' "$out" && return 1; }
}
