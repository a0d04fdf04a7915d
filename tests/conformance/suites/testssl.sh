# The same ground by other means: what it rates worse than "LOW" is a finding

install() {
    need testssl testssl.sh
    need hexdump bsdextrautils
    need jq
}

judge() {
    # Not ours: what asks for a name that the world can look up, or for revocation, of which an authority
    # of our own has neither; and what it says of the openssl that it runs itself. And the client chooses
    # among suites that are all good, as Mozilla advises: it knows which of them its hardware is fast at.
    local not_ours='["cert_revocation", "DNS_CAArecord", "engine_problem", "cipher_order"]'
    testssl --quiet --color 0 --warnings batch --add-ca "$CA" \
        --protocols --server-defaults --server-preference --std --fs --vulnerable --headers \
        --jsonfile "$STAGE/testssl.json" "$SECURE" >"$STAGE/testssl" 2>&1 || true
    jq --raw-output --argjson not_ours "$not_ours" '.[]
        | select(.id as $id | $not_ours | index($id) | not)
        | if .severity | IN("OK", "INFO", "LOW") then "ok \(.id)" else "not ok \(.id): \(.severity), \(.finding)" end' \
        "$STAGE/testssl.json" | judged
}
