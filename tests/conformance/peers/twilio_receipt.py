"""Tells what became of a message as Twilio does, signed by Twilio's own library: GATEWAY PUBLIC_URL TOKEN STATUS. Prints the status of the answer."""

import sys
import urllib.error
import urllib.parse
import urllib.request

from twilio.request_validator import RequestValidator


def main():
    gateway, public_url, token, status = sys.argv[1:]
    fields = {
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "ApiVersion": "2010-04-01",
        "From": "+15550001111",
        "MessageSid": "SM0123456789abcdef0123456789abcdef",
        "MessageStatus": status,
        "SmsSid": "SM0123456789abcdef0123456789abcdef",
        "SmsStatus": status,
        "To": "+14155550100",
    }
    target = "?".join(urllib.parse.urlsplit(public_url)[2:4])
    request = urllib.request.Request(gateway + target, urllib.parse.urlencode(fields).encode())
    request.add_header("X-Twilio-Signature", RequestValidator(token).compute_signature(public_url, fields))
    try:
        with urllib.request.urlopen(request) as answer:
            print(answer.status)
    except urllib.error.HTTPError as refusal:
        print(refusal.status)


main()
