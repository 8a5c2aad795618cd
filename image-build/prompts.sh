#!/bin/sh
# Speaks every text of the terminal that has no blanks into OUT/ID.wav, 22,050 Hz, 16 bits, with espeak-ng (Debian
# package of that name). The voice is a machine's: plain to follow and not pleasant. Recordings by a person under
# the same names take its place. A text that has not changed is not spoken again.
#
#   image-build/prompts.sh OUT
set -eu

out=${1:?"usage: image-build/prompts.sh OUT"}
texts=$(dirname "$0")/../ui/locales/zh-CN.toml
command -v espeak-ng > /dev/null || { echo "prompts.sh: install the Debian package espeak-ng" >&2; exit 1; }

mkdir -p "$out"
new=$out/.texts.new
: > "$new"
spoken=0 kept=0
# id = "text", one a line; \n is a pause.
sed -n 's/^\([a-z0-9-]*\) = "\([^{}]*\)"$/\1\t\2/p' "$texts" | sed 's/\\n/。/g; s/　/，/g' > "$out/.list"
while IFS="$(printf '\t')" read -r id text; do
	printf '%s\t%s\n' "$id" "$text" >> "$new"
	if [ -s "$out/$id.wav" ] && grep -qxF "$id$(printf '\t')$text" "$out/.texts" 2> /dev/null; then
		kept=$((kept + 1))
		continue
	fi
	# 130 words a minute: slower than usual, for old ears. Beside its place first, so that a cut leaves no half of it.
	espeak-ng -v cmn -s 130 -g 2 -w "$out/.part.wav" -- "$text"
	mv "$out/.part.wav" "$out/$id.wav"
	spoken=$((spoken + 1))
done < "$out/.list"
mv "$new" "$out/.texts"
rm -f "$out/.list"
echo "$spoken prompts spoken, $kept as they were, in $out"
[ $((spoken + kept)) -gt 0 ]
