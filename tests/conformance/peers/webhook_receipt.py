"""Tells what became of a message, signed by the library of Standard Webhooks: URL KEY CHALLENGE MESSAGE. Prints the status of the answer."""

import datetime
import json
import sys
import urllib.error
import urllib.request

from standardwebhooks.webhooks import Webhook


def main():
    url, key, challenge, message = sys.argv[1:]
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    data = {"challenge_id": challenge, "message_id": message}
    body = json.dumps({"type": "sms.delivered", "timestamp": now.isoformat(), "data": data})
    request = urllib.request.Request(url, body.encode())
    for name, value in {
        "content-type": "application/json",
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(key).sign("evt_1", now, body),
    }.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request) as answer:
            print(answer.status)
    except urllib.error.HTTPError as refusal:
        print(refusal.status)


main()
