# Sourced by scripts/demo and scripts/demo-single, which set `keep`: the binary, a folder to work in, nodes that end with
# the script whatever happens to it, checks that are counted.
echo "== setting up and building (the first time compiles RocksDB: some minutes)"
dta=$(scripts/build | tail -n 1)
SECONDS=0
umask 077
work=$(mktemp -d "${TMPDIR:-/tmp}/dta-demo.XXXXXX")
declare -A url process=()
checks=0
held=false # whether all of them did

also_finish() { :; } # what else a demo has to end
finish() {
  set +e
  trap '' INT TERM HUP
  if ! $held; then
    echo "== FAILED; what the nodes warned of, and what the commands said:" >&2
    grep -hE '^[^ ]+ +(WARN|ERROR) ' "$work"/*.log 2> /dev/null | tail -n 30 >&2
    grep -vE '^(indexes|envelopes): ' "$work/said" 2> /dev/null | tail -n 10 >&2
  fi
  if $held && $keep; then return; fi
  # Their homes go too, so there is nothing to end in order.
  for name in "${!process[@]}"; do kill -KILL "${process[$name]}" 2> /dev/null; done
  wait "${process[@]}" 2> /dev/null
  also_finish
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

holds() { # what, then a command that must succeed
  local what=$1; shift
  if "$@"; then checks=$((checks + 1)); echo "   ok: $what"; else echo "   NOT SO: $what" >&2; exit 1; fi
}
all_held() { held=true; echo "== all $checks checks held, in $SECONDS seconds"; }
same() { [ -n "$1" ] && [ "$1" = "$2" ]; }
in_time() { # a command that must come to succeed
  local end=$((SECONDS + 30))
  until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}

start_node() { # whose, then where to listen: port 0 takes any free one, and the node says which in the one line it prints
  local name=$1 line= says
  exec {says}< <(exec "$dta" --home "$work/$name" daemon --listen "${2:-127.0.0.1:0}" < /dev/null 2>> "$work/$name.log")
  process[$name]=$!
  read -r -t 60 line <&"$says" || { echo "$name's node did not start" >&2; exit 1; }
  url[$name]=${line#listening on }
}
stop_node() {
  kill "${process[$1]}"
  wait "${process[$1]}"
  unset "process[$1]"
}
at() { # whose, then a command for the node
  DTA_NODE=${url[$1]:-} "$dta" --home "$work/$1" "${@:2}" 2>> "$work/said"
}
get() { curl -sS --fail-with-body "${url[$1]}$2"; }
post() { curl -sS --fail-with-body -H 'Content-Type: application/json' -d "$3" "${url[$1]}$2"; }
state() { get "$1" "/v1/order/$2" | jq -r '.order | fromjson | .State'; }

public_key_of() { # the uncompressed public key of a secp256k1 secret, as OpenSSL computes it
  printf '302e0201010420%sa00706052b8104000a' "$1" | xxd -r -p \
    | openssl ec -inform DER -conv_form uncompressed -pubout -outform DER 2> /dev/null | tail -c 65 | xxd -p -c 65
}

forms() { # bytes in hex: as text in either case, and in both alphabets of base64 wherever in an encoding they stand
  local skip
  printf '%s\n' "$1" "${1^^}"
  for skip in 0 1 2; do
    xxd -r -p <<< "${1:$((2 * skip))}" | head -c $(((${#1} / 2 - skip) / 3 * 3)) | base64 -w0 | sed p | sed '2y|+/|-_|'
    echo
  done
}
somewhere() { # bytes in hex: whether the homes and log lines have them, as text or raw
  # Counted and not only looked for: whoever stops reading early makes a pipe fail.
  grep -rqsaF -f <(forms "$1") "$work"/*/ "$work"/*.log \
    || [ "$(find "$work"/*/ "$work"/*.log -type f -exec cat {} + | xxd -p | tr -d '\n' | grep -cF -e "$1")" != 0 ]
}
nowhere() { [ -n "$1" ] && ! somewhere "$1"; }
