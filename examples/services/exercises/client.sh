#!/bin/sh
# Runs on the node of the client; prints TAP.
number=0
query() { psql --no-password --tuples-only --no-align --host="$QALAB_ADDRESS_DATABASE" --dbname="dbname=client user=$1" --command="$2"; }
# check NAME COMMAND...
check() {
    number=$((number + 1)) name=$1
    shift
    if output=$("$@" 2>&1); then echo "ok $number - $name"; else echo "not ok $number - $name"; fi
    printf '%s\n' "$output" | sed 's/^/# /'
}
refused() { ! "$@"; }

check "the database answers a client of another node" query client "select 6 * 7"
check "the database stores a row" query client "create table if not exists t (n int); insert into t values (1) returning n"
check "the database refuses another user" refused query notes "select 1"
check "the web server passes requests on" curl --silent --show-error --fail "http://$QALAB_ADDRESS_WEB/health"
check "an unknown page is not found" sh -c "curl --silent --output /dev/null --write-out '%{http_code}' http://$QALAB_ADDRESS_WEB/none | grep -qx 404"
echo "1..$number"
