#!/bin/busybox sh
# curl, as far as tests of metadata use it, by busybox' wget: [-X METHOD] [-d DATA] URL.
data=
while [ $# -gt 1 ]; do
    case $1 in
        -d) data=$2 && shift 2 ;;
        -X) shift 2 ;;
        *) shift ;;
    esac
done
exec timeout 10 wget -q -O - ${data:+--post-data "$data"} "$1"
