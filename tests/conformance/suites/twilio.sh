# Messages, asked for as Twilio's own OpenAPI file says (Prism plays its part), and receipts as its own library signs them

install() {
    npm_packages twilio @stoplight/prism-cli@5.16.0 @twilio/cli-core@8.3.2
    pypi twilio twilio==9.8.0
}

behind() {
    local modules="$KEPT/twilio.npm/node_modules"
    PRISM=$(free_port)
    start prism "$modules/.bin/prism" mock --errors -h 127.0.0.1 -p "$PRISM" \
        "$modules/@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json"
    understood
    open_route_to demo:
    cat >>"$STAGE/behind.toml" <<-TOML
		[sms]
		providers = "twilio"
		channels = ["sms", "whatsapp", "voice"]
		[sms.twilio]
		account_sid = "$ACCOUNT"
		api_key = "SK0123456789abcdef0123456789abcdef"
		api_secret = "hunter2"
		auth_token = "$TOKEN"
		from = "+15550001111"
		whatsapp_from = "+15550002222"
		voice_from = "+15550003333"
		status_callback = "$HOOK"
		base_url = "http://127.0.0.1:$PRISM"
	TOML
}

# The file is a long one to read, and the port opens only behind it.
understood() {
    local tries
    for tries in {1..120}; do
        grep -q 'Prism is listening' "$STAGE/prism" && return
        sleep 0.5
    done
    die "Prism did not start in $tries tries: $(tail "$STAGE/prism")"
}

readonly ACCOUNT=AC0123456789abcdef0123456789abcdef
readonly TOKEN=0123456789abcdef0123456789abcdef
readonly HOOK=https://login.example.com/api/auth/receipts/twilio

judge() {
    local url="http://127.0.0.1:$PRISM/2010-04-01/Accounts/$ACCOUNT/Messages.json" channel
    check "the judge lets nobody in without a password" answers 401 "$url" -d To=+14155550100 -d Body=x
    check "the judge wants a number" answers 422 "$url" -u a:b -d Body=x
    for channel in sms whatsapp voice; do
        check "a message by $channel is one that Twilio takes" taken "$channel"
    done
    edit 's|^from = .*|from = "MG0123456789abcdef0123456789abcdef"|'
    check "so is one by a messaging service" taken sms
    edit 's|^voice_from|whatsapp_content = "HX0123456789abcdef0123456789abcdef"\n&|'
    check "so is one by an approved template of WhatsApp" taken whatsapp
    edit '/^api_key/d; /^api_secret/d'
    check "so is one with the token of the account" taken sms
    local challenge message
    challenge=$(ask send-otp '{"mobile_number": "+14155550100"}' | sed -n 's/.*"challenge_id":"\([^"]*\)".*/\1/p')
    check "a running gateway gets Twilio's name for its message" told 's/.*provider="twilio" reference="\(SM[0-9a-f]*\)".*/\1/p'
    message=$(port_in said 's/.*\(msg_[0-9a-f]*\) .*provider="twilio" reference=.*/\1/p')
    local hook="$HOOK?challenge=$challenge&message=$message"
    check "what Twilio's own library has signed is heard" heard 204 "$hook" "$TOKEN"
    check "what it has signed with another token is not" heard 403 "$hook" "${TOKEN//0/1}"
    check "nor what it has signed for another address" heard 403 "${hook/login/logout}" "$TOKEN"
    check "the message has arrived" told 's/.*\(a message has arrived\).*/\1/p'
}

# heard STATUS URL TOKEN: how the gateway answers a receipt.
heard() {
    [[ "$("$KEPT/twilio/bin/python" "$PEERS/twilio_receipt.py" "http://$PLAIN" "$2" "$3" delivered)" == "$1" ]]
}

taken() {
    target/debug/otp-gateway sms test +14155550100 --channel "$1" --config "$STAGE/gateway.toml" | tee /dev/stderr | grep -q '^sent '
}

edit() { sed -i "$1" "$STAGE/gateway.toml"; }

told() { [[ -n "$(port_in said "$1")" ]]; }
