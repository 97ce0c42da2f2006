# What a customer, the vendor and a forger do; the application is not changed for it.
set -eu

mock() { # PATH JSON
  curl -fsS -H "X-Mock-Token: $MOCK_TOKEN" -H "Content-Type: application/json" -d "$2" "http://mock:8080/__mock__/$1"
}

verdict_after() { # CARD: a customer shows this face; prints what the application believes
  session=$(curl -fsS --retry 120 --retry-delay 1 --retry-connrefused -X POST http://app:8000/begin)
  mock sessions/act "{\"session_id\": \"$session\", \"do\": \"card\", \"card\": \"$1\", \"document\": \"p1\"}" >&2
  mock webhooks/wait "{}" >&2
  curl -fsS "http://app:8000/verdict?session=$session"
}

mock webhooks/destinations "{\"url\": \"http://app:8000/webhook\", \"secret\": \"$WEBHOOK_SECRET\"}" > destination.json
test "$(verdict_after p1)" = yes
test "$(verdict_after p2)" = no
# The application must not believe a webhook with a wrong signature.
mock webhooks/sign-wrong '{"times": 9}' >&2
test "$(verdict_after p1)" = no
echo "3 of 3: a yes, a no, and a forged webhook"
