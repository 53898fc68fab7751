package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

var early = []mount{
	{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
	{"sysfs", "/sys", "sysfs", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
	{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=0755"},
	{"devpts", "/dev/pts", "devpts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
	{"tmpfs", "/dev/shm", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
	{"tmpfs", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=0755"},
}

// mountAll mounts the kernel's file systems where an initramfs has not done so already.
func mountAll() []error {
	var problems []error
	for _, wanted := range early {
		if isMountPoint(wanted.target) {
			continue
		}
		_ = os.MkdirAll(wanted.target, 0o755)
		err := syscall.Mount(wanted.source, wanted.target, wanted.kind, wanted.flags, wanted.data)
		if err != nil && err != syscall.EBUSY {
			problems = append(problems, fmt.Errorf("cannot mount %s: %w", wanted.target, err))
		}
	}
	return problems
}

// isMountPoint compares devices; it needs no /proc.
func isMountPoint(path string) bool {
	var here, above syscall.Stat_t
	if syscall.Lstat(path, &here) != nil || syscall.Lstat(path+"/..", &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}

// goDown ends what the services left behind, writes everything to the disks and hands the machine to the kernel.
func goDown(command int, log func(string, ...any)) {
	log("going down")
	_ = syscall.Kill(-1, syscall.SIGTERM)
	time.Sleep(500 * time.Millisecond)
	_ = syscall.Kill(-1, syscall.SIGKILL)
	time.Sleep(50 * time.Millisecond)
	syscall.Sync()
	for _, target := range mountedLastFirst() {
		if target == "/" || target == "/proc" || target == "/dev" {
			continue
		}
		_ = syscall.Unmount(target, syscall.MNT_DETACH)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil && err != syscall.EBUSY {
		log("the root stays writable: %v", err)
	}
	syscall.Sync()
	if err := syscall.Reboot(command); err != nil {
		log("the kernel refuses to go down: %v", err)
	}
	// The kernel panics where the first process ends; a container's ends with it.
	os.Exit(0)
}

func mountedLastFirst() []string {
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil
	}
	defer file.Close()
	var targets []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 {
			targets = append([]string{fields[1]}, targets...)
		}
	}
	return targets
}
