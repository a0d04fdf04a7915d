# Versions, cipher suites, curves, certificate and known holes of TLS, against Mozilla's profile

install() {
    pypi sslyze sslyze==6.3.1
}

judge() {
    "$KEPT/sslyze/bin/sslyze" --mozilla_config=intermediate --certinfo_ca_file="$CA" "$SECURE" >"$STAGE/sslyze" 2>&1 || true
    sed -n '/COMPLIANCE AGAINST/,$p' "$STAGE/sslyze"
    check "Mozilla's profile \"intermediate\"" grep 'OK - Compliant' "$STAGE/sslyze"
}
