#!/bin/sh
# Unpacks Debian's kernel with its modules, and busybox, into FOLDER, once. Nothing is installed on this machine.
set -eu
folder=$1
[ ! -e "$folder/made" ] || exit 0
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/debs"
cd "$folder/debs"
# Its own list of packages: older releases have no gpio-sim.
archive=$(sed -n 's/^\(deb \|URIs: *\)\(\[[^]]*\] *\)\{0,1\}\(http[^ ]*debian\)\/* .*/\3/p; s/^URIs: *\(http[^ ]*debian\)\/*$/\1/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" > "$folder/apt/list"
options="-o Dir::Etc::sourcelist=$folder/apt/list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$folder/apt/lists
    -o Dir::Cache=$folder/apt -o APT::Architecture=amd64"
# The words of $options are separate.
# shellcheck disable=SC2086
apt-get $options update -qq
# shellcheck disable=SC2086
kernel=$(apt-cache $options depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
# shellcheck disable=SC2086
apt-get $options download -qq "$kernel" busybox-static
for deb in *.deb; do dpkg-deb -x "$deb" "$folder"; done
depmod -b "$folder/usr" "$(basename "$folder"/usr/lib/modules/* "$folder"/lib/modules/* 2> /dev/null | tail -n 1)" 2> /dev/null || true
cp "$folder/boot/"vmlinuz* "$folder/vmlinuz"
busybox=$(find "$folder" -path '*bin/busybox' | head -n 1)
cp "$busybox" "$folder/busybox"
rm -r "$folder/debs"
touch "$folder/made"
