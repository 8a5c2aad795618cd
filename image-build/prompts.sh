#!/bin/sh
# Speaks what the terminal says aloud (prompts.txt) into OUT/ID.wav, 22,050 Hz, 16 bits, with espeak-ng (Debian package
# of that name). The voice is a machine's: plain to follow and not pleasant. Recordings by a person under
# the same names take its place. What has not changed is not spoken again.
#
#   image-build/prompts.sh OUT
set -eu

out=${1:?"usage: image-build/prompts.sh OUT"}
here=$(dirname "$0")
texts=$here/../ui/locales/zh-CN.toml
# The plain voice cmn of espeak-ng 1.51 turns characters into pinyin and then reads that as English.
voice=cmn-latn-pinyin
# Words a minute, for old ears: three characters a second.
speed=160
tab=$(printf '\t')
command -v espeak-ng > /dev/null || { echo "prompts.sh: install the Debian package espeak-ng" >&2; exit 1; }

mkdir -p "$out"
# Characters with two readings that it takes for the wrong one, each with one that sounds right.
readings='s/重新/崇新/g; s/重装/崇装/g; s/重连/崇连/g; s/地方/弟方/g; s/得到/德到/g; s/相貌/象貌/g
	s/更新/耕新/g; s/更换/耕换/g; s/更正/耕正/g; s/了解/瞭解/g'
# id = "text", one a line. A line break is a pause, a telephone number is said digit by digit.
sed -n "s/^\([a-z0-9-]*\) = \"\([^{}]*\)\"\$/\1$tab$voice $speed$tab\2/p" "$texts" |
	sed 's/\\n/。/g; s/　/，/g; s/12333/幺二三三三/g' | sed "$readings" |
	awk -F "$tab" 'NR == FNR { spoken[$1]; next } $1 in spoken' "$here/prompts.txt" - > "$out/.new"
spoken=0 kept=0
while IFS=$tab read -r id how text; do
	if [ -s "$out/$id.wav" ] && grep -qxF "$id$tab$how$tab$text" "$out/.spoken" 2> /dev/null; then
		kept=$((kept + 1))
		continue
	fi
	# Beside its place first, so that a cut leaves no half of it.
	espeak-ng -v $voice -s $speed -w "$out/.part" -- "$text"
	mv "$out/.part" "$out/$id.wav"
	spoken=$((spoken + 1))
done < "$out/.new"
mv "$out/.new" "$out/.spoken"
echo "$spoken prompts spoken, $kept as they were, in $out"
[ $((spoken + kept)) -gt 0 ]
