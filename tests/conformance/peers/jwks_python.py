"""Judges a token by the JWT libraries of Python: METADATA_URL TOKEN BAD_TOKEN DIRECTORY, where it leaves the keys."""

import json
import pathlib
import sys
import urllib.request

import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jose.jwt
import jwcrypto.common
import jwcrypto.jwk
import jwcrypto.jws
import jwcrypto.jwt
import jwt
from checks import check, refused

url, good, bad, directory = sys.argv[1:]
directory = pathlib.Path(directory)


def fetch(url):
    return json.load(urllib.request.urlopen(url, timeout=5))


metadata = fetch(url)
issuer, keys = metadata["issuer"], fetch(metadata["jwks_uri"])
header = jwt.get_unverified_header(good)
kid, algorithms = header["kid"], [header["alg"]]
(directory / "jwks.json").write_text(json.dumps(keys))


def by_pyjwt(token):
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token).key
    required = {"require": ["exp", "iat", "iss", "aud", "sub", "jti"]}
    return jwt.decode(token, key, algorithms, audience=issuer, issuer=issuer, options=required)


def by_joserfc(token):
    known = joserfc.jwk.KeySet.import_key_set(keys)
    claims = joserfc.jwt.decode(token, known, algorithms=algorithms).claims
    expected = {"value": issuer, "essential": True}
    joserfc.jwt.JWTClaimsRegistry(iss=expected, aud=expected, sub={"essential": True}).validate(claims)
    return claims


def by_jwcrypto(token):
    known = jwcrypto.jwk.JWKSet.from_json(json.dumps(keys))
    expected = {"iss": issuer, "aud": issuer, "exp": None}
    return json.loads(jwcrypto.jwt.JWT(jwt=token, key=known, algs=algorithms, check_claims=expected).claims)


def by_python_jose(token):
    key = next(key for key in keys["keys"] if key["kid"] == kid)
    return jose.jwt.decode(token, key, algorithms, audience=issuer, issuer=issuer)


with check("the metadata names the issuer that was configured"):
    assert issuer == "https://login.test", issuer
with check("the keys are public, for signatures, and named"):
    private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
    for key in keys["keys"]:
        assert not private & key.keys(), "a private key"
        assert key["kty"] != "oct", "a secret key"
        assert key["use"] == "sig" and key["alg"] and key["kid"], key
    assert kid in [key["kid"] for key in keys["keys"]]

judges = {
    "PyJWT": (by_pyjwt, jwt.InvalidSignatureError),
    "joserfc": (by_joserfc, joserfc.errors.BadSignatureError),
    "jwcrypto": (by_jwcrypto, (jwcrypto.jws.InvalidJWSSignature, jwcrypto.jwt.JWTMissingKey)),
    "python-jose": (by_python_jose, jose.exceptions.JWTError),
}
for name, (judge, refusal) in judges.items():
    with check(f"{name} accepts the token, its issuer and its audience"):
        assert judge(good)["sub"]
    with check(f"{name} refuses another signature"), refused(refusal):
        judge(bad)

pem = jwcrypto.jwk.JWKSet.from_json(json.dumps(keys)).get_key(kid).export_to_pem()
(directory / "key.pub").write_bytes(pem)
