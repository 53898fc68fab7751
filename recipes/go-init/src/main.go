// go-init is the first process of a small system: it mounts what the kernel offers, starts services in the order
// of their dependencies, keeps them running, reaps orphans, and takes everything down in order.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	manifestFolder = "/etc/go-init"
	runitFolder    = "/etc/service"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "initctl":
		os.Exit(initctl(os.Args[1:]))
	case "sv":
		os.Exit(sv(os.Args[1:]))
	}
	if len(os.Args) == 3 && os.Args[1] == "check" {
		os.Exit(check(os.Args[2]))
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "go-init: only as the first process; `initctl` talks to it, `go-init check FOLDER` tries manifests")
		os.Exit(2)
	}
	boot()
}

func boot() {
	console := openConsole()
	log := func(format string, args ...any) {
		fmt.Fprintf(console, "go-init: "+format+"\n", args...)
	}
	for _, problem := range mountAll() {
		log("%v", problem)
	}
	setHostname()
	// Control-Alt-Delete sends SIGINT instead of resetting the machine.
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_CAD_OFF)

	supervisor := NewSupervisor(Backoff{First: time.Second, Last: time.Minute, Healthy: 10 * time.Second}, log)
	go Reap(supervisor.Exited)
	ending := make(chan int, 1)
	leave := func(command int) {
		select {
		case ending <- command:
			go supervisor.Shutdown()
		default:
		}
	}
	go awaitSignals(leave)
	if listener, err := Listen(controlSocket); err != nil {
		log("no control socket: %v", err)
	} else {
		go Serve(listener, func(words []string) (string, error) { return handle(supervisor, words, leave) })
	}
	go func() {
		all, problems := LoadServices(manifestFolder, runitFolder)
		for _, problem := range problems {
			log("%v", problem)
		}
		manifests, _ := Enabled(manifestFolder, all)
		if len(manifests) == 0 {
			log("there are no services in %s or %s: a shell on the console", manifestFolder, runitFolder)
			manifests = []Manifest{rescue()}
		}
		supervisor.Load(manifests)
	}()
	supervisor.Run()
	goDown(<-ending, log)
}

// rescue is what runs on a machine without any service, so that it can be mended.
func rescue() Manifest {
	service := defaults("rescue")
	service.Command = []string{"/bin/sh", "-l"}
	service.TTY = "/dev/console"
	return service
}

func openConsole() *os.File {
	if console, err := os.OpenFile("/dev/console", os.O_WRONLY|syscall.O_NOCTTY, 0); err == nil {
		return console
	}
	return os.Stderr
}

func setHostname() {
	content, err := os.ReadFile("/etc/hostname")
	if name := strings.TrimSpace(string(content)); err == nil && name != "" {
		_ = syscall.Sethostname([]byte(name))
	}
}

// awaitSignals follows BusyBox, whose `halt`, `poweroff` and `reboot` send these.
func awaitSignals(leave func(int)) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	for received := range signals {
		switch received {
		case syscall.SIGINT, syscall.SIGTERM:
			leave(syscall.LINUX_REBOOT_CMD_RESTART)
		case syscall.SIGUSR1:
			leave(syscall.LINUX_REBOOT_CMD_HALT)
		case syscall.SIGUSR2:
			leave(syscall.LINUX_REBOOT_CMD_POWER_OFF)
		}
	}
}

func handle(supervisor *Supervisor, words []string, leave func(int)) (string, error) {
	if len(words) == 1 && words[0] == "status" {
		return statusOfAll(supervisor)
	}
	switch words[0] {
	case "reload":
		return reload(supervisor), nil
	case "enable", "disable":
		return switchServices(supervisor, words[1:], words[0] == "enable")
	case "reboot":
		leave(syscall.LINUX_REBOOT_CMD_RESTART)
	case "halt":
		leave(syscall.LINUX_REBOOT_CMD_HALT)
	case "poweroff":
		leave(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	default:
		return supervisor.Do(words[0], words[1:])
	}
	return "", nil
}

const usage = `usage: initctl status|check|start|stop|restart|enable|disable [SERVICE...]
       initctl reload|poweroff|reboot|halt
`

func initctl(words []string) int {
	if len(words) == 0 || words[0] == "-h" || words[0] == "--help" {
		fmt.Print(usage)
		return 2
	}
	return ask(words)
}

func ask(words []string) int {
	text, err := Ask(controlSocket, words)
	fmt.Print(text)
	if err != nil {
		fmt.Fprintf(os.Stderr, "initctl: %v\n", err)
		return 1
	}
	return 0
}

// sv speaks the part of runit's `sv` that run and finish scripts use: a command and service directories.
func sv(words []string) int {
	verbs := map[string]string{"check": "check", "status": "status", "up": "start", "start": "start", "down": "stop", "stop": "stop", "restart": "restart"}
	if len(words) < 2 || verbs[words[0]] == "" {
		fmt.Fprintln(os.Stderr, "usage: sv check|status|up|down|restart DIRECTORY...")
		return 2
	}
	request := []string{verbs[words[0]]}
	for _, folder := range words[1:] {
		whole, err := filepath.Abs(folder)
		if err != nil {
			fmt.Fprintf(os.Stderr, "sv: %v\n", err)
			return 1
		}
		request = append(request, filepath.Base(whole))
	}
	return ask(request)
}

// check reads a folder of manifests as the first process would and tells what is wrong with it.
func check(folder string) int {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		fmt.Fprintf(os.Stderr, "go-init: %s is not a folder\n", folder)
		return 1
	}
	manifests, problems := LoadServices(folder, filepath.Join(folder, "none"))
	on, _ := Enabled(folder, manifests)
	_, impossible := withoutImpossible(on)
	problems = append(problems, impossible...)
	for _, problem := range problems {
		fmt.Fprintf(os.Stderr, "go-init: %v\n", problem)
	}
	if len(problems) > 0 {
		return 1
	}
	fmt.Printf("%d services, all can start\n", len(manifests))
	return 0
}
