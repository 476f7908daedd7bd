#!/usr/bin/env bash
# From nothing to a synthetic table over HTTP: an account, an upload, a training that is watched, the report, the result.
#
#   script/demo serve                                      # in one terminal: prints the address
#   ROWFORGE_URL=http://127.0.0.1:8000 docs/quickstart.sh  # in another
#
# Read it top to bottom: every step is one curl. Results go to a folder of their own (FOLDER, default ./quickstart).
# Needs curl, python3 (to pick fields out of replies) and the program (ROWFORGE, default: the one that is built beside docs/).
set -euo pipefail

url=${ROWFORGE_URL:-http://127.0.0.1:8000}
folder=${FOLDER:-quickstart}
rowforge=${ROWFORGE:-$(dirname "$0")/../build/rowforge}
epochs=${EPOCHS:-30}
email=${EMAIL:-stranger-$(date +%s)-$$@example.org}
password=${PASSWORD:-a-long-password}
mkdir -p "$folder"

# field NAME…: the value at data.NAME… of the JSON reply on standard input.
field() {
    python3 -c 'import json, sys
value = json.load(sys.stdin)["data"]
for name in sys.argv[1:]:
    value = value[int(name)] if isinstance(value, list) else value[name]
print(value)' "$@"
}

request() {
    curl --silent --show-error --fail-with-body "$@"
}

echo "== 1. is it there?"
request "$url/health"
echo

echo "== 2. an account, and a login"
request -X POST "$url/auth/register" -H 'Content-Type: application/json' \
    -d "{\"email\": \"$email\", \"password\": \"$password\"}"
echo
token=$(request -X POST "$url/auth/login" -H 'Content-Type: application/json' \
    -d "{\"email\": \"$email\", \"password\": \"$password\"}" | field access_token)
auth="Authorization: Bearer $token"
request -H "$auth" "$url/auth/me"
echo

echo "== 3. a table, uploaded; its kinds of column are found while we go on"
"$rowforge" demo-data "$folder/people.csv" --rows 1000 --seed 7 --quiet
dataset=$(request -H "$auth" -F "file=@$folder/people.csv" "$url/upload/dataset" | field id)
echo "dataset $dataset"

echo "== 4. a CTGAN is trained on it and makes 500 rows; the key makes the request safe to repeat"
start=$(request -X POST "$url/generation/start" -H "$auth" -H 'Content-Type: application/json' \
    -H "Idempotency-Key: quickstart-$dataset" \
    -d "{\"dataset_id\": $dataset, \"sample_size\": 500, \"include_metadata\": true,
         \"model_config\": {\"model_type\": \"ctgan\", \"epochs\": $epochs, \"batch_size\": 100, \"seed\": 7}}")
echo "$start"
id=$(field id <<<"$start")

echo "== 5. watch it: server-sent events, until the end"
request --no-buffer -H "$auth" "$url/generation/events/$id" | grep --line-buffered '^event: end\|^data: {"id"' |
    sed -u 's/.*"status":"\([a-z_]*\)".*"phase":"\([a-z]*\)","epoch":\([0-9]*\).*/\1: \2, epoch \3/'
state=$(request -H "$auth" "$url/generation/status/$id" | field status)
echo "it has $state"
[ "$state" = completed ]

echo "== 6. how good is it?"
request -H "$auth" "$url/generation/status/$id" | field quality
request -H "$auth" -H 'Accept: text/html' -o "$folder/report.html" "$url/generation/report/$id"

echo "== 7. the result, by an address that needs no login for some minutes"
link=$(request -H "$auth" "$url/generation/download/$id" | field url)
request -o "$folder/synthetic.csv" "$link"
head -n 3 "$folder/synthetic.csv"

echo
echo "the table:             $folder/people.csv"
echo "the synthetic table:   $folder/synthetic.csv"
echo "the report, to browse: $folder/report.html"
