"""Judges which phone numbers get a code, by libphonenumber's own example numbers: HOST:PORT."""

import http.client
import json
import sys

import phonenumbers
from checks import check
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult

gateway = http.client.HTTPConnection(sys.argv[1], timeout=10)
SPELLINGS = [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL]


def ask(number):
    """The status of a request for a code, and the number as the answer shows it."""
    body = json.dumps({"mobile_number": number})
    gateway.request("POST", "/api/auth/send-otp", body, {"content-type": "application/json"})
    answer = gateway.getresponse()
    return answer.status, json.load(answer).get("mobile_number", "")


def judge(number):
    """The contract: 10 to 15 digits, and possible as a whole, from abroad, by the numbering plan."""
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    expected = 200 if possible and 10 <= len(e164) - 1 <= 15 else 422
    for spelling in SPELLINGS:
        text = phonenumbers.format_number(number, spelling)
        status, shown = ask(text)
        assert status == expected, f"{text}: {status} instead of {expected}"
        if status == 200:
            country = f"+{number.country_code}"
            assert shown == country + "*" * (len(e164) - len(country) - 2) + e164[-2:], f"{text}: {shown}"
    return expected


accepted = refused = 0
for region in sorted(phonenumbers.SUPPORTED_REGIONS):
    with check(region):
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                accepted += judge(number) == 200
        refused += judge(phonenumbers.invalid_example_number(region)) == 422
with check(f"{accepted} good numbers and {refused} bad ones are enough to tell"):
    assert accepted > 400 and refused > 50
