#!/bin/bash
# Makes the first admin of the realm, which the realm's file cannot ship. May be run any number of times: a password that
# was changed since stays.
set -euo pipefail

kcadm() { "${KCADM:-/opt/keycloak/bin/kcadm.sh}" "$@" --config "${HOME}/kcadm.config"; }

# The password comes as KC_CLI_PASSWORD.
kcadm config credentials --server "$KEYCLOAK_URL" --realm master --user "$KEYCLOAK_ADMIN"

found=$(kcadm get users --target-realm "$REALM" --query "username=$ADMIN_EMAIL" --query exact=true --fields username)
if [[ $found != *"$ADMIN_EMAIL"* ]]; then
  kcadm create users --target-realm "$REALM" --file - <<END
{
  "username": "$ADMIN_EMAIL",
  "email": "$ADMIN_EMAIL",
  "emailVerified": true,
  "firstName": "First",
  "lastName": "Admin",
  "enabled": true,
  "credentials": [{ "type": "password", "value": "$ADMIN_PASSWORD", "temporary": false }]
}
END
fi
kcadm add-roles --target-realm "$REALM" --uusername "$ADMIN_EMAIL" --rolename admin
