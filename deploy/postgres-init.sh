#!/bin/sh
# 首次建库时运行：允许容器内网的复制连接（备份和接收日志用），须口令。
echo "host replication sandeng samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
