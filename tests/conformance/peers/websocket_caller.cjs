// Judges WebSocket through the gateway by npm's ws: URL TOKEN.
const assert = require("node:assert");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const WebSocket = require("ws");

const [url, token] = process.argv.slice(2);
const bearer = { authorization: `Bearer ${token}` };
const subject = JSON.parse(Buffer.from(token.split(".")[1], "base64url")).sub;

async function call({ protocols = [], headers = bearer, ...options } = {}) {
  const socket = new WebSocket(url, protocols, { headers, maxPayload: 64 << 20, handshakeTimeout: 10000, ...options });
  socket.got = [];
  socket.on("message", (message, isBinary) => socket.got.push(isBinary ? message : message.toString()));
  await once(socket, "open");
  return socket;
}

async function received(socket, count) {
  while (socket.got.length < count) await once(socket, "message", { signal: AbortSignal.timeout(20000) });
  return socket.got.slice(0, count);
}

async function check(what, judge) {
  try {
    await judge();
    console.log(`ok ws: ${what}`);
  } catch (why) {
    console.log(`not ok ws: ${what}: ${why.message.split("\n")[0]}`);
  }
}

async function echoes(message, options) {
  const socket = await call(options);
  socket.send(message);
  const [answer] = await received(socket, 1);
  assert.ok(typeof message === "string" ? answer === message : message.equals(answer), `${answer.length} of ${message.length}`);
  assert.strictEqual(socket.extensions.includes("permessage-deflate"), options.perMessageDeflate);
  socket.close();
}

async function main() {
  const messages = { nothing: "", text: "näher", bytes: randomBytes(256), "65536 bytes": randomBytes(65536), "8 MiB": randomBytes(8 << 20) };
  for (const [what, message] of Object.entries(messages))
    for (const perMessageDeflate of [true, false])
      await check(`${what}, compression ${perMessageDeflate}`, () => echoes(message, { perMessageDeflate }));
  await check("a thousand messages in their order", async () => {
    const socket = await call();
    const numbers = Array.from({ length: 1000 }, (_, number) => String(number));
    numbers.forEach((number) => socket.send(number));
    assert.deepStrictEqual(await received(socket, 1000), numbers);
    socket.close();
  });
  await check("a message in fragments, with a ping between them", async () => {
    const socket = await call({ perMessageDeflate: false });
    socket.send("before ", { fin: false });
    const pong = once(socket, "pong", { signal: AbortSignal.timeout(20000) });
    socket.ping("are you there");
    assert.strictEqual(String(await pong), "are you there");
    socket.send("and after", { fin: true });
    assert.deepStrictEqual(await received(socket, 1), ["before and after"]);
    socket.close();
  });
  await check("the protocol that was agreed on", async () => {
    const socket = await call({ protocols: ["other", "judge"] });
    assert.strictEqual(socket.protocol, "judge");
    socket.close();
  });
  await check("the app knows who is calling, and by no other name", async () => {
    const socket = await call({ headers: { ...bearer, "x-auth-subject": "somebody" } });
    socket.send("who");
    assert.deepStrictEqual(await received(socket, 1), [subject]);
    socket.close();
  });
  for (const code of [1000, 1001, 1008, 1011, 3000, 4999])
    await check(`the app closes with ${code}`, async () => {
      const socket = await call();
      const closed = once(socket, "close", { signal: AbortSignal.timeout(20000) });
      socket.send(`close ${code} enough`);
      const [seen, reason] = await closed;
      assert.strictEqual(`${seen} ${reason}`, `${code} enough`);
    });
  for (const code of [1000, 3000, 4999])
    await check(`the caller closes with ${code}`, async () => {
      const first = await call();
      first.close(code, "caller");
      await once(first, "close", { signal: AbortSignal.timeout(20000) });
      const second = await call();
      second.send(`closed ${code} caller`);
      assert.deepStrictEqual(await received(second, 1), ["yes"]);
      second.close();
    });
  for (const [what, headers] of Object.entries({ "no token": {}, "a bad one": { authorization: "Bearer x" } }))
    await check(`${what} is refused before anything is upgraded`, () =>
      assert.rejects(call({ headers }), /Unexpected server response: 401/),
    );
}

// Who waits for something that will never come ends early, and connections of checks that failed may still be open.
process.exitCode = 1;
main().then(() => process.exit(0));
