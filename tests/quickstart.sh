#!/bin/sh
# From a fresh clone to two running roots: builds, signs, serves, installs, runs, upgrades, rolls back, verifies.
# Each command is printed as a user would type it. Everything lands in ./quickstart, which is made anew each time.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
sh tests/setup.sh
npm run --silent build

work=quickstart
recipes='base-files zlib xz'
upgraded=zlib
rm -rf "$work"
mkdir -p "$work"
PATH=$here/$work/bin:$PATH
mkdir -p "$work/bin"
ln -s "$here/cli/bin/icepkg.js" "$work/bin/icepkg"
export PATH

say() { printf '\n## %s\n' "$*"; }
run() {
  printf '$ %s\n' "$*"
  "$@"
}
serve() {
  printf '$ icepkg repo serve %s/repo --port 0 &\n' "$work"
  icepkg repo serve "$work/repo" --port 0 >"$work/serve.out" 2>"$work/serve.err" &
  server=$!
  trap 'kill "$server" 2>/dev/null || :' EXIT INT TERM
  tries=0
  until address=$(grep -ho 'http://127\.0\.0\.1:[0-9]*' "$work/serve.out" "$work/serve.err" | head -n 1) && [ -n "$address" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat "$work/serve.err" >&2; exit 1; }
    sleep 0.1
  done
}
# A program of a root: as root by chroot rights of bubblewrap, as anybody else in a user namespace.
program() {
  arch=$1
  shift
  case $arch in
    "$(uname -m)") run bwrap --bind "$work/$arch" / --dev /dev --proc /proc "$@" ;;
    *) run "qemu-$arch-static" -L "$work/$arch" "$work/$arch$@" ;;
  esac
}

say 'Build recipes for both architectures'
run icepkg key generate "$work/packager"
for arch in x86_64 aarch64; do
  run icepkg build $recipes --arch "$arch" --output "$work/packages" --key "$work/packager.key" --quiet
done

say 'Sign them into a repository and serve it'
run icepkg repo init "$work/repo" --key "$work/packager.key"
run icepkg repo add "$work/repo" "$work"/packages/*.icepkg
run icepkg repo publish "$work/repo" --key "$work/packager.key"
serve

for arch in x86_64 aarch64; do
  say "Install into $work/$arch and run a program from it"
  run icepkg init --root "$work/$arch" --arch "$arch" --repository "main=$address" --trust "$work/repo/channels/stable/metadata/1.root.json"
  run icepkg install base-files xz zlib --root "$work/$arch" --yes
  program "$arch" /usr/bin/xz --version
done

say "Publish a new release of $upgraded and upgrade"
mkdir -p "$work/recipes"
cp -R "recipes/$upgraded" "$work/recipes/"
printf '$ cp -R recipes/%s %s/recipes/ && echo "release: 1" >> %s/recipes/%s/recipe.yaml\n' "$upgraded" "$work" "$work" "$upgraded"
echo 'release: 1' >>"$work/recipes/$upgraded/recipe.yaml"
for arch in x86_64 aarch64; do
  run icepkg build "$work/recipes/$upgraded" --arch "$arch" --output "$work/new" --key "$work/packager.key" --quiet
done
run icepkg repo add "$work/repo" "$work/new/$upgraded"-*-r1.*.icepkg
run icepkg repo publish "$work/repo" --key "$work/packager.key"
for arch in x86_64 aarch64; do
  run icepkg upgrade --root "$work/$arch" --yes
  run icepkg history --root "$work/$arch"
done

say 'Roll back and verify'
for arch in x86_64 aarch64; do
  run icepkg rollback --root "$work/$arch" --yes
  run icepkg list --root "$work/$arch"
  run icepkg verify --root "$work/$arch"
done
say 'The server ends here: use its repository as a folder from now on'
for arch in x86_64 aarch64; do
  run icepkg repo detach main --root "$work/$arch"
  run icepkg repo attach main "$work/repo" --trust "$work/repo/channels/stable/metadata/1.root.json" --root "$work/$arch"
done
say 'Done: look around in quickstart/x86_64 and quickstart/aarch64'
