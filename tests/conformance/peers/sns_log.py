"""Writes into moto's logs what SNS would of a message: URL KEY SECRET GROUP ID STATUS."""

import json
import sys
import time

import boto3


def main():
    url, key, secret, group, reference, status = sys.argv[1:]
    logs = boto3.client(
        "logs",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )
    line = {
        "notification": {"messageId": reference, "timestamp": "2016-06-28 00:40:34.558"},
        "delivery": {
            "phoneCarrier": "My Phone Carrier",
            "mnc": 270,
            "mcc": 310,
            "destination": "+14155550100",
            "priceInUSD": 0.00645,
            "smsType": "Transactional",
            "providerResponse": "Message has been accepted by phone carrier",
            "dwellTimeMs": 599,
            "dwellTimeMsUntilDeviceAck": 1344,
        },
        "status": status,
    }
    stream = {"logGroupName": group, "logStreamName": reference}
    try:
        logs.create_log_group(logGroupName=group)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    logs.create_log_stream(**stream)
    logs.put_log_events(
        **stream, logEvents=[{"timestamp": int(time.time() * 1000), "message": json.dumps(line)}]
    )


main()
