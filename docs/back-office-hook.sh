#!/bin/sh
# A hook for `wallet conformance` and `wallet simulate` (`wallet docs conformance`). This one speaks to the admin API of
# this project (`wallet docs admin-api`). For a wallet of your own, put its calls in place of those below.
#   wallet conformance --print-hook > hook.sh; chmod +x hook.sh
#   ADMIN_URL=http://127.0.0.1:8081 TOKEN_FILE=var/admin.token wallet conformance URL ... --hook ./hook.sh
set -eu
action=$1 user=$2
encoded=$(printf %s "$user" | od -An -v -tx1 | tr -d '\n' | tr ' ' %)
player=$ADMIN_URL/v1/players/$encoded

# METHOD URL [JSON]. The answer to a refusal is printed, too: the suite shows it. The token is no argument: ps shows those.
call() {
    curl --silent --show-error --fail-with-body --max-time 20 --request "$1" ${3:+--data "$3"} --header @- "$2" <<HEADERS
Authorization: Bearer $(cat "$TOKEN_FILE")
Content-Type: application/json
Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)
HEADERS
}

case $action in
create) call POST "$ADMIN_URL/v1/players" "{\"user_id\": \"$user\", \"currency\": \"$3\"}" ;;
deposit) call POST "$player/deposits" "{\"amount\": \"$3\"}" ;;
withdraw) call POST "$player/withdrawals" "{\"amount\": \"$3\"}" ;;
block) call PATCH "$player" '{"status": "blocked"}' ;;
unblock) call PATCH "$player" '{"status": "active"}' ;;
balance)
    shown=$(call GET "$player")
    printf '%s\n' "$shown" | sed 's/.*"balance":"\([^"]*\)".*/\1/'
    ;;
*) exit 69 ;; # EX_UNAVAILABLE: there is no such action here
esac
