#!/bin/sh
# Writes the secrets that docker-compose.yml needs into .env beside it: random ones, each once. What is there already
# stays, so it can be run again, after an update too. Their names begin with STACK_, so that `npm start`, which reads the
# same .env, does not take them for its own settings.
set -eu

cd "$(dirname "$0")/../.."
umask 077
touch .env
chmod 600 .env

# 32 bytes, in hex.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# keep <name> <value>: adds the setting where it is not there yet, or is empty.
keep() {
  if grep -q "^$1=." .env; then return; fi
  printf '%s=%s\n' "$1" "$2" >>.env
  echo "  $1"
}

# Whatever was there may not end with a line break.
if [ -s .env ] && [ -n "$(tail -c 1 .env)" ]; then echo >>.env; fi

echo "Added to .env:"
keep STACK_MASTER_KEY "$(random)"
keep STACK_POSTGRES_ADMIN_PASSWORD "s$(random)"
keep STACK_POSTGRES_PASSWORD "s$(random)"
keep STACK_KEYCLOAK_DB_PASSWORD "s$(random)"
keep STACK_KEYCLOAK_ADMIN_PASSWORD "s$(random)"
keep STACK_KEYCLOAK_CLIENT_SECRET "s$(random)"
keep STACK_MINIO_ROOT_PASSWORD "s$(random)"
keep STACK_MINIO_SECRET_KEY "s$(random)"
keep STACK_REDIS_PASSWORD "s$(random)"
keep STACK_NATS_PASSWORD "s$(random)"
keep STACK_DAPR_API_TOKEN "s$(random)"
keep STACK_APP_API_TOKEN "s$(random)"
# The rules of the realm want a digit, both cases and a special character.
keep STACK_ADMIN_PASSWORD "Aa1-$(random | cut -c 1-20)"

cat <<'END'

Keep a copy of .env in a safe place: without STACK_MASTER_KEY, personal data and secrets cannot be read again.
Next: docker compose up --build --wait
Then log in at http://localhost:9081/docs as admin@budapp.local with STACK_ADMIN_PASSWORD.
END
