#!/bin/sh
# Run once by the Postgres image, on an empty volume: a user and a database for BudApp, and for Keycloak.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set budapp_password="$BUDAPP_PASSWORD" --set keycloak_password="$KEYCLOAK_PASSWORD" <<'SQL'
create role budapp login password :'budapp_password';
create database budapp owner budapp;
revoke all on database budapp from public;
create role keycloak login password :'keycloak_password';
create database keycloak owner keycloak;
revoke all on database keycloak from public;
SQL
