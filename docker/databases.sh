#!/usr/bin/env bash
# Makes the databases of MLflow (runs; users and permissions) and of Optuna, each with an owner that
# can open no other. PostgreSQL's image runs this once, on an empty data folder, with psql's usual
# variables set for its superuser.
set -euo pipefail

secrets="${SECRETS:-/run/secrets}"

create_role() {
  # Through standard input, so that no password is an argument that `ps` shows.
  psql --quiet --set ON_ERROR_STOP=1 --dbname postgres <<SQL
CREATE ROLE $1 LOGIN PASSWORD '$(cat "$secrets/$2")';
SQL
}

create_database() {
  psql --quiet --set ON_ERROR_STOP=1 --dbname postgres <<SQL
CREATE DATABASE $1 OWNER $2;
REVOKE CONNECT ON DATABASE $1 FROM PUBLIC;
SQL
}

create_role mlflow mlflow_database_password
create_role optuna optuna_database_password
create_database mlflow mlflow
create_database mlflow_auth mlflow
create_database optuna optuna
