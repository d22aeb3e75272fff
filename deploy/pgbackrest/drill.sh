#!/usr/bin/env bash
# 演练：在临时目录起一个数据库，用同样的配置做全量、增量备份，删掉数据库再恢复，逐行核对。以 postgres 用户运行，不碰正式数据。
set -euo pipefail
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | tail -1)")
top=$(mktemp -d)
port=${PORT:-54329}
finish() { "$bin/pg_ctl" -D "$top/pg" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$top"; }
trap finish EXIT

sed -e "s#^repo1-path=.*#repo1-path=$top/repo#" -e "s#^pg1-path=.*#pg1-path=$top/pg#" -e "s#^pg1-port=.*#pg1-port=$port#" \
    "$(dirname "$0")/pgbackrest.conf" >"$top/pgbackrest.conf"
cat >>"$top/pgbackrest.conf" <<END
pg1-socket-path=$top
[global:drill]
END
sed -i -e '/^\[global:drill\]$/d' -e "s#^\[global\]#[global]\nrepo1-cipher-pass=$(head -c 24 /dev/urandom | base64)\nlog-path=$top\nlock-path=$top\nspool-path=$top#" "$top/pgbackrest.conf"
pgbackrest() { command pgbackrest --config="$top/pgbackrest.conf" --stanza=sandeng "$@"; }
query() { "$bin/psql" -qAt -h "$top" -p "$port" -d postgres -c "$1"; }

"$bin/initdb" -D "$top/pg" -A trust -U postgres >/dev/null
cat >>"$top/pg/postgresql.conf" <<END
port = $port
listen_addresses = ''
unix_socket_directories = '$top'
wal_level = replica
archive_mode = on
archive_command = 'pgbackrest --config=$top/pgbackrest.conf --stanza=sandeng archive-push %p'
END
"$bin/pg_ctl" -D "$top/pg" -l "$top/pg.log" -w start >/dev/null
pgbackrest stanza-create
pgbackrest check
query 'CREATE TABLE kept (n int)'
query 'INSERT INTO kept SELECT generate_series(1, 10000)'
pgbackrest --type=full backup
query 'INSERT INTO kept SELECT generate_series(10001, 15000)'
pgbackrest --type=incr backup
query 'INSERT INTO kept SELECT generate_series(15001, 20000)'
query 'SELECT pg_switch_wal()' >/dev/null
query 'CHECKPOINT'
for _ in $(seq 50); do [ "$(query 'SELECT archived_count >= 1 AND last_failed_wal IS NULL FROM pg_stat_archiver')" = t ] && break; sleep 0.2; done
"$bin/pg_ctl" -D "$top/pg" -w -m fast stop >/dev/null
rm -rf "$top/pg"
pgbackrest restore
"$bin/pg_ctl" -D "$top/pg" -l "$top/pg.log" -w start >/dev/null
for _ in $(seq 100); do [ "$(query 'SELECT pg_is_in_recovery()')" = f ] && break; sleep 0.2; done
[ "$(query 'SELECT count(*), max(n) FROM kept')" = '20000|20000' ] || { echo "恢复后的行数不符" >&2; exit 1; }
pgbackrest verify
echo "演练通过：20000 行全部恢复"
