#!/usr/bin/env bash
# What a container of the stack runs: `start.sh head | worker | alive | mlflow | bucket |
# user`; `alive` says whether the Ray node of this container is.
#
# Secrets come from files in $SECRETS and go to files that only this user reads, where the clients
# look for them by themselves (libpq, boto3, MLflow, Ray); never to arguments or logs.
set -euo pipefail
umask 077

secrets="${SECRETS:-/run/secrets}"
postgres="${POSTGRES_HOST:-postgres}:${POSTGRES_PORT:-5432}"

# need NAME…: a missing secret ends the container, instead of an empty one being written.
need() {
  for name in "$@"; do
    [[ -s "$secrets/$name" ]] || {
      echo "start.sh: $secrets/$name is not there: docker/secrets.sh makes it" >&2
      exit 2
    }
  done
}

secret() {
  cat "$secrets/$1"
}

# write FILE <<TEXT
write() {
  mkdir -p "$(dirname "$1")"
  cat >"$1"
}

ray_node() {
  need ray_token mlflow_user_password optuna_database_password
  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$secrets/ray_token"
  write ~/.mlflow/credentials <<INI
[mlflow]
mlflow_tracking_username = assay
mlflow_tracking_password = $(secret mlflow_user_password)
INI
  write ~/.pgpass <<PGPASS
$postgres:optuna:optuna:$(secret optuna_database_password)
PGPASS
  exec ray start --block --disable-usage-stats --num-cpus="${RAY_CPUS:-0}" "$@"
}

s3_client() {
  need s3_access_key s3_secret_key
  write ~/.aws/credentials <<INI
[default]
aws_access_key_id = $(secret s3_access_key)
aws_secret_access_key = $(secret s3_secret_key)
INI
  export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}"
}

case "${1:-}" in
head)
  # On all addresses of the container; compose.yaml publishes the dashboard on 127.0.0.1 alone.
  # train_driver: what only waits for workers elsewhere sits beside the drivers.
  ray_node --head --port=6379 --include-dashboard=true --resources='{"train_driver": 1}' \
    --dashboard-host="${DASHBOARD_HOST:-0.0.0.0}" --dashboard-port=8265 "${@:2}"
  ;;
worker)
  ray_node --address="${RAY_HEAD:-ray-head:6379}" "${@:2}"
  ;;
alive)
  exec python - "http://127.0.0.1:${RAY_AGENT_PORT:-52365}/api/local_raylet_healthz" <<PYTHON
import sys
import urllib.request

token = open("$secrets/ray_token").read()
request = urllib.request.Request(sys.argv[1], headers={"Authorization": f"Bearer {token}"})
urllib.request.urlopen(request, timeout=4)
PYTHON
  ;;
bucket)
  s3_client
  exec python "$(dirname "$0")/prepare.py" bucket
  ;;
mlflow)
  need mlflow_database_password mlflow_admin_password mlflow_session_key
  s3_client
  write ~/.pgpass <<PGPASS
$postgres:mlflow:mlflow:$(secret mlflow_database_password)
$postgres:mlflow_auth:mlflow:$(secret mlflow_database_password)
PGPASS
  write ~/basic_auth.ini <<INI
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = postgresql+psycopg2://mlflow@$postgres/mlflow_auth
admin_username = admin
admin_password = $(secret mlflow_admin_password)
auth_cache_ttl_seconds = 60
INI
  export MLFLOW_AUTH_CONFIG_PATH=~/basic_auth.ini
  MLFLOW_FLASK_SERVER_SECRET_KEY="$(secret mlflow_session_key)"
  export MLFLOW_FLASK_SERVER_SECRET_KEY
  export MLFLOW_SERVER_ALLOWED_HOSTS="${MLFLOW_ALLOWED_HOSTS:-mlflow:5000,localhost:5000,127.0.0.1:5000}"
  export MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false
  exec mlflow server --app-name basic-auth --workers "${MLFLOW_WORKERS:-2}" \
    --host "${MLFLOW_HOST:-0.0.0.0}" --port "${MLFLOW_PORT:-5000}" \
    --backend-store-uri "postgresql+psycopg2://mlflow@$postgres/mlflow" \
    --serve-artifacts --artifacts-destination "s3://${S3_BUCKET:-mlflow}/artifacts"
  ;;
user)
  need mlflow_admin_password mlflow_user_password
  exec python "$(dirname "$0")/prepare.py" user
  ;;
*)
  echo "start.sh: expected head, worker, alive, mlflow, bucket or user, not '${1:-}'" >&2
  exit 2
  ;;
esac
