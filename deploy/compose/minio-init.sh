#!/bin/sh
# Makes the bucket, and a user for BudApp that can do nothing but keep objects in it. May be run any number of times.
set -eu

mc --quiet alias set stack http://minio:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"
mc mb --ignore-existing "stack/$BUCKET"

cat >/tmp/policy.json <<END
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::$BUCKET"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
      "Resource": ["arn:aws:s3:::$BUCKET/*"]
    }
  ]
}
END
mc admin policy create stack budapp-objects /tmp/policy.json
mc admin user add stack "$ACCESS_KEY" "$SECRET_KEY"
# It refuses to attach what is attached; the image has no grep.
case $(mc admin policy entities stack --user "$ACCESS_KEY") in
  *budapp-objects*) ;;
  *) mc admin policy attach stack budapp-objects --user "$ACCESS_KEY" ;;
esac
