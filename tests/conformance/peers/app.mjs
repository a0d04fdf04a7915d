// An app to stand behind the gateway: echoes what it is sent. With ?bytes=N it answers with so many instead, with ?who
// with what it is told of the caller. Says its port.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const asked = new URL(request.url, "http://app").searchParams;
  if (asked.has("bytes")) {
    request.resume();
    response.end(Buffer.alloc(Number(asked.get("bytes")), "x"));
  } else if (asked.has("who")) {
    request.resume();
    response.end(`subject ${request.headers["x-auth-subject"]}\n`);
  } else {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    request.pipe(response);
  }
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
