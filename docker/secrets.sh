#!/usr/bin/env bash
# Makes the stack's secrets, one a file, in docker/secrets/ or the folder that is given. What is
# there stays as it is, so that it can be run again.
#
# The folder is what protects them (0700: its owner alone gets in). The files themselves are
# readable, because containers, whose users differ, each get single files of it.
set -euo pipefail

folder="${1:-$(dirname "$0")/secrets}"
umask 077
mkdir -p "$folder"
chmod 0700 "$folder"

for name in \
  ray_token postgres_password mlflow_database_password optuna_database_password \
  mlflow_admin_password mlflow_user_password mlflow_session_key s3_access_key s3_secret_key; do
  file="$folder/$name"
  if [[ ! -s "$file" ]]; then
    # Hexadecimal: nothing that an INI file, a URL or a shell could read otherwise. No newline.
    printf '%s' "$(head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n')" >"$file"
  fi
  chmod 0444 "$file"
done
echo "secrets: $folder"
