# Sourced by the other scripts: where things are built, outside the checkout so that a clone stays clean
# and RocksDB is compiled once for all of them. Each path may be set from outside.
export DTA_CACHE="${DTA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/milagro-dta}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$DTA_CACHE/target}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
# What scripts/setup made, once it has run: ROCKSDB_LIB_DIR and ROCKSDB_STATIC.
if [ -f "$DTA_CACHE/rocksdb.env" ]; then . "$DTA_CACHE/rocksdb.env"; fi
