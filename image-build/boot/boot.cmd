# Chooses a slot: the first of BOOT_ORDER that has tries left. Each start takes one try away; the terminal gives them
# back when it has shown that it works (RAUC's mark-good). The counters are in a partition of their own without a file
# system, so that a power cut cannot tear them: a block is the old one or the new one, and a torn one is refused by
# its checksum and begins anew.
if test "${devtype}" = "virtio"; then virtio scan; else mmc dev ${devnum}; fi
part start ${devtype} ${devnum} ubenv counters
setenv at ${loadaddr}
setenv BOOT_ORDER; setenv BOOT_A_LEFT; setenv BOOT_B_LEFT
if ${devtype} read ${at} ${counters} 8 && env import -c ${at} 0x1000 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; then
  echo "kiosk-boot: order=${BOOT_ORDER} A=${BOOT_A_LEFT} B=${BOOT_B_LEFT}"
else
  echo "kiosk-boot: counters begin anew"
  setenv BOOT_ORDER "A B"; setenv BOOT_A_LEFT 3; setenv BOOT_B_LEFT 3
fi
setenv slot
for one in "${BOOT_ORDER}"; do
  if test -n "${slot}"; then true;
  elif test "${one}" = "A"; then
    if test ${BOOT_A_LEFT} -gt 0; then setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1; setenv slot a; fi
  elif test "${one}" = "B"; then
    if test ${BOOT_B_LEFT} -gt 0; then setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1; setenv slot b; fi
  fi
done
if test -z "${slot}"; then
  setenv BOOT_ORDER "A B"; setenv BOOT_A_LEFT 3; setenv BOOT_B_LEFT 3
fi
env export -c -s 0x1000 ${at} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
${devtype} write ${at} ${counters} 8
if test -z "${slot}"; then echo "kiosk-boot: no slot had tries left"; reset; fi
echo "kiosk-boot: slot ${slot} A=${BOOT_A_LEFT} B=${BOOT_B_LEFT}"
part number ${devtype} ${devnum} boot-${slot} place
if load ${devtype} ${devnum}:${place} ${scriptaddr} slot.scr; then source ${scriptaddr}; fi
if test "${slot}" = "a"; then setenv bootname A; else setenv bootname B; fi
setenv bootargs "${slotargs} kiosk.slot=${slot} rauc.slot=${bootname}"
if test "${board}" = "raspberry-pi"; then
  # U-Boot's own places leave this kernel no byte to grow (image-build holds kernels against these).
  setenv kernel_addr_r 0x00200000; setenv fdt_addr_r 0x08800000; setenv ramdisk_addr_r 0x09000000
  # Nothing is moved once more.
  setenv fdt_high ffffffffffffffff; setenv initrd_high ffffffffffffffff
  # The slot's own tree of this board, so that it comes with updates; else the firmware's, from the card's first partition.
  setenv tree ${fdt_addr}
  if load ${devtype} ${devnum}:${place} ${fdt_addr_r} ${fdtfile}; then setenv tree ${fdt_addr_r}; fi
  echo "kiosk-boot: device tree ${fdtfile} at ${tree}"
else
  setenv tree ${fdtcontroladdr}
fi
load ${devtype} ${devnum}:${place} ${kernel_addr_r} Image
load ${devtype} ${devnum}:${place} ${ramdisk_addr_r} initrd
booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${tree}
echo "kiosk-boot: slot ${slot} does not start"
reset
