#!/bin/sh
# Runs SCRIPT on a real kernel that has what this machine's has not: USB devices, GPIO lines, sound cards, cameras, all
# of them made by the kernel itself. The machine is QEMU's, its files are this machine's, read only.
#
#   vm.sh KERNEL_FOLDER SECONDS SCRIPT [NAME=VALUE...]
#
# KERNEL_FOLDER holds vmlinuz and kernel/ with the modules, see kernel.sh. Prints what SCRIPT prints, and ends as it did.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernel=$1 seconds=$2 script=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/bin" "$root/modules"
cp "$(command -v busybox || echo "$kernel/busybox")" "$root/bin/busybox"
cp "$here/vm-init.sh" "$root/init"
chmod +x "$root/init"
version=$(basename "$(dirname "$(find "$kernel" -name modules.dep | head -n 1)")")
tree=$(cd "$(dirname "$(find "$kernel" -name modules.dep | head -n 1)")/../../.." && pwd)
[ -e "$tree/lib/modules" ] || tree=$kernel
# shellcheck disable=SC2046
for module in $(sed 's/#.*//' "$here/modules" | awk 'NF {print $1}'); do
    modprobe -d "$tree" -S "$version" --show-depends "$module" | awk '/^insmod/ {print $2}'
done | awk '!seen[$0]++' > "$work/files"
while read -r file; do
    name=$(basename "$file" | sed 's/\.ko.*//')
    case $file in
        *.xz) xz -dc "$file" > "$root/modules/$name.ko" ;;
        *.zst) zstd -dc "$file" > "$root/modules/$name.ko" ;;
        *) cp "$file" "$root/modules/$name.ko" ;;
    esac
    echo "$name" >> "$root/modules/order"
done < "$work/files"
sed 's/#.*//' "$here/modules" | awk 'NF' > "$root/modules/words"
cp "$script" "$root/script"
echo "PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp $*" > "$root/words"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1 > "$work/initrd")
timeout "$seconds" qemu-system-x86_64 -M q35 -cpu max -accel tcg -m 1536 -nographic -no-reboot \
    -kernel "$(find "$kernel" -name vmlinuz | head -n 1)" -initrd "$work/initrd" -append "console=ttyS0 panic=1 tsc=unstable" \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap < /dev/null > "${VM_LOG:-$work/log}" 2>&1 || true
tr -d '\r' < "$work/log" | sed -n '/^VM-BEGIN/,/^VM-END/p'
grep -q '^VM-BEGIN' "$work/log" || { tail -n 40 "$work/log"; exit 1; }
tr -d '\r' < "$work/log" | grep -q '^VM-END 0$'
