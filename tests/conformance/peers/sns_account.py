"""Opens an account at moto, which checks signatures from then on: prints the key of somebody who may publish, and read and write logs."""

import json
import sys

import boto3

USER = "gateway"
MAY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["sns:Publish", "logs:*"], "Resource": "*"}],
}


def main():
    iam = boto3.client(
        "iam",
        endpoint_url=sys.argv[1],
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    iam.create_user(UserName=USER)
    iam.put_user_policy(UserName=USER, PolicyName="publish", PolicyDocument=json.dumps(MAY))
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    print(key["AccessKeyId"], key["SecretAccessKey"])


main()
