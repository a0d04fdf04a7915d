"""Takes messages whose signature the library of Standard Webhooks verifies: PORT KEY."""

import http.server
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        try:
            message = Webhook(sys.argv[2]).verify(body, dict(self.headers))
            assert message["code"] in message["text"] and message["to"].startswith("+")
        except WebhookVerificationError as why:
            self.reply(401, {"why": str(why)})
        else:
            self.reply(200, {"reference": "verified"})

    def reply(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
