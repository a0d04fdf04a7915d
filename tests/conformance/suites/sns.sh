# Messages and what became of them, asked for as AWS checks signatures and lends credentials (moto plays its part)

install() {
    pypi sns 'moto[server]==5.2.5' boto3==1.44.5
}

# One AWS that checks every signature once somebody is known there, and one that lets everybody in but lends.
behind() {
    STRICT=$(free_port)
    LENDER=$(free_port)
    INITIAL_NO_AUTH_ACTION_COUNT=3 start strict "$KEPT/sns/bin/moto_server" -H 127.0.0.1 -p "$STRICT"
    start lender "$KEPT/sns/bin/moto_server" -H 127.0.0.1 -p "$LENDER"
    await "$STRICT"
    await "$LENDER"
    "$KEPT/sns/bin/python" "$PEERS/sns_account.py" "http://127.0.0.1:$STRICT" >"$STAGE/key"
    read -r ID SECRET <"$STAGE/key"
    open_route_to demo:
    cat >>"$STAGE/behind.toml" <<-TOML
		[sms]
		providers = "sns"
		[sms.sns]
		region = "eu-west-1"
		sender_id = "MyShop"
		access_key_id = "$ID"
		secret_access_key = "$SECRET"
		base_url = "http://127.0.0.1:$STRICT"
		status_log = "$LOG"
		status_every = "1s"
		logs_url = "http://127.0.0.1:$STRICT"
	TOML
}

readonly LOG=sns/eu-west-1/123456789012/DirectPublishToPhoneNumber

judge() {
    export AWS_EC2_METADATA_DISABLED=true
    # For env, which runs programs and no functions.
    local sends=(bash -c "$(declare -f sends); sends \"\$@\"" sends)
    export STAGE
    heard +14155550101 SUCCESS "" "a message has arrived"
    heard +14155550102 FAILURE /Failure "a message did not arrive"
    check "a message is taken with a good key" sends "its name for it is"
    check "and what arrives is the code in words" arrived
    edit 's|^secret_access_key.*|secret_access_key = "nope"|'
    check "a wrong key is told apart: its signature is" sends "misconfigured .* code SignatureDoesNotMatch"
    edit 's|^access_key_id.*|access_key_id = "AKIAXXXXXXXXXXXXXXXX"|'
    check "so is one that nobody knows" sends "misconfigured .* code InvalidClientTokenId"
    edit '/^access_key_id/d; /^secret_access_key/d'
    check "without any key nothing is sent" sends "misconfigured .* no credentials"
    check "keys come from the environment" env AWS_ACCESS_KEY_ID="$ID" AWS_SECRET_ACCESS_KEY="$SECRET" "${sends[@]}" "its name for it is"
    printf '[default]\naws_access_key_id = x\naws_secret_access_key = y\n[work]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
        "$ID" "$SECRET" >"$STAGE/profiles"
    check "keys come from a profile" env AWS_SHARED_CREDENTIALS_FILE="$STAGE/profiles" AWS_PROFILE=work "${sends[@]}" "its name for it is"
    edit "s|^base_url.*|base_url = \"http://127.0.0.1:$LENDER\"|"
    printf 'a token of somebody else' >"$STAGE/token"
    check "keys are lent to a web identity" env AWS_WEB_IDENTITY_TOKEN_FILE="$STAGE/token" \
        AWS_ROLE_ARN=arn:aws:iam::123456789012:role/gateway AWS_ENDPOINT_URL_STS="http://127.0.0.1:$LENDER" "${sends[@]}" "its name for it is"
    check "keys are lent to a machine" env AWS_EC2_METADATA_DISABLED=false \
        AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:$LENDER" "${sends[@]}" "its name for it is"
}

# heard PHONE STATUS GROUP LINE: what is written there of a message that a running gateway has sent is heard of.
heard() {
    local reference before
    before=$(taken)
    ask send-otp "{\"mobile_number\": \"$1\"}" >/dev/null
    until (($(taken) > before)); do sleep 0.1; done
    reference=$(sed -n 's/.*provider="sns" reference="\([^"]*\)".*/\1/p' "$STAGE/said" | tail -n 1)
    "$KEPT/sns/bin/python" "$PEERS/sns_log.py" "http://127.0.0.1:$STRICT" "$ID" "$SECRET" "$LOG$3" "$reference" "$2"
    check "what SNS writes of a message is found: $2" test -n "$(port_in said "s/.*$4.*/x/p")"
}

taken() { grep -c 'provider="sns" reference=' "$STAGE/said" || true; }

# Whether a message leads to a line like this.
sends() {
    local out
    out=$(target/debug/otp-gateway sms test +14155550100 --config "$STAGE/gateway.toml") || true
    grep -q "$1" <<<"$out" || { printf '%s' "$out" && return 1; }
}

arrived() {
    curl -sS "http://127.0.0.1:$STRICT/moto-api/data.json" | grep -q 'is your otp-gateway code'
}

edit() { sed -i "$1" "$STAGE/gateway.toml"; }
