// Judges a token by the JWT libraries of JavaScript: METADATA_URL TOKEN BAD_TOKEN.
const { createRemoteJWKSet, jwtVerify } = require("jose");
const jwksRsa = require("jwks-rsa");
const jsonwebtoken = require("jsonwebtoken");

const [url, good, bad] = process.argv.slice(2);

async function byJose(token, { issuer, jwks_uri }) {
  const keys = createRemoteJWKSet(new URL(jwks_uri));
  return (await jwtVerify(token, keys, { issuer, audience: issuer })).payload;
}

async function byJsonwebtoken(token, { issuer, jwks_uri }) {
  const { kid } = jsonwebtoken.decode(token, { complete: true }).header;
  const key = await jwksRsa({ jwksUri: jwks_uri }).getSigningKey(kid);
  return jsonwebtoken.verify(token, key.getPublicKey(), { issuer, audience: issuer });
}

async function check(what, judge) {
  try {
    await judge();
    console.log(`ok ${what}`);
  } catch (why) {
    console.log(`not ok ${what}: ${why.code ?? why.name}: ${why.message}`);
  }
}

async function main() {
  const metadata = await (await fetch(url)).json();
  const judges = { jose: byJose, "jwks-rsa and jsonwebtoken": byJsonwebtoken };
  for (const [name, judge] of Object.entries(judges)) {
    await check(`npm's ${name} accept the token, its issuer and its audience`, () => judge(good, metadata));
    await check(`npm's ${name} refuse another signature`, async () => {
      const why = await judge(bad, metadata).then(
        () => "it was accepted",
        (refusal) => refusal.message,
      );
      if (!/signature/.test(why)) throw new Error(why);
    });
  }
}

// Who waits for something that will never come ends early.
process.exitCode = 1;
main().then(() => process.exit(0));
