#!/bin/sh
# Installs what the build and the tests need: npm packages, and Debian packages through apt when root.
set -eu
cd "$(dirname "$0")/.."
packages='bubblewrap git gcc libc6-dev bzip2 make bison flex bc gawk patch file xz-utils zstd tar attr dpkg-dev pkg-config rsync gcc-aarch64-linux-gnu qemu-user-static
fakeroot e2fsprogs squashfs-tools erofs-utils dosfstools mtools fdisk qemu-utils cpio ccache diffoscope-minimal nginx-light chromium redis-server'
missing=''
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then
    echo "installing Debian packages:$missing"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  else
    echo "these Debian packages are missing; as root type: apt-get install$missing" >&2
    exit 1
  fi
fi
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo 'installing npm packages; native modules are compiled, which takes some minutes'
  # The headers that came with this Node.js: node-gyp would download the same.
  prefix=$(node -p 'require("path").resolve(process.execPath, "../..")')
  if [ -z "${npm_config_nodedir:-}" ] && [ -f "$prefix/include/node/node_version.h" ]; then
    export npm_config_nodedir="$prefix"
  fi
  npm ci --no-audit --no-fund
fi
