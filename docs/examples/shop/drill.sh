#!/bin/sh
# `sh drill.sh didit` plays bad days against two web processes and a worker, on DATABASE_URL.
# More words are options of `facematch drill`, such as --customers 60 --seed 2.
vendor=$1
shift
export SHOP_VENDOR="$vendor" FACEMATCH_CONFIG="${FACEMATCH_CONFIG:-facematch.toml}"
export MOCK="${MOCK:-8080}" ONE="${ONE:-8000}" TWO="${TWO:-8001}"
export ORIGIN="http://127.0.0.1:$ONE" UPLOADS_KEY=none
SHOP_KEY=none SHOP_KEY_ID=none SHOP_WEBHOOK_SECRET=none python migrate.py || exit 4
one=http://127.0.0.1:$ONE
two=http://127.0.0.1:$TWO
form="-H 'Cookie: login={customer}' -d csrf={customer} -d consent=yes"
login="curl -sf -o /dev/null $one/demo/login?who={customer}"
# Again only after 7: a process that was killed refuses connections until it runs again.
start="curl -sfi $form --data-urlencode 'about=250 EUR to {customer}' $two/start"
exec facematch drill --vendor "$vendor" --port "$MOCK" --document-name "LOVELACE ADA" \
  --begin "sh -c \"$login && for try in 1 2 3 4 5 6 7 8 9; do $start; code=\$?; test \$code = 7 || exit \$code; sleep 1; done\"" \
  --state "$one/demo/state?customer={customer}" --job "$one/demo/look" --webhook "$one/webhook" \
  "$@" -- sh -c '
export SHOP_KEY="$DRILL_KEY" SHOP_KEY_ID="$DRILL_CLIENT" SHOP_WEBHOOK_SECRET="$DRILL_SECRET"
python -m uvicorn demo:app --port "$ONE" --log-level warning &
python -m uvicorn demo:app --port "$TWO" --log-level warning &
exec python worker.py'
