#!/bin/busybox sh
# The first process of the little machine: modules, the host's files, and then what is to be tried.
/bin/busybox mkdir -p /proc /sys /dev /host /tmp
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
for module in $(cat /modules/order); do
    words=$(sed -n "s/^$module //p" /modules/words)
    insmod "/modules/$module.ko" $words || echo "no module $module"
done
mount -t configfs c /sys/kernel/config
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host || poweroff -f
for folder in proc sys dev; do mount --bind /$folder /host/$folder; done
mount -t tmpfs t /host/tmp
mkdir -p /host/dev/shm /host/dev/pts
mount -t devpts -o ptmxmode=666 pts /host/dev/pts
mount -t tmpfs t /host/run
mount -t configfs c /host/sys/kernel/config
ip link set lo up
cp /script /host/tmp/script
echo 'VM-BEGIN'
chroot /host /usr/bin/env -i $(cat /words) /bin/sh /tmp/script
echo "VM-END $?"
poweroff -f
