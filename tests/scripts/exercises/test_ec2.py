"""Requests signed as EC2's clients sign them."""

from __future__ import annotations

from scripts.exercises.ec2 import signature, signed


def test_ec2_signature_of_amazon_example() -> None:
    # Of the documentation of Amazon Elastic MapReduce, on version 2.
    params = {
        "AWSAccessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "Action": "DescribeJobFlows",
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": "2011-10-03T15:19:30",
        "Version": "2009-03-31",
    }
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    of = signature(secret, "GET", "elasticmapreduce.amazonaws.com", "/", params)
    assert of == "i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs="


def test_ec2_request_omits_secret() -> None:
    request = signed("access", "the secret", "2026-01-01T00:00:00Z")
    assert request["params"]["AWSAccessKeyId"] == request["access"] == "access"
    assert "the secret" not in str(request)
