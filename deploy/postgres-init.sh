#!/bin/sh
# 首次建库时运行：建立四个数据库角色，并允许容器内网的复制连接（备份和接收日志用），须口令。
#   sandeng_owner        拥有全部表，只供 sandeng db upgrade 使用
#   sandeng              网页、后台任务、时钟登录用；不拥有任何表，受行级权限约束
#   sandeng_system       校验、时钟等后台工作时由 sandeng 转为此角色；不能登录，不拥有任何表
#   sandeng_replication  备份和接收日志
# 口令取自 /run/secrets/ 中的 pgpass 和 pgpass_owner（每行 postgres:5432:*:角色:口令，口令不含冒号和反斜线）。
set -eu
password() { awk -F: -v role="$1" '$4 == role {print $5; found = 1} END {exit !found}' /run/secrets/pgpass /run/secrets/pgpass_owner; }
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
    -v owner="$(password sandeng_owner)" -v runtime="$(password sandeng)" -v replication="$(password sandeng_replication)" <<'SQL'
CREATE ROLE sandeng_owner LOGIN PASSWORD :'owner';
CREATE ROLE sandeng_system NOLOGIN;
CREATE ROLE sandeng LOGIN NOINHERIT PASSWORD :'runtime' IN ROLE sandeng_system;
CREATE ROLE sandeng_replication LOGIN REPLICATION PASSWORD :'replication';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO sandeng_owner;
SQL
echo "host replication sandeng_replication samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
