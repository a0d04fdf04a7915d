// An app to stand behind the gateway: echoes what it is sent; with ?bytes=N it answers with so many instead. Says its port.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const bytes = new URL(request.url, "http://app").searchParams.get("bytes");
  if (bytes === null) {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    request.pipe(response);
    return;
  }
  request.resume();
  response.end(Buffer.alloc(Number(bytes), "x"));
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
