#!/bin/busybox sh
# blkid, of what is in optical drives, by the volume identifier of ISO 9660 (ECMA-119, 8.4.7): [-L LABEL ...].
for disk in /dev/sr*; do
    label=$(dd if="$disk" bs=1 skip=32808 count=32 2> /dev/null | sed 's/ *$//')
    if [ "$1" = -L ]; then
        [ "$label" != "$2" ] || echo "$disk"
    elif [ -n "$label" ]; then
        echo "$disk: LABEL=\"$label\" TYPE=\"iso9660\""
    fi
done
