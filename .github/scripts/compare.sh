#!/usr/bin/env bash
# Record the first calls to a vendor, compare them with its mock, and add the comparison to docs/vendors.
#
#   compare.sh OUT VENDOR MAX_CALLS              by the door, at the vendor's own hosts
#   compare.sh OUT VENDOR MAX_CALLS URL IMAGE    at the mock's port, at a server on this machine
#
# The folder OUT gets recording.json, report.json, report.txt and change.patch, the change of docs/.
set -euo pipefail

out=$1 vendor=$2 max_calls=$3 url=${4-} image=${5-}
recording="$out/recording.json"
first_calls=(python -m facematch_mock_server.first_calls "$vendor")
record=(facematch mock --vendor "$vendor" --record "$recording" --max-calls "$max_calls")

if test -z "$url"; then
  # Test cards: nobody's face goes to a vendor.
  "${record[@]}" --door -- "${first_calls[@]}"
else
  "${record[@]}" --port "${MOCK_PORT:=8089}" --upstream "$url" &
  recorder=$!
  trap 'kill "$recorder" 2>/dev/null || true' EXIT
  for _ in {1..100}; do
    if (: < "/dev/tcp/127.0.0.1/$MOCK_PORT") 2>/dev/null; then break; fi
    kill -0 "$recorder"
    sleep 0.2
  done
  FIRST_CALLS_URL="http://127.0.0.1:$MOCK_PORT" "${first_calls[@]}" \
    docs/photographs/grace-hopper.jpg docs/photographs/grace-hopper-card.jpg docs/photographs/eileen-collins.jpg
  kill "$recorder"
  # The code of a command that was ended says nothing.
  wait "$recorder" || true
fi

# 1 says that an answer differs, which is what the pull request is for.
facematch parity "$recording" > "$out/report.txt" || test $? = 1
facematch parity "$recording" --json > "$out/report.json" || test $? = 1
python docs/_compared.py "$out/report.json" "$recording" ${image:+--image "$image"}
UPDATE_DOCS=1 python -m pytest -q -p no:cacheprovider tests/docs/test_reference_pages.py \
  -k "test_a_table_is_generated or first_calls"
git add --intent-to-add docs/vendors
git diff --binary -- docs/vendors > "$out/change.patch"
