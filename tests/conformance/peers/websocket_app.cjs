// An app that echoes messages, by npm's ws. "close CODE REASON" makes it close so, "who" say who is calling,
// "closed CODE REASON" waits until some connection has ended so. Says its port.
const { WebSocketServer } = require("ws");

const ended = new Set();
const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  maxPayload: 64 << 20,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has("judge") ? "judge" : false),
});
server.on("listening", () => console.log(`port ${server.address().port}`));
server.on("connection", (socket, request) => {
  socket.on("message", (message, isBinary) => {
    const [word, code, reason] = isBinary ? [] : message.toString().split(" ");
    if (word === "close") socket.close(Number(code), reason);
    else if (word === "who") socket.send(String(request.headers["x-auth-subject"]));
    else if (word === "closed") tellOnce(socket, `${code} ${reason}`);
    else socket.send(message, { binary: isBinary });
  });
  socket.on("close", (code, reason) => ended.add(`${code} ${reason}`));
});

function tellOnce(socket, ending) {
  if (ended.has(ending)) socket.send("yes");
  else setTimeout(tellOnce, 10, socket, ending);
}
