#!/bin/bash
# Process 1 of the Linux kernel that runs as a process (user-mode-linux). Its root is the host's, read
# only; folder= on its command line names the folder with the job, python= the interpreter.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/job
mount -t hostfs none /mnt/job -o "$folder"
mount -t tmpfs tmpfs /run
mkdir -p /mnt/m/lib
ln -s /usr/lib/uml/modules /mnt/m/lib/modules
printf '#!/bin/sh\nexec /usr/sbin/modprobe -d /mnt/m "$@"\n' > /mnt/modprobe
chmod +x /mnt/modprobe
echo /mnt/modprobe > /proc/sys/kernel/modprobe
for module in jitterentropy_rng drbg xfrm_algo xfrm_user esp4 esp6 gcm ccm ctr cbc echainiv seqiv \
    authenc hmac sha1_generic sha256_generic sha512_generic aes_generic xcbc cmac chacha20poly1305 \
    chacha_generic poly1305_generic crypto_null ghash-generic; do
    modprobe -d /mnt/m "$module" || echo "no module $module"
done
ip link set lo up
ip link set vec0 up
"$python" -I /mnt/job/kernel_side.py /mnt/job/cells.json
sync
echo o > /proc/sysrq-trigger
sleep 1
halt -f -p
